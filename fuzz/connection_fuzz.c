/* SPDX-License-Identifier: MIT
 *
 * Fuzzes core/connection.h, both roles, over WebSocket (with and without a proxy,
 * and compression) and bare: the input is what the peer sends, what the owner does, and time. What
 * holds for every input:
 *   - whole, and cut at places that the input chooses, what the peer sends gives
 *     the same frames, states, errors, warnings, deadlines and output, octet for
 *     octet;
 *   - no octet outside the input is read: each piece is a block of its own;
 *   - the output is read by the opposite roles: heads of HTTP, then frames that a
 *     strict WebSocket takes, nothing behind a close, each message one STOMP
 *     frame or beat that the role may send in the version that was settled;
 *   - a call that is refused writes nothing; what is over stays over with the
 *     same error; once the bytes are to be ended nothing is written any more;
 *   - after a tick the deadline lies ahead, before the deadline a tick does
 *     nothing;
 *   - output and memory stay below their limits; when memory or random bytes
 *     fail (the input says when) that is told and the above still holds; nothing
 *     leaks.
 *
 * An input is 7 octets of settings (flags, versions and binary, cuts, the
 * allocation that fails, the draw of random bytes that fails, heart-beats, ping)
 * and moves: an octet that says which, and what it needs (see the table). */
#include "core/connection.h"
#include "output.h"
#include "talk.h"

enum {
  SERVER = 1,
  BARE = 2,
  PROXY = 4,
  IGNORE = 8,
  STRICT = 16,
  SMALL = 32,
  COMPRESSION = 64
};

#define OUTBOX   ((size_t)2048)
#define HEADROOM ((size_t)1024)
#define MEMORY   ((size_t)256 << 10)
#define ZLIB     ((size_t)512 << 10) /* what it needs, both ways */

typedef struct subject {
  unsigned flags;
  bool versions[4];
  stomp_binary binary;
  uint64_t beats[2], ping;
  const uint8_t *bytes;
  size_t len;
} subject;

typedef struct run_state {
  const subject *s;
  stomp_connection *c;
  fuzz_memory memory;
  fuzz_dice dice;
  fuzz_log *log;
  fuzz_log sent; /* output that was written */
  fuzz_cuts cuts;
  uint64_t now;
  talk_kept kept;
  bool may_fail; /* memory or random bytes */
} run_state;

static bool is_server(const run_state *r) {
  return r->s->flags & SERVER;
}

static size_t pending(const run_state *r) {
  return stomp_connection_output(r->c).len;
}

/* ---- The peer ---- */

static void take_frames(run_state *r) {
  stomp_frame *frame;
  while ((frame = stomp_connection_next(r->c)) != NULL) {
    bool of_server = frame->command >= STOMP_CONNECTED_COMMAND;
    FUZZ_CHECK(of_server == !is_server(r));
    talk_log_frame(r->log, frame);
    if (frame->command == STOMP_MESSAGE_COMMAND)
      talk_keep(&r->kept, frame);
    else
      stomp_frame_free(frame);
  }
}

/* All is given; after a failure it is the same for the rest. */
static void feed(run_state *r, const uint8_t *bytes, size_t len) {
  stomp_status failed = STOMP_OK, status;
  stomp_error warning;
  while (len) {
    size_t piece = fuzz_piece(&r->cuts, len);
    uint8_t *copy = fuzz_copy(bytes, piece);
    status = stomp_connection_feed(r->c, copy, piece, r->now);
    FUZZ_CHECK(status <= 0);
    FUZZ_CHECK(failed == STOMP_OK || status == failed);
    FUZZ_CHECK(status == STOMP_OK ||
               status == stomp_connection_error(r->c)->status);
    failed = status;
    free(copy);
    take_frames(r);
    bytes += piece;
    len -= piece;
  }
  if (stomp_connection_take_warning(r->c, &warning)) {
    FUZZ_CHECK(r->s->flags & IGNORE && !is_server(r));
    fuzz_log_error(r->log, &warning);
    FUZZ_CHECK(!stomp_connection_take_warning(r->c, &warning));
  }
}

