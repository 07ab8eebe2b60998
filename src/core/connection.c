/* SPDX-License-Identifier: MIT
 *
 * Upgrade -> WebSocket -> STOMP as one machine. The three know nothing of each
 * other; here their results become each other's input, and the way down is
 * decided: which close code goes out, what an end of the bytes means. */
#include "connection.h"
#include "connection_private.h"
#include <string.h>

/* The output may exceed limits.outbox by this much for what must not wait:
 * control frames, DISCONNECT, beats. */
#define HEADROOM 1024

/* ---- The sink: where the session writes ---- */

static stomp_status begin_message(void *user, size_t size, bool urgent,
                                  uint8_t **at) {
  stomp_connection *c = user;
  stomp_status status = STOMP_OK;
  if (!c->upgraded)
    return STOMP_ISTATE; /* a server that refuses before it was asked */
  if (!urgent && size > c->limits.outbox)
    return STOMP_LOUTBOX;
  if (!urgent && stomp_buffer_len(&c->out) + size > c->limits.outbox)
    return STOMP_FULL;
  c->message_plain = urgent;
  if (c->websocket) {
    c->message = stomp_websocket_begin(c->websocket, size, &status);
  } else if (size > c->out.cap) {
    return STOMP_LOUTBOX;
  } else {
    c->message = stomp_buffer_reserve(&c->out, size);
    if (!c->message)
      status = stomp_buffer_room(&c->out) < size ? STOMP_FULL : STOMP_ENOMEM;
  }
  c->message_len = size;
  *at = c->message;
  return c->message ? STOMP_OK : status;
}

static bool is_text(const stomp_connection *c) {
  if (c->binary == STOMP_BINARY_NEVER || c->binary == STOMP_BINARY_ALWAYS)
    return c->binary == STOMP_BINARY_NEVER;
  return stomp_utf8_is_text(c->message, c->message_len);
}

static stomp_status end_message(void *user) {
  stomp_connection *c = user;
  stomp_websocket_kind kind =
    is_text(c) ? STOMP_WEBSOCKET_TEXT : STOMP_WEBSOCKET_BINARY;
  if (kind == STOMP_WEBSOCKET_BINARY && c->binary == STOMP_BINARY_REFUSED)
    return STOMP_IBINARY; /* what was begun is dropped by the next one */
  c->last_sent = c->now;
  if (!c->websocket)
    stomp_buffer_commit(&c->out, c->message_len);
  else if (c->message_plain) /* CONNECT has the passcode */
    stomp_websocket_end_plain(c->websocket, kind);
  else
    stomp_websocket_end(c->websocket, kind);
  return STOMP_OK;
}

/* ---- Birth ---- */

void stomp_connection_defaults(stomp_connection_options *options) {
  memset(options, 0, sizeof *options);
  stomp_session_defaults(&options->session);
  options->websocket = true;
  options->host = "localhost";
  options->path = "/";
  options->ping = 20000;
  options->linger = 2000;
}

/* Offer what the versions need, highest first (RabbitMQ picks the highest,
 * others the first). */
static size_t subprotocols(const bool versions[4], const char *names[3]) {
  size_t n = 0;
  if (versions[STOMP_1_2])
    names[n++] = "v12.stomp";
  if (versions[STOMP_1_1])
    names[n++] = "v11.stomp";
  if (versions[STOMP_1_0])
    names[n++] = "v10.stomp";
  return n;
}

static stomp_status prepare_websocket(stomp_connection *c,
                                      const stomp_connection_options *o,
                                      stomp_error *error) {
  const char *names[3];
  stomp_websocket_options framing = {
    .server = o->session.role == STOMP_SERVER,
    .strict_utf8 = o->strict_utf8,
    .inflate_ratio = c->limits.inflate_ratio,
    .memory = c->memory,
    .random = o->session.random,
  };
  stomp_handshake_options upgrade = {
    .server = framing.server,
    .host = o->host,
    .path = o->path,
    .proxy_target = o->proxy_target,
    .proxy_authorization = o->proxy_authorization,
    .headers = o->upgrade_headers,
    .n_headers = o->n_upgrade_headers,
    .protocols = names,
    .n_protocols = subprotocols(o->session.versions, names),
    .compression = o->compression,
    .limit = c->limits.upgrade,
    .memory = c->memory,
    .random = o->session.random,
  };
  if (o->compression && !stomp_deflate_is_built_in())
    return stomp_error_set(error, STOMP_WNOZLIB, STOMP_NO_OFFSET);
  c->handshake = stomp_handshake_new(&upgrade, &c->out, error);
  if (!c->handshake)
    return error->status;
  c->websocket = stomp_websocket_new(&framing, &c->out);
  return c->websocket ? STOMP_OK
                      : stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
}

