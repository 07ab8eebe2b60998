/* SPDX-License-Identifier: MIT
 *
 * Small texts of HTTP/1.1 (RFC 9110, 5.6; RFC 9112) and of the upgrade: tokens,
 * comma lists, header values, the accept key. Knows buffer, sha1 and base64. */
#ifndef STOMP_HTTP_H
#define STOMP_HTTP_H

#include "buffer.h"
#include <stdbool.h>

#define STOMP_HTTP_KEY_LEN 24 /* base64 of 16 bytes */

bool stomp_http_is_token(uint8_t c); /* RFC 9110, 5.6.2 */

/* Equal but for the case of ASCII letters. */
bool stomp_http_is_same(stomp_span a, stomp_span b);
bool stomp_http_is_like(stomp_span span, const char *text);

/* Without blanks round it. */
stomp_span stomp_http_trimmed(stomp_span s);

/* Take the next item off a comma list; false: there is none. */
bool stomp_http_next_item(stomp_span *list, stomp_span *item);

/* No control characters (a tab where blanks may be), nor blanks unless allowed;
 * the first form tells how many octets are so. */
size_t stomp_http_clean(stomp_span s, bool blanks);
bool stomp_http_is_clean(const char *s, size_t len, bool blanks);

/* Append the NUL-ended text; false: no room or memory, nothing was appended. */
bool stomp_http_put(stomp_buffer *b, const char *text);

/* The answer that proves an upgrade of this key (STOMP_HTTP_KEY_LEN bytes):
 * 28 characters, no NUL (RFC 6455, 4.2.2). */
void stomp_http_accept(const uint8_t *key, char accept[28]);

#endif