static void move_feed(run_state *r, fuzz_input *in) {
  stomp_span bytes = fuzz_take(in, fuzz_octet(in));
  feed(r, bytes.bytes, bytes.len);
}

/* A WebSocket frame with a mask where one must be; bare: its payload. */
static void feed_message(run_state *r, unsigned first, stomp_span payload) {
  uint8_t frame[8 + 256] = { (uint8_t)first }, *to = frame + 2;
  FUZZ_CHECK(payload.len < 256);
  if (r->s->flags & BARE) {
    feed(r, payload.bytes, payload.len);
    return;
  }
  frame[1] = (uint8_t)(payload.len < 126 ? payload.len : 126);
  if (payload.len >= 126) {
    *to++ = 0;
    *to++ = (uint8_t)payload.len;
  }
  if (is_server(r)) {
    frame[1] |= 0x80;
    memset(to, 0, 4);
    to += 4;
  }
  if (payload.len)
    memcpy(to, payload.bytes, payload.len);
  feed(r, frame, (size_t)(to - frame) + payload.len);
}

static void move_message(run_state *r, fuzz_input *in) {
  unsigned first = fuzz_octet(in);
  feed_message(r, first, fuzz_take(in, fuzz_octet(in)));
}

static void move_upgrade(run_state *r, fuzz_input *in) {
  static const char tunnel[] = "HTTP/1.1 200 OK\r\n\r\n";
  const char *const *texts = talk_upgrade[is_server(r)];
  const char *end = texts[r->s->flags & COMPRESSION ? 2 : 1];
  (void)in;
  if (r->s->flags & BARE)
    return;
  if (r->s->flags & PROXY && !is_server(r))
    feed(r, (const uint8_t *)tunnel, sizeof tunnel - 1);
  feed(r, (const uint8_t *)texts[0], strlen(texts[0]));
  feed(r, (const uint8_t *)end, strlen(end));
}

static void move_hello(run_state *r, fuzz_input *in) {
  const char *text = talk_hello[is_server(r)][fuzz_below(in, 3)];
  feed_message(r, 0x81,
               (stomp_span){ (const uint8_t *)text, strlen(text) + 1 });
}

/* ---- The owner ---- */

static void note_result(run_state *r, stomp_status status,
                        const stomp_error *error, size_t out) {
  fuzz_log_text(r->log, status < 0 ? stomp_status_name(status) : "ok ");
  fuzz_log_number(r->log, status == STOMP_FULL);
  if (error)
    fuzz_log_error(r->log, error);
  if (status == STOMP_OK)
    return;
  FUZZ_CHECK(status < 0 || status == STOMP_FULL);
  FUZZ_CHECK((status != STOMP_ENOMEM && status != STOMP_ERANDOM) ||
             r->may_fail);
  FUZZ_CHECK(pending(r) == out);
}

static void move_connect(run_state *r, fuzz_input *in) {
  size_t out = pending(r);
  (void)in;
  note_result(r, stomp_connection_connect(r->c, r->now), NULL, out);
}

static void move_accept(run_state *r, fuzz_input *in) {
  size_t out = pending(r);
  stomp_span name = talk_word(in);
  stomp_field more = talk_field(name, talk_word(in));
  note_result(r, stomp_connection_accept(r->c, &more, name.len & 1, r->now),
              NULL, out);
}

static void move_refuse(run_state *r, fuzz_input *in) {
  size_t out = pending(r);
  stomp_span message = talk_word(in), body = talk_word(in);
  note_result(r, stomp_connection_refuse(r->c, message, body), NULL, out);
}

static void move_send(run_state *r, fuzz_input *in) {
  size_t out = pending(r);
  talk_frame f;
  stomp_error error;
  stomp_status status;
  talk_read(in, &f);
  status = stomp_connection_send(r->c, &f.frame, &error);
  note_result(r, status, &error, out);
}

