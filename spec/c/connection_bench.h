/* SPDX-License-Identifier: MIT
 *
 * What the connection's tests share: a client and a server, their memory and
 * random bytes. */
#ifndef STOMP_CONNECTION_BENCH_H
#define STOMP_CONNECTION_BENCH_H

#include "pair.h"

typedef struct bench {
  check_memory m;
  bool fails; /* the random source */
  uint64_t seed;
  stomp_random random;
  pair p;
} bench;

static inline bool fill(void *user, void *bytes, size_t len) {
  bench *b = user;
  uint8_t *to = bytes;
  while (len--)
    *to++ = (uint8_t)check_random(&b->seed, 256);
  return !b->fails;
}

static inline void bench_init(bench *b, bool websocket) {
  memset(b, 0, sizeof *b);
  check_memory_init(&b->m, 0);
  b->random = (stomp_random){ fill, b };
  pair_init(&b->p, &b->m.memory, &b->random, STOMP_1_2, websocket);
}

static inline void bench_close(bench *b) {
  pair_close(&b->p);
  CHECK(b->m.live == 0);
}

static inline stomp_span span(const char *text) {
  return (stomp_span){ (const uint8_t *)text, strlen(text) };
}

/* A MESSAGE of the server with this body. */
static inline stomp_status message(bench *b, stomp_span body) {
  return pair_say(
    &b->p, b->p.server, STOMP_MESSAGE_COMMAND,
    (const char *const[2][2]){ { "destination", "/a" }, { "message-id", "1" } },
    body);
}

/* The server's need not name it at 1.0. */
static inline void bench_1_0(bench *b) {
  b->p.options.session.versions[STOMP_1_2] = false;
  b->p.options.session.versions[STOMP_1_0] = true;
}

static inline stomp_status closed(stomp_connection *c, bool *no_receipt) {
  return stomp_connection_closed(c, 0, span(""), no_receipt);
}

#endif
