/* SPDX-License-Identifier: MIT
 *
 * See frames.h. The list is a stack without a lock: pushing compares and swaps,
 * and the only thread that pops takes all of it at once, so there is no ABA. */
#include "frames.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define MOST ((size_t)1 << 20) /* bytes on the list */

typedef struct grave {
  struct grave *next;
} grave;

static _Atomic(grave *) list;
static atomic_size_t listed;            /* bytes */
static _Thread_local bool is_io_thread; /* set by its first reaping */

static void *resize(void *user, void *block, size_t old_size, size_t new_size) {
  grave *g = block;
  void *moved;
  (void)user;
  if (new_size) {
    moved = realloc(block, new_size);
    return moved || new_size > old_size ? moved : block;
  }
  if (is_io_thread ||
      atomic_load_explicit(&listed, memory_order_relaxed) + old_size > MOST) {
    free(block);
    return NULL;
  }
  atomic_fetch_add_explicit(&listed, old_size, memory_order_relaxed);
  g->next = atomic_load_explicit(&list, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(
    &list, &g->next, g, memory_order_release, memory_order_relaxed))
    ;
  return NULL;
}

const stomp_memory stompio_frame_memory = { resize, NULL };

void stompio_frames_reap(void) {
  grave *g, *next;
  is_io_thread = true;
  if (!atomic_load_explicit(&list, memory_order_relaxed))
    return;
  g = atomic_exchange_explicit(&list, NULL, memory_order_acquire);
  atomic_store_explicit(&listed, 0, memory_order_relaxed);
  for (; g; g = next) {
    next = g->next;
    free(g);
  }
}
