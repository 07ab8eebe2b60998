/* SPDX-License-Identifier: MIT
 *
 * Every vector of spec/vectors/websocket*.md, in each role that it names: whole,
 * octet by octet, cut in two, in the pieces it asks for, with something behind
 * it, and with each allocation failing once. The input ends at a page that
 * cannot be read. (What vectors cannot say is websocket_unit_test.c's.)
 *
 * The invariant of all of it: however a stream is cut, the same events and the
 * same answers come out, in the same order. */
#include "inflater.h"
#include "websocket_vectors.h"

/* How a vector is to be run. */
typedef struct subject {
  const char *title;
  stomp_websocket_options options;
  bool deflate;
  stomp_deflate_terms terms;
  bool echo;
  size_t chop; /* pieces it is also cut into, 0: none */
  stream in;
  octets expected;
} subject;

typedef struct run {
  const subject *s;
  stomp_websocket *w;
  inflater peer; /* of our compressed messages */
  stomp_buffer out;
  octets log, message;
  octets sent;         /* the message that it sends, over its frames, */
  unsigned sent_first; /* and the first octet of them; 0: none is under way */
  size_t sends;        /* of the owner's that are done */
  bool open;           /* inside a message */
  bool midway;         /* octets were taken since the last event */
  bool closed;
  bool over; /* an error came */
} run;

/* ---- What it sends ---- */

static const char *kind_name(unsigned opcode) {
  static const char *const names[] = { "continue", "text", "binary", "?",
                                       "?",        "?",    "?",      "?",
                                       "close",    "ping", "pong" };
  return opcode <= 10 ? names[opcode] : "?";
}

static void note(octets *log, unsigned opcode, int code, const uint8_t *bytes,
                 size_t len) {
  log_say(log, kind_name(opcode), code, bytes, len);
}

/* The reason of a failure is the error's sentence; it is not in the vectors. */
static void note_sent(run *r, unsigned opcode, const uint8_t *bytes,
                      size_t len) {
  const stomp_error *e = stomp_websocket_error(r->w);
  octets_say(&r->log, "  sends ");
  if (opcode != 8 || len < 2) {
    note(&r->log, opcode, -1, bytes, len);
    return;
  }
  if (e->status != STOMP_OK) {
    const char *text = stomp_status_sentence(e->status);
    CHECK(len - 2 == strlen(text) && memcmp(bytes + 2, text, len - 2) == 0);
    len = 2;
  }
  note(&r->log, opcode, bytes[0] << 8 | bytes[1], bytes + 2, len - 2);
}

/* Only what would be longer otherwise is compressed. */
static void note_compressed(run *r, unsigned opcode, const uint8_t *bytes,
                            size_t len) {
  char kind[24];
  size_t n = len;
  uint8_t *plain = inflater_message(&r->peer, bytes, &n);
  CHECK(r->s->deflate && n > len);
  snprintf(kind, sizeof kind, "  sends %s rsv1", kind_name(opcode));
  log_say(&r->log, kind, -1, plain, n);
  free(plain);
}

/* A message is sent in frames of 64 KiB and a last one; only the first says what
 * it is. */
static void add_sent(run *r, unsigned first, const uint8_t *bytes, size_t n) {
  bool last = first & 0x80;
  CHECK(last ? n <= 65536 : n == 65536);
  if (r->sent_first)
    CHECK((first & 0x7f) == 0);
  else
    r->sent_first = first;
  octets_add(&r->sent, bytes, n);
  if (!last)
    return;
  if (r->sent_first & 0x40)
    note_compressed(r, r->sent_first & 15, r->sent.at, r->sent.len);
  else
    note_sent(r, r->sent_first & 15, r->sent.at, r->sent.len);
  octets_empty(&r->sent);
  r->sent_first = 0;
}

/* Read one frame of ours: of the reserved bits only RSV1, the shortest length,
 * masked by a client alone. Returns its octets. */
static size_t read_sent(run *r, const uint8_t *p, size_t len) {
  bool masked = !r->s->options.server;
  size_t n = p[1] & 0x7f, head = 2, i;
  uint8_t *plain;
  if (n == 126) {
    n = (size_t)(p[2] << 8 | p[3]);
    head = 4;
    CHECK(n > 125);
  } else if (n == 127) {
    for (n = 0, i = 2; i < 10; i++)
      n = n << 8 | p[i];
    head = 10;
    CHECK(n > 0xffff);
  }
  CHECK((p[0] & 0x70) == 0 || (p[0] & 0x7c) == 0x40);
  CHECK((p[1] >> 7) == masked);
  head += masked ? 4 : 0;
  CHECK(head + n <= len);
  plain = malloc(n + 1);
  if (!plain)
    abort();
  memcpy(plain, p + head, n);
  if (masked)
    octets_mask(plain, n, p + head - 4);
  add_sent(r, p[0], plain, n);
  free(plain);
  return head + n;
}

