/* SPDX-License-Identifier: MIT
 *
 * A session's life: birth, time, end. What it sends is in session_send.c and
 * session_ack.c, what it receives in session_receive.c, what is allowed in session_rules.c. */
#include "session.h"
#include "session_private.h"
#include <string.h>

static const char *const state_names[] = {
#define STOMP_X(name, text) text,
  STOMP_STATES(STOMP_X)
#undef STOMP_X
};

const char *stomp_state_name(stomp_state state) {
  return state < STOMP_STATE_COUNT ? state_names[state] : "";
}

/* ---- Birth ---- */

void stomp_session_defaults(stomp_session_options *options) {
  memset(options, 0, sizeof *options);
  options->limits = (stomp_limits)STOMP_LIMITS_DEFAULT;
  options->versions[STOMP_1_0] = true;
  options->versions[STOMP_1_1] = true;
  options->versions[STOMP_1_2] = true;
  options->heartbeat[0] = 10000;
  options->heartbeat[1] = 10000;
  options->slack[0] = 200;
  options->slack[1] = 1000;
}

/* Write a number's digits; returns how many. */
static size_t put_number(char *to, uint64_t number) {
  char digits[20];
  size_t n = 0, i;
  do
    digits[n++] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  for (i = 0; i < n; i++)
    to[i] = digits[n - 1 - i];
  return n;
}

size_t stomp_session_heartbeat_text(char *to, const uint64_t beats[2]) {
  size_t n = put_number(to, beats[0]);
  to[n++] = ',';
  return n + put_number(to + n, beats[1]);
}

/* "1.0,1.1,1.2" of those that are wanted: commas without blanks, in rising
 * order, because RabbitMQ takes exact tokens only. */
size_t stomp_session_versions_text(char *to, const bool versions[4]) {
  size_t n = 0;
  stomp_version v;
  for (v = STOMP_1_0; v <= STOMP_1_2; v++)
    if (versions[v]) {
      if (n)
        to[n++] = ',';
      memcpy(to + n, stomp_version_name(v), 3);
      n += 3;
    }
  return n;
}

/* Both sides read at most ten digits. */
static stomp_status check_offer(const stomp_session_options *options,
                                stomp_error *error) {
  if (options->heartbeat[0] <= STOMP_HEARTBEAT_MAX &&
      options->heartbeat[1] <= STOMP_HEARTBEAT_MAX)
    return STOMP_OK;
  stomp_error_set(error, STOMP_IHEADER, STOMP_NO_OFFSET);
  stomp_error_add(error, "heart-beat: more than ten digits");
  return error->status;
}

/* The options' CONNECT headers must not set what the session sets. */
static stomp_status check_connect(const stomp_session_options *options,
                                  stomp_error *error) {
  size_t i;
  for (i = 0; i < options->n_connect; i++) {
    const stomp_field *f = &options->connect[i];
    stomp_span name = { (const uint8_t *)f->name, f->name_len };
    if (stomp_span_is(name, "accept-version") ||
        stomp_span_is(name, "heart-beat") || stomp_span_is(name, "receipt")) {
      stomp_error_set(error, STOMP_IHEADER, STOMP_NO_OFFSET);
      stomp_error_add_bytes(error, f->name, f->name_len);
      stomp_error_add(error, " of CONNECT is set by the session");
      return error->status;
    }
  }
  return STOMP_OK;
}

/* Encode CONNECT once, at birth: so a header that cannot be sent is refused
 * before anything is opened. */
static stomp_status prepare_connect(stomp_session *s,
                                    const stomp_session_options *options,
                                    stomp_field *fields, stomp_error *error) {
  char versions[16], beats[48];
  stomp_outgoing frame = { .command = STOMP_CONNECT_COMMAND };
  stomp_encoding encoding = { STOMP_1_2, s->escape_connect };
  size_t i, n = options->n_connect;
  stomp_status status;
  for (i = 0; i < n; i++) {
    fields[i] = options->connect[i];
    if (memchr(fields[i].value, '\\', fields[i].value_len))
      s->connect_has_backslash = !s->escape_connect;
  }
  fields[n] =
    (stomp_field){ "accept-version", 14, versions,
                   stomp_session_versions_text(versions, s->versions) };
  fields[n + 1] =
    (stomp_field){ "heart-beat", 10, beats,
                   stomp_session_heartbeat_text(beats, s->offer) };
  frame.headers = fields;
  frame.n_headers = n + 2;
  status = stomp_encode_check(&frame, encoding, &s->connect_len, error);
  if (status != STOMP_OK)
    return status;
  s->connect_bytes = stomp_memory_new(s->memory, s->connect_len);
  if (!s->connect_bytes)
    return stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
  stomp_encode(&frame, encoding, s->connect_bytes);
  return STOMP_OK;
}

