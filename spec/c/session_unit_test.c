/* SPDX-License-Identifier: MIT
 *
 * The session where dialogues do not reach: what its sink is told, random bytes
 * that are odd or fail, what makes an end final, what is counted, and the parts
 * that it is made of, alone: the tables of who may send what, acknowledgements
 * inside transactions. */
#include "check.h"
#include "core/session.h"
#include "core/acks.h"
#include "core/session_rules.h"

/* ---- A session and all round it ---- */

typedef struct bench {
  check_memory m;
  stomp_random random;
  size_t random_calls, random_fails_at; /* 0: never */
  uint8_t out[4096];
  size_t out_len, begun;
  bool urgent;             /* the last begin was */
  stomp_status answer;     /* of begin, unless STOMP_OK */
  stomp_status end_answer; /* what the sink says of what was written */
  stomp_session_options options;
  stomp_session *s;
  stomp_error error;
  stomp_frame *frame; /* the last one that came */
} bench;

/* Zeroes: the worst random bytes that there are. */
static bool fill(void *user, void *bytes, size_t len) {
  bench *b = user;
  memset(bytes, 0, len);
  return ++b->random_calls != b->random_fails_at;
}

static stomp_status begin(void *user, size_t size, bool urgent, uint8_t **at) {
  bench *b = user;
  b->urgent = urgent;
  if (b->answer != STOMP_OK)
    return b->answer;
  if (b->out_len + size > sizeof b->out)
    b->out_len = 0; /* nobody reads all of it */
  *at = b->out + b->out_len;
  b->begun = size;
  return STOMP_OK;
}

static stomp_status end(void *user) {
  bench *b = user;
  if (b->end_answer != STOMP_OK)
    return b->end_answer;
  b->out_len += b->begun;
  return STOMP_OK;
}

static void bench_init(bench *b, stomp_role role) {
  memset(b, 0, sizeof *b);
  check_memory_init(&b->m, 0);
  b->random = (stomp_random){ fill, b };
  stomp_session_defaults(&b->options);
  b->options.role = role;
  b->options.memory = &b->m.memory;
  b->options.random = &b->random;
  b->options.heartbeat[0] = b->options.heartbeat[1] = 0;
}

static void bench_new(bench *b) {
  b->s =
    stomp_session_new(&b->options, (stomp_sink){ begin, end, b }, &b->error);
}

static void bench_close(bench *b) {
  stomp_frame_free(b->frame);
  stomp_session_free(b->s);
  CHECK(b->m.live == 0);
}

/* Give octets, a NUL at their end included; the first result. */
static stomp_status give(bench *b, const char *text) {
  stomp_span in = { (const uint8_t *)text, strlen(text) + 1 };
  if (text[0] == '\n' || !text[0])
    in.len--;
  stomp_frame_free(b->frame);
  b->frame = NULL;
  return stomp_session_next(b->s, &in, 0, &b->frame);
}

static stomp_status put(bench *b, stomp_command command, const char *name,
                        const char *value) {
  stomp_field fields[] = {
    { name, strlen(name), value, strlen(value) },
    { "id", 2, "1", 1 },
    { "ack", 3, "client", 6 },
    { "message-id", 10, "1", 1 },
    { "subscription", 12, "1", 1 },
  };
  stomp_outgoing out = { .command = command, .headers = fields };
  out.n_headers = command == STOMP_SUBSCRIBE_COMMAND ? 3
                  : command == STOMP_MESSAGE_COMMAND ? 5
                                                     : 1;
  return stomp_session_send(b->s, &out, &b->error);
}

static void connect_client(bench *b, const char *connected) {
  bench_new(b);
  CHECK(stomp_session_connect(b->s, 0) == STOMP_OK && b->urgent);
  CHECK(give(b, connected) == STOMP_FRAME);
}

static void connect_server(bench *b) {
  bench_new(b);
  CHECK(give(b, "CONNECT\naccept-version:1.2\nhost:/\n\n") == STOMP_FRAME);
  CHECK(stomp_session_accept(b->s, NULL, 0, 0) == STOMP_OK && b->urgent);
}