static void take_sent(run *r) {
  stomp_span span = stomp_buffer_span(&r->out);
  size_t at = 0;
  while (at < span.len)
    at += read_sent(r, span.bytes + at, span.len - at);
  CHECK(r->sent_first == 0);
  stomp_buffer_consume(&r->out, span.len);
}

static void note_status(run *r, stomp_status status) {
  if (status == STOMP_OK)
    return;
  octets_say(&r->log, "refused ");
  octets_say(&r->log, status < 0 ? stomp_status_name(status) : "FULL");
  octets_say(&r->log, "\n");
}

/* What the owner does when so many octets were given. */
static void act(run *r, size_t offset) {
  const stream *in = &r->s->in;
  while (r->sends < in->n_sends && in->sends[r->sends].at <= offset) {
    frame_line l = line_read(in->sends[r->sends].text, in->sends[r->sends].len);
    stomp_span data = { l.payload.at, l.payload.len };
    unsigned kind = (unsigned)stream_opcode(l.kind);
    r->sends++;
    note_status(
      r,
      kind == 8
        ? stomp_websocket_close(r->w, (uint16_t)(l.code < 0 ? 0 : l.code), data)
        : stomp_websocket_send(r->w, (stomp_websocket_kind)kind, data));
    take_sent(r);
    free(l.payload.at);
  }
}

/* ---- What comes out ---- */

static void on_data(run *r, const stomp_websocket_event *e) {
  stomp_span whole;
  CHECK(e->first == !r->open);
  r->open = !e->last;
  octets_add(&r->message, e->data.bytes, e->data.len);
  if (!e->last)
    return;
  whole = (stomp_span){ r->message.at, r->message.len };
  note(&r->log, e->kind, -1, whole.bytes, whole.len);
  if (r->s->echo)
    note_status(r, stomp_websocket_send(r->w, e->kind, whole));
  octets_empty(&r->message);
}

static void on_event(run *r, const stomp_websocket_event *e) {
  CHECK(!r->closed);
  if (e->kind == STOMP_WEBSOCKET_TEXT || e->kind == STOMP_WEBSOCKET_BINARY) {
    on_data(r, e);
    return;
  }
  CHECK(e->first && e->last);
  r->closed = e->kind == STOMP_WEBSOCKET_CLOSE;
  CHECK(r->closed == stomp_websocket_close_received(r->w));
  note(&r->log, e->kind, r->closed ? e->close_code : -1, e->data.bytes,
       e->data.len);
}

/* An error is final, and takes nothing any more. */
static void on_error(run *r, stomp_status status) {
  static const uint8_t more[] = { 0x89, 0x00 };
  const stomp_error *e = stomp_websocket_error(r->w);
  stomp_span in = { more, sizeof more };
  stomp_websocket_event event;
  char text[80];
  CHECK(e->status == status);
  snprintf(text, sizeof text, "error %s byte %llu\n", stomp_status_name(status),
           (unsigned long long)e->offset);
  octets_say(&r->log, text);
  take_sent(r);
  CHECK(stomp_websocket_next(r->w, &in, &event) == status);
  CHECK(in.len == sizeof more && stomp_buffer_len(&r->out) == 0);
  CHECK(stomp_websocket_send(r->w, STOMP_WEBSOCKET_PING, (stomp_span){ 0 }) ==
        STOMP_WSTATE);
  r->over = true;
}

static void feed(run *r, const uint8_t *bytes, size_t len) {
  bool small = len <= (size_t)64 << 10;
  stomp_span in = { small ? check_guarded(bytes, len) : bytes, len };
  stomp_websocket_event event;
  while (!r->over) {
    stomp_span before = in;
    stomp_status status = stomp_websocket_next(r->w, &in, &event);
    CHECK(in.bytes + in.len == before.bytes + before.len);
    if (status < 0) {
      on_error(r, status);
    } else if (status == STOMP_MORE) {
      CHECK(in.len == 0);
      r->midway = before.len ? true : r->midway;
      return;
    } else {
      CHECK(status == STOMP_FRAME);
      r->midway = false;
      on_event(r, &event);
      take_sent(r);
    }
  }
}

/* ---- One run ---- */

static bool fill_random(void *user, void *bytes, size_t len) {
  uint8_t *to = bytes;
  while (len--)
    *to++ = (uint8_t)check_random(user, 256);
  return true;
}

