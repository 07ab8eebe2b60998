/* SPDX-License-Identifier: MIT
 *
 * What a session receives: each frame is checked against the same tables as
 * what the other side may send, and its meaning is applied before the owner
 * sees it. */
#include "session_private.h"
#include "session_rules.h"
#include <string.h>

/* ---- Small texts ---- */

/* CONNECTED comes before the version is settled: blanks round these two values
 * are 1.0's padding (STOMP 1.0's own examples have it). */
static stomp_span trimmed(stomp_span v) {
  while (v.len && (v.bytes[0] == ' ' || v.bytes[0] == '\t'))
    v.bytes++, v.len--;
  while (v.len && (v.bytes[v.len - 1] == ' ' || v.bytes[v.len - 1] == '\t'))
    v.len--;
  return v;
}

/* 1*DIGIT of at most 10 digits: STOMP_HEARTBEAT_MAX fits everywhere. */
static bool read_number(stomp_span text, uint64_t *number) {
  size_t i;
  *number = 0;
  if (text.len == 0 || text.len > 10)
    return false;
  for (i = 0; i < text.len; i++) {
    if (text.bytes[i] < '0' || text.bytes[i] > '9')
      return false;
    *number = *number * 10 + (uint64_t)(text.bytes[i] - '0');
  }
  return true;
}

/* "sx,sy"; no header means 0,0 (STOMP 1.2, "Heart-beating"). */
static bool read_heartbeat(stomp_span value, uint64_t beats[2]) {
  stomp_span send, receive;
  const uint8_t *comma;
  beats[0] = beats[1] = 0;
  if (!value.bytes)
    return true;
  value = trimmed(value);
  comma = value.len ? memchr(value.bytes, ',', value.len) : NULL;
  if (!comma)
    return false;
  send = (stomp_span){ value.bytes, (size_t)(comma - value.bytes) };
  receive = (stomp_span){ comma + 1, value.len - send.len - 1 };
  return read_number(send, &beats[0]) && read_number(receive, &beats[1]);
}

/* The highest version of a comma list that is wanted too. */
static stomp_version best_version(stomp_span list, const bool wanted[4]) {
  stomp_version best = STOMP_UNSETTLED, v;
  while (list.len) {
    const uint8_t *comma = memchr(list.bytes, ',', list.len);
    size_t len = comma ? (size_t)(comma - list.bytes) : list.len;
    stomp_span one = trimmed((stomp_span){ list.bytes, len });
    v = stomp_version_find(one.bytes, one.len);
    if (v > best && wanted[v])
      best = v;
    len += comma != NULL;
    list.bytes += len;
    list.len -= len;
  }
  return best;
}

/* ---- Failing ---- */

/* A server tells the client why before it ends (STOMP 1.2, "ERROR"). What
 * cannot be told (no room, no memory) changes nothing: the end follows. */
static void tell_client(stomp_session *s) {
  const char *sentence = stomp_status_sentence(s->error.status);
  stomp_span message = { (const uint8_t *)sentence, strlen(sentence) };
  stomp_span body = { (const uint8_t *)s->error.detail,
                      strlen(s->error.detail) };
  s->state = s->state_before;
  (void)!stomp_session_refuse(s, message, body);
  s->state = STOMP_STATE_CLOSED;
}

static stomp_status fail(stomp_session *s, stomp_status status,
                         const stomp_frame *frame, const char *what) {
  stomp_session_end_with(s, status, frame->offset);
  stomp_error_add(&s->error, what);
  return s->error.status;
}

/* ---- Client ---- */

