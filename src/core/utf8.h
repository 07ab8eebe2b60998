/* SPDX-License-Identifier: MIT
 *
 * UTF-8 validation (RFC 3629), resumable anywhere: overlong forms, surrogates
 * and code points above U+10FFFF are wrong. Runs of ASCII are skipped a word at
 * a time. Knows nothing. */
#ifndef STOMP_UTF8_H
#define STOMP_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct stomp_utf8 {
  uint8_t left;      /* continuation octets still to come */
  uint8_t low, high; /* what the next one may be */
} stomp_utf8;

#define STOMP_UTF8_START                                                       \
  { 0, 0x80, 0xbf }

/* Take `len` more bytes: how many are right before the first wrong one (`len`:
 * all of them). */
size_t stomp_utf8_feed(stomp_utf8 *u, const void *bytes, size_t len);

/* Whether the text may end here. */
static inline bool stomp_utf8_is_complete(const stomp_utf8 *u) {
  return u->left == 0;
}

/* Whether these bytes are one whole UTF-8 text. */
bool stomp_utf8_is_text(const void *bytes, size_t len);

#endif
