/* SPDX-License-Identifier: MIT
 *
 * What the tests of compression share: framing over which permessage-deflate was
 * agreed on, and payloads made by zlib itself. */
#ifndef STOMP_DEFLATE_BENCH_H
#define STOMP_DEFLATE_BENCH_H

#include "inflater.h"
#include "core/websocket.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* ---- What each test needs ---- */

static inline bool draw(void *user, void *bytes, size_t len) {
  uint8_t *to = bytes;
  while (len--)
    *to++ = (uint8_t)check_random(user, 256);
  return true;
}

typedef struct bench {
  check_memory m;
  uint64_t seed;
  stomp_random random;
  stomp_buffer out;
  stomp_websocket *w;
  /* what came of the message that comes */
  uint8_t *got;
  size_t got_len, got_room;
  size_t n_messages;
} bench;

typedef struct setup {
  bool server;
  size_t message, ratio, cap;
  stomp_deflate_terms terms;
} setup;

#define SETUP                                                                  \
  { .cap = 64 * MIB, .terms = STOMP_DEFLATE_TERMS }

static inline void bench_open(bench *b, const setup *s) {
  stomp_websocket_options options = { .server = s->server,
                                      .message = s->message,
                                      .inflate_ratio = s->ratio };
  memset(b, 0, sizeof *b);
  check_memory_init(&b->m, 0);
  b->random = (stomp_random){ draw, &b->seed };
  options.memory = &b->m.memory;
  options.random = &b->random;
  stomp_buffer_init(&b->out, &b->m.memory, s->cap);
  b->w = stomp_websocket_new(&options, &b->out);
  CHECK(b->w && stomp_websocket_compress(b->w, &s->terms) == STOMP_OK);
  CHECK(stomp_websocket_is_compressed(b->w));
}

static inline void bench_close(bench *b) {
  stomp_websocket_free(b->w);
  stomp_buffer_clear(&b->out);
  CHECK(b->m.live == 0);
  free(b->got);
}

static inline void keep(bench *b, stomp_span data) {
  if (b->got_len + data.len > b->got_room) {
    b->got_room = 2 * (b->got_len + data.len);
    b->got = realloc(b->got, b->got_room);
    if (!b->got)
      abort();
  }
  if (data.len)
    memcpy(b->got + b->got_len, data.bytes, data.len);
  b->got_len += data.len;
}

/* Give octets; the last status. Pieces are kept, the last message's. */
static inline stomp_status give(bench *b, const uint8_t *bytes, size_t len) {
  stomp_span in = { bytes, len };
  stomp_websocket_event e;
  stomp_status status;
  while ((status = stomp_websocket_next(b->w, &in, &e)) == STOMP_FRAME) {
    if (e.first)
      b->got_len = 0;
    keep(b, e.data);
    b->n_messages += e.last;
  }
  return status;
}

/* The header of a frame to a client, or to a server (with a mask of zeroes). */
static inline size_t put_head(uint8_t *to, unsigned first, size_t len,
                              bool server) {
  unsigned mask = server ? 0x80 : 0;
  size_t n = 2, i;
  to[0] = (uint8_t)first;
  if (len < 126) {
    to[1] = (uint8_t)(mask | len);
  } else if (len < 65536) {
    to[1] = (uint8_t)(mask | 126);
    to[2] = (uint8_t)(len >> 8);
    to[3] = (uint8_t)len;
    n = 4;
  } else {
    to[1] = (uint8_t)(mask | 127);
    for (i = 0; i < 8; i++)
      to[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
    n = 10;
  }
  if (server) {
    memset(to + n, 0, 4);
    n += 4;
  }
  return n;
}

/* ---- What zlib makes of octets ---- */

typedef struct packer {
  z_stream z;
  uint8_t *at;
  size_t len, room;
} packer;

static inline void packer_open(packer *p, int level, int bits, int strategy) {
  memset(p, 0, sizeof *p);
  p->room = 4 * MIB;
  p->at = malloc(p->room);
  if (!p->at || deflateInit2(&p->z, level, Z_DEFLATED, -bits, 9, strategy))
    abort();
}

static inline void packer_add(packer *p, const uint8_t *bytes, size_t len,
                              int flush) {
  int result;
  p->z.next_in = bytes;
  p->z.avail_in = (uInt)len;
  p->z.next_out = p->at + p->len;
  p->z.avail_out = (uInt)(p->room - p->len);
  result = deflate(&p->z, flush);
  CHECK((result >= Z_OK || result == Z_BUF_ERROR) && p->z.avail_in == 0);
  p->len = p->room - p->z.avail_out;
  if (flush == Z_FINISH)
    deflateReset(&p->z);
}

static inline void packer_close(packer *p) {
  deflateEnd(&p->z);
  free(p->at);
}

#endif
