/* SPDX-License-Identifier: MIT
 *
 * SHA-1 (FIPS 180-4) of short inputs, for Sec-WebSocket-Accept and nothing
 * else: it is no protection against anybody. Knows nothing. */
#ifndef STOMP_SHA1_H
#define STOMP_SHA1_H

#include <stddef.h>
#include <stdint.h>

/* The digest of `len` bytes. */
void stomp_sha1(const void *bytes, size_t len, uint8_t digest[20]);

#endif
