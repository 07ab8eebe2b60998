/* SPDX-License-Identifier: MIT
 *
 * The session's vectors: each whole, octet by octet, cut at each place, with
 * trailing octets, and with each allocation failing once. The invariant: none
 * of that changes what is said, and nothing is left allocated. */
#include "session_script.h"

/* ---- Actions ---- */

static void act_send(script *s, const char *text) {
  short_frame f;
  stomp_outgoing out;
  short_parse(&f, text);
  out = short_outgoing(&f);
  s->status = stomp_session_send(s->session, &out, &s->error);
}

static void act_ack(script *s, const char *text, bool nack) {
  stomp_field field = { "transaction", 11, NULL, 0 };
  size_t i = strtoul(text, NULL, 10) - 1;
  const char *transaction = strchr(text, ' ');
  if (i >= s->n_messages) {
    script_complain(s, text, "no such MESSAGE");
    return;
  }
  if (transaction) {
    field.value = transaction + 1;
    field.value_len = strlen(field.value);
  }
  s->status = stomp_session_ack(s->session, s->messages[i], nack, &field,
                                transaction ? 1 : 0, &s->error);
}

static void act_accept(script *s, const char *text) {
  short_frame f;
  char line[SCRIPT_LINE + 10];
  snprintf(line, sizeof line, "CONNECTED %s", text);
  short_parse(&f, line);
  s->status = stomp_session_accept(s->session, f.fields, f.n_fields, s->now);
  stomp_error_set(&s->error, s->status, STOMP_NO_OFFSET);
}

static void act_refuse(script *s, const char *text) {
  short_frame f;
  short_parse(&f, text);
  s->status = stomp_session_refuse(
    s->session, (stomp_span){ (const uint8_t *)f.command, strlen(f.command) },
    (stomp_span){ (const uint8_t *)f.body, f.body_len });
  stomp_error_set(&s->error, s->status, STOMP_NO_OFFSET);
}

static void act_disconnect(script *s) {
  const char *receipt = NULL;
  s->status = stomp_session_disconnect(s->session, s->now, &receipt, &s->error);
  CHECK(receipt != NULL);
}

static void act_end(script *s, const char *text) {
  uint16_t code = (uint16_t)strtoul(text, NULL, 10);
  const char *reason = strchr(text, ' ');
  stomp_span span = { (const uint8_t *)(reason ? reason + 1 : ""),
                      reason ? strlen(reason + 1) : 0 };
  const char *said;
  bool no_receipt;
  s->status = stomp_session_closed(s->session, code, span, &no_receipt);
  s->error = *stomp_session_error(s->session);
  CHECK(no_receipt == stomp_session_no_receipt(s->session));
  if (s->status == STOMP_OK) {
    said = no_receipt ? "clean, no receipt" : "clean";
    strcpy(s->error.detail, said);
  }
}

static void act_tick(script *s, bool idle_output) {
  s->status = stomp_session_tick(s->session, s->now, idle_output);
  s->error = *stomp_session_error(s->session);
}

static bool act(script *s, const char *verb, const char *rest) {
  if (strcmp(verb, "connect") == 0) {
    s->status = stomp_session_connect(s->session, s->now);
    stomp_error_set(&s->error, s->status, STOMP_NO_OFFSET);
  } else if (strcmp(verb, "accept") == 0) {
    act_accept(s, rest);
  } else if (strcmp(verb, "refuse") == 0) {
    act_refuse(s, rest);
  } else if (strcmp(verb, "send") == 0) {
    act_send(s, rest);
  } else if (strcmp(verb, "ack") == 0 || strcmp(verb, "nack") == 0) {
    act_ack(s, rest, verb[0] == 'n');
  } else if (strcmp(verb, "disconnect") == 0) {
    act_disconnect(s);
  } else if (strcmp(verb, "close") == 0) {
    stomp_session_end(s->session);
  } else if (strcmp(verb, "end") == 0) {
    act_end(s, rest);
  } else if (strcmp(verb, "tick") == 0) {
    act_tick(s, strcmp(rest, "busy") != 0);
  } else if (strcmp(verb, "at") == 0) {
    s->now = strtoul(rest, NULL, 10);
  } else if (strcmp(verb, "pause") == 0) {
    stomp_session_pause(s->session);
  } else if (strcmp(verb, "resume") == 0) {
    stomp_session_resume(s->session, s->now);
  } else if (strcmp(verb, "forgive") == 0) {
    script_expect(s, stomp_session_forgive(s->session, &s->error), verb, "no");
  } else {
    return false;
  }
  return true;
}

/* ---- Questions ---- */

static void number_text(char *to, uint64_t n) {
  if (n == STOMP_NEVER)
    strcpy(to, "never");
  else
    sprintf(to, "%llu", (unsigned long long)n);
}

