/* SPDX-License-Identifier: MIT
 *
 * The subscriptions of a session; see subscriptions.h. A destination's entry
 * holds how many subscriptions it has and all their addresses XORed: with one
 * left, that is its address, whichever went before. */
#include "subscriptions.h"

enum { PLACE_COUNT = 0, PLACE_ADDRESSES = 1 };

void stomp_subscriptions_init(stomp_subscriptions *s,
                              const stomp_memory *memory, size_t limit,
                              uint64_t salt) {
  stomp_map_init(&s->by_key, memory, limit, salt);
  stomp_map_init(&s->by_destination, memory, limit, salt);
}

void stomp_subscriptions_clear(stomp_subscriptions *s) {
  stomp_map_clear(&s->by_key);
  stomp_map_clear(&s->by_destination);
}

static uint64_t address_of(stomp_map_entry *entry) {
  return (uint64_t)(uintptr_t)entry;
}

static stomp_map_entry *entry_at(uint64_t address) {
  return (stomp_map_entry *)(uintptr_t)address;
}

stomp_map_entry *stomp_subscriptions_find(const stomp_subscriptions *s,
                                          stomp_span id,
                                          stomp_span destination) {
  stomp_map_entry *found;
  if (id.bytes)
    return stomp_map_find(&s->by_key, id.bytes, id.len);
  found = stomp_map_find(&s->by_key, destination.bytes, destination.len);
  if (found)
    return found;
  found =
    stomp_map_find(&s->by_destination, destination.bytes, destination.len);
  return found && found->value[PLACE_COUNT] == 1
           ? entry_at(found->value[PLACE_ADDRESSES])
           : NULL;
}

stomp_map_entry *stomp_subscriptions_of(const stomp_subscriptions *s,
                                        const stomp_frame *message,
                                        bool by_destination) {
  stomp_span id = STOMP_HEADER(message, "subscription");
  return id.bytes || by_destination
           ? stomp_subscriptions_find(s, id,
                                      STOMP_HEADER(message, "destination"))
           : NULL;
}

static stomp_status add_place(stomp_subscriptions *s, stomp_span destination,
                              stomp_map_entry *entry) {
  stomp_map_entry *place =
    stomp_map_find(&s->by_destination, destination.bytes, destination.len);
  if (!place) {
    stomp_status status = stomp_map_add(&s->by_destination, destination.bytes,
                                        destination.len, &place);
    if (status != STOMP_OK)
      return status;
  }
  place->value[PLACE_COUNT]++;
  place->value[PLACE_ADDRESSES] ^= address_of(entry);
  entry->value[STOMP_SUB_PLACE] = address_of(place);
  return STOMP_OK;
}

stomp_status stomp_subscriptions_add(stomp_subscriptions *s, stomp_span id,
                                     stomp_span destination,
                                     bool by_destination,
                                     stomp_map_entry **entry) {
  stomp_span key = id.bytes ? id : destination;
  stomp_status status = stomp_map_add(&s->by_key, key.bytes, key.len, entry);
  if (status != STOMP_OK || !by_destination)
    return status;
  status = add_place(s, destination, *entry);
  if (status != STOMP_OK)
    stomp_map_remove(&s->by_key, key.bytes, key.len);
  return status;
}

void stomp_subscriptions_remove(stomp_subscriptions *s,
                                stomp_map_entry *entry) {
  stomp_map_entry *place = entry_at(entry->value[STOMP_SUB_PLACE]);
  if (place) {
    place->value[PLACE_ADDRESSES] ^= address_of(entry);
    if (--place->value[PLACE_COUNT] == 0)
      stomp_map_remove(&s->by_destination, place->key, place->key_len);
  }
  stomp_map_remove(&s->by_key, entry->key, entry->key_len);
}
