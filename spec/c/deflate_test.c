/* SPDX-License-Identifier: MIT
 *
 * permessage-deflate where vectors do not reach: random messages both ways
 * against zlib itself, for all that can be agreed on; room and memory that are
 * missing; work that grows with the input and not faster. */
#include "deflate_bench.h"

/* ---- Round trips ---- */

/* A message whose kind is drawn: text that repeats, few letters, noise; its
 * size too: often small, at times about a multiple of what is inflated at once. */
static size_t draw_message(uint64_t *seed, uint8_t *to) {
  static const size_t edges[] = { 0, 1, 63, 64, 65, 16384, 32768, 65536 };
  uint32_t kind = check_random(seed, 4), i, step = 1;
  size_t len = check_random(seed, 3)
                 ? check_random(seed, 2000)
                 : edges[check_random(seed, 8)] + check_random(seed, 3);
  for (i = 0; i < len; i++) {
    if (kind == 0)
      to[i] = (uint8_t) "{\"symbol\":\"LUA\",\"price\":"[i * step % 24];
    else if (kind == 1)
      to[i] = (uint8_t)('a' + check_random(seed, 4));
    else if (kind == 2)
      to[i] = (uint8_t)check_random(seed, 256);
    else
      to[i] = 'z';
    if (kind == 0 && check_random(seed, 50) == 0)
      step = 1 + check_random(seed, 5);
  }
  return len;
}

/* Put the frames of our message together: its first octet, the payload to `plain`,
 * its length. */
static unsigned join_sent(stomp_span out, bool server, uint8_t *plain,
                          size_t *len) {
  size_t at = 0, head, n, i;
  *len = 0;
  while (at < out.len) {
    const uint8_t *p = out.bytes + at;
    n = p[1] & 0x7f;
    head = n == 126 ? 4 : n == 127 ? 10 : 2;
    for (i = 2, n = head == 2 ? n : 0; i < head; i++)
      n = n << 8 | p[i];
    head += server ? 0 : 4;
    CHECK((p[0] & 0x0f) == (at ? 0 : 2));
    CHECK((p[0] >> 7) == (at + head + n == out.len));
    for (i = 0; i < n; i++)
      plain[(*len)++] = p[head + i] ^ (server ? 0 : p[head - 4 + i % 4]);
    at += head + n;
  }
  CHECK(at == out.len);
  return out.bytes[0] & 0x7f;
}

/* Take a message of ours apart and check it against what it was: by zlib. */
static void check_sent(bench *b, inflater *peer, bool server,
                       const uint8_t *message, size_t len) {
  stomp_span out = stomp_buffer_span(&b->out);
  uint8_t *plain = malloc(out.len);
  unsigned first;
  size_t n;
  uint8_t *got;
  if (!plain)
    abort();
  first = join_sent(out, server, plain, &n);
  if (first & 0x40) {
    CHECK(first == 0x42 && n < len && len >= STOMP_DEFLATE_LEAST);
    got = inflater_message(peer, plain, &n);
    CHECK(n == len && memcmp(got, message, len) == 0);
    free(got);
  } else {
    CHECK(first == 0x02 && n == len);
    CHECK(len == 0 || memcmp(plain, message, len) == 0);
  }
  free(plain);
}

/* Bytes from one to the other, cut at random. */
static void carry(bench *from, bench *to, uint64_t *seed) {
  stomp_span out = stomp_buffer_span(&from->out);
  size_t at = 0;
  while (at < out.len) {
    size_t most = check_random(seed, 4) ? out.len : 1 + check_random(seed, 30);
    size_t n = most < out.len - at ? most : out.len - at;
    CHECK(give(to, out.bytes + at, n) == STOMP_MORE);
    at += n;
  }
  stomp_buffer_consume(&from->out, out.len);
}

/* Some messages from a to b, each looked at by zlib and by b. */
static void talk(bench *a, bench *b, inflater *peer, bool server,
                 uint64_t *seed) {
  static uint8_t message[80000];
  size_t i;
  for (i = 0; i < 12; i++) {
    size_t len = draw_message(seed, message);
    size_t before = b->n_messages;
    CHECK(stomp_websocket_send(a->w, STOMP_WEBSOCKET_BINARY,
                               (stomp_span){ message, len }) == STOMP_OK);
    check_sent(a, peer, server, message, len);
    carry(a, b, seed);
    CHECK(b->n_messages == before + 1 && b->got_len == len);
    CHECK(len == 0 || memcmp(b->got, message, len) == 0);
  }
}

