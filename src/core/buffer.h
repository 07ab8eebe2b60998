/* SPDX-License-Identifier: MIT
 *
 * Growing bytes with a cap given at birth: appended at the end, consumed at the
 * front. No buffer of the core can grow beyond its cap, whatever a peer sends.
 * Knows mem and error. */
#ifndef STOMP_BUFFER_H
#define STOMP_BUFFER_H

#include "error.h"
#include "mem.h"
#include <stdint.h>

typedef struct stomp_span { /* bytes of somebody else */
  const uint8_t *bytes;
  size_t len;
} stomp_span;

typedef struct stomp_buffer {
  uint8_t *block;  /* owned; NULL while capacity is 0 */
  size_t start;    /* first byte not consumed */
  size_t end;      /* one past the last byte */
  size_t capacity; /* bytes of the block */
  size_t cap;      /* `end - start` never exceeds this */
  const stomp_memory *memory;
} stomp_buffer;

/* An empty buffer; allocates nothing. `memory` is borrowed. */
void stomp_buffer_init(stomp_buffer *b, const stomp_memory *memory, size_t cap);

/* Free the block; the buffer is empty and can be used again. */
void stomp_buffer_clear(stomp_buffer *b);

/* Make room for `len` more bytes: where to write them, borrowed until the next
 * call; NULL when the cap or memory does not allow it (`b` is unchanged; ask
 * stomp_buffer_room to tell which). Then stomp_buffer_commit says how many were
 * written. Amortised O(1) a byte. */
uint8_t *stomp_buffer_reserve(stomp_buffer *b, size_t len);
void stomp_buffer_commit(stomp_buffer *b, size_t len);

/* Copy `len` bytes to the end. STOMP_OK; STOMP_LOUTBOX over the cap;
 * STOMP_ENOMEM; then nothing was appended. */
STOMP_CHECKED stomp_status stomp_buffer_append(stomp_buffer *b,
                                               const void *bytes, size_t len);

/* The bytes not consumed yet; borrowed until the next call on the buffer. */
static inline stomp_span stomp_buffer_span(const stomp_buffer *b) {
  return (stomp_span){ b->block ? b->block + b->start : NULL,
                       b->end - b->start };
}

static inline size_t stomp_buffer_len(const stomp_buffer *b) {
  return b->end - b->start;
}

/* Bytes that the cap still allows. */
static inline size_t stomp_buffer_room(const stomp_buffer *b) {
  return b->cap - (b->end - b->start);
}

/* Forget the first `len` bytes (at most all). A large block that became empty
 * is given back. */
void stomp_buffer_consume(stomp_buffer *b, size_t len);

#endif
