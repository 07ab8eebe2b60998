/* SPDX-License-Identifier: MIT
 *
 * The connection's output, which is bounded: what waits, what is refused for
 * good, and what need not wait. */
#include "connection_bench.h"

static void test_room(bool websocket) {
  static const char body[2000];
  stomp_span all = { (const uint8_t *)body, sizeof body }, some = all;
  const char *receipt;
  size_t n = 0, len;
  bench b;
  bench_init(&b, websocket);
  bench_1_0(&b);
  b.p.options.session.limits.outbox = 1500;
  pair_open(&b.p);
  CHECK(message(&b, all) == STOMP_LOUTBOX);
  CHECK(b.p.error.status == STOMP_LOUTBOX);
  some.len = 300;
  while (message(&b, some) == STOMP_OK)
    n++;
  CHECK(n >= 3 && message(&b, some) == STOMP_FULL);
  len = stomp_connection_output(b.p.server).len;
  CHECK(len <= 1500);
  pair_settle(&b.p);
  CHECK(pair_drop(b.p.client) == n);
  CHECK(message(&b, some) == STOMP_OK);
  /* what must not wait does not */
  while (PAIR_SAY(&b.p, b.p.client, SEND, "destination", "/a", "x", "y") ==
         STOMP_OK)
    ;
  CHECK(stomp_connection_disconnect(b.p.client, 0, &receipt, &b.p.error) ==
        STOMP_OK);
  bench_close(&b);
}

/* A CONNECT that never fits is told, before the upgrade or behind it. */
static void test_a_connect_without_room(bool websocket) {
  static const char login[3000];
  char value[sizeof login];
  stomp_field connect = { "login", 5, value, sizeof value };
  bool no_receipt;
  bench b;
  memset(value, 'x', sizeof value);
  bench_init(&b, websocket);
  b.p.options.session.connect = &connect;
  b.p.options.session.n_connect = 1;
  b.p.options.session.limits.outbox = 600;
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  b.p.server = pair_new(&b.p, STOMP_SERVER);
  CHECK(stomp_connection_connect(b.p.client, 0) ==
        (websocket ? STOMP_OK : STOMP_LOUTBOX));
  pair_settle(&b.p);
  if (websocket) {
    CHECK(stomp_connection_error(b.p.client)->status == STOMP_LOUTBOX);
    CHECK(stomp_connection_wants_end(b.p.client));
    CHECK(closed(b.p.client, &no_receipt) == STOMP_LOUTBOX);
  }
  bench_close(&b);
}

/* Over TCP DISCONNECT is not refused for good where it has no room behind what
 * is there. */
static void test_a_disconnect_without_room(void) {
  char value[1500];
  stomp_field connect = { "login", 5, value, sizeof value };
  const char *receipt;
  bench b;
  memset(value, 'x', sizeof value);
  bench_init(&b, false);
  b.p.options.session.connect = &connect;
  b.p.options.session.n_connect = 1;
  b.p.options.session.limits.outbox = 550;
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_OK);
  CHECK(PAIR_FEED(&b.p, b.p.client, "CONNECTED\nversion:1.2\n\n\0") ==
        STOMP_OK);
  CHECK(stomp_connection_disconnect(b.p.client, 0, &receipt, &b.p.error) ==
        STOMP_FULL);
  stomp_connection_consume(b.p.client, 1000);
  CHECK(stomp_connection_disconnect(b.p.client, 0, &receipt, &b.p.error) ==
        STOMP_OK);
  bench_close(&b);
}

/* … also when it would fit later: a server that answers before it was asked to
 * the end answers something else. */
static void test_an_answer_too_early(void) {
  char value[400];
  stomp_field connect = { "login", 5, value, sizeof value };
  stomp_span asked, answer;
  bench b;
  memset(value, 'x', sizeof value);
  bench_init(&b, true);
  b.p.server = pair_new(&b.p, STOMP_SERVER);
  b.p.options.session.connect = &connect;
  b.p.options.session.n_connect = 1;
  b.p.options.session.limits.outbox = 0;
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_OK);
  asked = stomp_connection_output(b.p.client);
  CHECK(pair_feed(&b.p, b.p.server, asked.bytes, asked.len) == STOMP_OK);
  answer = stomp_connection_output(b.p.server);
  CHECK(pair_feed(&b.p, b.p.client, answer.bytes, answer.len) == STOMP_LOUTBOX);
  CHECK(stomp_connection_wants_end(b.p.client));
  bench_close(&b);
}

/* A limit beyond all bounds is the largest one. */
static void test_the_largest_room(void) {
  static const char body[200];
  stomp_span all = { (const uint8_t *)body, sizeof body };
  bench b;
  int i;
  bench_init(&b, true);
  bench_1_0(&b);
  b.p.options.session.limits.outbox = SIZE_MAX;
  pair_open(&b.p);
  for (i = 0; i < 50; i++)
    CHECK(message(&b, all) == STOMP_OK);
  all.len = STOMP_LIMIT_MAX; /* refused before anything of it is read */
  CHECK(message(&b, all) == STOMP_LOUTBOX);
  bench_close(&b);
}

int main(void) {
  test_room(false);
  test_room(true);
  test_a_connect_without_room(false);
  test_a_connect_without_room(true);
  test_an_answer_too_early();
  test_a_disconnect_without_room();
  test_the_largest_room();
  return check_result("connection_room");
}
