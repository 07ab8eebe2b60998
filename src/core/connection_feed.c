/* SPDX-License-Identifier: MIT
 *
 * A connection's bytes in: handshake, then WebSocket, then session; frames wait
 * in a chain for the owner. */
#include "connection_private.h"
#include <string.h>

/* How long more of a refusal's body is waited for: a server that keeps the
 * connection open may never send it. */
#define REFUSAL_MS 500

/* ---- Bytes in ---- */

static void queue_frame(stomp_connection *c, stomp_frame *frame) {
  frame->next = NULL;
  if (c->last)
    c->last->next = frame;
  else
    c->first = frame;
  c->last = frame;
  c->frames_size += frame->size;
}

/* ActiveMQ Classic ignores binary WebSocket messages, without a word (seen with
 * 5.18.6 and 6.1.6): what would be one is refused instead. (Artemis, whose name
 * begins with "ActiveMQ-", takes them.) */
static void note_server(stomp_connection *c, const stomp_frame *connected) {
  if (c->websocket && c->binary == STOMP_BINARY_AUTO &&
      stomp_span_begins(STOMP_HEADER(connected, "server"), "ActiveMQ/"))
    c->binary = STOMP_BINARY_REFUSED;
}

/* Give STOMP bytes to the session. STOMP_OK, or the failure. */
static stomp_status feed_session(stomp_connection *c, stomp_span bytes) {
  stomp_status status;
  stomp_frame *frame;
  if (c->skipping) {
    stomp_session_skip(c->session, bytes.len);
    return STOMP_OK;
  }
  while ((status = stomp_session_next(c->session, &bytes, c->now, &frame)) ==
         STOMP_FRAME) {
    if (frame->command == STOMP_CONNECTED_COMMAND)
      note_server(c, frame);
    queue_frame(c, frame);
    stomp_connection_follow(c);
  }
  if (status == STOMP_MORE)
    return STOMP_OK;
  if (c->ignore_invalid && stomp_session_forgive(c->session, &c->warning)) {
    c->skipping = true; /* a frame begins with the next message */
    stomp_session_skip(c->session, bytes.len);
    return STOMP_OK;
  }
  return stomp_connection_break(c, stomp_session_error(c->session));
}

static void take_close(stomp_connection *c,
                       const stomp_websocket_event *event) {
  bool no_receipt;
  size_t len = event->data.len;
  c->close_code = event->close_code;
  c->close_reason_len =
    len < sizeof c->close_reason ? len : sizeof c->close_reason;
  if (c->close_reason_len)
    memcpy(c->close_reason, event->data.bytes, c->close_reason_len);
  /* clean or not is kept by the session and told by stomp_connection_closed */
  (void)!stomp_session_closed(c->session, c->close_code, event->data,
                              &no_receipt);
}

static void take_pong(stomp_connection *c) {
  if (c->ping_at)
    c->counts.round_trip = c->now - c->ping_at;
  c->ping_at = 0;
}

static stomp_status feed_websocket(stomp_connection *c, stomp_span *in) {
  stomp_websocket_event event;
  stomp_status status;
  while ((status = stomp_websocket_next(c->websocket, in, &event)) ==
         STOMP_FRAME) {
    if (event.kind == STOMP_WEBSOCKET_CLOSE) {
      take_close(c, &event);
    } else if (event.kind == STOMP_WEBSOCKET_PONG) {
      take_pong(c);
    } else if (event.kind != STOMP_WEBSOCKET_PING) {
      if (event.first)
        c->skipping = false;
      status = feed_session(c, event.data);
    }
    if (status < 0 || c->ended) /* what follows is of no interest any more */
      return status;
  }
  return status == STOMP_MORE
           ? STOMP_OK
           : stomp_connection_break(c, stomp_websocket_error(c->websocket));
}

/* The client's CONNECT follows its upgrade by itself: nothing may be sent
 * before the 101 (RabbitMQ answers 400). */
static stomp_status begin_messages(stomp_connection *c) {
  const stomp_deflate_terms *terms = stomp_handshake_deflate(c->handshake);
  stomp_status status =
    terms ? stomp_websocket_compress(c->websocket, terms) : STOMP_OK;
  return status == STOMP_OK && c->role == STOMP_CLIENT
           ? stomp_session_connect(c->session, c->now)
           : status;
}

static stomp_status feed_handshake(stomp_connection *c, stomp_span *in) {
  stomp_status status = stomp_handshake_next(c->handshake, in);
  if (status == STOMP_MORE) {
    if (stomp_handshake_is_refused(c->handshake) &&
        c->refused_until == STOMP_NEVER)
      c->refused_until = c->now + REFUSAL_MS;
    return STOMP_OK;
  }
  if (status < 0) {
    stomp_session_fail(c->session, stomp_handshake_error(c->handshake));
    c->ended = true;
    return status;
  }
  c->upgraded = true;
  status = begin_messages(c);
  if (status != STOMP_OK) { /* FULL: answered before we were done with asking */
    stomp_error error;
    stomp_error_set(&error, status < 0 ? status : STOMP_LOUTBOX,
                    STOMP_NO_OFFSET);
    return stomp_connection_break(c, &error);
  }
  return STOMP_OK;
}

/* What a failure is told as: what came first. ERROR is a frame for the owner. */
static stomp_status told(const stomp_connection *c) {
  const stomp_error *error = stomp_session_error(c->session);
  return error->status == STOMP_BERROR ? STOMP_OK : error->status;
}

stomp_status stomp_connection_feed(stomp_connection *c, const void *bytes,
                                   size_t len, uint64_t now_ms) {
  stomp_span in = { bytes, len };
  stomp_status status = STOMP_OK;
  c->now = now_ms;
  c->started = true;
  c->counts.bytes_received += len;
  if (len)
    stomp_session_alive(c->session, now_ms);
  if (c->ended)
    return told(c);
  if (!c->upgraded)
    status = feed_handshake(c, &in);
  if (status == STOMP_OK && c->upgraded && in.len)
    status = c->websocket ? feed_websocket(c, &in) : feed_session(c, in);
  return c->ended ? told(c) : status;
}

stomp_frame *stomp_connection_next(stomp_connection *c) {
  stomp_frame *frame = c->first;
  if (!frame)
    return NULL;
  c->first = frame->next;
  if (!c->first)
    c->last = NULL;
  c->frames_size -= frame->size;
  frame->next = NULL;
  return frame;
}

stomp_frame *stomp_connection_take_frames(stomp_connection *c,
                                          stomp_frame **last, size_t *size) {
  stomp_frame *first = c->first;
  *last = c->last;
  *size = c->frames_size;
  c->first = c->last = NULL;
  c->frames_size = 0;
  return first;
}
