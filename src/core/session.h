/* SPDX-License-Identifier: MIT
 *
 * The STOMP conversation, client or server side: what may be sent in which
 * state, what is awaited, version and heart-beat negotiation, receipts,
 * acknowledgements, the way down. Bytes in, frames out; frames in, bytes out
 * through the sink; the time is an argument (ms, monotonic). It does not know
 * what carries the bytes. Knows parser, encoder, heartbeat, map and sink. */
#ifndef STOMP_SESSION_H
#define STOMP_SESSION_H

#include "encoder.h"
#include "heartbeat.h"
#include "limits.h"
#include "parser.h"
#include "random.h"
#include "sink.h"

typedef enum stomp_role { STOMP_CLIENT = 0, STOMP_SERVER = 1 } stomp_role;

#define STOMP_STATES(X)                                                        \
  X(IDLE, "idle")                                                              \
  X(CONNECTING, "connecting")                                                  \
  X(CONNECTED, "connected")                                                    \
  X(DISCONNECTING, "disconnecting")                                            \
  X(CLOSED, "closed")

typedef enum stomp_state {
#define STOMP_X(name, text) STOMP_STATE_##name,
  STOMP_STATES(STOMP_X)
#undef STOMP_X
    STOMP_STATE_COUNT
} stomp_state;

const char *stomp_state_name(stomp_state state); /* "idle" … */

/* All pointers are borrowed during stomp_session_new only, memory and random
 * for the session's life. */
typedef struct stomp_session_options {
  stomp_role role;
  const stomp_memory *memory;
  const stomp_random *random;
  stomp_limits limits;
  bool versions[4];      /* by stomp_version: which are offered or accepted */
  uint64_t heartbeat[2]; /* ms: we send, we want to receive; 0 is off; at most
                          * STOMP_HEARTBEAT_MAX */
  uint32_t slack[2];     /* margin and grace in thousandths of the interval */
  bool escape_connect;
  const stomp_field *connect; /* headers of CONNECT: host, login, passcode … */
  size_t n_connect;
} stomp_session_options;

/* Defaults of all but role, memory, random: 1.0 to 1.2, 10 s each way, 200 and
 * 1000 thousandths, no headers. */
void stomp_session_defaults(stomp_session_options *options);

typedef struct stomp_session stomp_session;

/* A new session, owned by the caller. Everything is copied but memory, random
 * and the sink's user. NULL with *error: no memory, no random bytes, or a CONNECT
 * header (heart-beat too) that cannot be sent: its name is in the detail. */
stomp_session *stomp_session_new(const stomp_session_options *options,
                                 stomp_sink sink, stomp_error *error);
void stomp_session_free(stomp_session *s); /* NULL is fine */

/* Client: queue CONNECT (STOMP 1.2, "Connecting"). STOMP_ISTATE unless idle;
 * STOMP_ENOMEM and what the sink says: nothing was queued, ask again. */
STOMP_CHECKED stomp_status stomp_session_connect(stomp_session *s,
                                                 uint64_t now_ms);

/* Server: answer the CONNECT that came out of `next` by CONNECTED with these
 * further headers (version and heart-beat are the session's); or end the session
 * at any time by ERROR with a message and a body (STOMP 1.2, "CONNECTED Frame",
 * "ERROR"). All are borrowed during the call. STOMP_ISTATE; STOMP_ENOMEM;
 * STOMP_IHEADER …: what cannot be sent; nothing was sent then. */
STOMP_CHECKED stomp_status stomp_session_accept(stomp_session *s,
                                                const stomp_field *headers,
                                                size_t n_headers,
                                                uint64_t now_ms);
STOMP_CHECKED stomp_status stomp_session_refuse(stomp_session *s,
                                                stomp_span message,
                                                stomp_span body);

/* Take bytes off the front of `in` until there is a frame that the owner must
 * see (client: CONNECTED MESSAGE RECEIPT ERROR; server: the client's).
 *   STOMP_FRAME  *frame is the caller's (owned)
 *   STOMP_MORE   `in` is used up
 *   < 0          failed for good, see stomp_session_error; a server has told
 *                the client by an ERROR in the sink
 * After an ERROR frame the session is closed, and what follows is ignored; but
 * for RabbitMQ's "Subscription not found", see session_receive.c. */
STOMP_CHECKED stomp_status stomp_session_next(stomp_session *s, stomp_span *in,
                                              uint64_t now_ms,
                                              stomp_frame **frame);

/* Queue a frame (borrowed during the call). STOMP_OK; STOMP_FULL: no room in the
 * outbox, nothing queued; kind `invalid`, `closed` or `limit`: this state, version
 * or content does not allow it, nothing was queued, `error` says why; the session
 * lives on. */