/* Give octets up to `to`, stopping where the owner has something to do. */
static void feed_to(run *r, size_t *from, size_t to) {
  const stream *in = &r->s->in;
  act(r, *from);
  while (*from < to) {
    size_t stop = to;
    if (r->sends < in->n_sends && in->sends[r->sends].at < stop)
      stop = in->sends[r->sends].at;
    feed(r, in->bytes.at + *from, stop - *from);
    *from = stop;
    act(r, *from);
  }
}

static void open_run(run *r, const stomp_websocket_options *options) {
  const stomp_deflate_terms *t = &r->s->terms;
  r->w = stomp_websocket_new(options, &r->out);
  if (!r->w)
    r->w = stomp_websocket_new(options, &r->out); /* one request may fail */
  inflater_open(&r->peer,
                options->server ? t->server_max_window_bits
                                : t->client_max_window_bits,
                options->server ? !t->server_no_context_takeover
                                : !t->client_no_context_takeover);
  if (r->s->deflate && stomp_websocket_compress(r->w, t) != STOMP_OK)
    CHECK(stomp_websocket_compress(r->w, t) == STOMP_OK);
  octets_empty(&r->message);
  octets_empty(&r->sent);
  octets_empty(&r->log);
}

/* In pieces: `first` octets, then `step` at a time. The log is the caller's. */
static octets run_cut(const subject *s, check_memory *m, size_t first,
                      size_t step) {
  uint64_t seed = 1;
  stomp_random random = { fill_random, &seed };
  stomp_websocket_options options = s->options;
  run r = { .s = s };
  size_t at = 0, end = first;
  options.memory = &m->memory;
  options.random = &random;
  stomp_buffer_init(&r.out, &m->memory, (size_t)64 << 20);
  open_run(&r, &options);
  if (s->in.bytes.len == 0)
    feed_to(&r, &at, 0);
  for (; at < s->in.bytes.len && !r.over; end = at + step)
    feed_to(&r, &at, end < s->in.bytes.len ? end : s->in.bytes.len);
  if (!r.over && !r.closed && (r.open || r.midway))
    octets_say(&r.log, "unfinished\n");
  stomp_websocket_free(r.w);
  inflater_close(&r.peer);
  stomp_buffer_clear(&r.out);
  CHECK(m->live == 0);
  free(r.message.at);
  free(r.sent.at);
  return r.log;
}

static void compare(const subject *s, const char *how, size_t n,
                    const octets *expected, octets *got) {
  check_count++;
  if (strcmp((char *)expected->at, (char *)got->at) != 0) {
    check_failures++;
    fprintf(stderr, "%s (%s, %s %zu)\nexpected:\n%.2000s\ngot:\n%.2000s\n",
            s->title, s->options.server ? "server" : "client", how, n,
            (char *)expected->at, (char *)got->at);
  }
  free(got->at);
}

static void check_cut(const subject *s, const char *how, size_t first,
                      size_t step) {
  check_memory m;
  octets log;
  check_memory_init(&m, 0);
  log = run_cut(s, &m, first, step);
  compare(s, how, first, &s->expected, &log);
}

/* ---- Every way ---- */

/* Short streams at each octet, long ones about the headers of some frames. */
static void check_single_cuts(const subject *s) {
  size_t len = s->in.bytes.len, n = s->in.n_frames, f, i;
  if (len <= 600) {
    for (i = 1; i < len; i++)
      check_cut(s, "cut after", i, len);
    return;
  }
  for (f = 0; f < n; f++) {
    size_t at = s->in.frames[f].at, from = at > 2 ? at - 2 : 1;
    if (f >= 4 && f + 3 < n)
      continue;
    for (i = from; i <= at + s->in.frames[f].head + 1 && i < len; i++)
      check_cut(s, "cut after", i, len);
  }
}

static void check_cuts(const subject *s) {
  static const size_t steps[] = { 2, 3, 5, 7, 64, 1021 };
  size_t len = s->in.bytes.len, i;
  check_cut(s, "whole", len, 1);
  if (s->chop)
    check_cut(s, "in pieces of", s->chop, s->chop);
  if (len > (size_t)256 << 10)
    return;
  check_cut(s, "in pieces of", 1, 1);
  check_single_cuts(s);
  for (i = 0; i < sizeof steps / sizeof *steps && steps[i] < len; i++)
    if (len < 2000)
      check_cut(s, "in pieces of", steps[i], steps[i]);
}

/* Without the answers: what memory can take from us. */
static void keep_events(octets *log) {
  char *from = (char *)log->at, *to = from, *end;
  for (; *from; from = end + 1) {
    end = strchr(from, '\n');
    if (strncmp(from, "  sends ", 8) != 0 && strncmp(from, "refused ", 8)) {
      memmove(to, from, (size_t)(end + 1 - from));
      to += end + 1 - from;
    }
  }
  *to = '\0';
  log->len = (size_t)(to - (char *)log->at);
}

