/* SPDX-License-Identifier: MIT
 *
 * Acknowledgements inside transactions; see acks.h. */
#include "acks.h"
#include <string.h>

void stomp_acks_init(stomp_acks *a, const stomp_memory *memory, size_t limit) {
  memset(a, 0, sizeof *a);
  a->memory = memory;
  a->limit = limit;
}

static void free_pending(stomp_acks *a, stomp_pending *p) {
  stomp_memory_free(a->memory, p, sizeof *p + p->key_len);
  a->n_pending--;
}

void stomp_acks_clear(stomp_acks *a) {
  while (a->pending) {
    stomp_pending *next = a->pending->next;
    free_pending(a, a->pending);
    a->pending = next;
  }
  stomp_memory_free(a->memory, a->aborted,
                    a->aborted ? STOMP_ABORTED_MAX * sizeof *a->aborted : 0);
  a->aborted = NULL;
}

/* ---- Questions ---- */

static bool belongs(const stomp_pending *p, const stomp_map_entry *e) {
  return p->first == e->value[STOMP_SUB_FIRST] && p->key_len == e->key_len &&
         memcmp(p->key, e->key, p->key_len) == 0;
}

/* From the newest on: who tries again does so soon. */
static bool is_aborted(const stomp_acks *a, uint64_t transaction) {
  size_t i;
  for (i = 0; i < a->n_aborted && i < STOMP_ABORTED_MAX; i++)
    if (a->aborted[(a->n_aborted - 1 - i) % STOMP_ABORTED_MAX] == transaction)
      return true;
  return false;
}

bool stomp_acks_is_settled(const stomp_acks *a, const stomp_frame *message,
                           const stomp_map_entry *subscription) {
  const stomp_delivery *d = &message->delivery;
  const stomp_pending *p;
  if (d->ack_mode == STOMP_ACK_INDIVIDUAL)
    return d->settled && !(d->transaction && is_aborted(a, d->transaction));
  if (d->sequence <= subscription->value[STOMP_SUB_ACKED])
    return true;
  for (p = a->pending; p; p = p->next)
    if (d->sequence <= p->upto && belongs(p, subscription))
      return true;
  return false;
}

/* ---- Acknowledging ---- */

static stomp_status reserve_aborted(stomp_acks *a) {
  if (!a->aborted)
    a->aborted =
      stomp_memory_new(a->memory, STOMP_ABORTED_MAX * sizeof *a->aborted);
  return a->aborted ? STOMP_OK : STOMP_ENOMEM;
}

stomp_status stomp_acks_reserve(stomp_acks *a, const stomp_frame *message,
                                const stomp_map_entry *subscription,
                                uint64_t transaction, stomp_pending **pending) {
  stomp_pending *p;
  *pending = NULL;
  if (message->delivery.ack_mode == STOMP_ACK_INDIVIDUAL)
    return reserve_aborted(a);
  for (p = a->pending; p; p = p->next)
    if (p->transaction == transaction && belongs(p, subscription)) {
      *pending = p;
      return STOMP_OK;
    }
  if (a->n_pending >= a->limit)
    return STOMP_LTABLE;
  p = stomp_memory_new(a->memory, sizeof *p + subscription->key_len);
  if (!p)
    return STOMP_ENOMEM;
  p->next = a->pending;
  p->transaction = transaction;
  p->first = subscription->value[STOMP_SUB_FIRST];
  p->upto = 0;
  p->key_len = subscription->key_len;
  memcpy(p->key, subscription->key, p->key_len);
  a->pending = p;
  a->n_pending++;
  *pending = p;
  return STOMP_OK;
}

void stomp_acks_release(stomp_acks *a, stomp_pending *pending) {
  if (!pending || pending->upto) /* none, or an earlier one's too */
    return;
  a->pending = pending->next; /* reserve put it first */
  free_pending(a, pending);
}

void stomp_acks_settle(stomp_frame *message, stomp_map_entry *subscription,
                       uint64_t transaction, stomp_pending *pending) {
  stomp_delivery *d = &message->delivery;
  if (d->ack_mode == STOMP_ACK_INDIVIDUAL) {
    d->settled = true;
    d->transaction = transaction;
  } else if (pending) {
    pending->upto = d->sequence;
  } else {
    subscription->value[STOMP_SUB_ACKED] = d->sequence;
  }
}

/* ---- The end of a transaction ---- */

/* Free what belongs to the transaction; `subscriptions` is NULL at ABORT. */
static void end_transaction(stomp_acks *a, uint64_t transaction,
                            const stomp_subscriptions *subscriptions) {
  stomp_pending **link = &a->pending, *p;
  while ((p = *link) != NULL) {
    stomp_map_entry *e = NULL;
    if (p->transaction != transaction) {
      link = &p->next;
      continue;
    }
    if (subscriptions)
      e = stomp_map_find(&subscriptions->by_key, p->key, p->key_len);
    if (e && belongs(p, e) && e->value[STOMP_SUB_ACKED] < p->upto)
      e->value[STOMP_SUB_ACKED] = p->upto;
    *link = p->next;
    free_pending(a, p);
  }
}

void stomp_acks_commit(stomp_acks *a, uint64_t transaction,
                       const stomp_subscriptions *subscriptions) {
  end_transaction(a, transaction, subscriptions);
}

void stomp_acks_abort(stomp_acks *a, uint64_t transaction) {
  end_transaction(a, transaction, NULL);
  if (a->aborted)
    a->aborted[a->n_aborted++ % STOMP_ABORTED_MAX] = transaction;
}
