/* SPDX-License-Identifier: MIT
 *
 * A session's acknowledgements: which MESSAGE may be acknowledged now, and how
 * the version wants it named. What is settled is kept by acks.c. */
#include "session_private.h"
#include <string.h>

/* Headers of an ACK besides those that name the MESSAGE. */
#define MORE_HEADERS 4

static const stomp_span nothing;

static stomp_field field(const char *name, stomp_span value) {
  return (stomp_field){ name, strlen(name), (const char *)value.bytes,
                        value.len };
}

/* Find the MESSAGE's subscription and whether it may be acknowledged. */
static stomp_status check_ack(stomp_session *s, const stomp_frame *message,
                              stomp_map_entry **subscription,
                              stomp_error *error) {
  const stomp_delivery *d = &message->delivery;
  stomp_span key = STOMP_HEADER(message, "subscription");
  if (message->command != STOMP_MESSAGE_COMMAND || d->session == 0)
    return stomp_session_refusal(error, STOMP_IACKNONE, "", nothing);
  if (d->session != s->serial)
    return stomp_session_refusal(error, STOMP_CACKOLD, "", nothing);
  if (d->ack_mode == STOMP_ACK_AUTO)
    return stomp_session_refusal(error, STOMP_IACKAUTO, "", nothing);
  if (!key.bytes)
    key = STOMP_HEADER(message, "destination");
  *subscription =
    stomp_subscriptions_of(&s->subscriptions, message, s->version == STOMP_1_0);
  if (d->ack_mode == STOMP_ACK_NONE || !*subscription ||
      d->sequence <= (*subscription)->value[STOMP_SUB_FIRST])
    return stomp_session_refusal(error, STOMP_IUNKNOWN, "subscription ", key);
  if (stomp_acks_is_settled(&s->acks, message, *subscription))
    return stomp_session_refusal(error, STOMP_IACKTWICE, "", nothing);
  return STOMP_OK;
}

/* The headers that name the MESSAGE; returns how many, 0 where it has no ack
 * header (a message-id it has, or it had not come). */
static size_t name_message(const stomp_session *s, const stomp_frame *message,
                           stomp_field fields[2]) {
  stomp_span ack = STOMP_HEADER(message, "ack");
  stomp_span id = STOMP_HEADER(message, "message-id");
  stomp_span subscription = STOMP_HEADER(message, "subscription");
  if (s->version == STOMP_1_2) {
    fields[0] = field("id", ack);
    return ack.bytes ? 1 : 0;
  }
  fields[0] = field("message-id", id);
  if (!subscription.bytes)
    return 1;
  fields[1] = field("subscription", subscription);
  return 2;
}

/* The serial number of the transaction that the frame names, 0: none. That it
 * is open is checked by stomp_session_send too. */
static stomp_status find_transaction(const stomp_session *s,
                                     const stomp_outgoing *frame,
                                     uint64_t *serial, stomp_error *error) {
  stomp_span key = stomp_outgoing_header(frame, "transaction");
  const stomp_map_entry *entry;
  *serial = 0;
  if (!key.bytes)
    return STOMP_OK;
  entry = stomp_map_find(&s->transactions, key.bytes, key.len);
  if (!entry)
    return stomp_session_refusal(error, STOMP_IUNKNOWN, "transaction ", key);
  *serial = entry->value[0];
  return STOMP_OK;
}

/* Send it, and settle what it settles: both or neither. */
static stomp_status send_ack(stomp_session *s, const stomp_outgoing *frame,
                             stomp_frame *message,
                             stomp_map_entry *subscription,
                             stomp_error *error) {
  stomp_pending *pending = NULL;
  uint64_t transaction;
  stomp_status status = find_transaction(s, frame, &transaction, error);
  if (status != STOMP_OK)
    return status;
  if (transaction) {
    status = stomp_acks_reserve(&s->acks, message, subscription, transaction,
                                &pending);
    if (status != STOMP_OK)
      return stomp_error_set(error, status, STOMP_NO_OFFSET);
  }
  status = stomp_session_send(s, frame, error);
  if (status == STOMP_OK)
    stomp_acks_settle(message, subscription, transaction, pending);
  else
    stomp_acks_release(&s->acks, pending);
  return status;
}

stomp_status stomp_session_ack(stomp_session *s, stomp_frame *message,
                               bool nack, const stomp_field *headers,
                               size_t n_headers, stomp_error *error) {
  stomp_outgoing frame = { .command =
                             nack ? STOMP_NACK_COMMAND : STOMP_ACK_COMMAND };
  stomp_map_entry *subscription = NULL;
  stomp_field fields[2 + MORE_HEADERS];
  stomp_status status;
  stomp_error_clear(error);
  status = check_ack(s, message, &subscription, error);
  if (status != STOMP_OK)
    return status;
  frame.n_headers = name_message(s, message, fields);
  if (n_headers > MORE_HEADERS)
    return stomp_session_refusal(error, STOMP_IHEADER,
                                 "more than 4 besides the MESSAGE's", nothing);
  if (frame.n_headers == 0)
    return stomp_session_refusal(error, STOMP_IACKNONE, "no ack header",
                                 nothing);
  if (n_headers)
    memcpy(fields + frame.n_headers, headers, n_headers * sizeof *headers);
  frame.n_headers += n_headers;
  frame.headers = fields;
  return send_ack(s, &frame, message, subscription, error);
}