static void round_trip(const stomp_deflate_terms *terms, uint64_t *seed) {
  setup s[2] = { SETUP, SETUP };
  bench client, server;
  inflater at_server, at_client;
  unsigned up = terms->client_max_window_bits;
  unsigned down = terms->server_max_window_bits;
  s[1].server = true;
  s[0].terms = s[1].terms = *terms;
  bench_open(&client, &s[0]);
  bench_open(&server, &s[1]);
  inflater_open(&at_server, up, !terms->client_no_context_takeover);
  inflater_open(&at_client, down, !terms->server_no_context_takeover);
  talk(&client, &server, &at_server, false, seed);
  talk(&server, &client, &at_client, true, seed);
  inflater_close(&at_server);
  inflater_close(&at_client);
  bench_close(&client);
  bench_close(&server);
}

static void test_round_trips(void) {
  uint64_t seed = 20261126;
  unsigned flags, up, down;
  for (flags = 0; flags < 4; flags++)
    for (up = 8; up <= 15; up++)
      for (down = 8; down <= 15; down++) {
        stomp_deflate_terms terms = { flags & 1, flags & 2, up, down };
        round_trip(&terms, &seed);
      }
}

/* ---- What zlib makes in other ways ---- */

/* The message, in pieces that end by all kinds of blocks; its payload. */
static void pack_oddly(packer *p, const uint8_t *message, size_t len,
                       uint64_t *seed) {
  static const int ways[] = { Z_NO_FLUSH,   Z_SYNC_FLUSH, Z_PARTIAL_FLUSH,
                              Z_FULL_FLUSH, Z_FINISH,     Z_BLOCK };
  size_t at = 0;
  p->len = 0;
  while (at < len) {
    size_t n = 1 + check_random(seed, 5000);
    n = n < len - at ? n : len - at;
    packer_add(p, message + at, n, ways[check_random(seed, 6)]);
    at += n;
  }
  packer_add(p, NULL, 0, Z_SYNC_FLUSH);
  packer_add(p, (const uint8_t *)"", 0, Z_FULL_FLUSH); /* never nothing */
  CHECK(p->len >= 5 && memcmp(p->at + p->len - 4, "\0\0\xff\xff", 4) == 0);
  p->len -= 4;
}

static void test_zlib_in_other_ways(void) {
  static uint8_t message[80000];
  uint64_t seed = 7;
  int level, strategy, i;
  for (level = 0; level <= 9; level++)
    for (strategy = 0; strategy <= 4; strategy++) {
      setup s = SETUP;
      packer p;
      bench b;
      s.server = level % 2;
      bench_open(&b, &s);
      packer_open(&p, level, 15, strategy);
      for (i = 0; i < 8; i++) {
        size_t len = draw_message(&seed, message), n;
        uint8_t head[14];
        pack_oddly(&p, message, len, &seed);
        n = put_head(head, 0xc2, p.len, s.server);
        CHECK(give(&b, head, n) == STOMP_MORE);
        for (n = 0; n < p.len; n += 1000)
          CHECK(give(&b, p.at + n, p.len - n < 1000 ? p.len - n : 1000) ==
                STOMP_MORE);
        CHECK(b.n_messages == (size_t)i + 1 && b.got_len == len);
        CHECK(len == 0 || memcmp(b.got, message, len) == 0);
      }
      packer_close(&p);
      bench_close(&b);
    }
}

/* Distances of more than the window that the peer promised are taken, for zlib
 * would refuse some, depending on the cuts; each octet is given alone. */
