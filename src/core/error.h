/* SPDX-License-Identifier: MIT
 *
 * Statuses and errors. One list, in which each failure has a stable name, the
 * kind that a Lua program sees as err.kind, and a sentence. An error is a plain
 * value: forming one neither allocates nor formats, so it cannot fail.
 * Knows nothing. */
#ifndef STOMP_ERROR_H
#define STOMP_ERROR_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define STOMP_CHECKED __attribute__((warn_unused_result))
#else
#define STOMP_CHECKED
#endif

/* X(name, kind, sentence): kinds are the closed list of docs/errors.md;
 * `memory` alone is raised in Lua ("not enough memory"). */
#define STOMP_FAILURES(X)                                                      \
  X(ENOMEM, "memory", "not enough memory")                                     \
  X(ERANDOM, "connect", "the source of random bytes failed")                   \
  /* STOMP, what the peer sent */                                              \
  X(ECOMMAND, "protocol", "unknown command")                                   \
  X(EHEADER, "protocol", "header line without a colon")                        \
  X(ENAME, "protocol", "header with an empty name")                            \
  X(EESCAPE, "protocol", "undefined escape in a header")                       \
  X(ECR, "protocol", "carriage return inside a line")                          \
  X(ELENGTH, "protocol", "content-length is not a number")                     \
  X(ELENGTHS, "protocol", "two different content-length headers")              \
  X(EBODYEND, "protocol", "no NUL after the body that content-length gives")   \
  X(EHEADNUL, "protocol", "NUL inside the headers")                            \
  X(EUNEXPECTED, "protocol", "frame out of turn")                              \
  X(EVERSION, "protocol", "protocol version that was not offered")             \
  X(EHEARTBEAT, "protocol", "heart-beat header is not two numbers")            \
  X(EREQUIRED, "protocol", "required header is missing")                       \
  X(EINCOMPLETE, "closed", "the connection ended inside a frame")              \
  /* STOMP, limits */                                                          \
  X(LFRAME, "limit", "frame larger than limits.frame")                         \
  X(LHEADERS, "limit", "header block larger than limits.headers")              \
  X(LLINE, "limit", "header line longer than limits.header_line")              \
  X(LCOUNT, "limit", "more headers than limits.header_count")                  \
  X(LRECEIPTS, "limit", "more receipts outstanding than limits.receipts")      \
  X(LOUTBOX, "limit", "frame larger than limits.outbox")                       \
  X(LTABLE, "limit", "more subscriptions or transactions than limits.table")   \
  /* STOMP, what we were asked to send; nothing was sent */                    \
  X(ISTATE, "invalid", "this frame may not be sent now")                       \
  X(IVERSION, "invalid", "not possible in the negotiated version")             \
  X(ICOMMAND, "invalid", "no STOMP command")                                   \
  X(IHEADER, "invalid", "header cannot be sent")                               \
  X(IBODY, "invalid", "this frame may not have a body")                        \
  X(IBINARY, "invalid",                                                        \
    "not UTF-8, and ActiveMQ ignores binary messages: send it as base64")      \
  X(ILENGTH, "invalid", "content-length does not fit the body")                \
  X(IREQUIRED, "invalid", "required header is missing")                        \
  X(IDUPLICATE, "invalid", "already in use")                                   \
  X(IUNKNOWN, "invalid", "no such subscription or transaction")                \
  X(IACKAUTO, "invalid", "ack mode is auto: nothing to acknowledge")           \
  X(IACKTWICE, "invalid", "this message is acknowledged already")              \
  X(IACKNONE, "invalid", "this message cannot be acknowledged")                \
  X(CACKOLD, "closed", "the message came on an earlier connection")            \
  /* STOMP, the way down */                                                    \
  X(BERROR, "broker", "the broker answered with ERROR")                        \
  X(HLOST, "heartbeat", "nothing came from the peer for too long")             \
  X(CCLOSED, "closed", "the connection is closed")                             \
  X(CPEER, "closed", "the peer closed the connection")                         \
  X(CEOF, "closed", "the connection was lost")                                 \
  /* the way to the peer */                                                    \
  X(CNAME, "connect", "the host's name cannot be resolved")                    \
  X(CCONNECT, "connect", "no connection")                                      \
  X(CTHREAD, "connect", "the I/O thread could not be started")                 \
  X(CLISTEN, "connect", "cannot listen there")                                 \
  X(CFORK, "closed", "opened before a fork, by the parent process")            \
  /* TLS */                                                                    \
  X(SOPTION, "tls", "a TLS option cannot be used")                             \
  X(SVERIFY, "tls", "the server's certificate was not accepted")               \
  X(SPEER, "tls", "the peer ended the TLS handshake")                          \
  X(SFAIL, "tls", "TLS failed")                                                \
  /* WebSocket (RFC 6455) */                                                   \
  X(WRESERVED, "protocol", "WebSocket: reserved bit set")                      \
  X(WOPCODE, "protocol", "WebSocket: unknown opcode")                          \
  X(WMASK, "protocol", "WebSocket: masked the wrong way")                      \
  X(WLENGTH, "protocol", "WebSocket: length not in its shortest form")         \
  X(WCONTROL, "protocol", "WebSocket: control frame too long or fragmented")   \
  X(WFRAGMENT, "protocol", "WebSocket: fragment out of turn")                  \
  X(WUTF8, "protocol", "WebSocket: text is not UTF-8")                         \
  X(WCLOSE, "protocol", "WebSocket: bad close code or reason")                 \
  X(WLIMIT, "limit", "WebSocket: message larger than the limit")               \
  X(WINFLATE, "protocol", "WebSocket: compressed data is corrupt")             \
  X(WRATIO, "limit", "WebSocket: message inflates to too much")                \
  X(WNOZLIB, "invalid", "compression is not built in (it was built ZLIB=no)")  \
  X(WSTATE, "invalid", "WebSocket: already closing")                           \
  X(WINVALID, "invalid", "WebSocket: this cannot be sent")                     \
  /* the upgrade (RFC 6455, 4) */                                              \
  X(UREFUSED, "upgrade", "the server refused the WebSocket upgrade")           \
  X(UGARBAGE, "upgrade", "the answer to the upgrade is not HTTP")              \
  X(UHEADER, "upgrade", "malformed header in the upgrade")                     \
  X(UUPGRADE, "upgrade", "the answer does not upgrade to websocket")           \
  X(UACCEPT, "upgrade", "wrong Sec-WebSocket-Accept")                          \
  X(UPROTOCOL, "upgrade", "subprotocol that was not offered")                  \
  X(UEXTENSION, "upgrade", "extension that was not offered")                   \
  X(UDEFLATE, "upgrade", "permessage-deflate agreed on in a wrong way")        \
  X(UREQUEST, "upgrade", "not a WebSocket upgrade request")                    \
  X(UPROXY, "connect", "the proxy refused the tunnel")                         \
  X(ULIMIT, "limit", "the answer to the upgrade is too long")                  \
  X(UINVALID, "invalid", "this cannot be part of an upgrade request")          \
  X(UEOF, "upgrade", "the connection ended during the upgrade")