stomp_connection *stomp_connection_new(const stomp_connection_options *options,
                                       stomp_error *error) {
  const stomp_memory *memory = options->session.memory;
  stomp_connection *c = stomp_memory_new(memory, sizeof *c);
  stomp_sink sink = { begin_message, end_message, c };
  stomp_error_clear(error);
  if (!c) {
    stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
    return NULL;
  }
  memset(c, 0, sizeof *c);
  c->memory = memory;
  c->limits = options->session.limits;
  c->limits.outbox = stomp_limit(c->limits.outbox);
  c->role = options->session.role;
  c->binary = options->binary;
  c->ignore_invalid = options->ignore_invalid && options->websocket;
  c->ping = options->websocket ? options->ping : 0;
  c->linger = options->linger;
  c->linger_until = STOMP_NEVER;
  c->refused_until = STOMP_NEVER;
  c->upgraded = !options->websocket;
  stomp_buffer_init(&c->out, memory,
                    c->limits.outbox + HEADROOM +
                      stomp_websocket_framing(c->limits.outbox));
  c->session = stomp_session_new(&options->session, sink, error);
  if (!c->session ||
      (options->websocket && prepare_websocket(c, options, error) < 0)) {
    stomp_connection_free(c);
    return NULL;
  }
  return c;
}

void stomp_connection_free(stomp_connection *c) {
  stomp_frame *frame;
  if (!c)
    return;
  while ((frame = stomp_connection_next(c)) != NULL)
    stomp_frame_free(frame);
  stomp_session_free(c->session);
  stomp_handshake_free(c->handshake);
  stomp_websocket_free(c->websocket);
  stomp_buffer_clear(&c->out);
  stomp_memory_free(c->memory, c, sizeof *c);
}

/* ---- The beginning ---- */

stomp_status stomp_connection_connect(stomp_connection *c, uint64_t now_ms) {
  stomp_status status;
  if (c->role != STOMP_CLIENT || c->started || c->ended)
    return STOMP_ISTATE;
  c->now = c->last_sent = now_ms;
  status = c->handshake ? stomp_handshake_start(c->handshake)
                        : stomp_session_connect(c->session, now_ms);
  c->started = status == STOMP_OK; /* without memory it may be tried again */
  return status;
}

stomp_status stomp_connection_accept(stomp_connection *c,
                                     const stomp_field *headers,
                                     size_t n_headers, uint64_t now_ms) {
  c->now = now_ms;
  return stomp_session_accept(c->session, headers, n_headers, now_ms);
}

/* ---- The way down ---- */

void stomp_connection_say_close(stomp_connection *c, uint16_t code,
                                const char *reason) {
  stomp_span text = { (const uint8_t *)reason, strlen(reason) };
  if (!c->websocket || !c->upgraded) {
    c->ended = true;
    return;
  }
  if (c->ended || c->linger_until != STOMP_NEVER)
    return;
  c->linger_until = c->now + c->linger;
  if (stomp_websocket_close(c->websocket, code, text) != STOMP_OK)
    c->ended = true;
}

/* RFC 6455, 7.4.1: a limit, what the peer said, or what is our own fault. */
static uint16_t code_of(stomp_status status) {
  const char *kind = stomp_status_kind(status);
  if (strcmp(kind, "limit") == 0)
    return 1009;
  return strcmp(kind, "protocol") == 0 ? 1002 : 1011;
}

stomp_status stomp_connection_break(stomp_connection *c,
                                    const stomp_error *error) {
  stomp_session_fail(c->session, error);
  stomp_connection_say_close(c, code_of(error->status),
                             stomp_status_sentence(error->status));
  c->ended = true;
  return error->status;
}

void stomp_connection_follow(stomp_connection *c) {
  if (stomp_session_state(c->session) == STOMP_STATE_CLOSED)
    stomp_connection_say_close(c, 1000, "");
}

stomp_status stomp_connection_refuse(stomp_connection *c, stomp_span message,
                                     stomp_span body) {
  stomp_status status = stomp_session_refuse(c->session, message, body);
  if (status == STOMP_OK)
    stomp_connection_follow(c);
  return status;
}

void stomp_connection_close(stomp_connection *c, uint64_t now_ms) {
  c->now = now_ms;
  stomp_session_end(c->session);
  stomp_connection_say_close(c, 1000, "");
}

bool stomp_connection_wants_end(const stomp_connection *c) {
  return c->ended ||
         (c->websocket && stomp_websocket_close_sent(c->websocket) &&
          stomp_websocket_close_received(c->websocket));
}

stomp_status stomp_connection_closed(stomp_connection *c, uint16_t code,
                                     stomp_span reason, bool *no_receipt) {
  c->ended = true;
  if (!c->upgraded && stomp_session_state(c->session) != STOMP_STATE_CLOSED) {
    (void)!stomp_handshake_ended(c->handshake); /* it always is a failure */
    stomp_session_fail(c->session, stomp_handshake_error(c->handshake));
  }
  if (code == 0 && c->websocket)
    code = 1006; /* RFC 6455, 7.1.5: no close frame came */
  return stomp_session_closed(c->session, code, reason, no_receipt);
}

/* ---- Frames in ---- */

stomp_status stomp_connection_send(stomp_connection *c,
                                   const stomp_outgoing *frame,
                                   stomp_error *error) {
  stomp_status status = stomp_session_send(c->session, frame, error);
  if (status == STOMP_OK && c->role == STOMP_SERVER)
    stomp_connection_follow(c); /* after ERROR */
  return status;
}

