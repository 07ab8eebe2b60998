/* SPDX-License-Identifier: MIT
 *
 * The framing where vectors do not reach: masks of every length and phase, room
 * that is missing, random bytes and memory that fail, pongs that wait, pieces
 * that point where the header says, and work that grows with the input and not
 * faster. */
#include "websocket_bench.h"

/* ---- What each test needs ---- */

static stomp_span span(const char *text) {
  return (stomp_span){ (const uint8_t *)text, strlen(text) };
}

/* Give octets that end at the guard page; the last status. `event` is the last
 * one that came. */
static stomp_status give(bench *b, const void *bytes, size_t len,
                         stomp_websocket_event *event) {
  stomp_span in = { check_guarded(bytes, len), len };
  stomp_status status;
  do
    status = stomp_websocket_next(b->w, &in, event);
  while (status == STOMP_FRAME && in.len);
  return status;
}

static stomp_status ping(bench *b, char payload) {
  char frame[] = { (char)0x89, 1, payload };
  stomp_websocket_event event;
  return give(b, frame, sizeof frame, &event);
}

/* The output of a client: takes one frame off, unmasked into `plain`. */
static size_t take(bench *b, unsigned *first, uint8_t *plain) {
  stomp_span out = stomp_buffer_span(&b->out);
  size_t len, head = 6, i;
  if (out.len < 6)
    return SIZE_MAX;
  *first = out.bytes[0];
  len = out.bytes[1] & 0x7f;
  if (len == 126) {
    len = (size_t)(out.bytes[2] << 8 | out.bytes[3]);
    head = 8;
  }
  for (i = 0; i < len; i++)
    plain[i] = out.bytes[head + i] ^ out.bytes[head - 4 + i % 4];
  stomp_buffer_consume(&b->out, head + len);
  return len;
}

/* ---- Masks ---- */

static void check_mask(size_t len, unsigned phase, size_t align) {
  static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
  static uint8_t bytes[96], expected[96];
  uint8_t *at = bytes + 8 + align;
  size_t i, cut;
  memset(bytes, 0xcc, sizeof bytes);
  for (i = 0; i < len; i++)
    at[i] = (uint8_t)(i * 7 + 1);
  memcpy(expected, bytes, sizeof bytes);
  for (i = 0; i < len; i++)
    expected[8 + align + i] ^= mask[(phase + i) % 4];
  CHECK(stomp_websocket_mask(at, len, mask, phase) == (phase + len) % 4);
  CHECK(memcmp(bytes, expected, sizeof bytes) == 0);
  /* twice is not at all, and a cut changes nothing */
  cut = len / 3;
  CHECK(stomp_websocket_mask(at + cut, len - cut, mask,
                             stomp_websocket_mask(at, cut, mask, phase)) ==
        (phase + len) % 4);
  for (i = 0; i < len; i++)
    CHECK(at[i] == (uint8_t)(i * 7 + 1));
}

static void test_masks_of_every_length(void) {
  size_t len, align;
  unsigned phase;
  for (len = 0; len <= 70; len++)
    for (phase = 0; phase < 4; phase++)
      for (align = 0; align < 8; align++)
        check_mask(len, phase, align);
}

/* RFC 6455, 10.3: the peer cannot know the next mask. */
static void test_each_frame_has_a_fresh_mask(void) {
  uint8_t masks[8][4];
  bench b;
  size_t i, k;
  bench_open(&b, false, 10000);
  for (i = 0; i < 8; i++) {
    if (i == 2)
      CHECK(ping(&b, 'x') == STOMP_FRAME); /* its pong */
    else if (i == 7)
      CHECK(stomp_websocket_close(b.w, 1000, span("")) == STOMP_OK);
    else
      CHECK(stomp_websocket_send(
              b.w, i == 3 ? STOMP_WEBSOCKET_PING : STOMP_WEBSOCKET_TEXT,
              span("abc")) == STOMP_OK);
    memcpy(masks[i], b.out.block + b.out.start + 2, 4);
    stomp_buffer_consume(&b.out, stomp_buffer_len(&b.out));
    for (k = 0; k < i; k++)
      CHECK(memcmp(masks[k], masks[i], 4) != 0);
  }
  CHECK(b.source.calls == 8);
  bench_close(&b);
}

/* ---- begin and end ---- */

