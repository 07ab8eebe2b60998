/* SPDX-License-Identifier: MIT
 *
 * Fuzzes core/websocket.h, both roles, with and without compression. What holds
 * for every input:
 *   - whole, and cut at places that the input chooses, it gives the same
 *     messages, control frames, error and output, octet for octet;
 *   - no octet outside the input is read: each piece is a block of its own;
 *   - what goes out (pongs, echoes, closes) is read by the opposite role, which
 *     checks text strictly: each ping's pong and each message, in order;
 *   - no message is longer than its limit, inflated or not, memory stays below a
 *     cap;
 *   - after an error the same is said again, after a close all is ignored;
 *   - when memory or random bytes fail (the input says when) or the output is
 *     full, what comes in is still the same, or the failure is told; what was
 *     sent can still be read; nothing leaks.
 *
 * An input is 6 octets of settings and the stream: flags (see below), limit (0:
 * none), cuts, the allocation that fails, the draw of random bytes that fails,
 * the message after which the owner closes (0: none). */
#include "core/websocket.h"
#include "support.h"

enum { SERVER = 1, STRICT = 2, ECHO = 4, DEFLATE = 8, RESETS = 16, BITS = 32 };

#define LARGE ((size_t)256 << 10)
#define SMALL (STOMP_WEBSOCKET_HEADROOM + 40)

typedef struct subject {
  unsigned flags;
  size_t limit;       /* octets of a message, 0: none */
  size_t close_after; /* messages, 0: the owner does not close */
  const uint8_t *bytes;
  size_t len;
} subject;

typedef struct run_state {
  const subject *s;
  stomp_websocket *w;
  stomp_buffer out;
  fuzz_memory memory;
  fuzz_dice dice;
  fuzz_log *log;    /* events, octets of the output */
  fuzz_log *sent;   /* what the opposite role must find in the output */
  fuzz_log message; /* so far */
  size_t n_messages;
  bool may_fail; /* not all that is owed need be in the output */
} run_state;

static stomp_span span_of(const fuzz_log *log) {
  return (stomp_span){ log->at, log->len };
}

static void say(fuzz_log *log, unsigned kind, stomp_span data) {
  fuzz_log_number(log, kind);
  fuzz_log_span(log, data.len ? data : (stomp_span){ (const uint8_t *)"", 0 });
}

/* ---- What comes in ---- */

static bool is_closing(const run_state *r) {
  return stomp_websocket_close_sent(r->w) ||
         stomp_websocket_close_received(r->w);
}

static void answer_message(run_state *r, stomp_websocket_kind kind) {
  stomp_span data = span_of(&r->message);
  bool closing = is_closing(r);
  stomp_status status;
  r->n_messages++;
  if (r->s->flags & ECHO) {
    status = stomp_websocket_send(r->w, kind, data);
    if (status == STOMP_OK)
      say(r->sent, kind, data);
    else if (!r->may_fail)
      FUZZ_CHECK(closing ? status == STOMP_WSTATE : status == STOMP_WINVALID);
  }
  if (r->n_messages != r->s->close_after)
    return;
  status = stomp_websocket_close(r->w, 1000, data);
  FUZZ_CHECK(status == STOMP_OK || status == STOMP_WINVALID || r->may_fail);
}

static void take_piece(run_state *r, const stomp_websocket_event *e) {
  if (e->first)
    fuzz_log_clear(&r->message);
  fuzz_log_add(&r->message, e->data.bytes, e->data.len);
  FUZZ_CHECK(!r->s->limit || r->message.len <= r->s->limit);
  if (!e->last)
    return;
  FUZZ_CHECK(e->kind != STOMP_WEBSOCKET_TEXT || !(r->s->flags & STRICT) ||
             stomp_utf8_is_text(r->message.at, r->message.len));
  say(r->log, e->kind, span_of(&r->message));
  answer_message(r, e->kind);
  fuzz_log_clear(&r->message);
}

