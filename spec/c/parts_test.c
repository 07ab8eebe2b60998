/* SPDX-License-Identifier: MIT
 *
 * The small parts under the codec and the session: errors, buffers, the map,
 * escapes, names, heart-beats. Where a part has states, a slow and obvious
 * model runs beside it on numbers that look random. */
#include "check.h"
#include "core/buffer.h"
#include "core/escape.h"
#include "core/frame.h"
#include "core/heartbeat.h"
#include "core/map.h"
#include "core/scan.h"

/* ---- Errors ---- */

static void test_failures_have_names(void) {
  int i, k;
  for (i = 0; i < (int)STOMP_FAILURE_COUNT; i++) {
    stomp_status s = (stomp_status)(-1 - i);
    CHECK(s < 0);
    CHECK(stomp_status_name(s)[0] && stomp_status_kind(s)[0] &&
          stomp_status_sentence(s)[0]);
    for (k = 0; k < i; k++)
      CHECK(strcmp(stomp_status_name(s),
                   stomp_status_name((stomp_status)(-1 - k))) != 0);
  }
  CHECK(strcmp(stomp_status_name(STOMP_EESCAPE), "EESCAPE") == 0);
  CHECK(strcmp(stomp_status_kind(STOMP_LFRAME), "limit") == 0);
  /* what is no failure has a name all the same, never a NULL */
  CHECK(stomp_status_name(STOMP_FRAME) && stomp_status_kind(STOMP_OK));
  CHECK(stomp_status_sentence((stomp_status)(-1000)) != NULL);
}

static void test_error_details(void) {
  static const char odd[] = "a\0b\nc\x7f\xc3\xa9";
  stomp_error e;
  int i;
  CHECK(stomp_error_set(&e, STOMP_EHEADER, 42) == STOMP_EHEADER);
  CHECK(e.status == STOMP_EHEADER && e.offset == 42 && !e.detail[0]);
  CHECK(e.close_code == 0 && e.http_status == 0);
  stomp_error_add(&e, "line ");
  stomp_error_add_bytes(&e, odd, sizeof odd - 1);
  stomp_error_add_number(&e, 0);
  stomp_error_add_number(&e, UINT64_MAX);
  CHECK(strcmp(e.detail, "line a?b?c?\xc3\xa9"
                         "0"
                         "18446744073709551615") == 0);
  for (i = 0; i < 100; i++)
    stomp_error_add(&e, "more ");
  CHECK(strlen(e.detail) == STOMP_DETAIL_SIZE - 1);
  stomp_error_clear(&e);
  CHECK(e.status == STOMP_OK && e.offset == STOMP_NO_OFFSET && !e.detail[0]);
}

/* ---- Buffers ---- */

static void test_buffer_keeps_its_cap(void) {
  check_memory m;
  stomp_buffer b;
  uint8_t *room;
  check_memory_init(&m, 0);
  stomp_buffer_init(&b, &m.memory, 10);
  CHECK(m.live == 0 && stomp_buffer_len(&b) == 0);
  CHECK(stomp_buffer_append(&b, NULL, 0) == STOMP_OK && m.live == 0);
  CHECK(stomp_buffer_append(&b, "12345678", 8) == STOMP_OK);
  CHECK(stomp_buffer_room(&b) == 2);
  CHECK(stomp_buffer_append(&b, "abc", 3) == STOMP_LOUTBOX);
  CHECK(stomp_buffer_reserve(&b, SIZE_MAX) == NULL);
  CHECK(stomp_buffer_len(&b) == 8);
  stomp_buffer_consume(&b, 3);
  CHECK(stomp_buffer_append(&b, "abcde", 5) == STOMP_OK);
  CHECK(memcmp(stomp_buffer_span(&b).bytes, "45678abcde", 10) == 0);
  stomp_buffer_consume(&b, 10);
  room = stomp_buffer_reserve(&b, 4);
  CHECK(room != NULL);
  memcpy(room, "wxyz", 4);
  stomp_buffer_commit(&b, 2);
  CHECK(stomp_buffer_len(&b) == 2);
  CHECK(memcmp(stomp_buffer_span(&b).bytes, "wx", 2) == 0);
  stomp_buffer_clear(&b);
  CHECK(m.live == 0 && stomp_buffer_len(&b) == 0);
}

