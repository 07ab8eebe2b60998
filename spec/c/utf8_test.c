/* SPDX-License-Identifier: MIT
 *
 * UTF-8 against its definition: every character, every sequence of up to three
 * octets and the edges of four, cut anywhere, and wrong octets at each place
 * behind runs of ASCII. The judge below decodes by arithmetic, as the RFC's
 * table does not. */
#include "check.h"
#include "core/utf8.h"

/* How many octets are right before the first wrong one: `n` of them form the
 * beginning of a character iff some character begins so. */
static bool begins_some(const uint8_t *s, size_t n) {
  uint32_t low, high;
  size_t len, i;
  if (s[0] < 0x80)
    return n == 1;
  len = s[0] >= 0xf0 && s[0] < 0xf8   ? 4
        : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
        : s[0] >= 0xc0 && s[0] < 0xe0 ? 2
                                      : 0;
  if (n > len)
    return false;
  low = s[0] & (0xffu >> (len + 1));
  for (i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80)
      return false;
    low = low << 6 | (s[i] & 0x3f);
  }
  high = low; /* the least and the largest that may come of it */
  for (; i < len; i++) {
    low <<= 6;
    high = high << 6 | 0x3f;
  }
  if (high < (len == 2   ? 0x80u
              : len == 3 ? 0x800u
                         : 0x10000u) ||
      low > 0x10ffff)
    return false;
  return low < 0xd800 || high > 0xdfff;
}

static bool is_whole(const uint8_t *s, size_t n) {
  return n == (s[0] < 0x80 ? 1u : s[0] < 0xe0 ? 2u : s[0] < 0xf0 ? 3u : 4u);
}

static size_t judge(const uint8_t *s, size_t len, bool *complete) {
  size_t at = 0, n = 0;
  while (at + n < len) {
    if (!begins_some(s + at, n + 1))
      break;
    n++;
    if (is_whole(s + at, n)) {
      at += n;
      n = 0;
    }
  }
  *complete = n == 0;
  return at + n;
}

static void check_sequence(const uint8_t *s, size_t len) {
  stomp_utf8 u = STOMP_UTF8_START, cut = STOMP_UTF8_START;
  bool complete;
  size_t right = judge(s, len, &complete), i = 0;
  bool same = stomp_utf8_feed(&u, s, len) == right;
  while (i < len && stomp_utf8_feed(&cut, s + i, 1) == 1)
    i++;
  same = same && i == right;
  if (right == len)
    same = same && stomp_utf8_is_complete(&u) == complete &&
           stomp_utf8_is_complete(&cut) == complete;
  same = same && stomp_utf8_is_text(s, len) == (right == len && complete);
  if (!same)
    fprintf(stderr, "%02x %02x %02x %02x (%zu)\n", s[0], s[1], s[2], s[3], len);
  CHECK(same);
}

static void test_short_sequences(void) {
  uint8_t s[4] = { 0 };
  unsigned i;
  check_sequence(s, 0);
  for (i = 0; i < 0x100; i++) {
    s[0] = (uint8_t)i;
    check_sequence(s, 1);
  }
  for (i = 0; i < 0x10000; i++) {
    s[0] = (uint8_t)(i >> 8);
    s[1] = (uint8_t)i;
    check_sequence(s, 2);
  }
}

/* Of the last octets the edges of their ranges are enough: no rule looks at
 * more of them than that. */
static void test_long_sequences(void) {
  static const uint8_t edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                   0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf4, 0xff };
  const size_t n = sizeof edges;
  uint8_t s[4];
  unsigned i;
  size_t k, m;
  for (i = 0; i < 0x10000; i++) {
    s[0] = (uint8_t)(i >> 8);
    s[1] = (uint8_t)i;
    for (k = 0; k < n; k++) {
      s[2] = edges[k];
      check_sequence(s, 3);
      for (m = 0; m < n && s[0] >= 0xe0; m++) {
        s[3] = edges[m];
        check_sequence(s, 4);
      }
    }
  }
}

static size_t encode(uint8_t *to, uint32_t c) {
  size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;
  for (i = len - 1; i > 0; i--) {
    to[i] = (uint8_t)(0x80 | (c & 0x3f));
    c >>= 6;
  }
  to[0] = (uint8_t)(len == 1 ? c : (0xf00u >> len & 0xff) | c);
  return len;
}

static void test_every_character(void) {
  uint8_t s[4];
  uint32_t c;
  bool ok = true;
  for (c = 0; c <= 0x10ffff; c++) {
    size_t len = encode(s, c);
    ok = ok && stomp_utf8_is_text(s, len) == (c < 0xd800 || c > 0xdfff);
    ok = ok && (len == 1 || !stomp_utf8_is_text(s, len - 1));
  }
  CHECK(ok);
}

/* Runs of ASCII are skipped eight at a time: nothing hides in them, and nothing
 * is read behind them. */
static void test_ascii_runs(void) {
  static const uint8_t wrong[] = { 0x80, 0xc1, 0xff, 0xe2 };
  uint8_t s[40];
  size_t len, at, k;
  for (len = 0; len < sizeof s; len++) {
    memset(s, 'a', sizeof s);
    CHECK(stomp_utf8_is_text(check_guarded(s, len), len));
    for (at = 0; at < len; at++)
      for (k = 0; k < sizeof wrong; k++) {
        stomp_utf8 u = STOMP_UTF8_START;
        size_t right = at;
        s[at] = wrong[k];
        if (wrong[k] == 0xe2)
          right++; /* it is the next one that is wrong */
        CHECK(stomp_utf8_feed(&u, check_guarded(s, len), len) == right);
        CHECK(!stomp_utf8_is_text(s, len));
        s[at] = 'a';
      }
  }
}

int main(void) {
  test_short_sequences();
  test_long_sequences();
  test_every_character();
  test_ascii_runs();
  return check_result("utf8");
}