static const char connected_1_1[] = "CONNECTED\nversion:1.1\n\n",
                  connected_1_2[] = "CONNECTED\nversion:1.2\n\n",
                  message[] = "MESSAGE\nsubscription:1\nmessage-id:m\nack:a\n"
                              "destination:/a\n\n";

/* ---- Birth ---- */

static void test_defaults(void) {
  stomp_session_options o;
  memset(&o, 0xff, sizeof o);
  stomp_session_defaults(&o);
  CHECK(!o.versions[0] && o.versions[1] && o.versions[2] && o.versions[3]);
  CHECK(o.heartbeat[0] == 10000 && o.heartbeat[1] == 10000);
  CHECK(o.slack[0] == 200 && o.slack[1] == 1000);
  CHECK(!o.escape_connect && !o.connect && o.n_connect == 0);
  CHECK(stomp_state_name(STOMP_STATE_COUNT)[0] == '\0');
}

static void test_random_that_fails(void) {
  size_t n;
  for (n = 1; n <= 2; n++) {
    bench b;
    bench_init(&b, STOMP_CLIENT);
    b.random_fails_at = n;
    bench_new(&b);
    CHECK(!b.s && b.error.status == STOMP_ERANDOM);
    bench_close(&b);
  }
}

/* What we offer is what we take: at most ten digits, in either role. */
static void test_offers_are_bounded(void) {
  int role, i;
  for (role = STOMP_CLIENT; role <= STOMP_SERVER; role++)
    for (i = 0; i < 2; i++) {
      bench b;
      bench_init(&b, (stomp_role)role);
      b.options.heartbeat[i] = UINT64_C(9999999999);
      bench_new(&b);
      CHECK(b.s != NULL);
      stomp_session_free(b.s);
      b.options.heartbeat[i]++;
      bench_new(&b);
      CHECK(!b.s && b.error.status == STOMP_IHEADER);
      CHECK(strcmp(b.error.detail, "heart-beat: more than ten digits") == 0);
      bench_close(&b);
    }
}

/* ---- The sink ---- */

static void test_what_is_urgent(void) {
  const char *receipt;
  bench b;
  bench_init(&b, STOMP_CLIENT);
  b.options.heartbeat[0] = 1000;
  connect_client(&b, "CONNECTED\nversion:1.2\nheart-beat:0,1000\n\n");
  CHECK(put(&b, STOMP_SEND_COMMAND, "destination", "/a") == STOMP_OK);
  CHECK(!b.urgent);
  CHECK(stomp_session_tick(b.s, 800, true) == STOMP_OK && b.urgent);
  CHECK(put(&b, STOMP_BEGIN_COMMAND, "transaction", "t") == STOMP_OK);
  CHECK(!b.urgent);
  CHECK(stomp_session_disconnect(b.s, 900, &receipt, &b.error) == STOMP_OK);
  CHECK(b.urgent);
  bench_close(&b);
  bench_init(&b, STOMP_SERVER);
  connect_server(&b);
  CHECK(put(&b, STOMP_MESSAGE_COMMAND, "destination", "/a") == STOMP_OK);
  CHECK(!b.urgent);
  bench_close(&b);
}

/* A sink that has no room is no error; one that fails is that error. */
static void test_what_the_sink_answers(void) {
  bench b;
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  b.answer = STOMP_FULL;
  CHECK(put(&b, STOMP_SEND_COMMAND, "destination", "/a") == STOMP_FULL);
  CHECK(b.error.status == STOMP_OK);
  b.answer = STOMP_LOUTBOX;
  CHECK(put(&b, STOMP_SEND_COMMAND, "destination", "/a") == STOMP_LOUTBOX);
  CHECK(b.error.status == STOMP_LOUTBOX);
  b.answer = STOMP_OK;
  CHECK(put(&b, STOMP_COMMAND_COUNT, "a", "b") == STOMP_ICOMMAND);
  bench_close(&b);
}