static void test_windows_of_any_size(void) {
  static uint8_t message[8192 + 100];
  uint64_t seed = 3;
  unsigned bits;
  size_t i;
  uint8_t head[14];
  packer p;
  for (i = 0; i < 8192; i++)
    message[i] = (uint8_t)check_random(&seed, 256);
  memcpy(message + 8192, message, 100);
  packer_open(&p, 9, 15, Z_DEFAULT_STRATEGY);
  packer_add(&p, message, sizeof message, Z_SYNC_FLUSH);
  for (bits = 8; bits <= 15; bits++) {
    setup s = SETUP;
    bench b;
    s.terms.server_max_window_bits = bits;
    bench_open(&b, &s);
    CHECK(give(&b, head, put_head(head, 0xc2, p.len - 4, false)) == STOMP_MORE);
    for (i = 0; i < p.len - 4; i++)
      CHECK(give(&b, p.at + i, 1) == STOMP_MORE);
    CHECK(b.n_messages == 1 && b.got_len == sizeof message);
    bench_close(&b);
  }
  packer_close(&p);
}

/* ---- Room and memory ---- */

/* Room is counted before compression, so it does not depend on the content; what
 * was compressed frees the rest. */
static void test_room(void) {
  static uint8_t text[4000];
  stomp_span data = { text, sizeof text };
  stomp_status status;
  setup s = SETUP;
  bench b;
  int n = 0;
  memset(text, 'a', sizeof text);
  s.cap = sizeof text + STOMP_WEBSOCKET_HEADROOM;
  bench_open(&b, &s);
  CHECK(stomp_websocket_begin(b.w, sizeof text + 1, &status) == NULL &&
        status == STOMP_LOUTBOX);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_TEXT, data) == STOMP_OK);
  CHECK(stomp_buffer_len(&b.out) < 60);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_TEXT, data) == STOMP_FULL);
  data.len = 3000;
  while (stomp_websocket_send(b.w, STOMP_WEBSOCKET_TEXT, data) == STOMP_OK)
    n++;
  CHECK(n > 20); /* uncompressed there is room for one */
  CHECK(stomp_websocket_close(b.w, 1000, (stomp_span){ NULL, 0 }) == STOMP_OK);
  bench_close(&b);
}

/* Noise does not get shorter; what that was tried in is given back. */
static void test_noise_holds_no_memory(void) {
  static uint8_t noise[MIB];
  setup s = SETUP;
  uint64_t seed = 3;
  size_t i, before = 0;
  bench b;
  for (i = 0; i < sizeof noise; i++)
    noise[i] = (uint8_t)check_random(&seed, 256);
  bench_open(&b, &s);
  for (i = 0; i < 3; i++) {
    CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_BINARY,
                               (stomp_span){ noise, i ? sizeof noise : 200 }) ==
          STOMP_OK);
    stomp_buffer_clear(&b.out);
    before = i ? before : b.m.live; /* zlib's own */
    CHECK(b.m.live <= before);
  }
  bench_close(&b);
}

/* begin, then end plain or not: what was written in place. */
static void test_plain_messages(void) {
  setup s = SETUP;
  stomp_status status;
  uint8_t *to;
  inflater peer;
  bench b;
  int i;
  s.server = true;
  bench_open(&b, &s);
  inflater_open(&peer, 15, true);
  for (i = 0; i < 6; i++) {
    uint8_t text[200];
    memset(text, 'b', sizeof text);
    to = stomp_websocket_begin(b.w, sizeof text, &status);
    CHECK(to != NULL);
    memcpy(to, text, sizeof text);
    if (i % 2)
      stomp_websocket_end_plain(b.w, STOMP_WEBSOCKET_BINARY);
    else
      stomp_websocket_end(b.w, STOMP_WEBSOCKET_BINARY);
    CHECK((b.out.block[b.out.start] & 0x40) == (i % 2 ? 0 : 0x40));
    check_sent(&b, &peer, true, text, sizeof text);
    stomp_buffer_consume(&b.out, stomp_buffer_len(&b.out));
  }
  inflater_close(&peer);
  bench_close(&b);
}

/* Each request for memory fails once, in sending: the message goes out all the
 * same, and so does the next one. */
