/* SPDX-License-Identifier: MIT
 *
 * Which of three rare octets a line has, in one pass over it: most lines have
 * none, and then nothing more is to be looked for. Knows nothing. */
#ifndef STOMP_SCAN_H
#define STOMP_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { STOMP_HAS_NUL = 1, STOMP_HAS_CR = 2, STOMP_HAS_BACKSLASH = 4 };

static inline unsigned stomp_scan_octet(uint8_t c) {
  return c == '\0'   ? STOMP_HAS_NUL
         : c == '\r' ? STOMP_HAS_CR
         : c == '\\' ? STOMP_HAS_BACKSLASH
                     : 0;
}

/* Not 0 when one of the word's octets is one of the three, or another below 16:
 * an octet less than n <= 128 shows in bit 7 of (x - n) & ~x. */
static inline uint64_t stomp_scan_word(uint64_t word) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t x = word ^ (ones * '\\');
  return (((word - ones * 16) & ~word) | ((x - ones) & ~x)) & (ones << 7);
}

static inline unsigned stomp_scan(const uint8_t *bytes, size_t len) {
  unsigned has = 0;
  uint64_t word, hit = 0;
  size_t i;
  if (len >= sizeof word) {
    for (i = 0; i + sizeof word < len; i += sizeof word) {
      memcpy(&word, bytes + i, sizeof word);
      hit |= stomp_scan_word(word);
    }
    memcpy(&word, bytes + len - sizeof word, sizeof word); /* may overlap */
    hit |= stomp_scan_word(word);
    if (!hit)
      return 0;
  }
  for (i = 0; i < len; i++) /* rare: tell which */
    has |= stomp_scan_octet(bytes[i]);
  return has;
}

#endif