/* What may not go out as it is, be it CONNECT, a frame or a beat, was not sent. */
static void test_what_the_sink_refuses(void) {
  bench b;
  bench_init(&b, STOMP_CLIENT);
  b.options.heartbeat[0] = 1000;
  bench_new(&b);
  b.end_answer = STOMP_IBINARY;
  CHECK(stomp_session_connect(b.s, 0) == STOMP_IBINARY);
  CHECK(stomp_session_state(b.s) == STOMP_STATE_IDLE && b.out_len == 0);
  b.end_answer = STOMP_OK;
  CHECK(stomp_session_connect(b.s, 0) == STOMP_OK);
  CHECK(give(&b, "CONNECTED\nversion:1.2\nheart-beat:0,1000\n\n") ==
        STOMP_FRAME);
  b.end_answer = STOMP_IBINARY;
  CHECK(put(&b, STOMP_SEND_COMMAND, "destination", "/a") == STOMP_IBINARY);
  CHECK(b.error.status == STOMP_IBINARY);
  CHECK(stomp_session_counts_of(b.s)->frames_sent == 1);
  CHECK(stomp_session_tick(b.s, 800, true) == STOMP_IBINARY);
  CHECK(stomp_session_counts_of(b.s)->heartbeats_sent == 0);
  CHECK(stomp_session_error(b.s)->status == STOMP_IBINARY);
  bench_close(&b);
}

/* ---- What is kept ---- */

static void test_counts(void) {
  const stomp_session_counts *c;
  bench b;
  bench_init(&b, STOMP_CLIENT);
  b.options.heartbeat[0] = 1000;
  connect_client(&b, "CONNECTED\nversion:1.2\nheart-beat:0,1000\n\n");
  CHECK(give(&b, "\n\n") == STOMP_MORE);
  CHECK(give(&b, message) == STOMP_FRAME);
  CHECK(give(&b, message) == STOMP_FRAME);
  CHECK(put(&b, STOMP_SEND_COMMAND, "destination", "/a") == STOMP_OK);
  CHECK(stomp_session_tick(b.s, 800, true) == STOMP_OK);
  c = stomp_session_counts_of(b.s);
  CHECK(c->frames_sent == 2 && c->heartbeats_sent == 1);
  CHECK(c->frames_received == 3 && c->heartbeats_received == 2);
  CHECK(c->messages == 2 && c->unknown_receipts == 0);
  bench_close(&b);
}

static void test_the_last_frames(void) {
  char destination[80];
  stomp_command command;
  const char *text;
  size_t len;
  bench b;
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  for (len = 60; len < 70; len++) {
    memset(destination, 'd', len);
    destination[len] = '\0';
    CHECK(put(&b, STOMP_SEND_COMMAND, "destination", destination) == STOMP_OK);
    CHECK(stomp_session_after(b.s, 0, &command, &text));
    CHECK(command == STOMP_SEND_COMMAND);
    CHECK(strlen(text) == (len < 64 ? len : 64));
  }
  bench_close(&b);
  bench_init(&b, STOMP_SERVER);
  connect_server(&b);
  CHECK(put(&b, STOMP_MESSAGE_COMMAND, "destination", "/a") == STOMP_OK);
  CHECK(stomp_session_after(b.s, 0, &command, &text));
  CHECK(command == STOMP_MESSAGE_COMMAND && strcmp(text, "/a") == 0);
  bench_close(&b);
}

/* ---- The end ---- */

static void test_an_end_is_final(void) {
  stomp_error failure, other;
  stomp_span in = { (const uint8_t *)"\nabc", 4 };
  bench b;
  stomp_error_set(&failure, STOMP_CEOF, 7);
  stomp_error_set(&other, STOMP_CPEER, 8);
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  stomp_session_fail(b.s, &failure);
  CHECK(stomp_session_state(b.s) == STOMP_STATE_CLOSED);
  stomp_session_fail(b.s, &other);
  stomp_session_end(b.s);
  CHECK(stomp_session_error(b.s)->status == STOMP_CEOF);
  CHECK(stomp_session_error(b.s)->offset == 7);
  /* what still comes is taken and means nothing */
  CHECK(stomp_session_next(b.s, &in, 0, &b.frame) == STOMP_MORE);
  CHECK(in.len == 0 && in.bytes[-1] == 'c');
  bench_close(&b);
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  stomp_session_end(b.s);
  stomp_session_fail(b.s, &failure);
  CHECK(stomp_session_error(b.s)->status == STOMP_OK);
  bench_close(&b);
}

