/* SPDX-License-Identifier: MIT
 *
 * SHA-1; see sha1.h. FIPS 180-4, 6.1: blocks of 64 octets, 80 rounds each. */
#include "sha1.h"
#include <string.h>

static uint32_t rotate(uint32_t x, unsigned n) {
  return x << n | x >> (32 - n);
}

static uint32_t mix(int t, uint32_t b, uint32_t c, uint32_t d) {
  if (t < 20)
    return ((b & c) | (~b & d)) + 0x5a827999u;
  if (t < 40)
    return (b ^ c ^ d) + 0x6ed9eba1u;
  if (t < 60)
    return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
  return (b ^ c ^ d) + 0xca62c1d6u;
}

static void add_block(uint32_t h[5], const uint8_t block[64]) {
  uint32_t w[80], s[5], next;
  int t;
  for (t = 0; t < 16; t++)
    w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
           (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
  for (; t < 80; t++)
    w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  memcpy(s, h, sizeof s);
  for (t = 0; t < 80; t++) {
    next = rotate(s[0], 5) + mix(t, s[1], s[2], s[3]) + s[4] + w[t];
    s[4] = s[3];
    s[3] = s[2];
    s[2] = rotate(s[1], 30);
    s[1] = s[0];
    s[0] = next;
  }
  for (t = 0; t < 5; t++)
    h[t] += s[t];
}

void stomp_sha1(const void *bytes, size_t len, uint8_t digest[20]) {
  uint32_t h[5] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u,
                    0xc3d2e1f0u };
  const uint8_t *s = bytes;
  uint8_t last[128] = { 0 };
  uint64_t bits = (uint64_t)len * 8;
  size_t rest = len % 64, tail = rest < 56 ? 64 : 128, i;
  for (i = 0; i + 64 <= len; i += 64)
    add_block(h, s + i);
  if (rest)
    memcpy(last, s + i, rest);
  last[rest] = 0x80;
  for (i = 0; i < 8; i++)
    last[tail - 1 - i] = (uint8_t)(bits >> (8 * i));
  for (i = 0; i < tail; i += 64)
    add_block(h, last + i);
  for (i = 0; i < 20; i++)
    digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
