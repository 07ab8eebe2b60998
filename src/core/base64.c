/* SPDX-License-Identifier: MIT
 *
 * Base64; see base64.h. */
#include "base64.h"
#include <stdint.h>

static const char alphabet[] =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void stomp_base64(char *to, const void *bytes, size_t len) {
  const uint8_t *s = bytes;
  size_t i;
  for (i = 0; i < len; i += 3) {
    uint32_t b = i + 1 < len ? s[i + 1] : 0u;
    uint32_t c = i + 2 < len ? s[i + 2] : 0u;
    uint32_t word = (uint32_t)s[i] << 16 | b << 8 | c;
    *to++ = alphabet[word >> 18];
    *to++ = alphabet[word >> 12 & 63];
    *to++ = i + 1 < len ? alphabet[word >> 6 & 63] : '=';
    *to++ = i + 2 < len ? alphabet[word & 63] : '=';
  }
}
