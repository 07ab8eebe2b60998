/* SPDX-License-Identifier: MIT
 *
 * Fuzzes core/session.h, both roles: the input is a dialogue of what the peer
 * sends, what the owner does, and time. What holds for every input:
 *   - whole, and cut at places that the input chooses, what the peer sends gives
 *     the same frames, states, errors and output, octet for octet;
 *   - no octet outside the input is read: each piece is a block of its own;
 *   - the output is frames and beats that the role may send, as many as were
 *     counted, in the version that was settled; nothing follows an ERROR;
 *   - a call that is refused writes nothing and changes no state; what is over
 *     stays over with the same error, and nothing can be sent;
 *   - after a tick the deadline lies ahead, before the deadline a tick does
 *     nothing;
 *   - receipts, tables and memory stay below their limits; when memory, random
 *     bytes or room fail (the input says when) that is told and the above still
 *     holds; nothing leaks.
 *
 * An input is 6 octets of settings (flags, versions, cuts, the allocation that
 * fails, room of the output, heart-beats) and moves: an octet that says which,
 * and what it needs (see the table of moves). */
#include "core/session_rules.h"
#include "output.h"
#include "talk.h"

enum { SERVER = 1, ESCAPE = 2, SMALL = 4, NO_DICE = 8, FORGIVE = 16 };

#define LARGE ((size_t)64 << 10)

typedef struct subject {
  unsigned flags;
  bool versions[4];
  uint64_t beats[2];
  const uint8_t *bytes;
  size_t len;
} subject;

typedef struct run_state {
  const subject *s;
  stomp_session *session;
  stomp_buffer out;
  size_t begun;
  fuzz_memory memory;
  fuzz_dice dice;
  fuzz_log *log;
  fuzz_cuts cuts;
  uint64_t now;
  talk_kept kept;
  bool may_fail; /* memory or room */
} run_state;

/* ---- The sink ---- */

static stomp_status begin(void *user, size_t size, bool urgent, uint8_t **at) {
  run_state *r = user;
  (void)urgent;
  FUZZ_CHECK(size > 0 && r->begun == 0);
  if (stomp_buffer_room(&r->out) < size)
    return STOMP_FULL;
  *at = stomp_buffer_reserve(&r->out, size);
  if (!*at)
    return STOMP_ENOMEM;
  r->begun = size;
  return STOMP_OK;
}

static stomp_status end(void *user) {
  run_state *r = user;
  FUZZ_CHECK(r->begun != 0);
  stomp_buffer_commit(&r->out, r->begun);
  r->begun = 0;
  return STOMP_OK;
}

/* ---- The peer ---- */

static void take_frame(run_state *r, stomp_frame *frame) {
  bool of_server = frame->command >= STOMP_CONNECTED_COMMAND;
  FUZZ_CHECK(of_server == !(r->s->flags & SERVER));
  /* (STOMP may settle 1.0, which does not have it) */
  FUZZ_CHECK(
    frame->command == STOMP_STOMP_COMMAND ||
    stomp_rules_has_command(stomp_session_version(r->session), frame->command));
  talk_log_frame(r->log, frame);
  if (frame->command == STOMP_MESSAGE_COMMAND)
    talk_keep(&r->kept, frame);
  else
    stomp_frame_free(frame);
}

/* *left: octets that were not taken. */
static stomp_status feed_piece(run_state *r, const uint8_t *bytes, size_t len,
                               size_t *left) {
  uint8_t *copy = fuzz_copy(bytes, len);
  stomp_span in = { copy, len };
  stomp_frame *frame = NULL;
  stomp_status status;
  while ((status = stomp_session_next(r->session, &in, r->now, &frame)) ==
         STOMP_FRAME)
    take_frame(r, frame);
  FUZZ_CHECK(in.bytes + in.len == copy + len);
  FUZZ_CHECK(status < 0 || (status == STOMP_MORE && in.len == 0));
  free(copy);
  *left = in.len;
  return status;
}