static void test_buffer_without_memory(void) {
  check_memory m;
  stomp_buffer b;
  check_memory_init(&m, 1);
  stomp_buffer_init(&b, &m.memory, 100000);
  CHECK(stomp_buffer_append(&b, "abc", 3) == STOMP_ENOMEM);
  CHECK(stomp_buffer_len(&b) == 0);
  m.fail_at = m.n + 1;
  b.cap = 3; /* just what fits: it was not the cap */
  CHECK(stomp_buffer_append(&b, "abc", 3) == STOMP_ENOMEM);
  b.cap = 100000;
  CHECK(stomp_buffer_append(&b, "abc", 3) == STOMP_OK);
  m.fail_at = m.n + 1;
  CHECK(stomp_buffer_reserve(&b, 5000) == NULL);
  CHECK(stomp_buffer_len(&b) == 3);
  CHECK(memcmp(stomp_buffer_span(&b).bytes, "abc", 3) == 0);
  stomp_buffer_clear(&b);
  CHECK(m.live == 0);
}

/* Against a stream of counted octets: what goes in comes out, in order, and the
 * block stays within a few times of what is inside. */
static void test_buffer_against_model(void) {
  uint64_t random = 3;
  uint8_t in = 0, out = 0, piece[3000];
  check_memory m;
  stomp_buffer b;
  size_t used = 0, i, n, cap = 20000;
  int round;
  check_memory_init(&m, 0);
  stomp_buffer_init(&b, &m.memory, cap);
  for (round = 0; round < 20000; round++) {
    stomp_span span;
    n = check_random(&random, sizeof piece);
    for (i = 0; i < n; i++)
      piece[i] = (uint8_t)(in + i);
    if (stomp_buffer_append(&b, piece, n) == STOMP_OK) {
      in = (uint8_t)(in + n);
      used += n;
    } else {
      CHECK(used + n > cap);
    }
    span = stomp_buffer_span(&b);
    CHECK(span.len == used);
    n = used ? check_random(&random, (uint32_t)used + 1) : 0;
    n = n < 2900 || check_random(&random, 9) == 0 ? n : 2900;
    for (i = 0; i < n; i++)
      if (span.bytes[i] != (uint8_t)(out + i))
        break;
    CHECK(i == n);
    stomp_buffer_consume(&b, n);
    out = (uint8_t)(out + n);
    used -= n;
  }
  CHECK(m.peak <= 8 * cap);
  stomp_buffer_clear(&b);
  CHECK(m.live == 0);
}

static void test_buffer_gives_back_a_burst(void) {
  check_memory m;
  stomp_buffer b;
  size_t burst = (size_t)1 << 20;
  uint8_t *room;
  check_memory_init(&m, 0);
  stomp_buffer_init(&b, &m.memory, burst);
  room = stomp_buffer_reserve(&b, burst);
  CHECK(room != NULL && m.live >= burst);
  memset(room, 0, burst);
  stomp_buffer_commit(&b, burst);
  stomp_buffer_consume(&b, burst);
  CHECK(m.live == 0);
  CHECK(stomp_buffer_append(&b, "x", 1) == STOMP_OK);
  stomp_buffer_clear(&b);
}

static void test_buffer_keeps_a_small_block(void) {
  static const uint8_t bytes[512];
  check_memory m;
  stomp_buffer b;
  int i;
  check_memory_init(&m, 0);
  stomp_buffer_init(&b, &m.memory, 4096);
  for (i = 0; i < 3; i++) {
    CHECK(stomp_buffer_append(&b, bytes, sizeof bytes) == STOMP_OK);
    stomp_buffer_consume(&b, sizeof bytes);
    CHECK(m.calls == 1 && m.live == sizeof bytes);
  }
  stomp_buffer_clear(&b);
}