/* Each allocation fails once: the same events, and nothing leaks. */
static void check_failing_memory(const subject *s) {
  size_t n = 0, step = s->in.bytes.len < 600 ? 1 : s->in.bytes.len + 1;
  octets expected = { NULL, 0, 0 };
  check_memory m;
  if (s->in.bytes.len > (size_t)128 << 10)
    return;
  octets_add(&expected, s->expected.at, s->expected.len);
  keep_events(&expected);
  do {
    octets log;
    check_memory_init(&m, ++n);
    log = run_cut(s, &m, step, step);
    keep_events(&log);
    compare(s, "request that fails:", n, &expected, &log);
  } while (m.n >= n);
  free(expected.at);
}

/* Whether a line begins so. */
static bool says(const octets *log, const char *text) {
  const char *line = (const char *)log->at;
  while (line && strncmp(line, text, strlen(text)) != 0) {
    line = strchr(line, '\n');
    line = line ? line + 1 : NULL;
  }
  return line != NULL;
}

/* A ping behind it is answered; after an end there is nothing any more. */
static void check_trailing(subject *s) {
  static const char ping[] = "ping | behind it";
  size_t expected = s->expected.len, len = s->in.bytes.len;
  if (says(&s->expected, "unfinished"))
    return;
  stream_line_add(&s->in, ping, sizeof ping - 1);
  if (!says(&s->expected, "error ") && !says(&s->expected, "close ")) {
    bool closing = says(&s->expected, "  sends close");
    octets_say(&s->expected, ping);
    octets_say(&s->expected, "\n");
    if (!closing)
      octets_say(&s->expected, "  sends pong | behind it\n");
  }
  check_cut(s, "with more behind it, whole", s->in.bytes.len, 1);
  if (s->in.bytes.len < 70000)
    check_cut(s, "with more behind it, octet by octet", 1, 1);
  s->in.bytes.len = len;
  s->in.n_frames--;
  s->expected.len = expected;
  s->expected.at[expected] = '\0';
}

/* ---- The files ---- */

static void read_terms(subject *s, const vector_block *b) {
  size_t bits[2] = { 15, 15 };
  s->deflate = vector_says(b, "deflate", NULL);
  vector_says(b, "server_bits", &bits[0]);
  vector_says(b, "client_bits", &bits[1]);
  s->terms = (stomp_deflate_terms){
    .server_no_context_takeover = vector_says(b, "server_resets", NULL),
    .client_no_context_takeover = vector_says(b, "client_resets", NULL),
    .server_max_window_bits = (unsigned)bits[0],
    .client_max_window_bits = (unsigned)bits[1],
  };
}

static void run_vector(const vector *v, bool server) {
  const vector_block *b = &v->block[0];
  subject s = { .title = v->title };
  s.options.server = server;
  s.options.strict_utf8 = vector_says(b, "strict", NULL);
  s.echo = vector_says(b, "echo", NULL);
  read_terms(&s, b);
  vector_says(b, "limit", &s.options.message);
  vector_says(b, "chop", &s.chop);
  s.in = stream_read(b, server);
  log_expected(&s.expected, &s.in, &v->block[1]);
  check_cuts(&s);
  check_failing_memory(&s);
  check_trailing(&s);
  stream_clear(&s.in);
  free(s.expected.at);
}

static size_t run_file(const char *path, size_t *autobahn) {
  vector_file file = vector_open(path);
  size_t i, n = file.n;
  for (i = 0; i < n; i++) {
    const vector *v = &file.list[i];
    bool client = vector_says(&v->block[0], "client", NULL);
    bool server = vector_says(&v->block[0], "server", NULL);
    CHECK(v->n_blocks == 2);
    *autobahn += strncmp(v->title, "Autobahn ", 9) == 0;
    if (client || !server)
      run_vector(v, false);
    if (server || !client)
      run_vector(v, true);
  }
  vector_close(&file);
  return n;
}

int main(void) {
  size_t autobahn = 0;
  size_t n = run_file("spec/vectors/websocket.md", &autobahn);
  n += run_file("spec/vectors/websocket_limits.md", &autobahn);
  n += run_file("spec/vectors/websocket_utf8.md", &autobahn);
  if (stomp_deflate_is_built_in())
    n += run_file("spec/vectors/websocket_deflate.md", &autobahn);
  CHECK(n >= 320);
  CHECK(autobahn == 301);
  printf("%zu vectors, %zu of them Autobahn's\n", n, autobahn);
  return check_result("websocket");
}