static void take_event(run_state *r, const stomp_websocket_event *e,
                       bool was_closing) {
  if (e->kind == STOMP_WEBSOCKET_TEXT || e->kind == STOMP_WEBSOCKET_BINARY) {
    take_piece(r, e);
    return;
  }
  FUZZ_CHECK(e->first && e->last && e->data.len <= 125);
  say(r->log, e->kind, e->data);
  if (e->kind == STOMP_WEBSOCKET_CLOSE)
    fuzz_log_number(r->log, e->close_code);
  if (e->kind == STOMP_WEBSOCKET_PING && !was_closing)
    say(r->sent, STOMP_WEBSOCKET_PONG, e->data);
}

static stomp_status feed(run_state *r, const uint8_t *bytes, size_t len) {
  uint8_t *copy = fuzz_copy(bytes, len);
  stomp_span in = { copy, len };
  stomp_websocket_event event;
  stomp_status status;
  bool was_closing;
  for (;;) {
    was_closing = is_closing(r);
    status = stomp_websocket_next(r->w, &in, &event);
    FUZZ_CHECK(in.bytes + in.len == copy + len);
    if (status != STOMP_FRAME)
      break;
    take_event(r, &event, was_closing);
  }
  FUZZ_CHECK(status == STOMP_MORE ? in.len == 0 : status < 0);
  free(copy);
  return status;
}

/* ---- Compression ---- */

/* Whether it may go on: compression was agreed on, or shall not be. */
static bool compress(stomp_websocket *w, unsigned flags) {
  unsigned bits = flags & BITS ? 8 : 15;
  const stomp_deflate_terms terms = { flags & RESETS, flags & RESETS, bits,
                                      bits };
  return !(flags & DEFLATE) || stomp_websocket_compress(w, &terms) == STOMP_OK;
}

/* ---- What goes out ---- */

/* The opposite role reads all of it. */
static void check_output(const run_state *r) {
  static fuzz_log message, got;
  fuzz_memory memory;
  stomp_buffer out;
  stomp_websocket_options o = { .server = !(r->s->flags & SERVER),
                                .strict_utf8 = true,
                                .memory = &memory.memory,
                                .random = &r->dice.random };
  stomp_span in = stomp_buffer_span(&r->out);
  stomp_websocket *w;
  stomp_websocket_event e;
  stomp_status status;
  bool closed = false;
  fuzz_memory_init(&memory, SIZE_MAX, 0);
  stomp_buffer_init(&out, &memory.memory, LARGE);
  w = stomp_websocket_new(&o, &out);
  FUZZ_CHECK(compress(w, r->s->flags));
  fuzz_log_clear(&got);
  while ((status = stomp_websocket_next(w, &in, &e)) == STOMP_FRAME) {
    FUZZ_CHECK(!closed);
    closed = e.kind == STOMP_WEBSOCKET_CLOSE;
    if (e.first)
      fuzz_log_clear(&message);
    fuzz_log_add(&message, e.data.bytes, e.data.len);
    if (e.last && !closed)
      say(&got, e.kind, span_of(&message));
  }
  FUZZ_CHECK(status == STOMP_MORE);
  FUZZ_CHECK(closed == stomp_websocket_close_sent(r->w));
  if (!r->may_fail)
    fuzz_log_compare("what was sent, and what the peer reads", r->sent, &got);
  stomp_websocket_free(w);
  stomp_buffer_clear(&out);
  FUZZ_CHECK(memory.live == 0);
}

