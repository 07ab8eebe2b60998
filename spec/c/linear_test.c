/* SPDX-License-Identifier: MIT
 *
 * No input of a peer makes the work more than linear: twice of it is at most
 * about twice the work. Work is counted, not timed. The core under this test is
 * compiled so that each basic block calls us, and its memory functions are ours
 * (Makefile, LINEAR); so it is the blocks that were run, the octets that were
 * copied, compared, searched or set, and what moving a block of memory copies.
 *
 * Each case does something n times, or cut into n pieces, from birth to free. */
#include "core/encoder.h"
#include "pair.h"

#define MOST 2.2 /* times the work for twice the input */

static uint64_t work;

/* ---- Counting ---- */

/* Called at each basic block of what was compiled with
 * -fsanitize-coverage=trace-pc. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) {
  work++;
}

/* The linker's --wrap gives us all calls. */
void *__real_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *to, int c, size_t n);
int __real_memcmp(const void *a, const void *b, size_t n);
void *__real_memchr(const void *s, int c, size_t n);
size_t __real_strlen(const char *s);

void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n) {
  work += n;
  return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n) {
  work += n;
  return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int c, size_t n);
void *__wrap_memset(void *to, int c, size_t n) {
  work += n;
  return __real_memset(to, c, n);
}

int __wrap_memcmp(const void *a, const void *b, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n) {
  work += n;
  return __real_memcmp(a, b, n);
}

void *__wrap_memchr(const void *s, int c, size_t n);
void *__wrap_memchr(const void *s, int c, size_t n) {
  void *at = __real_memchr(s, c, n);
  work += at ? (size_t)((const char *)at - (const char *)s) : n;
  return at;
}

size_t __wrap_strlen(const char *s);
size_t __wrap_strlen(const char *s) {
  size_t n = __real_strlen(s);
  work += n;
  return n;
}

static void *resize(void *user, void *block, size_t old_size, size_t new_size) {
  (void)user;
  if (new_size == 0) {
    free(block);
    return NULL;
  }
  work += old_size < new_size ? old_size : new_size;
  block = realloc(block, new_size);
  if (!block)
    abort();
  return block;
}

static const stomp_memory memory = { resize, NULL };

static bool fill(void *user, void *bytes, size_t len) {
  uint8_t *to = bytes;
  (void)user;
  while (len--)
    *to++ = (uint8_t)(len * 7 + 1);
  return true;
}

static const stomp_random source = { fill, NULL };

/* ---- Input ---- */

typedef struct input {
  uint8_t *at; /* owned */
  size_t len, room;
} input;

static void add(input *in, const void *bytes, size_t len) {
  if (in->len + len > in->room) {
    in->room = 2 * (in->len + len);
    in->at = realloc(in->at, in->room);
    if (!in->at)
      abort();
  }
  __real_memcpy(in->at + in->len, bytes, len);
  in->len += len;
}

/* `text`, a literal with all of its NULs, n times. */
#define ADD(in, text)      add(in, text, sizeof(text) - 1)
#define ADD_N(in, n, text) add_n(in, n, text, sizeof(text) - 1)

static void add_n(input *in, size_t n, const void *bytes, size_t len) {
  while (n--)
    add(in, bytes, len);
}

static stomp_limits no_limits(void) {
  stomp_limits l;
  l.frame = l.headers = l.header_line = STOMP_LIMIT_MAX;
  l.header_count = l.receipts = l.table = l.upgrade = STOMP_LIMIT_MAX;
  l.outbox = (size_t)64 << 20;
  return l;
}

/* ---- The parser ---- */