static void feed(run_state *r, stomp_span bytes) {
  stomp_state before = stomp_session_state(r->session);
  stomp_status status = STOMP_MORE;
  stomp_error error;
  size_t left = 0;
  while (bytes.len && status == STOMP_MORE) {
    size_t len = fuzz_piece(&r->cuts, bytes.len);
    status = feed_piece(r, bytes.bytes, len, &left);
    bytes.bytes += len;
    bytes.len -= len;
  }
  error = *stomp_session_error(r->session);
  FUZZ_CHECK(status >= 0 || error.status == status);
  FUZZ_CHECK(before != STOMP_STATE_CLOSED || status == STOMP_MORE);
  if (status >= 0 || !(r->s->flags & FORGIVE))
    return;
  if (stomp_session_forgive(r->session, &error)) {
    FUZZ_CHECK(!(r->s->flags & SERVER) && error.status == status);
    FUZZ_CHECK(stomp_session_state(r->session) != STOMP_STATE_CLOSED);
    stomp_session_skip(r->session, left + bytes.len);
  }
  fuzz_log_error(r->log, &error);
}

/* ---- The owner ---- */

/* A call that did not succeed. */
static void check_refusal(const run_state *r, stomp_status status,
                          const stomp_error *error) {
  FUZZ_CHECK(status < 0 || status == STOMP_FULL);
  FUZZ_CHECK((status != STOMP_ENOMEM && status != STOMP_FULL) || r->may_fail);
  if (error)
    FUZZ_CHECK(error->status == (status < 0 ? status : STOMP_OK));
}

static void note_result(run_state *r, stomp_status status,
                        const stomp_error *error, size_t out,
                        stomp_state before) {
  stomp_state after = stomp_session_state(r->session);
  fuzz_log_text(r->log, status < 0 ? stomp_status_name(status) : "ok ");
  if (error)
    fuzz_log_error(r->log, error);
  if (status == STOMP_OK) {
    FUZZ_CHECK(before != STOMP_STATE_CLOSED);
    return;
  }
  check_refusal(r, status, error);
  FUZZ_CHECK(stomp_buffer_len(&r->out) == out && after == before);
}

static void move_feed(run_state *r, fuzz_input *in) {
  feed(r, fuzz_take(in, fuzz_octet(in)));
}

static void move_connect(run_state *r, fuzz_input *in) {
  stomp_state before = stomp_session_state(r->session);
  size_t out = stomp_buffer_len(&r->out);
  (void)in;
  note_result(r, stomp_session_connect(r->session, r->now), NULL, out, before);
}

static void move_accept(run_state *r, fuzz_input *in) {
  stomp_state before = stomp_session_state(r->session);
  size_t out = stomp_buffer_len(&r->out);
  stomp_span name = talk_word(in);
  stomp_field more = talk_field(name, talk_word(in));
  note_result(r, stomp_session_accept(r->session, &more, name.len & 1, r->now),
              NULL, out, before);
}

static void move_refuse(run_state *r, fuzz_input *in) {
  stomp_state before = stomp_session_state(r->session);
  size_t out = stomp_buffer_len(&r->out);
  stomp_span message = talk_word(in), body = talk_word(in);
  note_result(r, stomp_session_refuse(r->session, message, body), NULL, out,
              before);
}

static void move_send(run_state *r, fuzz_input *in) {
  stomp_state before = stomp_session_state(r->session);
  size_t out = stomp_buffer_len(&r->out);
  talk_frame f;
  stomp_error error;
  stomp_status status;
  talk_read(in, &f);
  status = stomp_session_send(r->session, &f.frame, &error);
  note_result(r, status, &error, out, before);
}

static void move_ack(run_state *r, fuzz_input *in) {
  stomp_state before = stomp_session_state(r->session);
  size_t out = stomp_buffer_len(&r->out);
  unsigned which = fuzz_octet(in);
  stomp_frame *message = r->kept.frames[which % TALK_KEPT];
  stomp_field more = { "transaction", 11, NULL, 0 };
  stomp_span name;
  stomp_error error;
  stomp_status status;
  if (!message)
    return;
  name = talk_word(in);
  more.value = (const char *)name.bytes;
  more.value_len = name.len;
  status = stomp_session_ack(r->session, message, which & 0x10, &more,
                             which >> 5 & 1, &error);
  note_result(r, status, &error, out, before);
}

static void move_disconnect(run_state *r, fuzz_input *in) {
  stomp_state before = stomp_session_state(r->session);
  size_t out = stomp_buffer_len(&r->out);
  const char *receipt;
  stomp_error error;
  stomp_status status =
    stomp_session_disconnect(r->session, r->now, &receipt, &error);
  (void)in;
  FUZZ_CHECK(receipt != NULL);
  note_result(r, status, &error, out, before);
}

static void move_forward(run_state *r, fuzz_input *in) {
  r->now += (uint64_t)fuzz_octet(in) * fuzz_octet(in);
}

