/* SPDX-License-Identifier: MIT
 *
 * A message of more than 64 KiB goes out in several frames (RFC 6455, 5.4): where
 * they are cut, that each has a mask of its own, what room they take, and that
 * nothing is begun without random bytes. (That the parts are the whole is the
 * vectors' too.) */
#include "websocket_bench.h"
#include <stdlib.h>

#define FRAME ((size_t)65536)

/* Any number of masks at once. */
static void fragments_open(bench *b, bool server, size_t cap) {
  bench_open(b, server, cap);
  b->source.most = SIZE_MAX;
}

static uint8_t octet(size_t i) {
  return (uint8_t)(i * 7 + i / FRAME);
}

/* One frame at `p`: checked against the message from `from` on; its octets, and its
 * mask. */
static size_t check_frame(const uint8_t *p, bool server, size_t from,
                          size_t len, uint32_t *mask) {
  size_t n = len - from < FRAME ? len - from : FRAME, head, told, i;
  bool same = true;
  CHECK(p[0] == ((from == 0 ? 2 : 0) | (from + n == len ? 0x80 : 0)));
  told = p[1] & 0x7f;
  CHECK((p[1] >> 7) == !server);
  head = told == 126 ? 4 : told == 127 ? 10 : 2;
  for (i = 2, told = head == 2 ? told : 0; i < head; i++)
    told = told << 8 | p[i];
  CHECK(told == n);
  head += server ? 0 : 4;
  if (!server)
    memcpy(mask, p + head - 4, 4);
  for (i = 0; i < n; i++)
    same =
      same && (uint8_t)(p[head + i] ^ (server ? 0 : p[head - 4 + i % 4])) ==
                octet(from + i);
  CHECK(same);
  return head + n;
}

static void check_message(bool server, size_t len) {
  stomp_status status;
  stomp_span out;
  uint32_t mask = 0, last_mask = 0;
  size_t i, at = 0, from;
  uint8_t *to;
  bench b;
  fragments_open(&b, server, (size_t)1 << 30);
  to = stomp_websocket_begin(b.w, len, &status);
  CHECK(to != NULL);
  for (i = 0; i < len; i++)
    to[i] = octet(i);
  stomp_websocket_end(b.w, STOMP_WEBSOCKET_BINARY);
  out = stomp_buffer_span(&b.out);
  for (from = 0; from == 0 || from < len; from += FRAME) {
    at += check_frame(out.bytes + at, server, from, len, &mask);
    CHECK(server || mask != last_mask); /* fresh: RFC 6455, 5.3 */
    last_mask = mask;
  }
  CHECK(at == out.len);
  CHECK(out.len <= len + 14 + stomp_websocket_framing(len));
  bench_close(&b);
}

static void test_each_cut(void) {
  static const size_t sizes[] = {
    0,           65535,         FRAME,     FRAME + 1,     FRAME + 125,
    FRAME + 126, 2 * FRAME - 1, 2 * FRAME, 2 * FRAME + 1, 5 * FRAME + 300,
    9 * FRAME
  };
  size_t i;
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    check_message(false, sizes[i]);
    check_message(true, sizes[i]);
  }
}

/* What fits is known before it is written, and a message that fits leaves the
 * room of control frames. */
static void test_room(void) {
  size_t len = 3 * FRAME + 1;
  size_t cap = len + STOMP_WEBSOCKET_HEADROOM + stomp_websocket_framing(len);
  stomp_status status;
  bench b;
  CHECK(stomp_websocket_framing(FRAME) == 0);
  fragments_open(&b, false, cap - 1);
  CHECK(!stomp_websocket_begin(b.w, len, &status) && status == STOMP_LOUTBOX);
  bench_close(&b);
  fragments_open(&b, false, cap);
  CHECK(stomp_websocket_begin(b.w, len, &status) && status == STOMP_OK);
  memset(b.out.block, 0, len);
  stomp_websocket_end(b.w, STOMP_WEBSOCKET_TEXT);
  CHECK(!stomp_websocket_begin(b.w, len, &status) && status == STOMP_FULL);
  CHECK(stomp_websocket_close(b.w, 1000, (stomp_span){ NULL, 0 }) == STOMP_OK);
  bench_close(&b);
}

static void test_without_random_bytes(void) {
  stomp_status status;
  size_t left;
  bench b;
  for (left = 0; left < 2; left++) {
    fragments_open(&b, false, (size_t)1 << 20);
    b.source.left = left;
    CHECK(!stomp_websocket_begin(b.w, FRAME + 1, &status));
    CHECK(status == STOMP_ERANDOM && stomp_buffer_len(&b.out) == 0);
    bench_close(&b);
  }
}

int main(void) {
  test_each_cut();
  test_room();
  test_without_random_bytes();
  return check_result("fragments");
}
