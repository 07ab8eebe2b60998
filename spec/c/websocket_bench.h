/* SPDX-License-Identifier: MIT
 *
 * What the tests of framing share: an object over memory that is counted, and
 * random bytes that count up and fail on demand. */
#ifndef STOMP_WEBSOCKET_BENCH_H
#define STOMP_WEBSOCKET_BENCH_H

#include "check.h"
#include "core/websocket.h"
#include <string.h>

typedef struct source {
  uint32_t drawn;
  size_t calls;
  size_t left; /* draws until it fails */
  size_t most; /* bytes that are asked for at once */
} source;

/* Masks, of 4 bytes each. */
static inline bool draw(void *user, void *bytes, size_t len) {
  source *s = user;
  size_t i;
  s->calls++;
  if (s->left == 0)
    return false;
  s->left--;
  CHECK(len % 4 == 0 && len > 0 && len <= s->most);
  for (i = 0; i < len; i += 4) {
    s->drawn += 0x01030507;
    memcpy((uint8_t *)bytes + i, &s->drawn, 4);
  }
  return true;
}

typedef struct bench {
  check_memory m;
  source source;
  stomp_random random;
  stomp_buffer out;
  stomp_websocket *w;
} bench;

/* For messages of one frame, unless source.most says more. */
static inline void bench_open(bench *b, bool server, size_t cap) {
  stomp_websocket_options options = { .server = server };
  memset(b, 0, sizeof *b);
  check_memory_init(&b->m, 0);
  b->source.left = SIZE_MAX;
  b->source.most = 4;
  b->random = (stomp_random){ draw, &b->source };
  options.memory = &b->m.memory;
  options.random = server ? NULL : &b->random; /* a server draws nothing */
  stomp_buffer_init(&b->out, &b->m.memory, cap);
  b->w = stomp_websocket_new(&options, &b->out);
}

static inline void bench_close(bench *b) {
  stomp_websocket_free(b->w);
  stomp_buffer_clear(&b->out);
  CHECK(b->m.live == 0);
}

#endif