/* ---- The map ---- */

#define KEYS 500

static size_t key_of(char *to, uint32_t i) {
  return (size_t)sprintf(to, "sub-%u", (unsigned)i);
}

/* Against an array of what is in it. */
static void test_map_against_model(uint64_t salt) {
  static uint64_t model[KEYS];
  uint64_t random = salt + 4, stamp = 0;
  check_memory m;
  stomp_map map;
  size_t count = 0;
  int round;
  memset(model, 0, sizeof model);
  check_memory_init(&m, 0);
  stomp_map_init(&map, &m.memory, KEYS, salt);
  for (round = 0; round < 50000; round++) {
    uint32_t i = check_random(&random, KEYS);
    char key[32];
    size_t len = key_of(key, i);
    stomp_map_entry *e = stomp_map_find(&map, key, len);
    CHECK((e ? e->value[0] : 0) == model[i]);
    if (e && check_random(&random, 2)) {
      CHECK(stomp_map_remove(&map, key, len));
      model[i] = 0;
      count--;
    } else if (!e && stomp_map_add(&map, key, len, &e) == STOMP_OK) {
      CHECK(e->key_len == len && memcmp(e->key, key, len) == 0);
      CHECK(!e->value[0] && !e->value[1] && !e->value[2]);
      e->value[0] = model[i] = ++stamp;
      count++;
    }
    CHECK(map.count == count);
  }
  stomp_map_clear(&map);
  CHECK(m.live == 0);
}

static void test_map_limit_and_keys(void) {
  check_memory m;
  stomp_map map;
  stomp_map_entry *e;
  check_memory_init(&m, 0);
  stomp_map_init(&map, &m.memory, 3, 7);
  CHECK(stomp_map_find(&map, "a", 1) == NULL);
  CHECK(!stomp_map_remove(&map, "a", 1));
  CHECK(stomp_map_add(&map, "", 0, &e) == STOMP_OK);
  CHECK(stomp_map_add(&map, "a\0b", 3, &e) == STOMP_OK);
  CHECK(stomp_map_add(&map, "a\0c", 3, &e) == STOMP_OK);
  CHECK(stomp_map_add(&map, "d", 1, &e) == STOMP_LTABLE);
  CHECK(stomp_map_find(&map, "a\0c", 3) != stomp_map_find(&map, "a\0b", 3));
  CHECK(stomp_map_find(&map, "a", 1) == NULL);
  CHECK(stomp_map_find(&map, NULL, 0) != NULL);
  CHECK(stomp_map_remove(&map, "", 0) && !stomp_map_remove(&map, "", 0));
  CHECK(stomp_map_add(&map, "d", 1, &e) == STOMP_OK);
  stomp_map_clear(&map);
  CHECK(map.count == 0 && m.live == 0);
  CHECK(stomp_map_add(&map, "again", 5, &e) == STOMP_OK);
  stomp_map_clear(&map);
}

static void test_map_remove_where(void) {
  check_memory m;
  stomp_map map;
  stomp_map_entry *e;
  uint8_t i;
  check_memory_init(&m, 0);
  stomp_map_init(&map, &m.memory, 1000, 7);
  stomp_map_remove_where(&map, 1, 0);
  for (i = 0; i < 200; i++) {
    CHECK(stomp_map_add(&map, &i, 1, &e) == STOMP_OK);
    e->value[1] = i % 3;
  }
  stomp_map_remove_where(&map, 1, 2);
  stomp_map_remove_where(&map, 1, 3);
  CHECK(map.count == 134);
  for (i = 0; i < 200; i++)
    CHECK((stomp_map_find(&map, &i, 1) == NULL) == (i % 3 == 2));
  stomp_map_remove_where(&map, 1, 0);
  stomp_map_remove_where(&map, 1, 1);
  CHECK(map.count == 0);
  stomp_map_clear(&map);
  CHECK(m.live == 0);
}