static void move_ack(run_state *r, fuzz_input *in) {
  size_t out = pending(r);
  unsigned which = fuzz_octet(in);
  stomp_frame *message = r->kept.frames[which % TALK_KEPT];
  stomp_span name = talk_word(in);
  stomp_field more = talk_field((stomp_span){ NULL, 0 }, name);
  stomp_error error;
  stomp_status status;
  if (!message)
    return;
  more.name = "transaction";
  more.name_len = 11;
  status = stomp_connection_ack(r->c, message, which & 0x10, &more,
                                which >> 5 & 1, &error);
  note_result(r, status, &error, out);
}

static void move_disconnect(run_state *r, fuzz_input *in) {
  size_t out = pending(r);
  const char *receipt;
  stomp_error error;
  stomp_status status =
    stomp_connection_disconnect(r->c, r->now, &receipt, &error);
  (void)in;
  note_result(r, status, &error, out);
}

static void move_close(run_state *r, fuzz_input *in) {
  (void)in;
  stomp_connection_close(r->c, r->now);
  FUZZ_CHECK(stomp_connection_state(r->c) == STOMP_STATE_CLOSED);
}

static void move_fail(run_state *r, fuzz_input *in) {
  stomp_error error;
  (void)in;
  stomp_error_set(&error, STOMP_CCONNECT, STOMP_NO_OFFSET);
  stomp_connection_fail(r->c, &error);
  FUZZ_CHECK(stomp_connection_state(r->c) == STOMP_STATE_CLOSED);
}

/* However often it is asked how an end is to be read, it says the same. */
static void move_closed(run_state *r, fuzz_input *in) {
  static const uint16_t codes[] = { 0, 0, 0, 1000, 1005, 1006, 1007, 1011 };
  uint16_t code = codes[fuzz_below(in, 8)];
  stomp_span reason = talk_word(in);
  bool first, again;
  stomp_status status = stomp_connection_closed(r->c, code, reason, &first);
  FUZZ_CHECK(stomp_connection_state(r->c) == STOMP_STATE_CLOSED);
  FUZZ_CHECK(status == stomp_connection_error(r->c)->status);
  FUZZ_CHECK(stomp_connection_closed(r->c, 0, reason, &again) == status);
  FUZZ_CHECK(first == again && (!first || status == STOMP_OK));
}

static void move_pause(run_state *r, fuzz_input *in) {
  if (fuzz_octet(in) & 1)
    stomp_connection_pause(r->c, r->now);
  else
    stomp_connection_resume(r->c, r->now);
}

/* ---- Writing ---- */

static void move_consume(run_state *r, fuzz_input *in) {
  stomp_span out = stomp_connection_output(r->c);
  size_t len = fuzz_octet(in);
  len = len == 255 || len > out.len ? out.len : len;
  fuzz_log_add(&r->sent, out.bytes, len);
  stomp_connection_consume(r->c, len);
}

static void move_take_output(run_state *r, fuzz_input *in) {
  stomp_buffer taken;
  stomp_span out;
  (void)in;
  stomp_buffer_init(&taken, &r->memory.memory, 0);
  stomp_connection_take_output(r->c, &taken);
  out = stomp_buffer_span(&taken);
  fuzz_log_add(&r->sent, out.bytes, out.len);
  stomp_buffer_clear(&taken);
}

/* ---- Time ---- */

static void move_forward(run_state *r, fuzz_input *in) {
  r->now += (uint64_t)fuzz_octet(in) * fuzz_octet(in);
}

/* Before the deadline nothing is due; afterwards the next one lies ahead. */
static void move_tick(run_state *r, fuzz_input *in) {
  uint64_t due = stomp_connection_deadline(r->c);
  stomp_state before = stomp_connection_state(r->c);
  size_t out = pending(r);
  unsigned how = fuzz_octet(in);
  stomp_status status;
  if (how & 2 && r->now < due && due != STOMP_NEVER)
    r->now = how & 4 ? due : due - 1;
  status = stomp_connection_tick(r->c, r->now);
  fuzz_log_number(r->log, due);
  fuzz_log_text(r->log, status < 0 ? stomp_status_name(status) : "ok ");
  if (r->now < due)
    FUZZ_CHECK(status == STOMP_OK && pending(r) == out &&
               stomp_connection_state(r->c) == before);
  if (status < 0 && !r->may_fail)
    FUZZ_CHECK(stomp_connection_state(r->c) == STOMP_STATE_CLOSED &&
               stomp_connection_wants_end(r->c));
  FUZZ_CHECK(stomp_connection_deadline(r->c) > r->now);
}

