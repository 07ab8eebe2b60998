/* SPDX-License-Identifier: MIT
 *
 * Escapes of header names and values; see escape.h. */
#include "escape.h"
#include <string.h>

/* What follows a backslash -> what it means; 0: undefined. */
static uint8_t meaning(uint8_t c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 'c': return ':';
    case '\\': return '\\';
    default: return 0;
  }
}

size_t stomp_unescape(uint8_t *bytes, size_t len, stomp_version version,
                      size_t *bad_at) {
  uint8_t *to = len ? memchr(bytes, '\\', len) : NULL;
  size_t i;
  if (!to)
    return len;
  for (i = (size_t)(to - bytes); i < len; i++) {
    uint8_t c = bytes[i];
    uint8_t m = c == '\\' && i + 1 < len ? meaning(bytes[i + 1]) : 0;
    if (m) {
      c = m;
      i++;
    } else if (c == '\\' && version != STOMP_UNSETTLED) {
      *bad_at = i;
      return SIZE_MAX;
    }
    *to++ = c;
  }
  return (size_t)(to - bytes);
}

/* The letter that follows the backslash of an octet, 0: sent as it is. */
static uint8_t letter(char c) {
  switch (c) {
    case '\n': return 'n';
    case '\r': return 'r';
    case ':': return 'c';
    case '\\': return '\\';
    default: return 0;
  }
}

size_t stomp_escaped_len(const char *bytes, size_t len) {
  size_t n = len, i;
  for (i = 0; i < len; i++)
    n += letter(bytes[i]) != 0;
  return n;
}

size_t stomp_escape(uint8_t *to, const char *bytes, size_t len) {
  uint8_t *start = to;
  size_t i;
  for (i = 0; i < len; i++) {
    uint8_t l = letter(bytes[i]);
    if (l) {
      *to++ = '\\';
      *to++ = l;
    } else {
      *to++ = (uint8_t)bytes[i];
    }
  }
  return (size_t)(to - start);
}