/* Before the deadline nothing is due; afterwards the next one lies ahead. */
static void move_tick(run_state *r, fuzz_input *in) {
  uint64_t due = stomp_session_deadline(r->session);
  size_t out = stomp_buffer_len(&r->out);
  unsigned how = fuzz_octet(in);
  bool idle = how & 1;
  stomp_status status;
  if (how & 2 && r->now < due && due != STOMP_NEVER)
    r->now = how & 4 ? due : due - 1;
  status = stomp_session_tick(r->session, r->now, idle);
  fuzz_log_number(r->log, due);
  fuzz_log_text(r->log, status < 0 ? stomp_status_name(status) : "ok ");
  if (r->now < due)
    FUZZ_CHECK(status == STOMP_OK && stomp_buffer_len(&r->out) == out);
  FUZZ_CHECK(stomp_buffer_len(&r->out) <= out + 1);
  if (status == STOMP_OK || (status == STOMP_ENOMEM && r->may_fail))
    FUZZ_CHECK(stomp_session_deadline(r->session) > r->now);
  else
    FUZZ_CHECK(status == STOMP_HLOST &&
               stomp_session_state(r->session) == STOMP_STATE_CLOSED);
}

static void move_pause(run_state *r, fuzz_input *in) {
  if (fuzz_octet(in) & 1)
    stomp_session_pause(r->session);
  else
    stomp_session_resume(r->session, r->now);
}

/* However often it is asked how an end is to be read, it says the same. */
static void move_closed(run_state *r, fuzz_input *in) {
  static const uint16_t codes[] = {
    0, 1000, 1001, 1005, 1006, 1007, 1002, 1011
  };
  uint16_t code = codes[fuzz_below(in, 8)];
  stomp_span reason = talk_word(in);
  bool first, again;
  stomp_status status = stomp_session_closed(r->session, code, reason, &first);
  FUZZ_CHECK(stomp_session_state(r->session) == STOMP_STATE_CLOSED);
  FUZZ_CHECK(stomp_session_closed(r->session, 1000, reason, &again) == status);
  FUZZ_CHECK(first == again && first == stomp_session_no_receipt(r->session));
  FUZZ_CHECK(!first || status == STOMP_OK);
}

static void move_end(run_state *r, fuzz_input *in) {
  stomp_error error;
  stomp_error_set(&error, STOMP_CEOF, STOMP_NO_OFFSET);
  if (fuzz_octet(in) & 1)
    stomp_session_fail(r->session, &error);
  else
    stomp_session_end(r->session);
  FUZZ_CHECK(stomp_session_state(r->session) == STOMP_STATE_CLOSED);
}

static void (*const moves[])(run_state *, fuzz_input *) = {
  move_feed, move_feed,    move_connect, move_accept,
  move_send, move_send,    move_ack,     move_ack,
  move_tick, move_forward, move_pause,   move_disconnect,
  move_feed, move_refuse,  move_closed,  move_end
};

/* ---- A run ---- */

static void check_counts(const run_state *r) {
  const stomp_session_counts *c = stomp_session_counts_of(r->session);
  const char *destination;
  stomp_command command;
  size_t i;
  FUZZ_CHECK(stomp_session_receipts(r->session) <= 8);
  FUZZ_CHECK(c->messages <= c->frames_received);
  for (i = 0; stomp_session_after(r->session, i, &command, &destination); i++)
    FUZZ_CHECK(command < STOMP_COMMAND_COUNT && strlen(destination) <= 64);
  FUZZ_CHECK(i <= 4);
}

/* What is over stays so. */
static void check_over(const run_state *r, stomp_state state,
                       const stomp_error *error) {
  const stomp_error *now = stomp_session_error(r->session);
  if (state != STOMP_STATE_CLOSED) {
    FUZZ_CHECK(state <= stomp_session_state(r->session));
    return;
  }
  FUZZ_CHECK(stomp_session_state(r->session) == STOMP_STATE_CLOSED);
  FUZZ_CHECK(memcmp(error, now, sizeof *error) == 0);
  FUZZ_CHECK(stomp_session_deadline(r->session) == STOMP_NEVER);
}