static stomp_status take_connected(stomp_session *s, const stomp_frame *frame,
                                   uint64_t now_ms) {
  stomp_span version = trimmed(STOMP_HEADER(frame, "version"));
  uint64_t theirs[2];
  stomp_version v = STOMP_1_0; /* 1.0's CONNECTED has no version header */
  if (version.bytes)
    v = stomp_version_find(version.bytes, version.len);
  if (v == STOMP_UNSETTLED || !s->versions[v]) {
    fail(s, STOMP_EVERSION, frame, "");
    if (version.bytes)
      stomp_error_add_bytes(&s->error, version.bytes, version.len);
    else
      stomp_error_add(&s->error, "1.0 (CONNECTED names none)");
    return s->error.status;
  }
  if (!read_heartbeat(STOMP_HEADER(frame, "heart-beat"), theirs)) {
    stomp_span text = STOMP_HEADER(frame, "heart-beat");
    fail(s, STOMP_EHEARTBEAT, frame, "");
    stomp_error_add_bytes(&s->error, text.bytes, text.len);
    return s->error.status;
  }
  s->version = v;
  s->just_ends =
    stomp_span_begins(STOMP_HEADER(frame, "server"), "ActiveMQ-Artemis/");
  stomp_parser_version(s->parser, v);
  s->state = STOMP_STATE_CONNECTED;
  stomp_heartbeat_agree(&s->heartbeat, s->offer, theirs, s->slack, now_ms);
  return STOMP_OK;
}

static stomp_status take_message(stomp_session *s, stomp_frame *frame) {
  stomp_map_entry *entry =
    stomp_subscriptions_of(&s->subscriptions, frame, s->version == STOMP_1_0);
  frame->delivery.session = s->serial;
  frame->delivery.sequence = ++s->sequence;
  frame->delivery.ack_mode =
    entry ? (stomp_ack_mode)entry->value[STOMP_SUB_MODE] : STOMP_ACK_NONE;
  s->counts.messages++;
  return STOMP_OK;
}

static stomp_status take_receipt(stomp_session *s, const stomp_frame *frame) {
  stomp_span id = STOMP_HEADER(frame, "receipt-id");
  if (!stomp_map_remove(&s->receipts, id.bytes, id.len))
    s->counts.unknown_receipts++;
  else if (s->state == STOMP_STATE_DISCONNECTING &&
           stomp_span_is(id, STOMP_DISCONNECT_RECEIPT))
    stomp_session_end(s);
  return STOMP_OK;
}

/* RabbitMQ says this of messages that it gives to a subscription which we have
 * just ended, and goes on (seen with 3.10.8; no other broker has these words): it
 * is no end of the session. */
static bool is_late_news(const stomp_session *s, stomp_span message) {
  return s->state != STOMP_STATE_CONNECTING &&
         stomp_span_is(message, "Subscription not found");
}

/* ActiveMQ's body says the message again, behind the name of its exception. */
static bool ends_with(stomp_span whole, stomp_span tail) {
  return tail.len <= whole.len &&
         (tail.len == 0 || memcmp(whole.bytes + whole.len - tail.len,
                                  tail.bytes, tail.len) == 0);
}

static stomp_status take_error(stomp_session *s, const stomp_frame *frame) {
  stomp_span message = STOMP_HEADER(frame, "message");
  stomp_span body = stomp_frame_body(frame);
  const uint8_t *end = body.len ? memchr(body.bytes, '\n', body.len) : NULL;
  bool says_both;
  if (is_late_news(s, message))
    return STOMP_OK;
  if (end)
    body.len = (size_t)(end - body.bytes);
  if (body.len && body.bytes[body.len - 1] == '\r')
    body.len--;
  says_both = ends_with(body, message);
  stomp_session_end_with(s, STOMP_BERROR, frame->offset);
  if (!says_both) {
    stomp_error_add_bytes(&s->error, message.bytes, message.len);
    stomp_error_add(&s->error, body.len ? ": " : "");
  }
  stomp_error_add_bytes(&s->error, body.bytes, body.len);
  return STOMP_OK;
}

static stomp_status take_as_client(stomp_session *s, stomp_frame *frame,
                                   uint64_t now_ms) {
  switch (frame->command) {
    case STOMP_CONNECTED_COMMAND: return take_connected(s, frame, now_ms);
    case STOMP_MESSAGE_COMMAND: return take_message(s, frame);
    case STOMP_RECEIPT_COMMAND: return take_receipt(s, frame);
    default: return take_error(s, frame);
  }
}

/* ---- Server ---- */

