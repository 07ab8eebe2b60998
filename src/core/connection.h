/* SPDX-License-Identifier: MIT
 *
 * The whole protocol as one machine: upgrade, then WebSocket, then STOMP; or
 * bare STOMP. Bytes in -> frames out, frames in -> bytes out; time, randomness
 * and memory are arguments. The I/O thread, OpenResty, the simulation and the
 * fuzzers all drive this object, so behaviour cannot differ between hosts.
 * It alone decides close codes, answers pings and says how an end is to be
 * read. The only file that knows session, websocket and handshake. Not safe
 * for two threads at once: who shares it, locks it. */
#ifndef STOMP_CONNECTION_H
#define STOMP_CONNECTION_H

#include "handshake.h"
#include "session.h"
#include "websocket.h"

typedef enum stomp_binary {
  STOMP_BINARY_AUTO = 0, /* text where the whole frame is UTF-8 */
  STOMP_BINARY_ALWAYS = 1,
  STOMP_BINARY_NEVER = 2,
  STOMP_BINARY_REFUSED = 3 /* as AUTO, but no frame that is no UTF-8: what AUTO
                            * becomes with a broker that drops binary messages */
} stomp_binary;

typedef struct stomp_connection_options {
  stomp_session_options session; /* role, memory, random and limits for all */
  bool websocket;                /* false: bare STOMP */
  const char *host;              /* client: Host header; NUL-ended */
  const char *path;              /* client */
  const stomp_field *upgrade_headers;
  size_t n_upgrade_headers;
  const char *proxy_target; /* see handshake.h */
  const char *proxy_authorization;
  stomp_binary binary;
  bool ignore_invalid; /* on_invalid_frame = "ignore" */
  bool strict_utf8;
  bool compression; /* offer permessage-deflate, or accept it (RFC 7692) */
  uint64_t ping;    /* ms without a byte sent, then a WebSocket ping; 0: none */
  uint64_t linger;  /* ms that a closing handshake may take */
} stomp_connection_options;

/* Defaults: client, WebSocket, path "/", ping 20 s, linger 2 s. */
void stomp_connection_defaults(stomp_connection_options *options);

typedef struct stomp_connection stomp_connection;

/* A new connection, owned by the caller. Everything is copied but memory and
 * random (borrowed for life). NULL with
 * *error: no memory, or an option that cannot be sent. */
stomp_connection *stomp_connection_new(const stomp_connection_options *options,
                                       stomp_error *error);
void stomp_connection_free(stomp_connection *c); /* NULL is fine */

/* Client: queue the upgrade (CONNECT follows it by itself), or CONNECT.
 * STOMP_ISTATE when it has begun or ended; STOMP_ENOMEM, STOMP_FULL: nothing was
 * queued, ask again. */
STOMP_CHECKED stomp_status stomp_connection_connect(stomp_connection *c,
                                                    uint64_t now_ms);
/* Server: see session.h. Further headers, message and body are borrowed during
 * the call. */
STOMP_CHECKED stomp_status stomp_connection_accept(stomp_connection *c,
                                                   const stomp_field *headers,
                                                   size_t n_headers,
                                                   uint64_t now_ms);
STOMP_CHECKED stomp_status stomp_connection_refuse(stomp_connection *c,
                                                   stomp_span message,
                                                   stomp_span body);

/* Take bytes, cut anywhere; all of them are used before it returns, frames wait
 * for `next`. STOMP_OK, or < 0: failed for good; the frames before the failure
 * can still be taken. The bytes are borrowed during the call. */
STOMP_CHECKED stomp_status stomp_connection_feed(stomp_connection *c,
                                                 const void *bytes, size_t len,
                                                 uint64_t now_ms);

/* The next frame that the owner must see, owned by the caller; NULL: none now.
 * take_frames hands out the whole chain at once (linked by ->next), with the
 * sum of their sizes. */
stomp_frame *stomp_connection_next(stomp_connection *c);
stomp_frame *stomp_connection_take_frames(stomp_connection *c,
                                          stomp_frame **last, size_t *size);

