/* SPDX-License-Identifier: MIT
 *
 * UTF-8 as RFC 3629, 4 defines it: the first octet tells how many follow and
 * narrows the range of the second; see utf8.h. */
#include "utf8.h"
#include <string.h>

/* Begin a sequence with its first octet; false: it begins none. The range is
 * the whole one before, as the last octet of a sequence leaves it. */
static bool begin(stomp_utf8 *u, uint8_t c) {
  if (c < 0xc2 || c > 0xf4)
    return false;
  if (c <= 0xdf) {
    u->left = 1;
  } else if (c <= 0xef) {
    u->left = 2;
    if (c == 0xe0)
      u->low = 0xa0; /* shorter forms exist below */
    if (c == 0xed)
      u->high = 0x9f; /* surrogates begin */
  } else {
    u->left = 3;
    if (c == 0xf0)
      u->low = 0x90;
    if (c == 0xf4)
      u->high = 0x8f; /* U+10FFFF */
  }
  return true;
}

/* The first index from `i` on that is no ASCII octet, or `len`. */
static size_t skip_ascii(const uint8_t *s, size_t i, size_t len) {
  uint64_t word;
  for (; i + sizeof word <= len; i += sizeof word) {
    memcpy(&word, s + i, sizeof word);
    if (word & UINT64_C(0x8080808080808080))
      break;
  }
  while (i < len && s[i] < 0x80)
    i++;
  return i;
}

size_t stomp_utf8_feed(stomp_utf8 *u, const void *bytes, size_t len) {
  const uint8_t *s = bytes;
  size_t i = 0;
  for (;;) {
    if (u->left == 0)
      i = skip_ascii(s, i, len);
    if (i >= len)
      return len;
    if (u->left == 0) {
      if (!begin(u, s[i]))
        return i;
    } else {
      if (s[i] < u->low || s[i] > u->high)
        return i;
      u->left--;
      u->low = 0x80;
      u->high = 0xbf;
    }
    i++;
  }
}

bool stomp_utf8_is_text(const void *bytes, size_t len) {
  stomp_utf8 u = STOMP_UTF8_START;
  return stomp_utf8_feed(&u, bytes, len) == len && stomp_utf8_is_complete(&u);
}