STOMP_CHECKED stomp_status stomp_session_send(stomp_session *s,
                                              const stomp_outgoing *frame,
                                              stomp_error *error);

/* Queue the ACK (or NACK) of a MESSAGE of this session as the version wants it
 * (1.0 message-id; 1.1 and subscription; 1.2 id = its ack header), with these
 * further headers (at most 4: transaction, receipt …). In a transaction the
 * MESSAGE is settled by COMMIT, and open again after ABORT. Results as of send;
 * IACKAUTO, IACKTWICE, IACKNONE, CACKOLD, IUNKNOWN; nothing was settled then. */
STOMP_CHECKED stomp_status stomp_session_ack(stomp_session *s,
                                             stomp_frame *message, bool nack,
                                             const stomp_field *headers,
                                             size_t n_headers,
                                             stomp_error *error);

/* Client: queue DISCONNECT with a receipt, whose id (NUL-terminated, borrowed
 * until the session is freed) is *receipt (STOMP 1.2, "DISCONNECT"). Nothing can
 * be sent after it; MESSAGEs still come until the RECEIPT. Results as of send. */
STOMP_CHECKED stomp_status stomp_session_disconnect(stomp_session *s,
                                                    uint64_t now_ms,
                                                    const char **receipt,
                                                    stomp_error *error);

/* When tick must be called at the latest (ms), STOMP_NEVER: not at all. */
uint64_t stomp_session_deadline(const stomp_session *s);

/* Do what is due: a beat into the sink (none while `idle_output` is false: the
 * last bytes did not get away yet), or HLOST. < 0: final. */
STOMP_CHECKED stomp_status stomp_session_tick(stomp_session *s, uint64_t now_ms,
                                              bool idle_output);

/* Bytes came (any octet is activity; also those that are not STOMP's). */
void stomp_session_alive(stomp_session *s, uint64_t now_ms);
/* The owner stops / starts reading: the peer's deadline stands still. */
void stomp_session_pause(stomp_session *s);
void stomp_session_resume(stomp_session *s, uint64_t now_ms);

/* The bytes have ended without a failure of the session's own. `close_code` is
 * the WebSocket code (0: none; bare STOMP), `reason` its text.
 *   STOMP_OK   a clean end; *no_receipt tells that DISCONNECT was answered by
 *              the end alone
 *   < 0        an unclean one, see stomp_session_error */
STOMP_CHECKED stomp_status stomp_session_closed(stomp_session *s,
                                                uint16_t close_code,
                                                stomp_span reason,
                                                bool *no_receipt);

/* End it with this error, unless it has ended: whatever made it is final. */
void stomp_session_fail(stomp_session *s, const stomp_error *error);

/* The owner ends it without DISCONNECT: a clean end, nothing can be sent any
 * more. Nothing happens when it has ended already. */
void stomp_session_end(stomp_session *s);

/* A frame that cannot be read ended; go on with the next (on_invalid_frame =
 * "ignore"): false where the failure is none of the parser's, and on a server,
 * which has sent its ERROR (STOMP 1.2, "ERROR"). */
bool stomp_session_forgive(stomp_session *s, stomp_error *what);
/* So many bytes are thrown away after that, not read: offsets count them. */
void stomp_session_skip(stomp_session *s, size_t len);

/* What is returned by pointer below is borrowed until the session is freed. The
 * version is STOMP_UNSETTLED before CONNECTED; an error's status STOMP_OK where
 * there is none. */
stomp_state stomp_session_state(const stomp_session *s);
stomp_version stomp_session_version(const stomp_session *s);
const stomp_heartbeat *stomp_session_heartbeat(const stomp_session *s);
size_t stomp_session_receipts(const stomp_session *s); /* outstanding */
const stomp_error *stomp_session_error(const stomp_session *s);
/* Closed, and DISCONNECT was answered by the end alone. */
bool stomp_session_no_receipt(const stomp_session *s);

/* The `i`-th of the last frames sent, newest first: command, destination (or
 * id) cut at 64 bytes; false when there is none. Borrowed until the next
 * call. For people who ask why a connection ended. */
bool stomp_session_after(const stomp_session *s, size_t i,
                         stomp_command *command, const char **destination);

typedef struct stomp_session_counts {
  uint64_t frames_sent, frames_received, messages;
  uint64_t heartbeats_sent, heartbeats_received;
  uint64_t unknown_receipts; /* RECEIPTs that nobody asked for */
} stomp_session_counts;
const stomp_session_counts *stomp_session_counts_of(const stomp_session *s);

#endif
