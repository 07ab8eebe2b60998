/* SPDX-License-Identifier: MIT
 *
 * A bounded hash map with chains; see map.h. */
#include "map.h"
#include <string.h>

#define FIRST_SLOTS 16

void stomp_map_init(stomp_map *m, const stomp_memory *memory, size_t limit,
                    uint64_t salt) {
  memset(m, 0, sizeof *m);
  m->memory = memory;
  m->limit = limit;
  m->salt = salt;
}

static size_t entry_size(size_t key_len) {
  return sizeof(stomp_map_entry) + key_len;
}

void stomp_map_clear(stomp_map *m) {
  size_t i;
  for (i = 0; i < m->n_slots; i++) {
    stomp_map_entry *e = m->slots[i];
    while (e) {
      stomp_map_entry *chain = e->chain;
      stomp_memory_free(m->memory, e, entry_size(e->key_len));
      e = chain;
    }
  }
  stomp_memory_free(m->memory, m->slots, m->n_slots * sizeof *m->slots);
  m->slots = NULL;
  m->n_slots = m->count = 0;
}

/* FNV-1a from a salted start, finished with a mixer: keys are short ids, and
 * the salt is secret. */
static uint32_t hash_of(const stomp_map *m, const void *key, size_t len) {
  const uint8_t *bytes = key;
  uint64_t h = m->salt ^ UINT64_C(0xcbf29ce484222325);
  size_t i;
  for (i = 0; i < len; i++)
    h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
  h ^= h >> 32;
  h *= UINT64_C(0xd6e8feb86659fd93);
  return (uint32_t)(h >> 32);
}

/* Where the pointer to the entry is; *link is NULL when there is none. */
static stomp_map_entry **find_link(const stomp_map *m, const void *key,
                                   size_t len, uint32_t hash) {
  stomp_map_entry **link = &m->slots[hash & (m->n_slots - 1)];
  while (*link && ((*link)->hash != hash || (*link)->key_len != len ||
                   (len && memcmp((*link)->key, key, len) != 0)))
    link = &(*link)->chain;
  return link;
}

stomp_map_entry *stomp_map_find(const stomp_map *m, const void *key,
                                size_t len) {
  if (m->count == 0)
    return NULL;
  return *find_link(m, key, len, hash_of(m, key, len));
}

/* Twice as many slots; without memory the old ones stay: slower, not wrong. */
static void grow(stomp_map *m) {
  size_t n = m->n_slots ? m->n_slots * 2 : FIRST_SLOTS, i;
  stomp_map_entry **slots = stomp_memory_new(m->memory, n * sizeof *slots);
  if (!slots)
    return;
  for (i = 0; i < n; i++)
    slots[i] = NULL;
  for (i = 0; i < m->n_slots; i++) {
    stomp_map_entry *e = m->slots[i];
    while (e) {
      stomp_map_entry *chain = e->chain;
      e->chain = slots[e->hash & (n - 1)];
      slots[e->hash & (n - 1)] = e;
      e = chain;
    }
  }
  stomp_memory_free(m->memory, m->slots, m->n_slots * sizeof *m->slots);
  m->slots = slots;
  m->n_slots = n;
}

stomp_status stomp_map_add(stomp_map *m, const void *key, size_t len,
                           stomp_map_entry **entry) {
  stomp_map_entry *e, **slot;
  if (m->count >= m->limit)
    return STOMP_LTABLE;
  if (m->count >= m->n_slots)
    grow(m);
  if (m->n_slots == 0)
    return STOMP_ENOMEM;
  e = stomp_memory_new(m->memory, entry_size(len));
  if (!e)
    return STOMP_ENOMEM;
  memset(e, 0, sizeof *e);
  e->hash = hash_of(m, key, len);
  e->key_len = (uint32_t)len;
  if (len)
    memcpy(e->key, key, len);
  slot = &m->slots[e->hash & (m->n_slots - 1)];
  e->chain = *slot;
  *slot = e;
  m->count++;
  *entry = e;
  return STOMP_OK;
}

static void remove_at(stomp_map *m, stomp_map_entry **link) {
  stomp_map_entry *e = *link;
  *link = e->chain;
  stomp_memory_free(m->memory, e, entry_size(e->key_len));
  m->count--;
}

bool stomp_map_remove(stomp_map *m, const void *key, size_t len) {
  stomp_map_entry **link;
  if (m->count == 0)
    return false;
  link = find_link(m, key, len, hash_of(m, key, len));
  if (!*link)
    return false;
  remove_at(m, link);
  return true;
}

void stomp_map_remove_where(stomp_map *m, size_t field, uint64_t value) {
  size_t i;
  for (i = 0; i < m->n_slots; i++) {
    stomp_map_entry **link = &m->slots[i];
    while (*link)
      if ((*link)->value[field] == value)
        remove_at(m, link);
      else
        link = &(*link)->chain;
  }
}
