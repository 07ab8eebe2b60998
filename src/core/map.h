/* SPDX-License-Identifier: MIT
 *
 * A bounded map from bytes to a small record: receipts, subscriptions,
 * transactions. Chains; the key's hash is salted by the owner, so a
 * peer cannot choose keys that collide. Knows mem and error. */
#ifndef STOMP_MAP_H
#define STOMP_MAP_H

#include "error.h"
#include "mem.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct stomp_map_entry {
  struct stomp_map_entry *chain;
  uint32_t hash;
  uint32_t key_len;
  uint64_t value[4]; /* the owner's; 0 at birth */
  char key[];        /* key_len bytes, copied */
} stomp_map_entry;

typedef struct stomp_map {
  stomp_map_entry **slots;
  size_t n_slots; /* 0 or a power of two */
  size_t count;
  size_t limit;
  uint64_t salt;
  const stomp_memory *memory;
} stomp_map;

/* An empty map of at most `limit` entries; allocates nothing; `memory` is
 * borrowed. clear frees all entries; the map can be used again. */
void stomp_map_init(stomp_map *m, const stomp_memory *memory, size_t limit,
                    uint64_t salt);
void stomp_map_clear(stomp_map *m);

/* The entry of that key, borrowed until it is removed; NULL: none. O(1). */
stomp_map_entry *stomp_map_find(const stomp_map *m, const void *key,
                                size_t len);

/* A new entry; the key must not be there. *entry is borrowed until removed.
 * STOMP_OK; STOMP_ENOMEM, STOMP_LTABLE: nothing was added. */
STOMP_CHECKED stomp_status stomp_map_add(stomp_map *m, const void *key,
                                         size_t len, stomp_map_entry **entry);

/* Remove and free the entry of that key; whether there was one. */
bool stomp_map_remove(stomp_map *m, const void *key, size_t len);

/* Remove and free each entry whose value[field] is `value`. O(size). */
void stomp_map_remove_where(stomp_map *m, size_t field, uint64_t value);

#endif