static stomp_status prepare(stomp_session *s,
                            const stomp_session_options *options,
                            stomp_error *error) {
  size_t size = (options->n_connect + 2) * sizeof(stomp_field);
  stomp_field *fields;
  stomp_status status = STOMP_OK;
  uint64_t salt;
  if (check_offer(options, error) != STOMP_OK)
    return error->status;
  if (!options->random->fill(options->random->user, &salt, sizeof salt) ||
      !options->random->fill(options->random->user, &s->serial,
                             sizeof s->serial))
    return stomp_error_set(error, STOMP_ERANDOM, STOMP_NO_OFFSET);
  s->serial |= 1; /* 0 means none */
  stomp_map_init(&s->receipts, s->memory, s->limits.receipts, salt);
  stomp_subscriptions_init(&s->subscriptions, s->memory, s->limits.table, salt);
  stomp_acks_init(&s->acks, s->memory, s->limits.table);
  stomp_map_init(&s->transactions, s->memory, s->limits.table, salt);
  s->parser = stomp_parser_new(&s->limits, STOMP_UNSETTLED, s->memory);
  if (!s->parser)
    return stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
  if (s->role == STOMP_SERVER)
    return STOMP_OK;
  fields = stomp_memory_new(s->memory, size);
  if (!fields)
    return stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
  status = check_connect(options, error);
  if (status == STOMP_OK)
    status = prepare_connect(s, options, fields, error);
  stomp_memory_free(s->memory, fields, size);
  return status;
}

stomp_session *stomp_session_new(const stomp_session_options *options,
                                 stomp_sink sink, stomp_error *error) {
  stomp_session *s = stomp_memory_new(options->memory, sizeof *s);
  stomp_error_clear(error);
  if (!s) {
    stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
    return NULL;
  }
  memset(s, 0, sizeof *s);
  s->role = options->role;
  s->memory = options->memory;
  s->sink = sink;
  s->limits = options->limits;
  memcpy(s->versions, options->versions, sizeof s->versions);
  memcpy(s->offer, options->heartbeat, sizeof s->offer);
  memcpy(s->slack, options->slack, sizeof s->slack);
  s->escape_connect = options->escape_connect;
  if (prepare(s, options, error) != STOMP_OK) {
    stomp_session_free(s);
    return NULL;
  }
  return s;
}

void stomp_session_free(stomp_session *s) {
  if (!s)
    return;
  if (s->receipts.memory) { /* prepare came as far as the maps */
    stomp_map_clear(&s->receipts);
    stomp_subscriptions_clear(&s->subscriptions);
    stomp_acks_clear(&s->acks);
    stomp_map_clear(&s->transactions);
  }
  stomp_parser_free(s->parser);
  stomp_memory_free(s->memory, s->connect_bytes, s->connect_len);
  stomp_memory_free(s->memory, s, sizeof *s);
}

/* ---- Time ---- */

/* Beats are due only while both sides talk. */
static bool beats(const stomp_session *s) {
  return s->state == STOMP_STATE_CONNECTED ||
         s->state == STOMP_STATE_DISCONNECTING;
}

uint64_t stomp_session_deadline(const stomp_session *s) {
  return beats(s) ? stomp_heartbeat_deadline(&s->heartbeat) : STOMP_NEVER;
}

static stomp_status send_beat(stomp_session *s) {
  uint8_t *at;
  stomp_status status = s->sink.begin(s->sink.user, 1, true, &at);
  if (status == STOMP_FULL)
    return STOMP_OK; /* what waits there says that we live */
  if (status != STOMP_OK)
    return status;
  *at = '\n';
  status = s->sink.end(s->sink.user);
  if (status != STOMP_OK)
    return status;
  s->counts.heartbeats_sent++;
  return STOMP_OK;
}

stomp_status stomp_session_tick(stomp_session *s, uint64_t now_ms,
                                bool idle_output) {
  stomp_status status;
  if (!beats(s))
    return STOMP_OK;
  if (stomp_heartbeat_is_lost(&s->heartbeat, now_ms)) {
    stomp_session_end_with(s, STOMP_HLOST, STOMP_NO_OFFSET);
    stomp_error_add(&s->error, "silent for ");
    stomp_error_add_number(&s->error, now_ms - s->heartbeat.last_receive);
    stomp_error_add(&s->error, " ms, promised a heart-beat every ");
    stomp_error_add_number(&s->error, s->heartbeat.receive);
    stomp_error_add(&s->error, " ms");
    return s->error.status;
  }
  if (!stomp_heartbeat_take_due(&s->heartbeat, now_ms) || !idle_output)
    return STOMP_OK;
  status = send_beat(s);
  return status < 0 ? stomp_session_end_with(s, status, STOMP_NO_OFFSET)
                    : status;
}

void stomp_session_alive(stomp_session *s, uint64_t now_ms) {
  s->heartbeat.last_receive = now_ms;
}

