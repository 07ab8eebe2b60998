/* SPDX-License-Identifier: MIT
 *
 * The inside of a session, for its own files: session.c (life, time, end),
 * session_send.c, session_ack.c, session_receive.c. */
#ifndef STOMP_SESSION_PRIVATE_H
#define STOMP_SESSION_PRIVATE_H

#include "acks.h"
#include "session.h"

/* How many of the last frames sent are remembered, and how much of each
 * destination (bytes, its NUL included). */
#define STOMP_AFTER_COUNT 4
#define STOMP_AFTER_SIZE  65

/* The receipt of our DISCONNECT. */
#define STOMP_DISCONNECT_RECEIPT "stomp-disconnect"

struct stomp_session {
  /* fixed after new */
  stomp_role role;
  const stomp_memory *memory;
  stomp_sink sink;
  stomp_limits limits;
  bool versions[4];
  uint64_t offer[2]; /* heart-beats that we offer, ms */
  uint32_t slack[2];
  bool escape_connect;
  bool connect_has_backslash; /* see the hint in session.c */
  uint64_t serial;
  uint8_t *connect_bytes; /* client: the whole CONNECT frame, owned */
  size_t connect_len;

  stomp_parser *parser;
  stomp_state state;
  stomp_state state_before; /* the failure; see stomp_session_forgive */
  stomp_version version;
  stomp_heartbeat heartbeat;
  uint64_t theirs[2]; /* server: what the CONNECT offered */
  bool just_ends;     /* the server does so after DISCONNECT, see session.c */
  bool no_receipt;    /* CLOSED, and that answered DISCONNECT by itself */
  stomp_error error;  /* final; CLOSED with STOMP_OK: a clean end */

  stomp_map receipts; /* id -> nothing */
  stomp_subscriptions subscriptions;
  stomp_map transactions; /* id -> value[0]: serial number */
  stomp_acks acks;
  uint64_t sequence;      /* of the last MESSAGE */
  uint64_t n_transaction; /* serial number of the last one */

  struct {
    stomp_command command;
    char text[STOMP_AFTER_SIZE];
  } after[STOMP_AFTER_COUNT];
  size_t n_after; /* sent in all; the newest is at (n_after - 1) % COUNT */
  stomp_session_counts counts;
};

/* End it: closed, with this failure; returns its status. */
stomp_status stomp_session_end_with(stomp_session *s, stomp_status status,
                                    uint64_t offset);

/* Texts of accept-version and heart-beat: at most 11 and 41 characters, no NUL;
 * how many were written. */
size_t stomp_session_versions_text(char *to, const bool versions[4]);
size_t stomp_session_heartbeat_text(char *to, const uint64_t beats[2]);

/* Form a refusal: `what` is a literal, `name` the offending one. Returns
 * `status`. */
stomp_status stomp_session_refusal(stomp_error *error, stomp_status status,
                                   const char *what, stomp_span name);

/* Encode a frame that was found legal into the sink. */
STOMP_CHECKED stomp_status stomp_session_write(stomp_session *s,
                                               const stomp_outgoing *frame,
                                               bool urgent, stomp_error *error);

#endif