/* Give it in pieces of `step`; the frames and heart-beats that came. */
static size_t parse(input *in, size_t step, stomp_version version) {
  stomp_limits limits = no_limits();
  stomp_parser *p = stomp_parser_new(&limits, version, &memory);
  size_t at = 0, events = 0;
  for (; at < in->len; at += step) {
    stomp_span piece = { in->at + at,
                         step < in->len - at ? step : in->len - at };
    stomp_frame *frame = NULL;
    stomp_status status;
    while ((status = stomp_parser_next(p, &piece, &frame)) != STOMP_MORE) {
      CHECK(status > 0);
      events++;
      if (status == STOMP_FRAME)
        stomp_frame_free(frame);
    }
  }
  CHECK(stomp_parser_is_idle(p));
  stomp_parser_free(p);
  free(in->at);
  return events;
}

static void headers(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\n");
  ADD_N(&in, n, "a:b\n");
  ADD(&in, "\n\0");
  CHECK(parse(&in, SIZE_MAX / 2, STOMP_1_2) == 1);
}

static void headers_by_octet(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\n");
  ADD_N(&in, n, "a:b\n");
  ADD(&in, "\n\0");
  CHECK(parse(&in, 1, STOMP_1_2) == 1);
}

static void content_lengths(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\n");
  ADD_N(&in, n, "content-length:1\n");
  ADD(&in, "\nx\0");
  CHECK(parse(&in, SIZE_MAX / 2, STOMP_1_2) == 1);
}

static void long_line_by_octet(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\na:");
  ADD_N(&in, n, "x");
  ADD(&in, "\n\n\0");
  CHECK(parse(&in, 1, STOMP_1_2) == 1);
}

static void padded_line(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\na:");
  ADD_N(&in, n, " ");
  ADD(&in, "x");
  ADD_N(&in, n, "\t");
  ADD(&in, "\n\n\0");
  CHECK(parse(&in, SIZE_MAX / 2, STOMP_1_0) == 1);
}

static void escapes(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\na:");
  ADD_N(&in, n, "\\n");
  ADD(&in, "\n\n\0");
  CHECK(parse(&in, SIZE_MAX / 2, STOMP_1_2) == 1);
}

static void escapes_by_octet(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\n");
  ADD_N(&in, n, "a\\c:\\\\\n");
  ADD(&in, "\n\0");
  CHECK(parse(&in, 1, STOMP_1_2) == 1);
}

/* (a carriage return is data at 1.1) */
static void carriage_returns(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\na:");
  ADD_N(&in, n, "\r");
  ADD(&in, "\n\n\0");
  CHECK(parse(&in, 3, STOMP_1_1) == 1);
}

static void counted_body(size_t n) {
  char head[64];
  input in = { 0 };
  add(&in, head, (size_t)sprintf(head, "MESSAGE\ncontent-length:%zu\n\n", n));
  ADD_N(&in, n, "x");
  ADD(&in, "\0");
  CHECK(parse(&in, 1, STOMP_1_2) == 1);
}

static void searched_body(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\n\n");
  ADD_N(&in, n, "x");
  ADD(&in, "\0");
  CHECK(parse(&in, 1, STOMP_1_2) == 1);
}

static void tiny_frames(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "ACK\n\n\0");
  CHECK(parse(&in, SIZE_MAX / 2, STOMP_1_2) == n);
}

static void tiny_frames_by_octet(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "ACK\na:b\n\nx\0");
  CHECK(parse(&in, 1, STOMP_1_2) == n);
}

/* Large and small in turn: what one took is not paid for by the next. */
static void frames_behind_a_large_one(size_t n) {
  input in = { 0 };
  ADD(&in, "MESSAGE\na:");
  ADD_N(&in, n, "x");
  ADD(&in, "\n\n\0");
  ADD_N(&in, n, "ACK\na:b\n\nx\0");
  CHECK(parse(&in, 7, STOMP_1_2) == n + 1);
}

static void heartbeats(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "\n\r\n");
  CHECK(parse(&in, SIZE_MAX / 2, STOMP_1_2) == 2 * n);
}

static void nuls_between_frames(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "\0");
  CHECK(parse(&in, 5, STOMP_1_2) == 0);
}

/* ---- The encoder ---- */

