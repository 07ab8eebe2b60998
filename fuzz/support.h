/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share: checks that end the run, input that is read from
 * the front, memory that counts, fails on demand and has a cap, copies that end
 * where their bytes end, random bytes that can be replayed, logs to compare,
 * places to cut. It knows no machine of the core. */
#ifndef STOMP_FUZZ_SUPPORT_H
#define STOMP_FUZZ_SUPPORT_H

#include "core/buffer.h"
#include "core/error.h"
#include "core/random.h"
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libFuzzer calls, and replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define FUZZ_CHECK(condition)                                                  \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,        \
              #condition);                                                     \
      abort();                                                                 \
    }                                                                          \
  } while (0)

/* ---- Input, read from the front; zeroes behind its end ---- */

typedef struct fuzz_input {
  const uint8_t *at;
  size_t len;
} fuzz_input;

static inline unsigned fuzz_octet(fuzz_input *in) {
  if (in->len == 0)
    return 0;
  in->len--;
  return *in->at++;
}

static inline unsigned fuzz_below(fuzz_input *in, unsigned n) {
  return fuzz_octet(in) % n;
}

static inline stomp_span fuzz_take(fuzz_input *in, size_t len) {
  stomp_span taken = { in->at, len < in->len ? len : in->len };
  in->at += taken.len;
  in->len -= taken.len;
  return taken;
}

/* ---- Copies of exactly the size ---- */

/* Owned (free); one octet too far is found by the sanitizer. */
static inline uint8_t *fuzz_copy(const void *bytes, size_t len) {
  uint8_t *copy = malloc(len ? len : 1);
  FUZZ_CHECK(copy != NULL);
  if (len)
    memcpy(copy, bytes, len);
  return copy;
}

/* ---- Memory ---- */

typedef struct fuzz_memory {
  stomp_memory memory; /* hand this out */
  size_t live, cap;    /* bytes */
  size_t n;            /* requests that may fail, so far */
  size_t fail_at;      /* the request that fails, 0: none */
} fuzz_memory;

/* A block always moves, and a new one is not zeroed. */
static inline void *fuzz_resize(void *user, void *block, size_t old_size,
                                size_t new_size) {
  fuzz_memory *m = user;
  uint8_t *moved = NULL;
  FUZZ_CHECK((block == NULL) == (old_size == 0));
#ifdef STOMP_FUZZ_ASAN /* where this is the size that was asked for */
  FUZZ_CHECK(!block || malloc_usable_size(block) == old_size);
#endif
  if (new_size > old_size && ++m->n == m->fail_at)
    return NULL;
  m->live += new_size;
  m->live -= old_size;
  FUZZ_CHECK(m->live <= m->cap);
  if (new_size) {
    moved = malloc(new_size);
    FUZZ_CHECK(moved != NULL);
    memset(moved, 0xa5, new_size);
    if (block)
      memcpy(moved, block, old_size < new_size ? old_size : new_size);
  }
  free(block);
  return moved;
}

static inline void fuzz_memory_init(fuzz_memory *m, size_t cap,
                                    size_t fail_at) {
  *m = (fuzz_memory){ { fuzz_resize, m }, 0, cap, 0, fail_at };
}

/* ---- Random bytes that can be replayed ---- */

typedef struct fuzz_dice {
  uint64_t state;
  size_t fail_at, n;   /* the request that fails, 0: none; requests so far */
  stomp_random random; /* hand this out */
} fuzz_dice;

static inline uint32_t fuzz_roll(uint64_t *state) {
  *state =
    *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(*state >> 33);
}

static inline bool fuzz_fill(void *user, void *bytes, size_t len) {
  fuzz_dice *d = user;
  uint8_t *to = bytes;
  size_t i;
  if (++d->n == d->fail_at)
    return false;
  for (i = 0; i < len; i++)
    to[i] = (uint8_t)fuzz_roll(&d->state);
  return true;
}

static inline void fuzz_dice_init(fuzz_dice *d, uint64_t seed, size_t fail_at) {
  *d = (fuzz_dice){ seed, fail_at, 0, { fuzz_fill, d } };
}

/* ---- Places to cut ---- */

typedef struct fuzz_cuts {
  uint64_t state;
  unsigned most; /* octets of a piece; 0: all in one */
} fuzz_cuts;

static const fuzz_cuts FUZZ_WHOLE = { 0, 0 };
static const fuzz_cuts FUZZ_OCTETS = { 0, 1 };

/* One octet: how long the pieces are, and which they are. */
static inline fuzz_cuts fuzz_cuts_read(fuzz_input *in) {
  unsigned seed = fuzz_octet(in);
  return (fuzz_cuts){ seed, 1 + (seed & 0x3f) };
}

static inline size_t fuzz_piece(fuzz_cuts *cuts, size_t left) {
  size_t len = cuts->most ? 1 + fuzz_roll(&cuts->state) % cuts->most : left;
  return len < left ? len : left;
}

/* ---- Logs ---- */

typedef struct fuzz_log {
  uint8_t *at; /* owned */
  size_t len, room;
} fuzz_log;

static inline void fuzz_log_add(fuzz_log *log, const void *bytes, size_t len) {
  if (len > log->room - log->len) {
    log->room = 2 * (log->room + len) + 1024;
    log->at = realloc(log->at, log->room);
    FUZZ_CHECK(log->at != NULL);
  }
  if (len)
    memcpy(log->at + log->len, bytes, len);
  log->len += len;
}

static inline void fuzz_log_number(fuzz_log *log, uint64_t number) {
  char text[24];
  fuzz_log_add(
    log, text,
    (size_t)snprintf(text, sizeof text, "%llu ", (unsigned long long)number));
}

static inline void fuzz_log_text(fuzz_log *log, const char *text) {
  fuzz_log_add(log, text, strlen(text));
}

/* Its length, then its octets; none (NULL) is not the same as empty. */
static inline void fuzz_log_span(fuzz_log *log, stomp_span span) {
  if (!span.bytes && span.len == 0) {
    fuzz_log_text(log, "- ");
    return;
  }
  fuzz_log_number(log, span.len);
  fuzz_log_add(log, span.bytes, span.len);
  fuzz_log_text(log, "\n");
}

static inline void fuzz_log_error(fuzz_log *log, const stomp_error *e) {
  FUZZ_CHECK(memchr(e->detail, '\0', sizeof e->detail) != NULL);
  fuzz_log_text(log, e->status < 0 ? stomp_status_name(e->status) : "no error");
  fuzz_log_text(log, " ");
  fuzz_log_number(log, e->offset);
  fuzz_log_number(log, e->close_code);
  fuzz_log_number(log, e->http_status);
  fuzz_log_text(log, e->detail);
  fuzz_log_text(log, "\n");
}

static inline void fuzz_log_clear(fuzz_log *log) {
  log->len = 0;
}

static inline void fuzz_log_show(const char *name, const fuzz_log *log) {
  fprintf(stderr, "---- %s\n", name);
  fwrite(log->at, 1, log->len, stderr);
  fputc('\n', stderr);
}

/* Both say the same, or the run ends and shows them. */
static inline void fuzz_log_compare(const char *how, const fuzz_log *a,
                                    const fuzz_log *b) {
  if (a->len == b->len && (a->len == 0 || memcmp(a->at, b->at, a->len) == 0))
    return;
  fprintf(stderr, "not the same: %s\n", how);
  fuzz_log_show("first", a);
  fuzz_log_show("second", b);
  abort();
}

static inline bool fuzz_same(stomp_span a, stomp_span b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

#endif
