/* SPDX-License-Identifier: MIT
 *
 * The inside of a connection, for its own files: connection.c (life, output,
 * time, the way down) and connection_feed.c (bytes in). */
#ifndef STOMP_CONNECTION_PRIVATE_H
#define STOMP_CONNECTION_PRIVATE_H

#include "connection.h"

struct stomp_connection {
  const stomp_memory *memory;
  stomp_limits limits;
  stomp_role role;
  stomp_binary binary;
  bool ignore_invalid;
  uint64_t ping, linger; /* ms */

  stomp_session *session;
  stomp_handshake *handshake; /* NULL: bare */
  stomp_websocket *websocket; /* NULL: bare */
  stomp_buffer out;
  stomp_frame *first, *last; /* frames that wait for the owner */
  size_t frames_size;

  bool started;  /* connect was called, or bytes came */
  bool upgraded; /* the handshake is over (bare: from birth) */
  bool skipping; /* the rest of this WebSocket message is of a bad frame */
  bool ended;    /* no bytes are wanted or sent any more */
  uint64_t now;  /* the latest time we were told */
  uint64_t last_sent;
  uint64_t ping_at; /* when the unanswered ping went out, 0: none */
  uint64_t
    refused_until;       /* a refusal's body is waited for; STOMP_NEVER: none */
  uint64_t linger_until; /* STOMP_NEVER: no closing handshake runs */
  uint16_t close_code;   /* of the peer's close frame, 0: none */
  char close_reason[124];
  size_t close_reason_len;
  stomp_error warning; /* status OK: none */
  uint8_t *message;    /* between the sink's begin and end */
  size_t message_len;
  bool message_plain; /* never compressed */
  stomp_connection_counts counts;
};

/* Say goodbye with this code, once, and wait for the peer's at most `linger`. A
 * close frame that does not fit any more changes nothing: the end follows. */
void stomp_connection_say_close(stomp_connection *c, uint16_t code,
                                const char *reason);

/* After a failure nothing of the peer's is of interest any more: the close
 * frame is written, then the bytes end. Returns the error's status. */
stomp_status stomp_connection_break(stomp_connection *c,
                                    const stomp_error *error);

/* The session may have come to its end by itself (RECEIPT of DISCONNECT, or
 * ERROR): then say goodbye. */
void stomp_connection_follow(stomp_connection *c);

#endif