static void answer_counts(script *s, char *to) {
  const stomp_session_counts *c = stomp_session_counts_of(s->session);
  sprintf(to, "%u/%u sent, %u/%u received, %u messages, %u unknown receipts",
          (unsigned)c->frames_sent, (unsigned)c->heartbeats_sent,
          (unsigned)c->frames_received, (unsigned)c->heartbeats_received,
          (unsigned)c->messages, (unsigned)c->unknown_receipts);
}

static void answer_after(script *s, char *to) {
  stomp_command command;
  const char *text;
  size_t i;
  for (i = 0; stomp_session_after(s->session, i, &command, &text); i++)
    to += sprintf(to, "%s%s%s%s", i ? ", " : "", stomp_command_name(command),
                  *text ? " " : "", text);
}

static bool ask(script *s, const char *verb, const char *rest) {
  const stomp_heartbeat *h = stomp_session_heartbeat(s->session);
  char got[SCRIPT_LINE] = "";
  if (strcmp(verb, "state") == 0)
    strcpy(got, stomp_state_name(stomp_session_state(s->session)));
  else if (strcmp(verb, "version") == 0)
    strcpy(got, stomp_version_name(stomp_session_version(s->session)));
  else if (strcmp(verb, "heartbeat") == 0)
    sprintf(got, "%u,%u", (unsigned)h->send, (unsigned)h->receive);
  else if (strcmp(verb, "deadline") == 0)
    number_text(got, stomp_session_deadline(s->session));
  else if (strcmp(verb, "receipts") == 0)
    number_text(got, stomp_session_receipts(s->session));
  else if (strcmp(verb, "counts") == 0)
    answer_counts(s, got);
  else if (strcmp(verb, "after") == 0)
    answer_after(s, got);
  else
    return false;
  script_expect(s, strcmp(got, rest) == 0, rest, got);
  return true;
}

/* ---- Lines ---- */

static void refusal_text(const script *s, char *to) {
  to[0] = '\0';
  if (s->status == STOMP_OK)
    strcpy(to, s->error.detail[0] ? s->error.detail : "ok");
  else if (s->status > 0)
    strcpy(to, "FULL");
  else
    strcpy(to, stomp_status_name(s->status));
  if (s->status < 0 && s->error.detail[0]) {
    strcat(to, ": ");
    vector_encode(to, s->error.detail, strlen(s->error.detail));
  }
}

/* Before something new is done, all that came of the last must be claimed. */
static void check_claimed(script *s) {
  char got[SCRIPT_LINE * 4];
  refusal_text(s, got);
  script_expect(s, s->status == STOMP_OK, "the action is accepted", got);
  script_render(s, got);
  script_expect(s, got[0] == '\0', "no more output", got);
  script_expect(s, s->n_claimed == s->n_events, "no more frames", "a frame");
  s->status = STOMP_OK;
  stomp_error_clear(&s->error);
}

static void run_input(script *s, const char *line) {
  uint8_t bytes[SCRIPT_LINE * 2];
  size_t len;
  check_claimed(s);
  if (line[1] == '<') {
    len = vector_decode(bytes, line + 3, strlen(line + 3));
  } else {
    short_frame f;
    short_parse(&f, line + 2);
    len = short_octets(&f, (char *)bytes);
  }
  script_feed(s, bytes, len);
}

/* An action that finds no memory leaves all as it was: the next try works. */
static void run_action(script *s, const char *verb, const char *rest) {
  size_t live, waiting;
  check_claimed(s);
  live = stomp_buffer_len(&s->out);
  if (!act(s, verb, rest))
    script_complain(s, verb, "an unknown line");
  waiting = stomp_buffer_len(&s->out);
  if (s->status == STOMP_ENOMEM) {
    CHECK(waiting == live);
    s->status = STOMP_OK;
    stomp_error_clear(&s->error);
    act(s, verb, rest);
  }
}

static void run_line(script *s, const char *line) {
  char verb[32], got[SCRIPT_LINE * 4];
  const char *rest = strchr(line, ' ');
  size_t len = rest ? (size_t)(rest - line) : strlen(line);
  rest = rest ? rest + 1 : "";
  snprintf(verb, sizeof verb, "%.*s", (int)len, line);
  if (strcmp(verb, "<") == 0 || strcmp(verb, "<<") == 0) {
    run_input(s, line);
  } else if (strcmp(verb, ">") == 0) {
    script_output(s, rest);
  } else if (strcmp(verb, "=") == 0) {
    script_event(s, rest);
  } else if (strcmp(verb, "!") == 0) {
    refusal_text(s, got);
    script_expect(s, strcmp(got, rest) == 0, rest, got);
    s->status = STOMP_OK;
    stomp_error_clear(&s->error);
  } else if (!ask(s, verb, rest)) {
    run_action(s, verb, rest);
  }
}

