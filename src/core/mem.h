/* SPDX-License-Identifier: MIT
 *
 * Memory, handed in by the owner. The core never calls malloc: each object
 * takes a `const stomp_memory *` at birth, which it borrows for its whole life
 * (a frame may outlive the connection that made it, so in practice the
 * allocator is a constant of the program). Knows nothing. */
#ifndef STOMP_MEM_H
#define STOMP_MEM_H

#include <stddef.h>

typedef struct stomp_memory {
  /* Resize `block` from `old_size` to `new_size` bytes, as Lua's allocator
   * does: block NULL allocates, new_size 0 frees and returns NULL. On failure
   * returns NULL and leaves the block as it was. Shrinking never fails. */
  void *(*resize)(void *user, void *block, size_t old_size, size_t new_size);
  void *user; /* passed through to `resize` */
} stomp_memory;

/* A new block of `size` > 0 bytes, owned by the caller, or NULL. */
static inline void *stomp_memory_new(const stomp_memory *memory, size_t size) {
  return memory->resize(memory->user, NULL, 0, size);
}

/* Free a block of `size` bytes; NULL is fine. */
static inline void stomp_memory_free(const stomp_memory *memory, void *block,
                                     size_t size) {
  if (block)
    memory->resize(memory->user, block, size, 0);
}

#endif