static void encode(stomp_outgoing *frame) {
  stomp_encoding encoding = { STOMP_1_2, false };
  stomp_error error;
  uint8_t *to;
  size_t size;
  CHECK(stomp_encode_check(frame, encoding, &size, &error) == STOMP_OK);
  to = malloc(size);
  if (!to)
    abort();
  stomp_encode(frame, encoding, to);
  free(to);
}

static void encoding_headers(size_t n) {
  stomp_field *fields = malloc(n * sizeof *fields);
  stomp_outgoing frame = { .command = STOMP_SEND_COMMAND,
                           .headers = fields,
                           .n_headers = n };
  size_t i;
  if (!fields)
    abort();
  for (i = 0; i < n; i++)
    fields[i] = (stomp_field){ "a", 1, "b:", 2 };
  encode(&frame);
  free(fields);
}

static void encoding_escapes(size_t n) {
  input in = { 0 };
  stomp_field field = { .name = "a", .name_len = 1 };
  stomp_outgoing frame = { .command = STOMP_SEND_COMMAND,
                           .headers = &field,
                           .n_headers = 1 };
  ADD_N(&in, n, "\n\\:");
  field.value = (const char *)in.at;
  field.value_len = in.len;
  encode(&frame);
  free(in.at);
}

/* ---- WebSocket ---- */

/* Give it in pieces of `step`, the output never read, or always; the events. */
static size_t receive(input *in, size_t step, bool strict, bool reads) {
  stomp_websocket_options o = { .strict_utf8 = strict,
                                .memory = &memory,
                                .random = &source };
  stomp_buffer out;
  stomp_websocket *w;
  stomp_websocket_event event;
  stomp_deflate_terms terms = STOMP_DEFLATE_TERMS;
  size_t at = 0, events = 0;
  stomp_buffer_init(&out, &memory, (size_t)64 << 20);
  w = stomp_websocket_new(&o, &out);
  if (stomp_deflate_is_built_in())
    CHECK(stomp_websocket_compress(w, &terms) == STOMP_OK);
  for (; at < in->len; at += step) {
    stomp_span piece = { in->at + at,
                         step < in->len - at ? step : in->len - at };
    stomp_status status;
    while ((status = stomp_websocket_next(w, &piece, &event)) == STOMP_FRAME) {
      events++;
      if (reads)
        stomp_buffer_consume(&out, stomp_buffer_len(&out));
    }
    CHECK(status == STOMP_MORE);
  }
  stomp_websocket_free(w);
  stomp_buffer_clear(&out);
  free(in->at);
  return events;
}

static void empty_fragments(size_t n) {
  input in = { 0 };
  ADD(&in, "\x01\0");
  ADD_N(&in, n, "\0\0");
  ADD(&in, "\x80\0");
  CHECK(receive(&in, SIZE_MAX / 2, true, true) == n + 2);
}

static void fragments_of_a_character(size_t n) {
  input in = { 0 };
  ADD(&in, "\x01\0");
  ADD_N(&in, n, "\0\x01\xc3\0\x01\xa9");
  ADD(&in, "\x80\0");
  CHECK(receive(&in, 1, true, true) == 2 * n + 2);
}

static void tiny_messages(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "\x82\x01x");
  CHECK(receive(&in, SIZE_MAX / 2, false, true) == n);
}

static void text_by_octet(size_t n) {
  uint8_t head[10] = { 0x81, 127 };
  input in = { 0 };
  size_t i;
  for (i = 0; i < 8; i++)
    head[2 + i] = (uint8_t)((uint64_t)3 * n >> (56 - 8 * i));
  add(&in, head, sizeof head);
  ADD_N(&in, n, "\xe2\x82\xac");
  CHECK(receive(&in, 1, true, true) == 3 * n);
}

static void pings(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "\x89\x05hello");
  CHECK(receive(&in, SIZE_MAX / 2, false, true) == n);
}

static void pings_unread(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "\x89\x05hello");
  CHECK(receive(&in, 4, false, false) == n);
}