static void (*const moves[])(run_state *, fuzz_input *) = {
  move_feed,   move_message, move_upgrade, move_hello,       move_connect,
  move_accept, move_refuse,  move_send,    move_ack,         move_disconnect,
  move_close,  move_tick,    move_forward, move_pause,       move_consume,
  move_closed, move_fail,    move_message, move_take_output, move_send
};

/* ---- The output, read by the opposite roles ---- */

static wire_kind wire_of(const run_state *r) {
  const stomp_handshake *h = stomp_connection_handshake(r->c);
  bool server = is_server(r);
  return (wire_kind){
    .server = server,
    .binary = r->s->binary == STOMP_BINARY_NEVER,
    .proxy = !server && r->s->flags & PROXY,
    .tunnel = !stomp_handshake_in_proxy(h),
    .refused = server && stomp_handshake_error(h)->status != STOMP_OK,
    .may_fail = r->may_fail,
    .deflate = stomp_handshake_deflate(h),
  };
}

static void check_output(run_state *r) {
  const stomp_session *session = stomp_connection_session(r->c);
  const stomp_session_counts *c = stomp_session_counts_of(session);
  stomp_span out = stomp_connection_output(r->c);
  talk_reader reader;
  FUZZ_CHECK(stomp_connection_counts_of(r->c)->bytes_sent == r->sent.len);
  fuzz_log_add(&r->sent, out.bytes, out.len);
  out = (stomp_span){ r->sent.at, r->sent.len };
  talk_reader_init(&reader, is_server(r) ? STOMP_SERVER : STOMP_CLIENT,
                   stomp_session_version(session));
  if (r->s->flags & BARE)
    FUZZ_CHECK(talk_reader_read(&reader, out));
  else
    wire_read(wire_of(r), &reader, out);
  FUZZ_CHECK(reader.n_frames == c->frames_sent);
  FUZZ_CHECK(reader.n_beats == c->heartbeats_sent);
  talk_reader_clear(&reader);
}

/* ---- A run ---- */

typedef struct before {
  stomp_state state;
  stomp_error error;
  bool wants_end;
  size_t written; /* of the output in all */
} before;

static before look(const run_state *r) {
  return (before){ stomp_connection_state(r->c), *stomp_connection_error(r->c),
                   stomp_connection_wants_end(r->c), r->sent.len + pending(r) };
}

static void check_over(const run_state *r, const before *b) {
  before now = look(r);
  FUZZ_CHECK(now.state >= b->state);
  FUZZ_CHECK(now.wants_end || !b->wants_end);
  FUZZ_CHECK(pending(r) <= OUTBOX + HEADROOM);
  FUZZ_CHECK(now.written >= b->written);
  FUZZ_CHECK(now.written == b->written || !b->wants_end);
  FUZZ_CHECK(b->state != STOMP_STATE_CLOSED ||
             memcmp(&now.error, &b->error, sizeof now.error) == 0);
}

static void make_moves(run_state *r) {
  fuzz_input in = { r->s->bytes, r->s->len };
  while (in.len) {
    before b = look(r);
    unsigned move = fuzz_below(&in, sizeof moves / sizeof *moves);
    moves[move](r, &in);
    check_over(r, &b);
    fuzz_log_text(r->log, stomp_state_name(stomp_connection_state(r->c)));
    fuzz_log_number(r->log, stomp_connection_wants_end(r->c));
    fuzz_log_number(r->log, stomp_connection_deadline(r->c));
    fuzz_log_number(r->log, r->sent.len + pending(r));
    fuzz_log_error(r->log, stomp_connection_error(r->c));
    fuzz_log_span(r->log, stomp_connection_close_reason(r->c));
  }
}

/* The key of RFC 6455, 1.3, then the dice. */
static bool fill(void *user, void *bytes, size_t len) {
  static const char key[] = "the sample nonce";
  run_state *r = user;
  if (!r->dice.random.fill(&r->dice, bytes, len))
    return false;
  if (len == sizeof key - 1)
    memcpy(bytes, key, len);
  return true;
}