stomp_status stomp_connection_ack(stomp_connection *c, stomp_frame *message,
                                  bool nack, const stomp_field *headers,
                                  size_t n_headers, stomp_error *error) {
  return stomp_session_ack(c->session, message, nack, headers, n_headers,
                           error);
}

stomp_status stomp_connection_disconnect(stomp_connection *c, uint64_t now_ms,
                                         const char **receipt,
                                         stomp_error *error) {
  stomp_state state = stomp_session_state(c->session);
  stomp_error_clear(error);
  c->now = now_ms;
  *receipt = NULL;
  if (state == STOMP_STATE_IDLE || state == STOMP_STATE_CONNECTING) {
    stomp_connection_close(c, now_ms);
    return STOMP_OK;
  }
  return stomp_session_disconnect(c->session, now_ms, receipt, error);
}

/* ---- Bytes out ---- */

stomp_span stomp_connection_output(stomp_connection *c) {
  return stomp_buffer_span(&c->out);
}

void stomp_connection_consume(stomp_connection *c, size_t len) {
  c->counts.bytes_sent += len;
  stomp_buffer_consume(&c->out, len);
  if (c->websocket)
    stomp_websocket_answer(c->websocket);
}

void stomp_connection_take_output(stomp_connection *c, stomp_buffer *to) {
  stomp_buffer taken = c->out;
  c->counts.bytes_sent += stomp_buffer_len(&taken);
  to->cap = taken.cap;
  c->out = *to;
  *to = taken;
  if (c->websocket)
    stomp_websocket_answer(c->websocket);
}

/* ---- Time ---- */

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static bool may_ping(const stomp_connection *c) {
  return c->ping && c->upgraded && c->linger_until == STOMP_NEVER;
}

uint64_t stomp_connection_deadline(const stomp_connection *c) {
  uint64_t at = stomp_session_deadline(c->session);
  if (c->ended)
    return STOMP_NEVER;
  if (may_ping(c))
    at = earlier(at, c->last_sent + c->ping);
  return earlier(at, earlier(c->linger_until, c->refused_until));
}

/* Brokers drop a client that sends nothing for a minute, whatever the
 * heart-beats say. A ping that does not fit is not needed. */
static void send_ping(stomp_connection *c) {
  uint64_t now = c->now;
  stomp_span payload = { (const uint8_t *)&now, sizeof now };
  c->last_sent = now;
  if (stomp_websocket_send(c->websocket, STOMP_WEBSOCKET_PING, payload) ==
        STOMP_OK &&
      !c->ping_at)
    c->ping_at = now;
}

stomp_status stomp_connection_tick(stomp_connection *c, uint64_t now_ms) {
  stomp_status status;
  c->now = now_ms;
  if (c->ended)
    return STOMP_OK;
  if (now_ms >= c->refused_until) {
    c->ended = true;
    status = stomp_handshake_ended(c->handshake);
    stomp_session_fail(c->session, stomp_handshake_error(c->handshake));
    return status;
  }
  status =
    stomp_session_tick(c->session, now_ms, stomp_buffer_len(&c->out) == 0);
  if (status < 0) {
    /* no closing handshake with a dead peer */
    c->ended = true;
    return status;
  }
  if (may_ping(c) && now_ms >= c->last_sent + c->ping)
    send_ping(c);
  if (now_ms >= c->linger_until)
    c->ended = true;
  return STOMP_OK;
}

void stomp_connection_pause(stomp_connection *c, uint64_t now_ms) {
  c->now = now_ms;
  stomp_session_pause(c->session);
}

void stomp_connection_resume(stomp_connection *c, uint64_t now_ms) {
  c->now = now_ms;
  stomp_session_resume(c->session, now_ms);
}

void stomp_connection_fail(stomp_connection *c, const stomp_error *error) {
  stomp_session_fail(c->session, error);
  c->ended = true;
}

/* ---- Questions ---- */

stomp_state stomp_connection_state(const stomp_connection *c) {
  stomp_state state = stomp_session_state(c->session);
  return state == STOMP_STATE_IDLE && c->started ? STOMP_STATE_CONNECTING
                                                 : state;
}

const stomp_error *stomp_connection_error(const stomp_connection *c) {
  return stomp_session_error(c->session);
}

const stomp_session *stomp_connection_session(const stomp_connection *c) {
  return c->session;
}

const stomp_handshake *stomp_connection_handshake(const stomp_connection *c) {
  return c->handshake;
}

bool stomp_connection_is_compressed(const stomp_connection *c) {
  return c->websocket && stomp_websocket_is_compressed(c->websocket);
}

stomp_span stomp_connection_close_reason(const stomp_connection *c) {
  return (stomp_span){ (const uint8_t *)c->close_reason, c->close_reason_len };
}

bool stomp_connection_take_warning(stomp_connection *c, stomp_error *what) {
  if (c->warning.status == STOMP_OK)
    return false;
  *what = c->warning;
  stomp_error_clear(&c->warning);
  return true;
}

const stomp_connection_counts *
stomp_connection_counts_of(const stomp_connection *c) {
  return &c->counts;
}
