/* SPDX-License-Identifier: MIT
 *
 * Growing bytes with a cap; see buffer.h. */
#include "buffer.h"
#include <string.h>

/* A first block has this many bytes; an empty block larger than KEEP is given
 * back, so that one burst does not hold memory for ever. */
#define FIRST 512
#define KEEP  ((size_t)64 << 10)

void stomp_buffer_init(stomp_buffer *b, const stomp_memory *memory,
                       size_t cap) {
  memset(b, 0, sizeof *b);
  b->memory = memory;
  b->cap = cap;
}

void stomp_buffer_clear(stomp_buffer *b) {
  stomp_memory_free(b->memory, b->block, b->capacity);
  b->block = NULL;
  b->start = b->end = b->capacity = 0;
}

/* Move what is left to the front of the block. */
static void compact(stomp_buffer *b) {
  memmove(b->block, b->block + b->start, b->end - b->start);
  b->end -= b->start;
  b->start = 0;
}

uint8_t *stomp_buffer_reserve(stomp_buffer *b, size_t len) {
  size_t used = b->end - b->start, capacity = b->capacity;
  uint8_t *block;
  if (len > b->cap || used > b->cap - len)
    return NULL;
  if (b->block && len <= b->capacity - b->end)
    return b->block + b->end;
  /* compacting pays only when at least half of the block comes free: so each
   * byte is moved at most once for each byte consumed */
  if (b->block && used + len <= b->capacity && b->start >= b->capacity / 2) {
    compact(b);
    return b->block + b->end;
  }
  if (capacity < FIRST)
    capacity = FIRST;
  while (capacity < b->end + len)
    capacity *= 2;
  block = b->memory->resize(b->memory->user, b->block, b->capacity, capacity);
  if (!block)
    return NULL;
  b->block = block;
  b->capacity = capacity;
  return b->block + b->end;
}

void stomp_buffer_commit(stomp_buffer *b, size_t len) {
  b->end += len;
}

stomp_status stomp_buffer_append(stomp_buffer *b, const void *bytes,
                                 size_t len) {
  uint8_t *to;
  if (len == 0)
    return STOMP_OK;
  to = stomp_buffer_reserve(b, len);
  if (!to)
    return stomp_buffer_room(b) < len ? STOMP_LOUTBOX : STOMP_ENOMEM;
  memcpy(to, bytes, len);
  b->end += len;
  return STOMP_OK;
}

void stomp_buffer_consume(stomp_buffer *b, size_t len) {
  b->start += len;
  if (b->start < b->end)
    return;
  b->start = b->end = 0;
  if (b->capacity > KEEP)
    stomp_buffer_clear(b);
}
