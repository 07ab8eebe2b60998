/* SPDX-License-Identifier: MIT
 *
 * What a session sends. Each frame goes one way: legal in this state and
 * version? -> headers that must be there -> what the frame means to the tables
 * (receipts, subscriptions, transactions) -> encoded into the sink. Whatever
 * fails, nothing was queued and the tables are as before. */
#include "session_private.h"
#include "session_rules.h"
#include <string.h>

static stomp_field field(const char *name, stomp_span value) {
  return (stomp_field){ name, strlen(name), (const char *)value.bytes,
                        value.len };
}

static stomp_span text_span(const char *text) {
  return (stomp_span){ (const uint8_t *)text, strlen(text) };
}

/* ---- Writing ---- */

stomp_status stomp_session_write(stomp_session *s, const stomp_outgoing *frame,
                                 bool urgent, stomp_error *error) {
  stomp_encoding encoding = { s->version, s->escape_connect };
  uint8_t *at;
  size_t size;
  stomp_status status = stomp_encode_check(frame, encoding, &size, error);
  if (status != STOMP_OK)
    return status;
  status = s->sink.begin(s->sink.user, size, urgent, &at);
  if (status != STOMP_OK)
    return status < 0 ? stomp_error_set(error, status, STOMP_NO_OFFSET)
                      : status;
  stomp_encode(frame, encoding, at);
  status = s->sink.end(s->sink.user);
  if (status != STOMP_OK)
    return stomp_error_set(error, status, STOMP_NO_OFFSET);
  s->counts.frames_sent++;
  return STOMP_OK;
}

/* Keep command and destination of a frame that was sent, for err.after. */
static void remember(stomp_session *s, const stomp_outgoing *frame) {
  size_t slot = s->n_after++ % STOMP_AFTER_COUNT, len;
  stomp_span what = stomp_outgoing_header(frame, "destination");
  if (!what.bytes)
    what = stomp_outgoing_header(frame, "id");
  if (!what.bytes)
    what = stomp_outgoing_header(frame, "transaction");
  len = what.len < STOMP_AFTER_SIZE ? what.len : STOMP_AFTER_SIZE - 1;
  s->after[slot].command = frame->command;
  if (len)
    memcpy(s->after[slot].text, what.bytes, len);
  s->after[slot].text[len] = '\0';
}

/* ---- Legality ---- */

static stomp_status refuse(stomp_error *error, stomp_status status,
                           const char *what) {
  stomp_error_set(error, status, STOMP_NO_OFFSET);
  stomp_error_add(error, what);
  return status;
}

stomp_status stomp_session_refusal(stomp_error *error, stomp_status status,
                                   const char *what, stomp_span name) {
  refuse(error, status, what);
  stomp_error_add_bytes(error, name.bytes, name.len);
  return status;
}

static stomp_status refuse_missing(const stomp_outgoing *frame,
                                   const char *name, stomp_error *error) {
  refuse(error, STOMP_IREQUIRED, name);
  stomp_error_add(error, " of ");
  stomp_error_add(error, stomp_command_name(frame->command));
  return error->status;
}

static bool has_instead(const stomp_session *s, const stomp_outgoing *frame) {
  const char *name = stomp_rules_instead(s->version, frame->command);
  return name && stomp_outgoing_header(frame, name).bytes;
}

static stomp_status check_required(const stomp_session *s,
                                   const stomp_outgoing *frame,
                                   stomp_error *error) {
  const char *name;
  size_t i;
  for (i = 0; (name = stomp_rules_required(s->version, frame->command, i)); i++)
    if (!stomp_outgoing_header(frame, name).bytes &&
        !(i == 0 && has_instead(s, frame)))
      return refuse_missing(frame, name, error);
  name = stomp_rules_required_sent(s->version, frame->command);
  if (name && !stomp_outgoing_header(frame, name).bytes)
    return refuse_missing(frame, name, error);
  return STOMP_OK;
}

