/* SPDX-License-Identifier: MIT
 *
 * Base64 (RFC 4648, 4), with padding. Knows nothing. */
#ifndef STOMP_BASE64_H
#define STOMP_BASE64_H

#include <stddef.h>

/* Characters that `len` bytes become. */
#define STOMP_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Write them to `to` (STOMP_BASE64_LEN(len) characters, no NUL). */
void stomp_base64(char *to, const void *bytes, size_t len);

#endif