static void test_begin_and_end(void) {
  static const size_t sizes[] = { 0, 1, 125, 126, 300 };
  uint8_t plain[400], *to;
  unsigned first;
  stomp_status status;
  size_t i;
  bench b;
  bench_open(&b, false, 10000);
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    bool text = i % 2;
    to = stomp_websocket_begin(b.w, sizes[i], &status);
    CHECK(to && status == STOMP_OK);
    CHECK(stomp_buffer_len(&b.out) == 0); /* nothing is sent before the end */
    memset(to, 'a' + (int)i, sizes[i]);
    stomp_websocket_end(b.w,
                        text ? STOMP_WEBSOCKET_TEXT : STOMP_WEBSOCKET_BINARY);
    CHECK(take(&b, &first, plain) == sizes[i]);
    CHECK(first == (text ? 0x81 : 0x82));
    CHECK(sizes[i] == 0 || plain[sizes[i] - 1] == 'a' + i);
    CHECK(stomp_buffer_len(&b.out) == 0);
  }
  bench_close(&b);
}

/* ---- Room ---- */

/* Messages leave room for control frames; each cap, down to none. */
static void test_small_outputs(void) {
  stomp_websocket_event event;
  stomp_status status;
  size_t cap, len, most;
  bench b;
  for (cap = 0; cap < 700; cap++) {
    for (len = 0, most = 0; len < 200; len++) {
      bench_open(&b, false, cap);
      if (stomp_websocket_begin(b.w, len, &status))
        most = len + 1;
      else
        CHECK(status == STOMP_LOUTBOX);
      CHECK(b.out.end == 0 && stomp_websocket_error(b.w)->status == STOMP_OK);
      bench_close(&b);
    }
    CHECK((most != 0) == (cap >= 538));
    CHECK(cap < 538 || most == (cap - 538 < 199 ? cap - 538 : 199) + 1);
  }
  bench_open(&b, false, 5); /* not even for the close */
  CHECK(give(&b, "\x88\x02\x03\xe8", 4, &event) == STOMP_FRAME);
  CHECK(event.kind == STOMP_WEBSOCKET_CLOSE && event.close_code == 1000);
  CHECK(!stomp_websocket_close_sent(b.w) &&
        stomp_websocket_close_received(b.w));
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_TEXT, span("")) ==
        STOMP_WSTATE);
  CHECK(stomp_websocket_close(b.w, 1000, span("")) == STOMP_FULL);
  bench_close(&b);
  bench_open(&b, false, 5);
  CHECK(give(&b, "\x83\x00", 2, &event) == STOMP_WOPCODE);
  CHECK(stomp_buffer_len(&b.out) == 0 && !stomp_websocket_close_sent(b.w));
  CHECK(stomp_websocket_begin(b.w, 1, &status) == NULL &&
        status == STOMP_WSTATE);
  bench_close(&b);
}

static void test_full_is_not_for_ever(void) {
  static const char text[600];
  stomp_span data = { (const uint8_t *)text, sizeof text };
  stomp_status status;
  bench b;
  bench_open(&b, true, 2000);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_BINARY, data) == STOMP_OK);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_BINARY, data) == STOMP_OK);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_BINARY, data) == STOMP_FULL);
  CHECK(stomp_websocket_begin(b.w, 300, &status) == NULL &&
        status == STOMP_FULL);
  CHECK(stomp_buffer_len(&b.out) == 2 * 604);
  stomp_buffer_consume(&b.out, 604);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_BINARY, data) == STOMP_OK);
  CHECK(stomp_websocket_begin(b.w, 1463, &status) == NULL &&
        status == STOMP_LOUTBOX);
  CHECK(stomp_websocket_begin(b.w, 1462, &status) == NULL &&
        status == STOMP_FULL);
  bench_close(&b);
}

/* Pings of the owner fill what is left; the close always fits. */
static void test_room_for_the_close_is_kept(void) {
  static const char text[125];
  stomp_span data = { (const uint8_t *)text, sizeof text };
  stomp_span reason = { (const uint8_t *)text, 123 };
  size_t n = 0;
  bench b;
  bench_open(&b, false, 1000);
  while (stomp_websocket_send(b.w, STOMP_WEBSOCKET_PING, data) == STOMP_OK)
    n++;
  CHECK(n == 6);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_PONG, data) == STOMP_FULL);
  CHECK(stomp_websocket_close(b.w, 1000, reason) == STOMP_OK);
  CHECK(stomp_buffer_len(&b.out) == 7 * 131);
  bench_close(&b);
}