/* Queue a frame, an ACK or NACK, DISCONNECT: see session.h. A client DISCONNECT
 * before CONNECTED closes at once. */
STOMP_CHECKED stomp_status stomp_connection_send(stomp_connection *c,
                                                 const stomp_outgoing *frame,
                                                 stomp_error *error);
STOMP_CHECKED stomp_status stomp_connection_ack(stomp_connection *c,
                                                stomp_frame *message, bool nack,
                                                const stomp_field *headers,
                                                size_t n_headers,
                                                stomp_error *error);
STOMP_CHECKED stomp_status stomp_connection_disconnect(stomp_connection *c,
                                                       uint64_t now_ms,
                                                       const char **receipt,
                                                       stomp_error *error);

/* Begin to end it without DISCONNECT: a close frame (1000) goes out, nothing
 * can be sent after it. Reading its own end as clean. May be called in any
 * state and twice. */
void stomp_connection_close(stomp_connection *c, uint64_t now_ms);

/* Bytes to write now: borrowed until the next call; then say how many of them
 * were written. take_output swaps the whole buffer with an empty one of the
 * caller's (same memory), so that a lock need not be held while writing. */
stomp_span stomp_connection_output(stomp_connection *c);
void stomp_connection_consume(stomp_connection *c, size_t len);
void stomp_connection_take_output(stomp_connection *c, stomp_buffer *to);

/* When `tick` is due at the latest (ms), STOMP_NEVER: not at all. */
uint64_t stomp_connection_deadline(const stomp_connection *c);
/* Do what is due: beats, pings into the output; < 0: HLOST or TCLOSE, final. */
STOMP_CHECKED stomp_status stomp_connection_tick(stomp_connection *c,
                                                 uint64_t now_ms);

/* The owner stops / starts reading. */
void stomp_connection_pause(stomp_connection *c, uint64_t now_ms);
void stomp_connection_resume(stomp_connection *c, uint64_t now_ms);

/* Whether the bytes should be ended now by the owner, once the output is
 * written: both close frames went over, or the session failed or is over. */
bool stomp_connection_wants_end(const stomp_connection *c);

/* The bytes have ended (or the owner ends them): how it is to be read.
 * STOMP_OK: clean (*no_receipt: the end itself was DISCONNECT's answer);
 * else stomp_connection_error says why. Says the same again when asked twice.
 * `code` and `reason` are of a close that the owner saw itself; 0 and none
 * where the framing is ours. */
STOMP_CHECKED stomp_status stomp_connection_closed(stomp_connection *c,
                                                   uint16_t code,
                                                   stomp_span reason,
                                                   bool *no_receipt);

/* It ends for a reason outside of it (no socket, TLS): as if `feed` had failed
 * with this error. Nothing happens when it has ended already. */
void stomp_connection_fail(stomp_connection *c, const stomp_error *error);

stomp_state stomp_connection_state(const stomp_connection *c);
/* What ended it; status STOMP_OK: nothing did. Borrowed for its life. */
const stomp_error *stomp_connection_error(const stomp_connection *c);
/* Borrowed for the connection's life; for version, heart-beat, receipts,
 * serial, after, counts. */
const stomp_session *stomp_connection_session(const stomp_connection *c);
/* NULL: bare STOMP. For status, headers and body of a refused upgrade. */
const stomp_handshake *stomp_connection_handshake(const stomp_connection *c);
/* Whether messages may be compressed: it was agreed on. */
bool stomp_connection_is_compressed(const stomp_connection *c);
/* Text of the peer's close frame; empty when none. Borrowed for life. */
stomp_span stomp_connection_close_reason(const stomp_connection *c);

/* Whether an invalid frame was ignored since the last call (ignore_invalid), and
 * *what was wrong with it (copied). */
bool stomp_connection_take_warning(stomp_connection *c, stomp_error *what);

typedef struct stomp_connection_counts {
  uint64_t bytes_sent, bytes_received; /* before TLS */
  uint64_t round_trip;                 /* ms of the last ping, 0: none */
} stomp_connection_counts;
/* Borrowed for the connection's life. */
const stomp_connection_counts *
stomp_connection_counts_of(const stomp_connection *c);

#endif