static void check_end(run_state *r, stomp_status status) {
  stomp_error error = *stomp_websocket_error(r->w);
  static const uint8_t more[] = { 0x89, 0x00, 0x82, 0x01, 'x' };
  stomp_span in = { more, sizeof more };
  size_t out = stomp_buffer_len(&r->out);
  stomp_websocket_event event;
  FUZZ_CHECK((status < 0) == (error.status < 0));
  if (status < 0) {
    FUZZ_CHECK(error.status == status && error.offset <= r->s->len);
    fuzz_log_error(r->log, &error);
    say(r->log, 0, span_of(&r->message)); /* that part of one has come */
    FUZZ_CHECK(stomp_websocket_next(r->w, &in, &event) == status);
    FUZZ_CHECK(memcmp(&error, stomp_websocket_error(r->w), sizeof error) == 0);
    FUZZ_CHECK(r->may_fail || stomp_websocket_close_sent(r->w));
  } else if (stomp_websocket_close_received(r->w)) {
    FUZZ_CHECK(stomp_websocket_next(r->w, &in, &event) == STOMP_MORE);
    FUZZ_CHECK(in.len == 0);
  } else {
    say(r->log, 0, span_of(&r->message));
    return;
  }
  FUZZ_CHECK(stomp_buffer_len(&r->out) == out);
  FUZZ_CHECK(stomp_websocket_send(r->w, STOMP_WEBSOCKET_BINARY, in) ==
             STOMP_WSTATE);
}

/* ---- A run ---- */

/* STOMP_MORE, or the failure. `consume`: the output is written between pieces. */
static stomp_status feed_all(run_state *r, fuzz_cuts cuts) {
  stomp_status status = STOMP_MORE;
  size_t at = 0, len;
  for (; at < r->s->len && status == STOMP_MORE; at += len) {
    len = fuzz_piece(&cuts, r->s->len - at);
    status = feed(r, r->s->bytes + at, len);
  }
  return status;
}

static stomp_status run(const subject *s, fuzz_cuts cuts, size_t room,
                        const size_t fail_at[2], fuzz_log *log) {
  static fuzz_log sent;
  run_state r = { .s = s, .log = log, .sent = &sent };
  stomp_websocket_options o = { .server = s->flags & SERVER,
                                .strict_utf8 = (s->flags & STRICT) != 0,
                                .message = s->limit,
                                .memory = &r.memory.memory,
                                .random = &r.dice.random };
  stomp_status status = STOMP_ENOMEM;
  fuzz_log_clear(log);
  fuzz_log_clear(&sent);
  r.may_fail = fail_at[0] || fail_at[1] || room != LARGE;
  fuzz_memory_init(&r.memory,
                   ((size_t)(s->flags & DEFLATE ? 512 : 64) << 10) + 3 * room,
                   fail_at[0]);
  fuzz_dice_init(&r.dice, 1, fail_at[1]);
  stomp_buffer_init(&r.out, &r.memory.memory, room);
  r.w = stomp_websocket_new(&o, &r.out);
  if (r.w && compress(r.w, s->flags)) {
    status = feed_all(&r, cuts);
    check_end(&r, status);
    check_output(&r);
    if (!r.may_fail)
      fuzz_log_span(log, stomp_buffer_span(&r.out));
  }
  stomp_websocket_free(r.w);
  stomp_buffer_clear(&r.out);
  free(r.message.at);
  FUZZ_CHECK(r.memory.live == 0);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static const size_t never[2];
  static fuzz_log whole, cut;
  fuzz_input in = { bytes, len };
  subject s = { .flags = fuzz_octet(&in) };
  fuzz_cuts cuts;
  size_t fail_at[2];
  s.limit = fuzz_octet(&in);
  if (s.flags & DEFLATE) /* echoes must fit, whatever they were inflated to */
    s.limit = s.limit ? 4 * s.limit : 1024;
  cuts = fuzz_cuts_read(&in);
  fail_at[0] = fuzz_octet(&in);
  fail_at[1] = fuzz_octet(&in);
  s.close_after = fuzz_octet(&in);
  s.bytes = in.at;
  s.len = in.len;
  run(&s, FUZZ_WHOLE, LARGE, never, &whole);
  run(&s, FUZZ_OCTETS, LARGE, never, &cut);
  fuzz_log_compare("whole and octet by octet", &whole, &cut);
  run(&s, cuts, LARGE, never, &cut);
  fuzz_log_compare("whole and cut", &whole, &cut);
  run(&s, FUZZ_WHOLE, SMALL, never, &cut);
  if (fail_at[0] || fail_at[1])
    run(&s, cuts, LARGE, fail_at, &cut);
  return 0;
}