/* A ping is refused where its room ends, and an empty one takes no octet more
 * than its own: the block is full, and the sanitizer watches. */
static void test_the_last_octet(void) {
  static const char text[498];
  stomp_span data = { (const uint8_t *)text, sizeof text };
  bench b;
  bench_open(&b, false, 261);
  CHECK(stomp_websocket_error(b.w)->offset == STOMP_NO_OFFSET);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_PING, span("")) ==
        STOMP_FULL);
  bench_close(&b);
  bench_open(&b, false, 262);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_PING, span("")) == STOMP_OK);
  bench_close(&b);
  bench_open(&b, false, 10000);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_BINARY, data) == STOMP_OK);
  CHECK(stomp_buffer_len(&b.out) == 506 && b.out.capacity == 512);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_TEXT, span("")) == STOMP_OK);
  CHECK(stomp_buffer_len(&b.out) == 512 && b.out.capacity == 512);
  bench_close(&b);
}

/* Reasons of each length, in a block of just their size: 123 octets at most,
 * less when a character would be cut. */
static void test_reasons_of_every_length(void) {
  static const char *const letters[] = { "a", "\xc3\xa9", "\xe2\x82\xac",
                                         "\xf0\x9f\x8e\x81" };
  uint8_t plain[125];
  unsigned first;
  size_t size, before, n, len, i;
  for (size = 1; size <= 4; size++)
    for (before = 0; before < 4; before++)
      for (n = 0; n < 140 / size; n++) {
        uint8_t *reason;
        bench b;
        len = before + n * size;
        reason = malloc(len ? len : 1);
        if (!reason)
          abort();
        memset(reason, 'b', before);
        for (i = 0; i < n; i++)
          memcpy(reason + before + i * size, letters[size - 1], size);
        bench_open(&b, false, 1000);
        CHECK(stomp_websocket_close(b.w, 1000, (stomp_span){ reason, len }) ==
              STOMP_OK);
        while (len > 123)
          len -= size;
        CHECK(take(&b, &first, plain) == 2 + len && first == 0x88);
        CHECK(memcmp(plain + 2, reason, len) == 0);
        bench_close(&b);
        free(reason);
      }
}

/* ---- Pongs ---- */

static void fill(bench *b) {
  static const char text[125];
  stomp_span data = { (const uint8_t *)text, sizeof text };
  while (stomp_websocket_send(b->w, STOMP_WEBSOCKET_PING, data) == STOMP_OK)
    ;
}

/* Without room the newest ping alone is answered, once, when there is some. */
static void test_pongs_wait_for_room(void) {
  uint8_t plain[125];
  stomp_websocket_event event;
  unsigned first;
  size_t before;
  bench b;
  bench_open(&b, false, 1000);
  stomp_websocket_answer(b.w); /* nothing is owed */
  CHECK(stomp_buffer_len(&b.out) == 0);
  fill(&b);
  before = stomp_buffer_len(&b.out);
  CHECK(ping(&b, '1') == STOMP_FRAME && ping(&b, '2') == STOMP_FRAME &&
        ping(&b, '3') == STOMP_FRAME);
  stomp_websocket_answer(b.w);
  CHECK(stomp_buffer_len(&b.out) == before);
  stomp_buffer_consume(&b.out, before);
  stomp_websocket_answer(b.w);
  CHECK(take(&b, &first, plain) == 1 && first == 0x8a && plain[0] == '3');
  stomp_websocket_answer(b.w);
  CHECK(stomp_buffer_len(&b.out) == 0);
  /* the next input will do as well */
  fill(&b);
  CHECK(ping(&b, '4') == STOMP_FRAME);
  stomp_buffer_consume(&b.out, stomp_buffer_len(&b.out));
  CHECK(give(&b, "", 0, &event) == STOMP_MORE);
  CHECK(take(&b, &first, plain) == 1 && first == 0x8a && plain[0] == '4');
  bench_close(&b);
}