/* A server that has no room to say why ends all the same. */
static void test_an_end_that_cannot_be_told(void) {
  bench b;
  bench_init(&b, STOMP_SERVER);
  connect_server(&b);
  b.answer = STOMP_FULL;
  CHECK(give(&b, "QUIT\n\n") == STOMP_ECOMMAND);
  CHECK(stomp_session_state(b.s) == STOMP_STATE_CLOSED);
  CHECK(stomp_session_error(b.s)->status == STOMP_ECOMMAND);
  bench_close(&b);
}

static void test_close_codes_are_kept(void) {
  static const stomp_span none;
  bool no_receipt;
  bench b;
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  CHECK(stomp_session_closed(b.s, 1011, none, &no_receipt) == STOMP_CPEER);
  CHECK(stomp_session_error(b.s)->close_code == 1011);
  bench_close(&b);
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  CHECK(give(&b, "MESSAGE\na:b") == STOMP_EHEADNUL);
  bench_close(&b);
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  CHECK(give(&b, "\nMESSAGE") == STOMP_MORE);
  CHECK(stomp_session_closed(b.s, 1012, none, &no_receipt) ==
        STOMP_EINCOMPLETE);
  CHECK(stomp_session_error(b.s)->close_code == 1012);
  bench_close(&b);
}

/* Only what the parser found wrong can be passed over, and only then; what is
 * thrown away then is a part of the stream. */
static void test_forgiving(void) {
  static const char receipt[] = "RECEIPT\nreceipt-id:1\n\n";
  stomp_error what;
  uint64_t at;
  bench b;
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  CHECK(!stomp_session_forgive(b.s, &what));
  CHECK(give(&b, "QUIT\n\n") == STOMP_ECOMMAND && !b.frame);
  stomp_error_clear(&what);
  CHECK(stomp_session_forgive(b.s, &what));
  CHECK(what.status == STOMP_ECOMMAND && strcmp(what.detail, "QUIT") == 0);
  CHECK(stomp_session_state(b.s) == STOMP_STATE_CONNECTED);
  CHECK(stomp_session_error(b.s)->status == STOMP_OK);
  CHECK(!stomp_session_forgive(b.s, &what));
  CHECK(give(&b, receipt) == STOMP_FRAME);
  at = b.frame->offset;
  stomp_session_skip(b.s, 100);
  CHECK(give(&b, receipt) == STOMP_FRAME);
  CHECK(b.frame->offset == at + sizeof receipt + 100);
  CHECK(give(&b, "SEND\ndestination:/a\n\n") == STOMP_EUNEXPECTED);
  CHECK(!b.frame); /* it was freed */
  CHECK(!stomp_session_forgive(b.s, &what));
  CHECK(stomp_session_state(b.s) == STOMP_STATE_CLOSED);
  bench_close(&b);
  bench_init(&b, STOMP_SERVER); /* which has sent ERROR then */
  connect_server(&b);
  CHECK(give(&b, "QUIT\n\n") == STOMP_ECOMMAND);
  CHECK(!stomp_session_forgive(b.s, &what));
  CHECK(stomp_session_state(b.s) == STOMP_STATE_CLOSED);
  bench_close(&b);
}

/* ---- Acknowledging ---- */

static void test_headers_of_an_ack(void) {
  static const stomp_field more[5] = { { "a", 1, "1", 1 },
                                       { "b", 1, "2", 1 },
                                       { "c", 1, "3", 1 },
                                       { "d", 1, "4", 1 },
                                       { "e", 1, "5", 1 } };
  size_t n;
  for (n = 0; n <= 5; n++) {
    bench b;
    bench_init(&b, STOMP_CLIENT);
    connect_client(&b, connected_1_1);
    CHECK(put(&b, STOMP_SUBSCRIBE_COMMAND, "destination", "/a") == STOMP_OK);
    CHECK(give(&b, message) == STOMP_FRAME);
    CHECK(b.frame->delivery.session != 0); /* though all was zero */
    CHECK(stomp_session_ack(b.s, b.frame, false, more, n, &b.error) ==
          (n <= 4 ? STOMP_OK : STOMP_IHEADER));
    bench_close(&b);
  }
}

