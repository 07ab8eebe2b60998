/* SPDX-License-Identifier: MIT
 *
 * What the C tests share: checks that say where they failed, memory that counts
 * and fails on demand, and input that ends at a page nobody may touch. */
#ifndef STOMP_CHECK_H
#define STOMP_CHECK_H

#include "core/mem.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned long check_count, check_failures;

#define CHECK(condition)                                                       \
  do {                                                                         \
    check_count++;                                                             \
    if (!(condition)) {                                                        \
      check_failures++;                                                        \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);          \
    }                                                                          \
  } while (0)

/* The last line of a test's output, and its exit status. */
static inline int check_result(const char *name) {
  printf("%s: %lu checks, %lu failed\n", name, check_count, check_failures);
  return check_failures != 0;
}

/* ---- Memory ---- */

typedef struct check_memory {
  stomp_memory memory; /* hand this out */
  size_t live;         /* bytes that are not freed yet */
  size_t peak;         /* the most there ever were */
  size_t n;            /* requests that may fail, so far */
  size_t calls;        /* of any kind */
  size_t fail_at;      /* the request that fails, 0: none */
} check_memory;

/* Each block remembers its size, so a wrong old_size is found; it always moves,
 * so that a pointer into the old one is found by the sanitizer. */
static inline void *check_resize(void *user, void *block, size_t old_size,
                                 size_t new_size) {
  check_memory *m = user;
  size_t *old = block ? (size_t *)block - 2 : NULL, *head = NULL;
  m->calls++;
  CHECK(old ? old[0] == old_size : old_size == 0);
  if (new_size > old_size && ++m->n == m->fail_at)
    return NULL;
  if (new_size) {
    head = malloc(2 * sizeof *head + new_size);
    if (!head)
      abort();
    head[0] = new_size;
    memset(head + 2, 0xa5, new_size); /* nothing may rely on zeroes */
    if (old)
      memcpy(head + 2, block, new_size < old_size ? new_size : old_size);
  }
  free(old);
  m->live += new_size;
  m->live -= old_size;
  m->peak = m->live > m->peak ? m->live : m->peak;
  return head ? head + 2 : NULL;
}

/* Memory whose request number `fail_at` fails; nothing is live. */
static inline void check_memory_init(check_memory *m, size_t fail_at) {
  memset(m, 0, sizeof *m);
  m->memory.resize = check_resize;
  m->memory.user = m;
  m->fail_at = fail_at;
}

/* ---- The guard page ---- */

/* A copy of `len` bytes that ends where a page begins that cannot be read;
 * borrowed until the next call. */
static inline const uint8_t *check_guarded(const void *bytes, size_t len) {
  static uint8_t *end;
  static const size_t room = (size_t)1 << 20;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (!end) {
    uint8_t *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + room, page, PROT_NONE) != 0)
      abort();
    end = map + room;
  }
  if (len > room)
    abort();
  if (len)
    memcpy(end - len, bytes, len);
  return end - len;
}

/* ---- Numbers that look random, the same in each run ---- */

static inline uint32_t check_random(uint64_t *state, uint32_t below) {
  *state =
    *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(*state >> 33) % below;
}

#endif