static stomp_connection_options options_of(run_state *r,
                                           const stomp_random *random) {
  static const stomp_field host = { "host", 4, "/", 1 };
  static const stomp_field more = { "X-A", 3, "b", 1 };
  stomp_connection_options o;
  stomp_connection_defaults(&o);
  o.session.role = is_server(r) ? STOMP_SERVER : STOMP_CLIENT;
  o.session.memory = &r->memory.memory;
  o.session.random = random;
  o.session.limits.frame = r->s->flags & SMALL ? 64 : 4096;
  o.session.limits.headers = 2048;
  o.session.limits.header_count = 16;
  o.session.limits.receipts = o.session.limits.table = 8;
  o.session.limits.outbox = OUTBOX;
  o.session.limits.upgrade = 2048;
  memcpy(o.session.versions, r->s->versions, sizeof o.session.versions);
  memcpy(o.session.heartbeat, r->s->beats, sizeof o.session.heartbeat);
  o.session.connect = &host;
  o.session.n_connect = 1;
  o.websocket = !(r->s->flags & BARE);
  o.host = "h";
  o.upgrade_headers = &more;
  o.n_upgrade_headers = 1;
  o.proxy_target = r->s->flags & PROXY ? "h:80" : NULL;
  o.binary = r->s->binary;
  o.ignore_invalid = (r->s->flags & IGNORE) != 0;
  o.strict_utf8 = (r->s->flags & STRICT) != 0;
  o.compression = (r->s->flags & COMPRESSION) != 0;
  o.ping = r->s->ping;
  return o;
}

static void run(const subject *s, fuzz_cuts cuts, const size_t fail_at[2],
                fuzz_log *log) {
  run_state r = { .s = s, .log = log, .cuts = cuts };
  stomp_random random = { fill, &r };
  stomp_connection_options o;
  stomp_error error;
  r.may_fail = fail_at[0] || fail_at[1];
  fuzz_log_clear(log);
  fuzz_memory_init(&r.memory, MEMORY + (s->flags & COMPRESSION ? ZLIB : 0),
                   fail_at[0]);
  fuzz_dice_init(&r.dice, 1, fail_at[1]);
  o = options_of(&r, &random);
  r.c = stomp_connection_new(&o, &error);
  FUZZ_CHECK((r.c == NULL) == (error.status < 0));
  FUZZ_CHECK(r.c || r.may_fail);
  if (r.c) {
    make_moves(&r);
    check_output(&r);
    fuzz_log_add(log, r.sent.at, r.sent.len);
  }
  talk_kept_clear(&r.kept);
  stomp_connection_free(r.c);
  free(r.sent.at);
  FUZZ_CHECK(r.memory.live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static const size_t never[2];
  static fuzz_log whole, cut;
  fuzz_input in = { bytes, len };
  subject s = { .flags = fuzz_octet(&in) };
  unsigned versions = fuzz_octet(&in), beats;
  fuzz_cuts cuts = fuzz_cuts_read(&in);
  size_t fail_at[2];
  stomp_version v;
  fail_at[0] = fuzz_octet(&in);
  fail_at[1] = fuzz_octet(&in);
  for (v = STOMP_1_0; v <= STOMP_1_2; v++)
    s.versions[v] = versions % 8 == 0 || versions >> (v - 1) & 1;
  s.binary = (stomp_binary)(versions / 8 % 3);
  beats = fuzz_octet(&in);
  s.beats[0] = (beats & 15) * 100;
  s.beats[1] = (beats >> 4) * 100;
  s.ping = 50 * fuzz_octet(&in);
  s.bytes = in.at;
  s.len = in.len;
  run(&s, FUZZ_WHOLE, never, &whole);
  run(&s, FUZZ_OCTETS, never, &cut);
  fuzz_log_compare("whole and octet by octet", &whole, &cut);
  run(&s, cuts, never, &cut);
  fuzz_log_compare("whole and cut", &whole, &cut);
  if (fail_at[0] || fail_at[1])
    run(&s, cuts, fail_at, &cut);
  return 0;
}