static void make_moves(run_state *r) {
  fuzz_input in = { r->s->bytes, r->s->len };
  while (in.len) {
    stomp_state state = stomp_session_state(r->session);
    stomp_error error = *stomp_session_error(r->session);
    unsigned move = fuzz_below(&in, sizeof moves / sizeof *moves);
    moves[move](r, &in);
    check_over(r, state, &error);
    check_counts(r);
    fuzz_log_text(r->log, stomp_state_name(stomp_session_state(r->session)));
    fuzz_log_number(r->log, stomp_session_version(r->session));
    fuzz_log_number(r->log, stomp_session_receipts(r->session));
    fuzz_log_number(r->log, stomp_session_deadline(r->session));
    fuzz_log_error(r->log, stomp_session_error(r->session));
  }
}

static void check_output(const run_state *r) {
  const stomp_session_counts *c = stomp_session_counts_of(r->session);
  talk_reader reader;
  talk_reader_init(&reader, r->s->flags & SERVER ? STOMP_SERVER : STOMP_CLIENT,
                   stomp_session_version(r->session));
  FUZZ_CHECK(talk_reader_read(&reader, stomp_buffer_span(&r->out)));
  FUZZ_CHECK(reader.n_frames == c->frames_sent);
  FUZZ_CHECK(reader.n_beats == c->heartbeats_sent);
  talk_reader_clear(&reader);
}

static stomp_session_options options_of(const run_state *r) {
  static const stomp_field host = { "host", 4, "/", 1 };
  stomp_session_options o;
  stomp_session_defaults(&o);
  o.role = r->s->flags & SERVER ? STOMP_SERVER : STOMP_CLIENT;
  o.memory = &r->memory.memory;
  o.random = &r->dice.random;
  o.limits.frame = r->s->flags & SMALL ? 64 : 4096;
  o.limits.headers = 2048;
  o.limits.header_count = 16;
  o.limits.receipts = o.limits.table = 8;
  memcpy(o.versions, r->s->versions, sizeof o.versions);
  memcpy(o.heartbeat, r->s->beats, sizeof o.heartbeat);
  o.escape_connect = (r->s->flags & ESCAPE) != 0;
  o.connect = &host;
  o.n_connect = 1;
  return o;
}

static void run(const subject *s, fuzz_cuts cuts, size_t room, size_t fail_at,
                fuzz_log *log) {
  run_state r = { .s = s, .log = log, .cuts = cuts };
  stomp_sink sink = { begin, end, &r };
  stomp_session_options o;
  stomp_error error;
  r.may_fail = fail_at || room != LARGE;
  fuzz_log_clear(log);
  fuzz_memory_init(&r.memory, 4 * LARGE, fail_at);
  fuzz_dice_init(&r.dice, 1, s->flags & NO_DICE ? 1 + fail_at % 2 : 0);
  stomp_buffer_init(&r.out, &r.memory.memory, room);
  o = options_of(&r);
  r.session = stomp_session_new(&o, sink, &error);
  FUZZ_CHECK((r.session == NULL) == (error.status < 0));
  FUZZ_CHECK(r.session || r.may_fail || s->flags & NO_DICE);
  if (r.session) {
    make_moves(&r);
    check_output(&r);
    fuzz_log_span(log, stomp_buffer_span(&r.out));
  }
  talk_kept_clear(&r.kept);
  stomp_session_free(r.session);
  stomp_buffer_clear(&r.out);
  FUZZ_CHECK(r.memory.live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static fuzz_log whole, cut;
  fuzz_input in = { bytes, len };
  subject s = { .flags = fuzz_octet(&in) };
  unsigned versions = fuzz_octet(&in), beats;
  fuzz_cuts cuts = fuzz_cuts_read(&in);
  size_t fail_at = fuzz_octet(&in), room = 8 * fuzz_octet(&in);
  stomp_version v;
  for (v = STOMP_1_0; v <= STOMP_1_2; v++)
    s.versions[v] = versions % 8 == 0 || versions >> (v - 1) & 1;
  beats = fuzz_octet(&in);
  s.beats[0] = (beats & 15) * 100;
  s.beats[1] = (beats >> 4) * 100;
  s.bytes = in.at;
  s.len = in.len;
  run(&s, FUZZ_WHOLE, LARGE, 0, &whole);
  run(&s, FUZZ_OCTETS, LARGE, 0, &cut);
  fuzz_log_compare("whole and octet by octet", &whole, &cut);
  run(&s, cuts, LARGE, 0, &cut);
  fuzz_log_compare("whole and cut", &whole, &cut);
  if (fail_at)
    run(&s, cuts, LARGE, fail_at, &cut);
  if (room)
    run(&s, cuts, room, 0, &cut);
  return 0;
}