static stomp_status check_legal(const stomp_session *s,
                                const stomp_outgoing *frame,
                                stomp_error *error) {
  if (frame->command >= STOMP_COMMAND_COUNT)
    return refuse(error, STOMP_ICOMMAND, "");
  if (s->state == STOMP_STATE_CLOSED) {
    if (s->error.status == STOMP_OK)
      return refuse(error, STOMP_CCLOSED, stomp_command_name(frame->command));
    refuse(error, STOMP_CCLOSED, stomp_status_sentence(s->error.status));
    return error->status;
  }
  if (!stomp_rules_may_send(s->role, s->state, frame->command)) {
    refuse(error, STOMP_ISTATE, stomp_command_name(frame->command));
    stomp_error_add(error, " while ");
    stomp_error_add(error, stomp_state_name(s->state));
    return error->status;
  }
  if (!stomp_rules_has_command(s->version, frame->command)) {
    refuse(error, STOMP_IVERSION, stomp_command_name(frame->command));
    stomp_error_add(error, " at ");
    stomp_error_add(error, stomp_version_name(s->version));
    return error->status;
  }
  return check_required(s, frame, error);
}

/* ---- What a client's frame means ---- */

static stomp_ack_mode mode_of(const stomp_outgoing *frame) {
  stomp_span ack = stomp_outgoing_header(frame, "ack");
  if (stomp_span_is(ack, "client"))
    return STOMP_ACK_CLIENT;
  if (stomp_span_is(ack, "client-individual"))
    return STOMP_ACK_INDIVIDUAL;
  return STOMP_ACK_AUTO;
}

/* A transaction's record: which one it is, and whether a SEND in it awaits a
 * RECEIPT. A receipt's: the transaction of its SEND, 0: none. */
enum { SERIAL = 0, AWAITS = 1 };
enum { WITHIN = 0 };

static stomp_status add_new(stomp_map *map, stomp_span key, const char *what,
                            stomp_map_entry **entry, stomp_error *error) {
  stomp_status status;
  if (stomp_map_find(map, key.bytes, key.len))
    return stomp_session_refusal(error, STOMP_IDUPLICATE, what, key);
  status = stomp_map_add(map, key.bytes, key.len, entry);
  return status == STOMP_OK ? status
                            : stomp_error_set(error, status, STOMP_NO_OFFSET);
}

/* The subscription that SUBSCRIBE or UNSUBSCRIBE names. */
static stomp_map_entry *named(const stomp_session *s,
                              const stomp_outgoing *frame) {
  return stomp_subscriptions_find(&s->subscriptions,
                                  stomp_outgoing_header(frame, "id"),
                                  stomp_outgoing_header(frame, "destination"));
}

static stomp_status note_subscribe(stomp_session *s,
                                   const stomp_outgoing *frame,
                                   stomp_error *error) {
  stomp_span id = stomp_outgoing_header(frame, "id");
  stomp_span destination = stomp_outgoing_header(frame, "destination");
  stomp_span key = id.bytes ? id : destination;
  stomp_map_entry *entry;
  stomp_status status;
  if (stomp_map_find(&s->subscriptions.by_key, key.bytes, key.len))
    return stomp_session_refusal(error, STOMP_IDUPLICATE, "subscription ", key);
  status = stomp_subscriptions_add(&s->subscriptions, id, destination,
                                   s->version == STOMP_1_0, &entry);
  if (status != STOMP_OK)
    return stomp_error_set(error, status, STOMP_NO_OFFSET);
  entry->value[STOMP_SUB_MODE] = (uint64_t)mode_of(frame);
  entry->value[STOMP_SUB_FIRST] = s->sequence;
  entry->value[STOMP_SUB_ACKED] = s->sequence;
  return STOMP_OK;
}

static stomp_status check_unsubscribe(const stomp_session *s,
                                      const stomp_outgoing *frame,
                                      stomp_error *error) {
  stomp_span key = stomp_outgoing_header(frame, "id");
  if (named(s, frame))
    return STOMP_OK;
  if (!key.bytes)
    key = stomp_outgoing_header(frame, "destination");
  return stomp_session_refusal(error, STOMP_IUNKNOWN, "subscription ", key);
}

/* Before a client's frame is written: enter what it opens, find what it
 * names. */
static stomp_status note(stomp_session *s, const stomp_outgoing *frame,
                         stomp_error *error) {
  stomp_span transaction = stomp_outgoing_header(frame, "transaction");
  stomp_map_entry *entry;
  if (frame->command == STOMP_BEGIN_COMMAND) {
    stomp_status status =
      add_new(&s->transactions, transaction, "transaction ", &entry, error);
    if (status == STOMP_OK)
      entry->value[SERIAL] = ++s->n_transaction;
    return status;
  }
  if (transaction.bytes &&
      !stomp_map_find(&s->transactions, transaction.bytes, transaction.len))
    return stomp_session_refusal(error, STOMP_IUNKNOWN, "transaction ",
                                 transaction);
  if (frame->command == STOMP_SUBSCRIBE_COMMAND)
    return note_subscribe(s, frame, error);
  if (frame->command == STOMP_UNSUBSCRIBE_COMMAND)
    return check_unsubscribe(s, frame, error);
  return STOMP_OK;
}