static void test_what_cannot_be_acknowledged(void) {
  bench b;
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  CHECK(put(&b, STOMP_SUBSCRIBE_COMMAND, "destination", "/a") == STOMP_OK);
  CHECK(give(&b, "RECEIPT\nreceipt-id:1\nsubscription:1\n\n") == STOMP_FRAME);
  CHECK(stomp_session_ack(b.s, b.frame, false, NULL, 0, &b.error) ==
        STOMP_IACKNONE);
  CHECK(give(&b, message) == STOMP_FRAME);
  b.frame->delivery.session = 0; /* no session made it */
  CHECK(stomp_session_ack(b.s, b.frame, false, NULL, 0, &b.error) ==
        STOMP_IACKNONE);
  bench_close(&b);
}

/* An ACK in a transaction that was not sent leaves nothing behind. */
static void test_an_ack_that_is_not_sent(void) {
  static const stomp_field in_t = { "transaction", 11, "t", 1 };
  size_t live;
  bench b;
  bench_init(&b, STOMP_CLIENT);
  connect_client(&b, connected_1_2);
  CHECK(put(&b, STOMP_SUBSCRIBE_COMMAND, "destination", "/a") == STOMP_OK);
  CHECK(put(&b, STOMP_BEGIN_COMMAND, "transaction", "t") == STOMP_OK);
  CHECK(give(&b, message) == STOMP_FRAME);
  live = b.m.live;
  b.answer = STOMP_FULL;
  CHECK(stomp_session_ack(b.s, b.frame, false, &in_t, 1, &b.error) ==
        STOMP_FULL);
  CHECK(b.m.live == live);
  b.answer = STOMP_OK;
  CHECK(stomp_session_ack(b.s, b.frame, false, &in_t, 1, &b.error) == STOMP_OK);
  CHECK(b.m.live > live);
  CHECK(put(&b, STOMP_COMMIT_COMMAND, "transaction", "t") == STOMP_OK);
  CHECK(b.m.live < live); /* nor does the transaction */
  bench_close(&b);
}

/* Against a list: an individual ACK is undone while its transaction is one of
 * the last that were aborted. */
static void test_aborted_transactions(void) {
  const uint64_t unset = UINT64_C(0xa5a5a5a5a5a5a5a5); /* see check.h */
  stomp_map_entry subscription = { .hash = 0 };
  stomp_frame frame = { .delivery = { .ack_mode = STOMP_ACK_INDIVIDUAL } };
  stomp_pending *pending = (stomp_pending *)&frame;
  stomp_acks a;
  check_memory m;
  uint64_t i, k;
  check_memory_init(&m, 0);
  memset(&a, 0xff, sizeof a);
  stomp_acks_init(&a, &m.memory, 10);
  CHECK(stomp_acks_reserve(&a, &frame, &subscription, 1, &pending) == STOMP_OK);
  CHECK(pending == NULL);
  frame.delivery.settled = true;
  for (i = 1; i <= 3 * STOMP_ABORTED_MAX; i++) {
    uint64_t ids[] = { i, i + 1, 1, i / 2 + 1, i > 5 ? i - 5 : 1, unset };
    stomp_acks_abort(&a, i);
    for (k = 0; k < 6; k++) {
      uint64_t id = ids[k];
      frame.delivery.transaction = id;
      CHECK(stomp_acks_is_settled(&a, &frame, &subscription) ==
            !(id <= i && id + STOMP_ABORTED_MAX > i));
    }
  }
  stomp_acks_clear(&a);
  stomp_acks_clear(&a); /* twice is once */
  CHECK(m.live == 0);
}