/* Each allocation fails once: nothing is lost, nothing leaks. */
static void test_map_without_memory(void) {
  check_memory m;
  size_t n = 0;
  do {
    stomp_map map;
    uint32_t i;
    check_memory_init(&m, ++n);
    stomp_map_init(&map, &m.memory, 100, 1);
    for (i = 0; i < 40; i++) {
      char key[32];
      size_t len = key_of(key, i), before = map.count;
      stomp_map_entry *e;
      if (stomp_map_add(&map, key, len, &e) != STOMP_OK) {
        CHECK(map.count == before && !stomp_map_find(&map, key, len));
        CHECK(stomp_map_add(&map, key, len, &e) == STOMP_OK);
      }
      CHECK(stomp_map_find(&map, key, len) == e);
    }
    stomp_map_clear(&map);
    CHECK(m.live == 0);
  } while (m.n >= n);
}

/* So many keys that some hashes are the same: the bytes decide. */
static void test_map_tells_equal_hashes_apart(void) {
  check_memory m;
  stomp_map map;
  stomp_map_entry *e;
  uint32_t i, wrong = 0;
  char key[32];
  check_memory_init(&m, 0);
  stomp_map_init(&map, &m.memory, 300000, 1);
  for (i = 100000; i < 400000; i++) {
    if (stomp_map_add(&map, key, key_of(key, i), &e) != STOMP_OK)
      abort();
    e->value[0] = i;
  }
  for (i = 100000; i < 400000; i++) {
    e = stomp_map_find(&map, key, key_of(key, i));
    wrong += !e || e->value[0] != i;
  }
  CHECK(wrong == 0);
  stomp_map_clear(&map);
  CHECK(m.live == 0);
}

static size_t longest_chain(const stomp_map *map) {
  size_t i, longest = 0;
  for (i = 0; i < map->n_slots; i++) {
    const stomp_map_entry *e = map->slots[i];
    size_t n = 0;
    for (; e; e = e->chain)
      n++;
    longest = n > longest ? n : longest;
  }
  return longest;
}

/* Ids that count up spread well, and the salt decides where to. */
static void test_map_spreads(void) {
  check_memory m;
  stomp_map a, b;
  stomp_map_entry *e, *f;
  uint32_t i, same = 0;
  check_memory_init(&m, 0);
  stomp_map_init(&a, &m.memory, 5000, 1);
  stomp_map_init(&b, &m.memory, 5000, 2);
  for (i = 0; i < 4096; i++) {
    char key[32];
    size_t len = key_of(key, i);
    if (stomp_map_add(&a, key, len, &e) != STOMP_OK ||
        stomp_map_add(&b, key, len, &f) != STOMP_OK)
      abort();
    same += e->hash % 4096 == f->hash % 4096;
  }
  CHECK(longest_chain(&a) <= 10 && longest_chain(&b) <= 10);
  CHECK(same < 20);
  CHECK((a.n_slots & (a.n_slots - 1)) == 0);
  stomp_map_clear(&a);
  stomp_map_clear(&b);
  CHECK(m.live == 0);
}

/* Keys that differ in one octet, wherever it stands. */
static void test_map_hashes_each_octet(void) {
  size_t at;
  for (at = 0; at < 4; at++) {
    check_memory m;
    stomp_map map;
    stomp_map_entry *e;
    char key[] = "abcd";
    int i;
    check_memory_init(&m, 0);
    stomp_map_init(&map, &m.memory, 256, 1);
    for (i = 0; i < 256; i++) {
      key[at] = (char)i;
      if (stomp_map_add(&map, key, 4, &e) != STOMP_OK)
        abort();
    }
    CHECK(longest_chain(&map) <= 10);
    stomp_map_clear(&map);
  }
}