static void pings_in_a_message(size_t n) {
  input in = { 0 };
  ADD(&in, "\x01\0");
  ADD_N(&in, n, "\0\x01x\x89\0");
  ADD(&in, "\x80\0");
  CHECK(receive(&in, 3, true, true) == 2 * n + 2);
}

/* (What zlib does itself is not counted, but how often, and what with, is.)
 * "Hello" of RFC 7692, 7.2.3.1, in n messages, and n times in one. */
static void compressed_messages(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00");
  CHECK(receive(&in, 6, false, true) >= n);
}

static void compressed_fragments(size_t n) {
  input in = { 0 };
  ADD(&in, "\x41\x00");
  ADD_N(&in, n, "\x00\x0b\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff");
  ADD(&in, "\x80\x07\xf2\x48\xcd\xc9\xc9\x07\x00");
  CHECK(receive(&in, 6, true, true) > 1);
}

#include "linear_connection.h"

/* ---- All of it ---- */

static const struct {
  const char *name;
  void (*run)(size_t n);
  size_t n;
} cases[] = {
#define CASE(name, n)                                                          \
  { #name, name, n }
  CASE(headers, 50000),
  CASE(headers_by_octet, 50000),
  CASE(content_lengths, 50000),
  CASE(long_line_by_octet, 100000),
  CASE(padded_line, 100000),
  CASE(escapes, 100000),
  CASE(escapes_by_octet, 30000),
  CASE(carriage_returns, 100000),
  CASE(counted_body, 100000),
  CASE(searched_body, 100000),
  CASE(tiny_frames, 100000),
  CASE(tiny_frames_by_octet, 100000),
  CASE(frames_behind_a_large_one, 50000),
  CASE(heartbeats, 100000),
  CASE(nuls_between_frames, 100000),
  CASE(encoding_headers, 50000),
  CASE(encoding_escapes, 50000),
  CASE(empty_fragments, 100000),
  CASE(fragments_of_a_character, 50000),
  CASE(tiny_messages, 100000),
  CASE(text_by_octet, 50000),
  CASE(pings, 100000),
  CASE(pings_unread, 100000),
  CASE(pings_in_a_message, 50000),
  CASE(compressed_messages, 30000),
  CASE(compressed_fragments, 30000),
  CASE(answer_headers, 120),
  CASE(answer_line_by_octet, 50000),
  CASE(answer_extensions, 120),
  CASE(answers_1xx, 10000),
  CASE(refusal_by_octet, 120),
  CASE(request_headers, 120),
  CASE(request_lists, 120),
  CASE(frames_of_a_message, 50000),
  CASE(messages_of_a_frame, 50000),
  CASE(heartbeat_messages, 100000),
  CASE(ignored_messages, 50000),
  CASE(receipts, 20000),
  CASE(subscriptions, 15000),
  CASE(destinations, 15000),
  CASE(transactions, 30000),
  CASE(sends_written_by_octet, 5000),
  CASE(sends_behind_a_backlog, 1 << 18),
#undef CASE
};

static uint64_t count(void (*run)(size_t n), size_t n) {
  uint64_t before = work;
  run(n);
  return work - before;
}

int main(void) {
  size_t i;
  printf("%-26s %8s %12s %12s  ratio\n", "case", "n", "work of n", "of 2 n");
  for (i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t n = cases[i].n;
    uint64_t once = count(cases[i].run, n), twice = count(cases[i].run, 2 * n);
    double ratio = (double)twice / (double)once;
    printf("%-26s %8zu %12llu %12llu  %.2f%s\n", cases[i].name, n,
           (unsigned long long)once, (unsigned long long)twice, ratio,
           ratio > MOST ? "  MORE THAN LINEAR" : "");
    CHECK(once >= n); /* it is counted at all, and grows */
    CHECK(ratio > 1.2);
    CHECK(ratio <= MOST);
  }
  return check_result("linear");
}
