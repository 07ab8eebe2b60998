/* SPDX-License-Identifier: MIT
 *
 * The subscriptions of a session: by their id, and at 1.0, where neither
 * SUBSCRIBE nor MESSAGE needs one, by their destination where only one fits.
 * Knows frame and map. */
#ifndef STOMP_SUBSCRIPTIONS_H
#define STOMP_SUBSCRIPTIONS_H

#include "frame.h"
#include "map.h"

/* What the values of a subscription's map entry mean. Its key is its id, or
 * its destination where it has none. */
enum {
  STOMP_SUB_MODE = 0,  /* stomp_ack_mode */
  STOMP_SUB_FIRST = 1, /* the session's sequence when it began */
  STOMP_SUB_ACKED = 2, /* client mode: all up to here are settled */
  STOMP_SUB_PLACE = 3  /* this file's: its destination's entry */
};

typedef struct stomp_subscriptions {
  stomp_map by_key;
  stomp_map by_destination; /* see subscriptions.c */
} stomp_subscriptions;

/* Empty, for at most `limit`; `salt` and `memory` as for map.h. clear frees
 * all. */
void stomp_subscriptions_init(stomp_subscriptions *s,
                              const stomp_memory *memory, size_t limit,
                              uint64_t salt);
void stomp_subscriptions_clear(stomp_subscriptions *s);

/* The one with this id, or without id (id.bytes == NULL) the only one of this
 * destination; NULL: none. Borrowed until it is removed. O(1). */
stomp_map_entry *stomp_subscriptions_find(const stomp_subscriptions *s,
                                          stomp_span id,
                                          stomp_span destination);

/* The one that a MESSAGE came for; one that names none is of its destination's
 * only where that may be (1.0). */
stomp_map_entry *stomp_subscriptions_of(const stomp_subscriptions *s,
                                        const stomp_frame *message,
                                        bool by_destination);

/* A new one; its key must not be there. `by_destination` tells whether it is
 * to be found without its id too (1.0). *entry is borrowed until removed.
 * STOMP_OK, STOMP_ENOMEM, STOMP_LTABLE: then nothing was added. */
STOMP_CHECKED stomp_status stomp_subscriptions_add(stomp_subscriptions *s,
                                                   stomp_span id,
                                                   stomp_span destination,
                                                   bool by_destination,
                                                   stomp_map_entry **entry);

/* Remove and free it. */
void stomp_subscriptions_remove(stomp_subscriptions *s, stomp_map_entry *entry);

#endif