/* ---- Escapes and names ---- */

static void test_escapes_go_both_ways(void) {
  static const char letters[] = "a:\\\n\rc";
  uint64_t random = 5;
  int round;
  for (round = 0; round < 20000; round++) {
    char text[12];
    uint8_t *escaped;
    size_t len = check_random(&random, sizeof text), i, n, bad = 0;
    for (i = 0; i < len; i++)
      text[i] = letters[check_random(&random, sizeof letters - 1)];
    n = stomp_escaped_len(text, len);
    escaped = malloc(n + 1); /* just its size: the sanitizer watches */
    if (!escaped)
      abort();
    CHECK(stomp_escape(escaped, text, len) == n);
    CHECK(!n || (!memchr(escaped, '\n', n) && !memchr(escaped, ':', n) &&
                 !memchr(escaped, '\r', n)));
    CHECK(stomp_unescape(escaped, n, STOMP_1_2, &bad) == len);
    CHECK(len == 0 || memcmp(escaped, text, len) == 0);
    free(escaped);
  }
}

/* The octet behind the text is none of its business. */
static void test_a_backslash_at_the_end(void) {
  uint8_t text[] = "a\\n";
  size_t bad = 9;
  CHECK(stomp_unescape(text, 2, STOMP_1_2, &bad) == SIZE_MAX && bad == 1);
  CHECK(stomp_unescape(text, 2, STOMP_UNSETTLED, &bad) == 2);
  CHECK(memcmp(text, "a\\n", 3) == 0);
}

static void test_names(void) {
  int i;
  for (i = 0; i < (int)STOMP_COMMAND_COUNT; i++) {
    const char *name = stomp_command_name((stomp_command)i);
    CHECK(stomp_command_find(name, strlen(name)) == (stomp_command)i);
    CHECK(strlen(name) <= STOMP_COMMAND_MAX);
  }
  CHECK(stomp_command_find("SENDX", 5) == STOMP_COMMAND_COUNT);
  CHECK(stomp_command_find("", 0) == STOMP_COMMAND_COUNT);
  CHECK(stomp_command_name(STOMP_COMMAND_COUNT)[0] == '\0');
  for (i = STOMP_1_0; i <= STOMP_1_2; i++)
    CHECK(stomp_version_find(stomp_version_name((stomp_version)i), 3) ==
          (stomp_version)i);
  CHECK(stomp_version_find("1.3", 3) == STOMP_UNSETTLED);
  CHECK(stomp_version_find("1.2 ", 4) == STOMP_UNSETTLED);
  CHECK(stomp_version_find("", 0) == STOMP_UNSETTLED);
  CHECK(stomp_version_find("1.2x", 3) == STOMP_1_2);
}

static void test_outgoing_headers(void) {
  static const stomp_field fields[] = { { "ab", 2, "1", 1 },
                                        { "cd", 2, "2", 1 },
                                        { "cd", 2, "3", 1 } };
  stomp_outgoing out = { .headers = fields, .n_headers = 2 };
  stomp_span none;
  CHECK(stomp_span_is(stomp_outgoing_header(&out, "ab"), "1"));
  CHECK(stomp_span_is(stomp_outgoing_header(&out, "cd"), "2"));
  none = stomp_outgoing_header(&out, "ce");
  CHECK(!none.bytes && none.len == 0);
  none = stomp_outgoing_header(&out, "c");
  CHECK(!none.bytes && none.len == 0);
  out.n_headers = 1; /* what stands behind the last is not looked at */
  CHECK(!stomp_outgoing_header(&out, "cd").bytes);
}

