/* SPDX-License-Identifier: MIT
 *
 * The HTTP upgrade to WebSocket, both roles (RFC 6455, 4), and the CONNECT of an
 * HTTP proxy before it (RFC 9110, 9.3.6). Bytes in, bytes out; no STOMP and no
 * framing. Knows buffer, sha1, base64 and what deflate can agree on. */
#ifndef STOMP_HANDSHAKE_H
#define STOMP_HANDSHAKE_H

#include "buffer.h"
#include "deflate.h"
#include "frame.h" /* stomp_field */
#include "random.h"
#include <stdbool.h>

#define STOMP_HANDSHAKE_PROTOCOL 64  /* bytes of a subprotocol and its NUL */
#define STOMP_HANDSHAKE_LINES    512 /* header lines of one head, at most */

typedef struct stomp_handshake_options {
  bool server;
  const char *host;         /* client: Host, "name" or "name:port"; NUL-ended */
  const char *path;         /* client: path and query, begins with '/' */
  const char *proxy_target; /* client: "name:port" to CONNECT to first, NULL:
                             * no proxy */
  const char *proxy_authorization; /* value of Proxy-Authorization or NULL */
  const stomp_field *headers;      /* client: more request headers */
  size_t n_headers;
  const char *const *protocols; /* offered, or taken, best first: tokens */
  size_t n_protocols;
  bool compression; /* offer permessage-deflate, or accept it (RFC 7692) */
  size_t limit;     /* bytes of one answer or request, all 1xx together */
  const stomp_memory *memory; /* borrowed for life */
  const stomp_random *random; /* borrowed for life: the key */
} stomp_handshake_options;

typedef struct stomp_handshake stomp_handshake;

/* A new one, owned by the caller. Everything is copied but memory and random.
 * Output goes to `out`, borrowed for life. NULL with *error: no memory, or a
 * host, path or header that would break the request (UINVALID with its name:
 * control characters, blanks in host or path, a header that the upgrade sets
 * itself). */
stomp_handshake *stomp_handshake_new(const stomp_handshake_options *options,
                                     stomp_buffer *out, stomp_error *error);
void stomp_handshake_free(stomp_handshake *h); /* NULL is fine */

/* Client: queue the request (the proxy's first). STOMP_ISTATE when it was queued
 * already; STOMP_ENOMEM, STOMP_LOUTBOX: nothing was. */
STOMP_CHECKED stomp_status stomp_handshake_start(stomp_handshake *h);

/* Take bytes off the front of `in`.
 *   STOMP_OK    upgraded; `in` begins with the first WebSocket byte; in the
 *               server role the 101 is in the output
 *   STOMP_MORE  `in` is used up
 *   < 0         refused or malformed, final: see error, status, headers, body;
 *               in the server role the refusal (400, 405, 426, 431, 505) is in
 *               the output where it fits
 * A refusal (status other than 101) is reported when its body is here as far
 * as the first KiB, Content-Length or the end, see stomp_handshake_ended. */
STOMP_CHECKED stomp_status stomp_handshake_next(stomp_handshake *h,
                                                stomp_span *in);

/* The bytes have ended inside the handshake: always a failure (< 0): UREFUSED
 * with what came of a refusal's body, UGARBAGE where what came is no HTTP, else
 * UEOF. */
STOMP_CHECKED stomp_status stomp_handshake_ended(stomp_handshake *h);

/* Client: whether a refusal is known and only more of its body is waited for,
 * which may never come: the owner sets a time, then calls ended. */
bool stomp_handshake_is_refused(const stomp_handshake *h);

/* What failed; status STOMP_OK: nothing. Borrowed for the object's life. */
const stomp_error *stomp_handshake_error(const stomp_handshake *h);

/* The subprotocol agreed on, "" when none. Borrowed for the object's life. */
const char *stomp_handshake_protocol(const stomp_handshake *h);

/* What was agreed on for permessage-deflate; NULL: no compression. Borrowed for
 * the object's life. */
const stomp_deflate_terms *stomp_handshake_deflate(const stomp_handshake *h);

/* Client: whether the bytes are still the proxy's, so that TLS must not begin. */
bool stomp_handshake_in_proxy(const stomp_handshake *h);

/* Status of the last answer (client), 0: none came. */
unsigned stomp_handshake_status(const stomp_handshake *h);
/* The headers of the last answer or of the request, one a call: *at is 0 for the
 * first one and moves on by itself; false: there is no other. Names are as they
 * came (compare without case). Borrowed for life. */
bool stomp_handshake_header(const stomp_handshake *h, size_t *at,
                            stomp_span *name, stomp_span *value);
/* First KiB of a refusal's body; borrowed for life. */
stomp_span stomp_handshake_body(const stomp_handshake *h);
/* Server: path and query of the request. */
stomp_span stomp_handshake_path(const stomp_handshake *h);

#endif
