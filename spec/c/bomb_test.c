/* SPDX-License-Identifier: MIT
 *
 * Compressed messages that become too much: stopped while they are inflated, by
 * the limit or the ratio, in memory of a fixed size. */
#include "deflate_bench.h"

/* 64 MiB of zeroes in 64 KiB, which can be sent again and again. */
static void pack_zeroes(packer *p) {
  static const uint8_t zeroes[1 << 20];
  int i;
  packer_open(p, 9, 15, Z_DEFAULT_STRATEGY);
  for (i = 0; i < 64; i++)
    packer_add(p, zeroes, sizeof zeroes, i < 63 ? Z_NO_FLUSH : Z_FULL_FLUSH);
  CHECK(p->len < 66 * KIB);
}

/* A GiB in a MiB as one message; the octets that come out until the end. */
static stomp_status explode(bench *b, const packer *p, size_t times,
                            uint64_t *inflated) {
  stomp_websocket_event e;
  stomp_status status = STOMP_MORE;
  uint8_t head[14];
  stomp_span in;
  *inflated = 0;
  CHECK(give(b, head, put_head(head, 0xc2, times * p->len, false)) ==
        STOMP_MORE);
  while (times-- && status == STOMP_MORE) {
    in = (stomp_span){ p->at, p->len };
    while ((status = stomp_websocket_next(b->w, &in, &e)) == STOMP_FRAME) {
      CHECK(e.data.len <= 16 * KIB);
      *inflated += e.data.len;
    }
  }
  return status;
}

/* The close frame of a client that begins the output. */
static unsigned close_code(const bench *b) {
  const uint8_t *out = stomp_buffer_span(&b->out).bytes;
  return ((unsigned)(out[6] ^ out[2]) << 8) | (out[7] ^ out[3]);
}

static void test_bombs(void) {
  static const struct {
    size_t message, ratio;
    stomp_status status;
    uint64_t most;
  } rows[] = {
    { 100000, 0, STOMP_WLIMIT, 100000 },
    { 16 * MIB, 0, STOMP_WLIMIT, 16 * MIB },
    { 1, 200, STOMP_WLIMIT, 1 },
    { 0, 200, STOMP_WRATIO, 2 * MIB },
    { 0, 1, STOMP_WRATIO, 2 * MIB },
    { 16 * MIB, 1000, STOMP_WRATIO, 2 * MIB },
    { 16 * MIB, 1100, STOMP_WLIMIT, 16 * MIB },
    { SIZE_MAX, 200, STOMP_WRATIO, 2 * MIB },
  };
  uint64_t inflated;
  size_t i;
  packer p;
  pack_zeroes(&p);
  for (i = 0; i < sizeof rows / sizeof *rows; i++) {
    setup s = SETUP;
    bench b;
    s.message = rows[i].message;
    s.ratio = rows[i].ratio;
    bench_open(&b, &s);
    CHECK(explode(&b, &p, 16, &inflated) == rows[i].status);
    CHECK(inflated <= rows[i].most);
    CHECK(b.m.peak < 80 * KIB);
    CHECK(stomp_websocket_error(b.w)->offset == 10);
    CHECK(close_code(&b) == 1009);
    bench_close(&b);
  }
  packer_close(&p);
}

/* Without any limit it takes no memory, either. */
static void test_a_bomb_takes_no_memory(void) {
  setup s = SETUP;
  uint64_t inflated;
  packer p;
  bench b;
  pack_zeroes(&p);
  bench_open(&b, &s);
  CHECK(explode(&b, &p, 2, &inflated) == STOMP_WINFLATE); /* ends as a block */
  CHECK(inflated == 128 * MIB && b.m.peak < 80 * KIB);
  bench_close(&b);
  packer_close(&p);
}

/* Noise in which each octet comes so many times: above the ratio or not. */
static void test_the_ratio(void) {
  static uint8_t noise[4 * 1024 * 1024];
  static const size_t ratios[] = { 1, 2, 5, 20, 100, 300, 0 };
  static const uint32_t repeats[] = { 1, 3, 10, 50, 250, 1000 };
  uint64_t seed = 11;
  size_t i, k, at;
  uint8_t head[14];
  for (i = 0; i < sizeof repeats / sizeof *repeats; i++) {
    packer p;
    for (at = 0; at < sizeof noise; at++)
      noise[at] =
        at % repeats[i] ? noise[at - 1] : (uint8_t)check_random(&seed, 256);
    packer_open(&p, 6, 15, Z_DEFAULT_STRATEGY);
    p.at = realloc(p.at, p.room = 8 * MIB);
    packer_add(&p, noise, sizeof noise, Z_SYNC_FLUSH);
    for (k = 0; k < sizeof ratios / sizeof *ratios; k++) {
      bool bomb = ratios[k] && sizeof noise / ratios[k] > p.len;
      setup s = SETUP;
      stomp_status status;
      bench b;
      s.ratio = ratios[k];
      bench_open(&b, &s);
      CHECK(give(&b, head, put_head(head, 0xc2, p.len - 4, false)) ==
            STOMP_MORE);
      status = give(&b, p.at, p.len - 4);
      CHECK(status == (bomb ? STOMP_WRATIO : STOMP_MORE));
      CHECK(bomb || b.got_len == sizeof noise);
      bench_close(&b);
    }
    packer_close(&p);
  }
}

/* A MiB of a message is free, whatever its ratio. */
static void test_no_ratio_for_small_messages(void) {
  static const uint8_t zeroes[MIB + 16 * KIB];
  size_t len;
  uint8_t head[14];
  for (len = MIB; len <= sizeof zeroes; len += 16 * KIB) {
    setup s = SETUP;
    packer p;
    bench b;
    s.ratio = 1;
    bench_open(&b, &s);
    packer_open(&p, 9, 15, Z_DEFAULT_STRATEGY);
    packer_add(&p, zeroes, len, Z_SYNC_FLUSH);
    CHECK(give(&b, head, put_head(head, 0xc2, p.len - 4, false)) == STOMP_MORE);
    CHECK(give(&b, p.at, p.len - 4) ==
          (len == MIB ? STOMP_MORE : STOMP_WRATIO));
    packer_close(&p);
    bench_close(&b);
  }
}

int main(void) {
  test_bombs();
  test_a_bomb_takes_no_memory();
  test_the_ratio();
  test_no_ratio_for_small_messages();
  return check_result("bomb");
}