static void test_spans(void) {
  stomp_span span = { (const uint8_t *)"abc", 3 };
  CHECK(stomp_span_is(span, "abc"));
  CHECK(!stomp_span_is(span, "abd") && !stomp_span_is(span, "ab") &&
        !stomp_span_is(span, "abcd") && !stomp_span_is(span, ""));
  CHECK(!stomp_span_is((stomp_span){ NULL, 0 }, ""));
  CHECK(!stomp_span_is((stomp_span){ NULL, 3 }, "abc"));
}

/* Against the obvious loop: each octet that is looked for at each place of a
 * line, among octets that are nearly one. */
static void test_scan(void) {
  static const uint8_t rare[] = { '\0', '\r', '\\' }, others[] = {
    1, 'a', 0x0c, 0x5d, 0x80, 0x8d, 0xdc, 0xff
  };
  uint64_t random = 6;
  uint8_t line[40];
  size_t len, at, i, k;
  for (len = 0; len < sizeof line; len++)
    for (at = 0; at <= len; at++)
      for (k = 0; k < 3 * sizeof others; k++) {
        unsigned has = 0;
        memset(line, others[k / 3], len);
        if (at < len)
          line[at] = rare[k % 3];
        if (at + 3 < len) /* sometimes another one */
          line[at + 3] = (uint8_t)check_random(&random, 256);
        for (i = 0; i < len; i++)
          has |= line[i] == '\0'   ? STOMP_HAS_NUL
                 : line[i] == '\r' ? STOMP_HAS_CR
                 : line[i] == '\\' ? STOMP_HAS_BACKSLASH
                                   : 0U;
        CHECK(stomp_scan(line, len) == has);
      }
  CHECK((STOMP_HAS_NUL & STOMP_HAS_CR) == 0);
  CHECK(((STOMP_HAS_NUL | STOMP_HAS_CR) & STOMP_HAS_BACKSLASH) == 0);
}

/* ---- Heart-beats (STOMP 1.2, "Heart-beating") ---- */

static void test_heartbeats_are_agreed(void) {
  static const struct {
    uint64_t mine[2], theirs[2], send, receive;
  } cases[] = {
    { { 0, 0 }, { 0, 0 }, 0, 0 },
    { { 100, 100 }, { 1000, 1000 }, 1000, 1000 },
    { { 1500, 2500 }, { 2000, 1000 }, 1500, 2500 },
    { { 10000, 10000 }, { 10000, 10000 }, 10000, 10000 },
    { { 5000, 0 }, { 0, 5000 }, 5000, 0 },
    { { 0, 5000 }, { 5000, 0 }, 0, 5000 },
    { { 500, 500 }, { 0, 1000 }, 1000, 0 },
    { { 500, 500 }, { 1000, 0 }, 0, 1000 },
    { { 10000, 10000 }, { 0, 0 }, 0, 0 },
  };
  static const uint32_t slack[2] = { 200, 1000 };
  stomp_heartbeat h;
  size_t i;
  for (i = 0; i < sizeof cases / sizeof *cases; i++) {
    stomp_heartbeat_agree(&h, cases[i].mine, cases[i].theirs, slack, 1000);
    CHECK(h.send == cases[i].send && h.receive == cases[i].receive);
    CHECK(h.send_every == cases[i].send * 8 / 10);
    CHECK(h.late_after == cases[i].receive * 2);
    if (!h.send && !h.receive)
      CHECK(stomp_heartbeat_deadline(&h) == STOMP_NEVER);
    if (!h.receive)
      CHECK(!stomp_heartbeat_is_lost(&h, UINT64_MAX));
    if (!h.send)
      CHECK(!stomp_heartbeat_take_due(&h, UINT64_MAX));
  }
}

static stomp_heartbeat agreed(uint64_t send, uint64_t receive, uint64_t now) {
  static const uint32_t slack[2] = { 200, 1000 };
  const uint64_t mine[2] = { send, receive }, theirs[2] = { receive, send };
  stomp_heartbeat h;
  stomp_heartbeat_agree(&h, mine, theirs, slack, now);
  return h;
}

