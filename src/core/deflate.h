/* SPDX-License-Identifier: MIT
 *
 * permessage-deflate (RFC 7692) without its framing and its negotiation: the
 * compressed payload of a message -> its octets, piece by piece, so that whoever
 * counts them can stop; a message -> its compressed payload. The only file that
 * knows zlib, whose memory is ours. Built with STOMP_NO_DEFLATE it can nothing,
 * and says so. Knows buffer. */
#ifndef STOMP_DEFLATE_H
#define STOMP_DEFLATE_H

#include "buffer.h"
#include <stdbool.h>

/* What both sides agreed on (RFC 7692, 7.1). Window bits are 8 to 15. */
typedef struct stomp_deflate_terms {
  bool server_no_context_takeover, client_no_context_takeover;
  unsigned server_max_window_bits, client_max_window_bits;
} stomp_deflate_terms;

#define STOMP_DEFLATE_TERMS                                                    \
  { .server_max_window_bits = 15, .client_max_window_bits = 15 }

/* Shorter messages are not worth it. */
#define STOMP_DEFLATE_LEAST 64

/* Whether this build has zlib. */
bool stomp_deflate_is_built_in(void);

typedef struct stomp_deflate stomp_deflate;

/* `server`: our role. STOMP_OK with *d; STOMP_ENOMEM; STOMP_WNOZLIB. What
 * receiving needs is allocated here (about 40 KiB), so that it
 * cannot run out of memory later; what sending needs (about 260 KiB), when the
 * first message is compressed. */
STOMP_CHECKED stomp_status stomp_deflate_new(stomp_deflate **d,
                                             const stomp_deflate_terms *terms,
                                             bool server,
                                             const stomp_memory *memory);
void stomp_deflate_free(stomp_deflate *d); /* NULL is fine */

/* A compressed message begins to arrive. */
void stomp_deflate_start(stomp_deflate *d);

/* Take octets of its payload off the front of `in`, and put what they inflate to
 * into `to`, which has room for *len > 0 octets; *len becomes how many came.
 * `last`: the message ends where `in` does.
 *   STOMP_MORE   `in` is used up, and it was not the last
 *   STOMP_FULL   `to` is full; ask again, even without input
 *   STOMP_OK     the message is complete
 *   < 0          STOMP_WINFLATE: corrupt at the octets just taken; *len octets
 *                before it are fine; said again when asked again. STOMP_ENOMEM */
STOMP_CHECKED stomp_status stomp_deflate_inflate(stomp_deflate *d,
                                                 stomp_span *in, bool last,
                                                 uint8_t *to, size_t *len);
/* What is wrong with the data, in zlib's words, a constant; and whether that is
 * only that the message ends where its data do not. */
const char *stomp_deflate_complaint(const stomp_deflate *d);
bool stomp_deflate_ends_early(const stomp_deflate *d);

/* The payload that a message compresses to: borrowed until the next call; then
 * stomp_deflate_packed gives its memory back. Empty: it goes out as it is, since
 * it is short, or would not get shorter, or memory ran out. `d` may compress the
 * next one all the same. */
stomp_span stomp_deflate_pack(stomp_deflate *d, stomp_span message);
void stomp_deflate_packed(stomp_deflate *d);

#endif