/* One entry for each subscription of a transaction. */
static void test_pending_acknowledgements(void) {
  stomp_map_entry subscription = { .hash = 0 };
  stomp_frame frame = { .delivery = { .sequence = 1,
                                      .ack_mode = STOMP_ACK_CLIENT } };
  stomp_pending *one, *same, *other;
  stomp_acks a;
  check_memory m;
  check_memory_init(&m, 0);
  stomp_acks_init(&a, &m.memory, 2);
  CHECK(stomp_acks_reserve(&a, &frame, &subscription, 1, &one) == STOMP_OK);
  CHECK(!stomp_acks_is_settled(&a, &frame, &subscription)); /* not sent yet */
  stomp_acks_release(&a, one);
  CHECK(m.live == 0 && a.n_pending == 0);
  CHECK(stomp_acks_reserve(&a, &frame, &subscription, 1, &one) == STOMP_OK);
  stomp_acks_settle(&frame, &subscription, 1, one);
  CHECK(stomp_acks_is_settled(&a, &frame, &subscription));
  CHECK(stomp_acks_reserve(&a, &frame, &subscription, 1, &same) == STOMP_OK);
  CHECK(same == one);
  CHECK(stomp_acks_reserve(&a, &frame, &subscription, 2, &other) == STOMP_OK);
  CHECK(other != one && a.n_pending == 2);
  CHECK(stomp_acks_reserve(&a, &frame, &subscription, 3, &other) ==
        STOMP_LTABLE);
  stomp_acks_clear(&a);
  CHECK(m.live == 0 && a.n_pending == 0);
}

/* ---- The tables ---- */

/* What no table has a row for is refused, not read. */
static void test_rules_beyond_their_tables(void) {
  const stomp_command none = STOMP_COMMAND_COUNT;
  int v, c;
  CHECK(!stomp_rules_may_send(STOMP_CLIENT, STOMP_STATE_CONNECTED, none));
  CHECK(!stomp_rules_may_send(STOMP_SERVER, STOMP_STATE_CONNECTED, none));
  CHECK(
    !stomp_rules_may_send(STOMP_CLIENT, STOMP_STATE_COUNT, STOMP_SEND_COMMAND));
  CHECK(!stomp_rules_may_send(STOMP_SERVER, STOMP_STATE_COUNT,
                              STOMP_MESSAGE_COMMAND));
  for (v = 0; v <= STOMP_1_2; v++) {
    stomp_version version = (stomp_version)v;
    CHECK(!stomp_rules_has_command(version, none));
    CHECK(!stomp_rules_required(version, none, 0));
    CHECK(!stomp_rules_instead(version, none));
    CHECK(!stomp_rules_required_sent(version, none));
    for (c = 0; c < (int)STOMP_COMMAND_COUNT; c++) {
      size_t i = 0;
      while (stomp_rules_required(version, (stomp_command)c, i))
        i++;
      CHECK(i <= 3 && !stomp_rules_required(version, (stomp_command)c, 100));
    }
  }
}

/* A beat without room is not needed: what waits says that we live. One that
 * fails is the end. */
static void test_a_beat_that_is_not_sent(void) {
  bench b;
  bench_init(&b, STOMP_CLIENT);
  b.options.heartbeat[0] = 1000;
  connect_client(&b, "CONNECTED\nversion:1.2\nheart-beat:0,1000\n\n");
  b.answer = STOMP_FULL;
  CHECK(stomp_session_tick(b.s, 800, true) == STOMP_OK && b.urgent);
  CHECK(stomp_session_counts_of(b.s)->heartbeats_sent == 0);
  CHECK(stomp_session_deadline(b.s) == 1600);
  b.answer = STOMP_ENOMEM;
  CHECK(stomp_session_tick(b.s, 1600, true) == STOMP_ENOMEM);
  CHECK(stomp_session_error(b.s)->status == STOMP_ENOMEM);
  CHECK(stomp_session_state(b.s) == STOMP_STATE_CLOSED);
  CHECK(stomp_session_tick(b.s, 2400, true) == STOMP_OK);
  bench_close(&b);
}

int main(void) {
  test_defaults();
  test_random_that_fails();
  test_offers_are_bounded();
  test_what_is_urgent();
  test_what_the_sink_answers();
  test_what_the_sink_refuses();
  test_counts();
  test_a_beat_that_is_not_sent();
  test_the_last_frames();
  test_an_end_is_final();
  test_an_end_that_cannot_be_told();
  test_close_codes_are_kept();
  test_forgiving();
  test_headers_of_an_ack();
  test_what_cannot_be_acknowledged();
  test_an_ack_that_is_not_sent();
  test_aborted_transactions();
  test_pending_acknowledgements();
  test_rules_beyond_their_tables();
  return check_result("session_unit");
}