static void test_beats_keep_a_fixed_clock(void) {
  static const uint64_t beats[2] = { 500, 500 };
  static const uint32_t all[2] = { 1000, 0 };
  stomp_heartbeat h = agreed(1000, 0, 5000);
  CHECK(stomp_heartbeat_deadline(&h) == 5800);
  CHECK(!stomp_heartbeat_take_due(&h, 5799));
  CHECK(stomp_heartbeat_take_due(&h, 5810)); /* late: the next is not */
  CHECK(stomp_heartbeat_deadline(&h) == 6600);
  CHECK(!stomp_heartbeat_take_due(&h, 5810));
  CHECK(stomp_heartbeat_take_due(&h, 6600));
  CHECK(stomp_heartbeat_deadline(&h) == 7400);
  /* the machine slept: one beat, not one for each that was missed */
  CHECK(stomp_heartbeat_take_due(&h, 60000));
  CHECK(!stomp_heartbeat_take_due(&h, 60000));
  CHECK(stomp_heartbeat_deadline(&h) == 60800);
  /* late by just one beat: the next is not due at once */
  h = agreed(1000, 0, 5000);
  CHECK(stomp_heartbeat_take_due(&h, 6600));
  CHECK(!stomp_heartbeat_take_due(&h, 6600));
  CHECK(stomp_heartbeat_deadline(&h) == 7400);
  /* an interval of a millisecond has one left of it, whatever the margin */
  h = agreed(1, 0, 0);
  CHECK(h.send_every == 1);
  stomp_heartbeat_agree(&h, beats, beats, all, 0);
  CHECK(h.send_every == 1 && stomp_heartbeat_deadline(&h) == 1);
}

static void test_a_silent_peer_is_lost(void) {
  stomp_heartbeat h = agreed(0, 1000, 5000);
  CHECK(stomp_heartbeat_deadline(&h) == 7000);
  CHECK(!stomp_heartbeat_is_lost(&h, 6999));
  CHECK(stomp_heartbeat_is_lost(&h, 7000));
  h.last_receive = 6500;
  CHECK(!stomp_heartbeat_is_lost(&h, 8499));
  CHECK(stomp_heartbeat_is_lost(&h, 8500));
}

static void test_a_pause_suspends_the_peers_deadline(void) {
  stomp_heartbeat h = agreed(1000, 1000, 5000);
  stomp_heartbeat_pause(&h);
  CHECK(!stomp_heartbeat_is_lost(&h, 100000));
  CHECK(stomp_heartbeat_deadline(&h) == 5800); /* ours go on */
  stomp_heartbeat_resume(&h, 100000);
  CHECK(!stomp_heartbeat_is_lost(&h, 101999));
  CHECK(stomp_heartbeat_is_lost(&h, 102000));
  stomp_heartbeat_resume(&h, 150000); /* not paused: changes nothing */
  CHECK(stomp_heartbeat_is_lost(&h, 102000));
}

int main(void) {
  test_failures_have_names();
  test_error_details();
  test_buffer_keeps_its_cap();
  test_buffer_without_memory();
  test_buffer_against_model();
  test_buffer_gives_back_a_burst();
  test_buffer_keeps_a_small_block();
  test_map_against_model(0);
  test_map_against_model(UINT64_C(0x123456789abcdef));
  test_map_limit_and_keys();
  test_map_remove_where();
  test_map_without_memory();
  test_map_tells_equal_hashes_apart();
  test_map_spreads();
  test_map_hashes_each_octet();
  test_escapes_go_both_ways();
  test_a_backslash_at_the_end();
  test_names();
  test_outgoing_headers();
  test_spans();
  test_scan();
  test_heartbeats_are_agreed();
  test_beats_keep_a_fixed_clock();
  test_a_silent_peer_is_lost();
  test_a_pause_suspends_the_peers_deadline();
  return check_result("parts");
}