/* ---- A run ---- */

static size_t word(const vector_block *b, const char *name, size_t otherwise) {
  size_t number;
  return vector_says(b, name, &number) ? number : otherwise;
}

static void read_versions(const vector_block *b, bool versions[4]) {
  int v;
  for (v = STOMP_1_0; v <= STOMP_1_2; v++)
    versions[v] = vector_holds(b, v);
}

/* Lines `with …` on top are CONNECT's headers. */
static void open_session(script *s, const char *with) {
  const vector_block *b = s->block;
  stomp_sink sink = { script_begin, script_end, s };
  stomp_session_options o;
  short_frame connect;
  char line[SCRIPT_LINE + 8];
  snprintf(line, sizeof line, "CONNECT %s", with);
  short_parse(&connect, line);
  stomp_session_defaults(&o);
  o.role = vector_says(b, "server", NULL) ? STOMP_SERVER : STOMP_CLIENT;
  o.memory = &s->memory.memory;
  o.random = &s->random;
  read_versions(b, o.versions);
  o.heartbeat[0] = word(b, "send", (size_t)o.heartbeat[0]);
  o.heartbeat[1] = word(b, "receive", (size_t)o.heartbeat[1]);
  o.slack[0] = (uint32_t)word(b, "margin", o.slack[0]);
  o.slack[1] = (uint32_t)word(b, "grace", o.slack[1]);
  o.limits.receipts = word(b, "receipts", o.limits.receipts);
  o.limits.table = word(b, "table", o.limits.table);
  o.limits.frame = word(b, "frame", o.limits.frame);
  o.escape_connect = vector_says(b, "escape_connect", NULL);
  o.connect = connect.fields;
  o.n_connect = connect.n_fields;
  s->session = stomp_session_new(&o, sink, &s->error);
  if (!s->session && s->error.status == STOMP_ENOMEM)
    s->session = stomp_session_new(&o, sink, &s->error);
  s->status = s->error.status;
}

static void run_lines(script *s) {
  const char *at = s->block->text, *stop = at + s->block->len, *end;
  char line[SCRIPT_LINE], with[SCRIPT_LINE] = "";
  bool open = false; /* or refused */
  for (; at < stop && !s->starved && !s->broken; at = end + 1) {
    end = memchr(at, '\n', (size_t)(stop - at));
    if (!end)
      end = stop;
    snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
    s->line++;
    if (strncmp(line, "with ", 5) == 0) {
      strcpy(with, line + 5);
      continue;
    }
    if (!open)
      open_session(s, with);
    open = true;
    run_line(s, line);
  }
}

/* In any state, the beginning of one more frame says nothing. */
static void finish(script *s) {
  stomp_state state;
  if (!s->session)
    return;
  if (!s->starved)
    check_claimed(s);
  state = stomp_session_state(s->session);
  if (s->trailing) {
    script_take(s, (const uint8_t *)"MESSAG", 6);
    CHECK(s->status == STOMP_OK && s->n_claimed == s->n_events);
    CHECK(stomp_session_state(s->session) == state);
  }
}

static size_t run(script *s) {
  size_t i;
  check_memory_init(&s->memory, s->fail_at);
  s->random = (stomp_random){ script_fill, &s->seed };
  stomp_buffer_init(&s->out, &s->memory.memory, word(s->block, "room", 65536));
  stomp_error_clear(&s->error);
  run_lines(s);
  finish(s);
  for (i = 0; i < s->n_events; i++)
    stomp_frame_free(s->events[i]);
  stomp_session_free(s->session);
  stomp_buffer_clear(&s->out);
  CHECK(s->memory.live == 0);
  return s->memory.n;
}

static void run_all_ways(const vector *v) {
  script whole = { .title = v->title, .block = &v->block[0] };
  script s = whole;
  size_t n = run(&s), octets = s.fed, i;
  if (s.broken)
    return;
  s = whole;
  s.step = 1;
  run(&s);
  s = whole;
  s.trailing = !vector_says(whole.block, "exact", NULL);
  run(&s);
  for (i = 1; i < octets; i++) {
    s = whole;
    s.first = i;
    run(&s);
  }
  for (i = 1; i <= n; i++) {
    s = whole;
    s.fail_at = i;
    run(&s);
  }
}

int main(void) {
  vector_file file = vector_open("spec/vectors/session.md");
  size_t i;
  CHECK(file.n >= 60);
  for (i = 0; i < file.n; i++)
    run_all_ways(&file.list[i]);
  printf("%zu vectors\n", file.n);
  vector_close(&file);
  return check_result("session_test");
}
