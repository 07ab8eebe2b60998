/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <stdlib.h>

static void *resize(void *user, void *block, size_t old_size, size_t new_size) {
  void *moved;
  (void)user;
  if (new_size == 0) {
    free(block);
    return NULL;
  }
  moved = realloc(block, new_size);
  /* the seam promises that shrinking never fails */
  return moved || new_size > old_size ? moved : block;
}

const stomp_memory stomp_libc_memory = { resize, NULL };