static void test_sending_without_memory(void) {
  static uint8_t text[9000];
  uint64_t seed = 5;
  size_t n = 0, i;
  bool more = true;
  for (i = 0; i < sizeof text; i++)
    text[i] = (uint8_t)('a' + check_random(&seed, 16));
  while (more) {
    setup s = SETUP;
    inflater peer;
    bench b;
    n++;
    s.server = true;
    bench_open(&b, &s);
    inflater_open(&peer, 15, true);
    /* the output's block is there, so what fails is the compression's */
    CHECK(stomp_buffer_reserve(&b.out, 2 * sizeof text) != NULL);
    b.m.n = 0;
    b.m.fail_at = n;
    for (i = 0; i < 3; i++) {
      CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_BINARY,
                                 (stomp_span){ text, sizeof text }) ==
            STOMP_OK);
      check_sent(&b, &peer, true, text, sizeof text);
      CHECK(i == 0 || (b.out.block[b.out.start] & 0x40));
      b.out.start = b.out.end = 0; /* the block stays */
    }
    more = b.m.n >= n;
    inflater_close(&peer);
    bench_close(&b);
  }
  CHECK(n > 5);
}

/* Nothing is asked for while receiving, whatever comes. */
static void test_receiving_takes_no_memory(void) {
  static uint8_t message[80000];
  uint64_t seed = 13;
  int i;
  size_t before;
  uint8_t head[14];
  setup s = SETUP;
  packer p;
  bench b;
  bench_open(&b, &s);
  packer_open(&p, 6, 15, Z_DEFAULT_STRATEGY);
  before = b.m.calls;
  for (i = 0; i < 50; i++) {
    pack_oddly(&p, message, draw_message(&seed, message), &seed);
    CHECK(give(&b, head, put_head(head, 0xc2, p.len, false)) == STOMP_MORE);
    CHECK(give(&b, p.at, p.len) == STOMP_MORE);
  }
  CHECK(b.m.calls == before && b.n_messages == 50);
  packer_close(&p);
  bench_close(&b);
}

static void test_birth_without_memory(void) {
  stomp_deflate_terms terms = STOMP_DEFLATE_TERMS;
  stomp_websocket_options options = { 0 };
  stomp_status status = STOMP_ENOMEM;
  stomp_websocket *w;
  stomp_buffer out;
  check_memory m;
  size_t n;
  for (n = 2; status != STOMP_OK; n++) {
    CHECK(n < 10);
    check_memory_init(&m, n);
    options.memory = &m.memory;
    stomp_buffer_init(&out, &m.memory, 1000);
    w = stomp_websocket_new(&options, &out);
    CHECK(w != NULL);
    status = stomp_websocket_compress(w, &terms);
    CHECK(status == STOMP_OK || status == STOMP_ENOMEM);
    CHECK(stomp_websocket_is_compressed(w) == (status == STOMP_OK));
    stomp_websocket_free(w);
    CHECK(m.live == 0);
  }
  stomp_deflate_free(NULL);
}

/* ---- Work ---- */

/* Octet by octet, and 200,000 final blocks: each call does a bounded thing. */
static void test_tiny_pieces(void) {
  static uint8_t blocks[400001];
  uint8_t head[14];
  size_t i;
  setup s = SETUP;
  bench b;
  for (i = 0; i < 200000; i++)
    memcpy(blocks + 2 * i, "\x03", 2);
  bench_open(&b, &s);
  CHECK(give(&b, head, put_head(head, 0xc2, sizeof blocks, false)) ==
        STOMP_MORE);
  CHECK(give(&b, blocks, sizeof blocks) == STOMP_MORE);
  CHECK(b.n_messages == 1 && b.got_len == 0);
  CHECK(give(&b, head, put_head(head, 0xc2, sizeof blocks, false)) ==
        STOMP_MORE);
  for (i = 0; i < sizeof blocks; i++)
    CHECK(give(&b, blocks + i, 1) == STOMP_MORE);
  CHECK(b.n_messages == 2);
  bench_close(&b);
}

int main(void) {
  test_round_trips();
  test_zlib_in_other_ways();
  test_windows_of_any_size();
  test_room();
  test_noise_holds_no_memory();
  test_plain_messages();
  test_sending_without_memory();
  test_receiving_takes_no_memory();
  test_birth_without_memory();
  test_tiny_pieces();
  return check_result("deflate");
}