typedef enum stomp_failure_index {
#define STOMP_X(name, kind, sentence) STOMP_INDEX_##name,
  STOMP_FAILURES(STOMP_X)
#undef STOMP_X
    STOMP_FAILURE_COUNT
} stomp_failure_index;

/* 0 is fine, > 0 an outcome, < 0 a failure. */
typedef enum stomp_status {
#define STOMP_X(name, kind, sentence) STOMP_##name = -1 - STOMP_INDEX_##name,
  STOMP_FAILURES(STOMP_X)
#undef STOMP_X
    STOMP_OK = 0,
  STOMP_MORE = 1,      /* all input is used up, nothing is complete */
  STOMP_FRAME = 2,     /* a frame is complete */
  STOMP_HEARTBEAT = 3, /* an end of line between frames */
  STOMP_FULL = 4       /* no room now; nothing was queued; wait and ask again */
} stomp_status;

/* Bytes of `detail`, its NUL included. */
#define STOMP_DETAIL_SIZE 192

typedef struct stomp_error {
  stomp_status status;  /* STOMP_OK: there is no error */
  uint64_t offset;      /* bytes before the offending octet, from the first one
                         * fed; STOMP_NO_OFFSET where it means nothing */
  uint16_t close_code;  /* WebSocket close code seen from the peer, 0: none */
  uint16_t http_status; /* status of a refused upgrade, 0: none */
  char detail[STOMP_DETAIL_SIZE]; /* the offending thing, for people; ends in
                                   * NUL; control characters become '?' */
} stomp_error;

#define STOMP_NO_OFFSET UINT64_MAX

/* No error. */
void stomp_error_clear(stomp_error *error);

/* Set status and offset and empty the rest; returns `status`. */
stomp_status stomp_error_set(stomp_error *error, stomp_status status,
                             uint64_t offset);

/* Append to the detail, cut where it is full. `text` ends in NUL; the bytes
 * form takes anything and makes it printable. */
void stomp_error_add(stomp_error *error, const char *text);
void stomp_error_add_bytes(stomp_error *error, const void *bytes, size_t len);
void stomp_error_add_number(stomp_error *error, uint64_t number);

/* Of a failure (< 0): its stable name ("EESCAPE"), its kind ("protocol"), its
 * sentence. Constants. */
const char *stomp_status_name(stomp_status status);
const char *stomp_status_kind(stomp_status status);
const char *stomp_status_sentence(stomp_status status);

#endif