static void test_no_pong_after_a_close(void) {
  stomp_websocket_event event;
  size_t i;
  bench b;
  for (i = 0; i < 3; i++) {
    bench_open(&b, false, 1000);
    fill(&b);
    CHECK(ping(&b, '1') == STOMP_FRAME);
    if (i == 0)
      CHECK(stomp_websocket_close(b.w, 1000, span("")) == STOMP_OK);
    else if (i == 1)
      CHECK(give(&b, "\x88\x00", 2, &event) == STOMP_FRAME);
    else
      CHECK(give(&b, "\x83\x00", 2, &event) == STOMP_WOPCODE);
    stomp_buffer_consume(&b.out, stomp_buffer_len(&b.out));
    stomp_websocket_answer(b.w);
    CHECK(stomp_buffer_len(&b.out) == 0);
    bench_close(&b);
  }
}

/* ---- What fails and comes back ---- */

static void test_random_that_fails(void) {
  uint8_t plain[125];
  stomp_status status;
  unsigned first;
  bench b;
  bench_open(&b, false, 10000);
  b.source.left = 0;
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_TEXT, span("a")) ==
        STOMP_ERANDOM);
  CHECK(stomp_websocket_begin(b.w, 3, &status) == NULL &&
        status == STOMP_ERANDOM);
  CHECK(ping(&b, 'p') == STOMP_FRAME);
  CHECK(stomp_websocket_close(b.w, 1000, span("")) == STOMP_ERANDOM);
  CHECK(!stomp_websocket_close_sent(b.w));
  CHECK(stomp_buffer_len(&b.out) == 0);
  b.source.left = SIZE_MAX;
  stomp_websocket_answer(b.w);
  CHECK(take(&b, &first, plain) == 1 && first == 0x8a && plain[0] == 'p');
  CHECK(stomp_websocket_close(b.w, 1000, span("bye")) == STOMP_OK);
  CHECK(stomp_websocket_close_sent(b.w));
  CHECK(take(&b, &first, plain) == 5 && first == 0x88);
  CHECK(memcmp(plain,
               "\x03\xe8"
               "bye",
               5) == 0);
  bench_close(&b);
}

static void test_memory_that_fails(void) {
  stomp_websocket_options options = { .server = true };
  stomp_buffer out;
  check_memory m;
  stomp_status status;
  size_t n;
  bench b;
  for (n = 1; n <= 2; n++) {
    check_memory_init(&m, n);
    options.memory = &m.memory;
    CHECK(stomp_websocket_new(&options, &out) == NULL);
    CHECK(m.live == 0);
  }
  stomp_websocket_free(NULL);
  bench_open(&b, false, 10000);
  b.m.fail_at = b.m.n + 1;
  CHECK(stomp_websocket_begin(b.w, 3, &status) == NULL &&
        status == STOMP_ENOMEM);
  b.m.fail_at = b.m.n + 1;
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_PING, span("")) ==
        STOMP_ENOMEM);
  CHECK(stomp_websocket_send(b.w, STOMP_WEBSOCKET_PING, span("")) == STOMP_OK);
  bench_close(&b);
  bench_open(&b, false, 8); /* just what fits: it was not the cap */
  b.m.fail_at = b.m.n + 1;
  CHECK(stomp_websocket_close(b.w, 1000, span("")) == STOMP_ENOMEM);
  CHECK(stomp_websocket_close(b.w, 1000, span("")) == STOMP_OK);
  bench_close(&b);
}

/* ---- Pieces ---- */

/* A client's pieces lie in the input; a server's are unmasked elsewhere. */
static void test_where_pieces_lie(void) {
  static uint8_t frame[14 + 40000] = { 0x82, 0xfe, 40000 >> 8, 40000 & 0xff,
                                       1,    2,    3,          4 };
  stomp_websocket_event event;
  stomp_span in = { frame, 8 + 40000 };
  size_t at = 0, i;
  bench b;
  for (i = 0; i < 40000; i++)
    frame[8 + i] = (uint8_t)((i % 251) ^ (1 + i % 4));
  bench_open(&b, true, 1000);
  while (stomp_websocket_next(b.w, &in, &event) == STOMP_FRAME) {
    CHECK(event.first == (at == 0));
    CHECK(event.last == (at + event.data.len == 40000));
    CHECK(event.data.bytes < frame || event.data.bytes >= frame + sizeof frame);
    for (i = 0; i < event.data.len; i++)
      if (event.data.bytes[i] != (at + i) % 251)
        break;
    CHECK(i == event.data.len);
    at += event.data.len;
  }
  CHECK(at == 40000);
  CHECK(frame[8] == 1); /* the input is as it was */
  bench_close(&b);
  bench_open(&b, false, 1000);
  frame[1] = 0x7e;
  in = (stomp_span){ frame, 4 + 40000 };
  CHECK(stomp_websocket_next(b.w, &in, &event) == STOMP_FRAME);
  CHECK(event.data.bytes == frame + 4 && event.data.len == 40000);
  CHECK(event.first && event.last && in.len == 0);
  bench_close(&b);
}

