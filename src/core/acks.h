/* SPDX-License-Identifier: MIT
 *
 * Acknowledgements inside transactions: they settle a MESSAGE when COMMIT goes
 * out, and ABORT gives it back (STOMP 1.2, "ABORT"). What is acknowledged
 * outside of them needs no record: a flag on the frame, and for `client` mode
 * one number a subscription. Knows subscriptions. */
#ifndef STOMP_ACKS_H
#define STOMP_ACKS_H

#include "subscriptions.h"

/* Of so many aborted transactions it is known that they are aborted: what was
 * acknowledged in an older one stays settled. */
#define STOMP_ABORTED_MAX 1024

/* A cumulative ACK or NACK in an open transaction. */
typedef struct stomp_pending {
  struct stomp_pending *next;
  uint64_t transaction; /* serial number */
  uint64_t first;       /* the subscription's STOMP_SUB_FIRST */
  uint64_t upto;        /* sequence; 0: not sent yet */
  size_t key_len;       /* bytes */
  char key[];           /* of the subscription */
} stomp_pending;

typedef struct stomp_acks {
  const stomp_memory *memory; /* borrowed */
  stomp_pending *pending;
  size_t n_pending, limit;
  uint64_t *aborted; /* ring of serial numbers; NULL: never needed */
  size_t n_aborted;  /* in all */
} stomp_acks;

/* At most `limit` pending ones; allocates nothing. clear frees all of it. */
void stomp_acks_init(stomp_acks *a, const stomp_memory *memory, size_t limit);
void stomp_acks_clear(stomp_acks *a);

/* Whether this MESSAGE of `subscription` (its entry) is settled. O(cumulative
 * acknowledgements in open transactions), at most STOMP_ABORTED_MAX for one
 * that was named in a transaction. */
bool stomp_acks_is_settled(const stomp_acks *a, const stomp_frame *message,
                           const stomp_map_entry *subscription);

/* Before an acknowledgement in a transaction is sent: room for it, so that
 * nothing can fail afterwards. *pending is NULL where none is needed.
 * STOMP_OK; STOMP_ENOMEM, STOMP_LTABLE: nothing changed. *pending must go to
 * release or settle. */
STOMP_CHECKED stomp_status
stomp_acks_reserve(stomp_acks *a, const stomp_frame *message,
                   const stomp_map_entry *subscription, uint64_t transaction,
                   stomp_pending **pending);
/* It was not sent: give the room back. */
void stomp_acks_release(stomp_acks *a, stomp_pending *pending);
/* It was sent. `transaction` 0: none, and then `pending` is NULL. */
void stomp_acks_settle(stomp_frame *message, stomp_map_entry *subscription,
                       uint64_t transaction, stomp_pending *pending);

/* The transaction ended. Subscriptions that are gone meanwhile are passed
 * over. */
void stomp_acks_commit(stomp_acks *a, uint64_t transaction,
                       const stomp_subscriptions *subscriptions);
void stomp_acks_abort(stomp_acks *a, uint64_t transaction);

#endif