void stomp_session_pause(stomp_session *s) {
  stomp_heartbeat_pause(&s->heartbeat);
}

void stomp_session_resume(stomp_session *s, uint64_t now_ms) {
  stomp_heartbeat_resume(&s->heartbeat, now_ms);
}

/* ---- The end ---- */

stomp_status stomp_session_end_with(stomp_session *s, stomp_status status,
                                    uint64_t offset) {
  s->state_before = s->state;
  s->state = STOMP_STATE_CLOSED;
  return stomp_error_set(&s->error, status, offset);
}

void stomp_session_fail(stomp_session *s, const stomp_error *error) {
  if (s->state == STOMP_STATE_CLOSED)
    return;
  s->state = STOMP_STATE_CLOSED;
  s->error = *error;
}

void stomp_session_end(stomp_session *s) {
  if (s->state == STOMP_STATE_CLOSED)
    return;
  s->state = STOMP_STATE_CLOSED;
}

bool stomp_session_forgive(stomp_session *s, stomp_error *what) {
  const stomp_error *error = stomp_parser_error(s->parser);
  if (s->role == STOMP_SERVER || error->status == STOMP_OK)
    return false;
  *what = *error;
  stomp_parser_reset(s->parser);
  s->state = s->state_before;
  stomp_error_clear(&s->error);
  return true;
}

void stomp_session_skip(stomp_session *s, size_t len) {
  stomp_parser_skip(s->parser, len);
}

/* An end in order: RFC 6455, 7.4.1 (1000, 1001, no code), or bare STOMP's. Artemis
 * (seen with 2.40.0) never sends a close frame, and leaves out the RECEIPT of
 * DISCONNECT when it has just given out a message: its end alone is the answer. */
static bool in_order(const stomp_session *s, uint16_t code) {
  if (code == 1006)
    return s->just_ends && stomp_parser_is_idle(s->parser);
  return code == 0 || code == 1000 || code == 1001 || code == 1005;
}

static void describe_close(stomp_session *s, uint16_t code, stomp_span reason) {
  stomp_error *e = &s->error;
  bool connecting = s->version == STOMP_UNSETTLED;
  e->close_code = code;
  stomp_error_add(e, "close code ");
  stomp_error_add_number(e, code);
  if (reason.len) {
    stomp_error_add(e, " \"");
    stomp_error_add_bytes(e, reason.bytes, reason.len);
    stomp_error_add(e, "\"");
  }
  if (code == 1007 && connecting && s->connect_has_backslash)
    stomp_error_add(e, "; CONNECT has a backslash: RabbitMQ wants the option "
                       "escape_connect for it");
  else if (!reason.len || code == 1000)
    stomp_error_add(e, "; no reason given, see the broker's log");
}

stomp_status stomp_session_closed(stomp_session *s, uint16_t close_code,
                                  stomp_span reason, bool *no_receipt) {
  bool down = s->state == STOMP_STATE_DISCONNECTING;
  if (s->state != STOMP_STATE_CLOSED) {
    if (down && in_order(s, close_code)) {
      s->state = STOMP_STATE_CLOSED;
      s->no_receipt = s->role == STOMP_CLIENT;
    } else if (!stomp_parser_is_idle(s->parser)) {
      stomp_session_end_with(s, STOMP_EINCOMPLETE,
                             stomp_parser_offset(s->parser));
      s->error.close_code = close_code;
    } else if (close_code == 0 || close_code == 1006) {
      stomp_session_end_with(s, STOMP_CEOF, STOMP_NO_OFFSET);
    } else {
      stomp_session_end_with(s, STOMP_CPEER, STOMP_NO_OFFSET);
      describe_close(s, close_code, reason);
    }
  }
  *no_receipt = s->no_receipt;
  return s->error.status;
}

/* ---- Questions ---- */

stomp_state stomp_session_state(const stomp_session *s) {
  return s->state;
}

stomp_version stomp_session_version(const stomp_session *s) {
  return s->version;
}

const stomp_heartbeat *stomp_session_heartbeat(const stomp_session *s) {
  return &s->heartbeat;
}

size_t stomp_session_receipts(const stomp_session *s) {
  return s->receipts.count;
}

const stomp_error *stomp_session_error(const stomp_session *s) {
  return &s->error;
}

bool stomp_session_no_receipt(const stomp_session *s) {
  return s->no_receipt;
}

const stomp_session_counts *stomp_session_counts_of(const stomp_session *s) {
  return &s->counts;
}

bool stomp_session_after(const stomp_session *s, size_t i,
                         stomp_command *command, const char **destination) {
  size_t at;
  if (i >= STOMP_AFTER_COUNT || i >= s->n_after)
    return false;
  at = (s->n_after - 1 - i) % STOMP_AFTER_COUNT;
  *command = s->after[at].command;
  *destination = s->after[at].text;
  return true;
}