/* ---- Work ---- */

/* `n` frames of two octets, each given alone, so that nothing before it can be
 * read again. What the object keeps between two calls has a fixed size (no
 * allocation), so the work of each call is bounded by its frame: if the calls
 * grow as the frames do, the work does. Returns the calls. */
static size_t count_calls(bench *b, const uint8_t *frame, size_t len, size_t n,
                          size_t *events) {
  stomp_websocket_event event;
  size_t calls = 0;
  *events = 0;
  while (n--) {
    stomp_span in = { check_guarded(frame, len), len };
    stomp_status status = STOMP_FRAME;
    while (in.len || status == STOMP_FRAME) {
      status = stomp_websocket_next(b->w, &in, &event);
      calls++;
      *events += status == STOMP_FRAME;
      CHECK(status >= 0);
    }
  }
  return calls;
}

static void test_work_is_linear(void) {
  static const uint8_t empty[] = { 0x00, 0x00 }, tiny[] = { 0x82, 0x01, 'x' },
                       pong[] = { 0x8a, 0x00 };
  const size_t n = 100000;
  stomp_websocket_event event;
  size_t events, before;
  bench b;
  bench_open(&b, false, 1000);
  CHECK(give(&b, "\x02\x00", 2, &event) == STOMP_FRAME);
  before = b.m.calls;
  CHECK(count_calls(&b, empty, sizeof empty, n, &events) == 2 * n);
  CHECK(events == n);
  CHECK(give(&b, "\x80\x00", 2, &event) == STOMP_FRAME && event.last);
  CHECK(count_calls(&b, tiny, sizeof tiny, n, &events) == 2 * n);
  CHECK(count_calls(&b, pong, sizeof pong, n, &events) == 2 * n);
  CHECK(b.m.calls == before);
  bench_close(&b);
}

/* 10^5 pings in one piece: their pongs take the memory that they are long. */
static void test_a_flood_of_pings(void) {
  const size_t n = 100000;
  uint8_t *flood = calloc(n, 2);
  stomp_websocket_event event;
  stomp_span in = { flood, 2 * n };
  size_t i, calls = 0;
  bench b;
  if (!flood)
    abort();
  for (i = 0; i < n; i++)
    flood[2 * i] = 0x89;
  bench_open(&b, false, (size_t)64 << 20);
  while (stomp_websocket_next(b.w, &in, &event) == STOMP_FRAME)
    calls++;
  CHECK(calls == n && stomp_buffer_len(&b.out) == 6 * n);
  CHECK(b.m.n < 20); /* the buffer doubled, it did not creep */
  bench_close(&b);
  /* and no more than the cap */
  bench_open(&b, false, 10000);
  in = (stomp_span){ flood, 2 * n };
  while (stomp_websocket_next(b.w, &in, &event) == STOMP_FRAME)
    ;
  CHECK(stomp_buffer_len(&b.out) <= 10000 - 131);
  CHECK(b.m.peak < 40000);
  bench_close(&b);
  free(flood);
}

int main(void) {
  test_masks_of_every_length();
  test_each_frame_has_a_fresh_mask();
  test_begin_and_end();
  test_small_outputs();
  test_full_is_not_for_ever();
  test_room_for_the_close_is_kept();
  test_the_last_octet();
  test_reasons_of_every_length();
  test_pongs_wait_for_room();
  test_no_pong_after_a_close();
  test_random_that_fails();
  test_memory_that_fails();
  test_where_pieces_lie();
  test_work_is_linear();
  test_a_flood_of_pings();
  return check_result("websocket_unit");
}
