/* SPDX-License-Identifier: MIT
 *
 * The connection where things come out of order: what fuzz/connection_fuzz.c
 * found. The invariants are its. */
#include "pair.h"

typedef struct bench {
  check_memory m;
  uint64_t seed;
  stomp_random random;
  pair p;
} bench;

static bool fill(void *user, void *bytes, size_t len) {
  uint8_t *to = bytes;
  while (len--)
    *to++ = (uint8_t)check_random(user, 256);
  return true;
}

static void bench_init(bench *b) {
  memset(b, 0, sizeof *b);
  check_memory_init(&b->m, 0);
  b->random = (stomp_random){ fill, &b->seed };
  pair_init(&b->p, &b->m.memory, &b->random, STOMP_1_2, true);
}

static void bench_close(bench *b) {
  pair_close(&b->p);
  CHECK(b->m.live == 0);
}

static stomp_span span(const char *text) {
  return (stomp_span){ (const uint8_t *)text, strlen(text) };
}

/* Nobody asked, so nothing can be the answer. */
static void test_an_answer_before_the_request(void) {
  bench b;
  bench_init(&b);
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  CHECK(PAIR_FEED(&b.p, b.p.client, "HTTP/1.1 101 X\r\n") == STOMP_UGARBAGE);
  CHECK(stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_output(b.p.client).len == 0);
  bench_close(&b);
}

/* STOMP is not spoken before the upgrade is over. */
static void test_a_refusal_before_the_upgrade(void) {
  bench b;
  bench_init(&b);
  b.p.server = pair_new(&b.p, STOMP_SERVER);
  CHECK(stomp_connection_refuse(b.p.server, span("no"), span("")) ==
        STOMP_ISTATE);
  CHECK(stomp_connection_output(b.p.server).len == 0);
  CHECK(stomp_connection_state(b.p.server) != STOMP_STATE_CLOSED);
  bench_close(&b);
}

/* The first end counts: a violation behind an ERROR is not told, neither in the
 * same bytes nor in the next; frames behind it are not looked at. */
static void check_behind_error(size_t first) {
  static const char bytes[] = "\x82\x13"
                              "ERROR\nmessage:no\n\n\0"
                              "\x83\x00\x89\x01z";
  size_t len = sizeof bytes - 1;
  bool no_receipt;
  bench b;
  bench_init(&b);
  pair_open(&b.p);
  CHECK(pair_feed(&b.p, b.p.client, bytes, first) == STOMP_OK);
  CHECK(pair_feed(&b.p, b.p.client, bytes + first, len - first) == STOMP_OK);
  CHECK(pair_feed(&b.p, b.p.client, "\x83", 1) == STOMP_OK);
  CHECK(pair_drop(b.p.client) == 1);
  CHECK(stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_error(b.p.client)->status == STOMP_BERROR);
  CHECK(stomp_connection_closed(b.p.client, 0, span(""), &no_receipt) ==
        STOMP_BERROR);
  bench_close(&b);
}

static void test_a_violation_behind_an_error(void) {
  size_t first;
  for (first = 0; first <= 26; first++)
    check_behind_error(first);
}

/* The same of a text that is none, behind a frame that is none. */
static void test_no_text_behind_no_frame(void) {
  static const char bytes[] = "\x81\x06QUIT\n\xff";
  size_t first, len = sizeof bytes - 1;
  bench b;
  for (first = 0; first <= len; first++) {
    bench_init(&b);
    b.p.options.strict_utf8 = true;
    pair_open(&b.p);
    (void)!pair_feed(&b.p, b.p.client, bytes, first);
    CHECK(pair_feed(&b.p, b.p.client, bytes + first, len - first) ==
          STOMP_ECOMMAND);
    CHECK(stomp_connection_error(b.p.client)->status == STOMP_ECOMMAND);
    bench_close(&b);
  }
}

/* Who was told that the bytes have ended writes nothing any more. */
static void test_a_close_behind_the_end(void) {
  bool no_receipt;
  bench b;
  bench_init(&b);
  pair_open(&b.p);
  CHECK(stomp_connection_closed(b.p.client, 0, span(""), &no_receipt) ==
        STOMP_CEOF);
  stomp_connection_close(b.p.client, 0);
  CHECK(stomp_connection_output(b.p.client).len == 0);
  CHECK(stomp_connection_error(b.p.client)->status == STOMP_CEOF);
  bench_close(&b);
}

/* Offsets are those of the stream, whatever was thrown away in between. */
static uint64_t offset_behind(size_t first) {
  static const char bytes[] = "\x82\x18"
                              "QUIT\n\nwhatever\nfollows\n\0"
                              "\x82\x19"
                              "RECEIPT\nreceipt-id:123\n\n\0";
  size_t len = sizeof bytes - 1;
  uint64_t offset;
  stomp_error what;
  stomp_frame *frame;
  bench b;
  bench_init(&b);
  b.p.options.ignore_invalid = true;
  pair_open(&b.p);
  CHECK(pair_feed(&b.p, b.p.client, bytes, first) == STOMP_OK);
  CHECK(pair_feed(&b.p, b.p.client, bytes + first, len - first) == STOMP_OK);
  CHECK(stomp_connection_take_warning(b.p.client, &what));
  frame = stomp_connection_next(b.p.client);
  CHECK(frame != NULL);
  offset = frame ? frame->offset - what.offset : 0;
  stomp_frame_free(frame);
  bench_close(&b);
  return offset;
}

static void test_offsets_behind_what_is_ignored(void) {
  size_t first;
  for (first = 0; first <= 53; first++)
    CHECK(offset_behind(first) == 24);
}

int main(void) {
  test_an_answer_before_the_request();
  test_a_refusal_before_the_upgrade();
  test_a_violation_behind_an_error();
  test_no_text_behind_no_frame();
  test_a_close_behind_the_end();
  test_offsets_behind_what_is_ignored();
  return check_result("connection_order");
}