static stomp_status take_connect(stomp_session *s, const stomp_frame *frame) {
  stomp_span offered = STOMP_HEADER(frame, "accept-version");
  if (offered.bytes)
    s->version = best_version(offered, s->versions);
  else if (s->versions[STOMP_1_0]) /* STOMP 1.1: then it speaks 1.0 */
    s->version = STOMP_1_0;
  if (s->version == STOMP_UNSETTLED) {
    fail(s, STOMP_EVERSION, frame, "");
    stomp_error_add_bytes(&s->error, offered.bytes, offered.len);
    return s->error.status;
  }
  if (!read_heartbeat(STOMP_HEADER(frame, "heart-beat"), s->theirs))
    return fail(s, STOMP_EHEARTBEAT, frame, "");
  stomp_parser_version(s->parser, s->version);
  s->state = STOMP_STATE_CONNECTING;
  return STOMP_OK;
}

static stomp_status take_as_server(stomp_session *s, const stomp_frame *frame) {
  if (frame->command == STOMP_CONNECT_COMMAND ||
      frame->command == STOMP_STOMP_COMMAND)
    return take_connect(s, frame);
  if (frame->command == STOMP_DISCONNECT_COMMAND)
    s->state = STOMP_STATE_DISCONNECTING;
  return STOMP_OK;
}

/* ---- Both ---- */

/* Whether the peer may send this now: its role's table, read in our state. The
 * server sees CONNECT in IDLE; a client in IDLE has sent nothing. */
static bool may_come(const stomp_session *s, stomp_command command) {
  stomp_role peer = s->role == STOMP_CLIENT ? STOMP_SERVER : STOMP_CLIENT;
  if (s->role == STOMP_CLIENT && s->state == STOMP_STATE_IDLE)
    return false;
  return stomp_rules_may_send(peer, s->state, command) &&
         stomp_rules_has_command(s->version, command);
}

static bool has(const stomp_frame *frame, const char *name) {
  return name && stomp_frame_header(frame, name, strlen(name)).bytes;
}

static stomp_status take(stomp_session *s, stomp_frame *frame,
                         uint64_t now_ms) {
  const char *name;
  size_t i;
  s->counts.frames_received++;
  if (!may_come(s, frame->command)) {
    stomp_state state = s->state;
    fail(s, STOMP_EUNEXPECTED, frame, stomp_command_name(frame->command));
    stomp_error_add(&s->error, " while ");
    stomp_error_add(&s->error, stomp_state_name(state));
    return s->error.status;
  }
  for (i = 0; (name = stomp_rules_required(s->version, frame->command, i)); i++)
    if (!has(frame, name) &&
        !(i == 0 &&
          has(frame, stomp_rules_instead(s->version, frame->command)))) {
      fail(s, STOMP_EREQUIRED, frame, name);
      stomp_error_add(&s->error, " of ");
      stomp_error_add(&s->error, stomp_command_name(frame->command));
      return s->error.status;
    }
  return s->role == STOMP_CLIENT ? take_as_client(s, frame, now_ms)
                                 : take_as_server(s, frame);
}

static stomp_status parser_failed(stomp_session *s, stomp_status status) {
  const stomp_error *error = stomp_parser_error(s->parser);
  stomp_session_end_with(s, status, STOMP_NO_OFFSET);
  if (error->status != STOMP_OK)
    s->error = *error;
  return s->error.status;
}

stomp_status stomp_session_next(stomp_session *s, stomp_span *in,
                                uint64_t now_ms, stomp_frame **frame) {
  stomp_status status;
  if (in->len)
    stomp_session_alive(s, now_ms);
  for (;;) {
    if (s->state == STOMP_STATE_CLOSED) {
      in->bytes += in->len;
      in->len = 0;
      return STOMP_MORE;
    }
    status = stomp_parser_next(s->parser, in, frame);
    if (status == STOMP_HEARTBEAT) {
      s->counts.heartbeats_received++;
      continue;
    }
    if (status == STOMP_MORE)
      return status;
    if (status < 0) {
      status = parser_failed(s, status);
      break;
    }
    status = take(s, *frame, now_ms);
    if (status == STOMP_OK)
      return STOMP_FRAME;
    stomp_frame_free(*frame);
    *frame = NULL;
    break;
  }
  if (s->role == STOMP_SERVER)
    tell_client(s);
  return status;
}