static void forget_transaction(stomp_session *s, const stomp_outgoing *frame) {
  stomp_span key = stomp_outgoing_header(frame, "transaction");
  stomp_map_remove(&s->transactions, key.bytes, key.len);
}

/* The frame was not written: as if it had never been asked for. */
static void unnote(stomp_session *s, const stomp_outgoing *frame) {
  if (frame->command == STOMP_BEGIN_COMMAND)
    forget_transaction(s, frame);
  else if (frame->command == STOMP_SUBSCRIBE_COMMAND)
    stomp_subscriptions_remove(&s->subscriptions, named(s, frame));
}

static void end_transaction(stomp_session *s, const stomp_outgoing *frame) {
  stomp_span key = stomp_outgoing_header(frame, "transaction");
  const stomp_map_entry *entry =
    stomp_map_find(&s->transactions, key.bytes, key.len);
  uint64_t serial = entry->value[SERIAL];
  if (frame->command == STOMP_COMMIT_COMMAND) {
    stomp_acks_commit(&s->acks, serial, &s->subscriptions);
  } else {
    stomp_acks_abort(&s->acks, serial);
    if (entry->value[AWAITS]) /* RabbitMQ never sends them: not to pile up */
      stomp_map_remove_where(&s->receipts, WITHIN, serial);
  }
  forget_transaction(s, frame);
}

/* The frame was written: what it ended is over. */
static void settle(stomp_session *s, const stomp_outgoing *frame) {
  if (frame->command == STOMP_UNSUBSCRIBE_COMMAND)
    stomp_subscriptions_remove(&s->subscriptions, named(s, frame));
  else if (frame->command == STOMP_COMMIT_COMMAND ||
           frame->command == STOMP_ABORT_COMMAND)
    end_transaction(s, frame);
  else if (frame->command == STOMP_DISCONNECT_COMMAND)
    s->state = STOMP_STATE_DISCONNECTING;
  remember(s, frame);
}

static void note_within(stomp_session *s, const stomp_outgoing *frame,
                        stomp_map_entry *receipt) {
  stomp_span key = stomp_outgoing_header(frame, "transaction");
  stomp_map_entry *entry;
  if (frame->command != STOMP_SEND_COMMAND || !key.bytes)
    return;
  entry = stomp_map_find(&s->transactions, key.bytes, key.len);
  receipt->value[WITHIN] = entry->value[SERIAL];
  entry->value[AWAITS] = 1;
}

static stomp_status expect_receipt(stomp_session *s,
                                   const stomp_outgoing *frame, stomp_span id,
                                   stomp_error *error) {
  stomp_map_entry *entry;
  stomp_status status = add_new(&s->receipts, id, "receipt ", &entry, error);
  if (status == STOMP_OK)
    note_within(s, frame, entry);
  else if (status == STOMP_LTABLE)
    stomp_error_set(error, STOMP_LRECEIPTS, STOMP_NO_OFFSET);
  return error->status;
}

static stomp_status send_as_client(stomp_session *s,
                                   const stomp_outgoing *frame,
                                   stomp_error *error) {
  stomp_span receipt = stomp_outgoing_header(frame, "receipt");
  bool urgent = frame->command == STOMP_DISCONNECT_COMMAND;
  stomp_status status = note(s, frame, error);
  if (status != STOMP_OK)
    return status;
  if (receipt.bytes)
    status = expect_receipt(s, frame, receipt, error);
  if (status == STOMP_OK) {
    status = stomp_session_write(s, frame, urgent, error);
    if (status != STOMP_OK && receipt.bytes)
      stomp_map_remove(&s->receipts, receipt.bytes, receipt.len);
  }
  if (status != STOMP_OK) {
    unnote(s, frame);
    return status;
  }
  settle(s, frame);
  return STOMP_OK;
}

static stomp_status send_as_server(stomp_session *s,
                                   const stomp_outgoing *frame,
                                   stomp_error *error) {
  stomp_status status = stomp_session_write(s, frame, false, error);
  if (status != STOMP_OK)
    return status;
  remember(s, frame);
  if (frame->command == STOMP_ERROR_COMMAND) /* STOMP 1.2, "ERROR" */
    stomp_session_end(s);
  return STOMP_OK;
}

