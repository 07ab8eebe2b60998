/* SPDX-License-Identifier: MIT
 *
 * Header names and values on the wire (STOMP 1.2, "Value Encoding"): 1.0 has no
 * escapes, 1.1 has \n \c \\, 1.2 has \r too; CONNECT and CONNECTED are escaped
 * in no version. Knows frame. */
#ifndef STOMP_ESCAPE_H
#define STOMP_ESCAPE_H

#include "frame.h"

/* Blanks round names and values are padding at 1.0 (its examples have some). */
static inline bool stomp_is_blank(uint8_t c) {
  return c == ' ' || c == '\t';
}

/* Undo the escapes of `len` bytes in place.
 * Returns the new length (never more than `len`), or SIZE_MAX with *bad_at the
 * index of the backslash that begins an undefined escape. \r is read at 1.1 as
 * well (RabbitMQ sends it); STOMP_UNSETTLED leaves undefined escapes alone. */
size_t stomp_unescape(uint8_t *bytes, size_t len, stomp_version version,
                      size_t *bad_at);

/* Bytes that `len` bytes will have when escaped: `len` + one for each octet
 * that needs it. */
size_t stomp_escaped_len(const char *bytes, size_t len);

/* Write them escaped to `to` (of stomp_escaped_len bytes); returns how many
 * were written. */
size_t stomp_escape(uint8_t *to, const char *bytes, size_t len);

#endif