stomp_status stomp_session_send(stomp_session *s, const stomp_outgoing *frame,
                                stomp_error *error) {
  stomp_status status;
  stomp_error_clear(error);
  status = check_legal(s, frame, error);
  if (status != STOMP_OK)
    return status;
  if (frame->command == STOMP_CONNECT_COMMAND ||
      frame->command == STOMP_STOMP_COMMAND ||
      frame->command == STOMP_CONNECTED_COMMAND)
    return refuse(error, STOMP_ISTATE,
                  "CONNECT and CONNECTED are the session's own");
  return s->role == STOMP_CLIENT ? send_as_client(s, frame, error)
                                 : send_as_server(s, frame, error);
}

/* ---- The beginning ---- */

stomp_status stomp_session_connect(stomp_session *s, uint64_t now_ms) {
  stomp_outgoing frame = { .command = STOMP_CONNECT_COMMAND };
  uint8_t *at;
  stomp_status status;
  if (s->role != STOMP_CLIENT || s->state != STOMP_STATE_IDLE)
    return STOMP_ISTATE;
  status = s->sink.begin(s->sink.user, s->connect_len, true, &at);
  if (status != STOMP_OK)
    return status;
  memcpy(at, s->connect_bytes, s->connect_len);
  status = s->sink.end(s->sink.user);
  if (status != STOMP_OK)
    return status;
  s->counts.frames_sent++;
  remember(s, &frame);
  s->state = STOMP_STATE_CONNECTING;
  s->heartbeat.last_receive = now_ms;
  return STOMP_OK;
}

stomp_status stomp_session_accept(stomp_session *s, const stomp_field *headers,
                                  size_t n_headers, uint64_t now_ms) {
  size_t size = (n_headers + 2) * sizeof(stomp_field);
  stomp_outgoing frame = { .command = STOMP_CONNECTED_COMMAND };
  stomp_field *fields;
  stomp_error error;
  stomp_status status;
  char beats[48];
  if (s->role != STOMP_SERVER || s->state != STOMP_STATE_CONNECTING)
    return STOMP_ISTATE;
  fields = stomp_memory_new(s->memory, size);
  if (!fields)
    return STOMP_ENOMEM;
  if (n_headers)
    memcpy(fields, headers, n_headers * sizeof *headers);
  fields[n_headers] =
    field("version", text_span(stomp_version_name(s->version)));
  fields[n_headers + 1] =
    (stomp_field){ "heart-beat", 10, beats,
                   stomp_session_heartbeat_text(beats, s->offer) };
  frame.headers = fields;
  frame.n_headers = n_headers + 2;
  stomp_error_clear(&error);
  status = stomp_session_write(s, &frame, true, &error);
  stomp_memory_free(s->memory, fields, size);
  if (status != STOMP_OK)
    return status;
  s->state = STOMP_STATE_CONNECTED;
  stomp_heartbeat_agree(&s->heartbeat, s->offer, s->theirs, s->slack, now_ms);
  return STOMP_OK;
}

stomp_status stomp_session_refuse(stomp_session *s, stomp_span message,
                                  stomp_span body) {
  stomp_field fields[3];
  stomp_outgoing frame = { .command = STOMP_ERROR_COMMAND, .headers = fields };
  stomp_error error;
  if (s->role != STOMP_SERVER || s->state == STOMP_STATE_CLOSED)
    return STOMP_ISTATE;
  fields[frame.n_headers++] = field("message", message);
  fields[frame.n_headers++] =
    field("version", text_span(s->version == STOMP_UNSETTLED
                                 ? "1.0,1.1,1.2"
                                 : stomp_version_name(s->version)));
  if (body.len)
    fields[frame.n_headers++] = field("content-type", text_span("text/plain"));
  frame.body = (const char *)body.bytes;
  frame.body_len = body.len;
  stomp_error_clear(&error);
  return send_as_server(s, &frame, &error);
}

/* ---- The way down ---- */

stomp_status stomp_session_disconnect(stomp_session *s, uint64_t now_ms,
                                      const char **receipt,
                                      stomp_error *error) {
  stomp_field fields[1];
  stomp_outgoing frame = { .command = STOMP_DISCONNECT_COMMAND,
                           .headers = fields,
                           .n_headers = 1 };
  (void)now_ms;
  fields[0] = field("receipt", text_span(STOMP_DISCONNECT_RECEIPT));
  *receipt = STOMP_DISCONNECT_RECEIPT;
  return stomp_session_send(s, &frame, error);
}
