/* SPDX-License-Identifier: MIT
 *
 * The codec where Lua does not reach: every vector with its input right before
 * a page that cannot be read, every allocation failing once, the parser before
 * the version is settled, and streams that nobody wrote by hand. The encoder's
 * half is encoder_test.c.
 *
 * The invariant of all of it: however a stream is cut and whichever allocation
 * fails, the same events come out, and nothing is left allocated. */
#include "core/parser.h"
#include "vectors.h"

#define LOG_SIZE ((size_t)1 << 16)

/* A stream and how it is to be read. */
typedef struct subject {
  const char *title;
  uint8_t bytes[4096];
  size_t len;
  stomp_version version;
  stomp_limits limits;
} subject;

/* ---- One run ---- */

static void note(char *log, const char *text, size_t number) {
  char *end = log + strlen(log);
  sprintf(end, text, number);
}

static void note_octets(char *log, const char *before, stomp_span span) {
  strcat(log, before);
  vector_encode(log, span.bytes, span.len);
}

/* Each name finds its first header; a name that is not there, nothing. */
static void check_lookups(const stomp_frame *f) {
  stomp_span none = STOMP_HEADER(f, "no such");
  uint32_t i, k;
  CHECK(!none.bytes && none.len == 0);
  for (i = 0; i < f->n_headers; i++) {
    stomp_span name = stomp_frame_name(f, i), value;
    value = stomp_frame_header(f, (const char *)name.bytes, name.len);
    for (k = 0; k < i; k++)
      if (stomp_frame_name(f, k).len == name.len &&
          memcmp(stomp_frame_name(f, k).bytes, name.bytes, name.len) == 0)
        break;
    CHECK(value.bytes == stomp_frame_value(f, k).bytes);
    CHECK(value.len == stomp_frame_value(f, k).len);
  }
}

/* What frame.h promises of each frame. */
static void check_shape(const stomp_frame *f, const stomp_memory *memory) {
  static const stomp_delivery none;
  const stomp_header *last =
    f->n_headers ? &f->headers[f->n_headers - 1] : NULL;
  CHECK(f->next == NULL);
  CHECK(f->memory == memory);
  CHECK(memcmp(&f->delivery, &none, sizeof none) == 0);
  CHECK(f->bytes == (const uint8_t *)&f->headers[f->n_headers]);
  CHECK(f->bytes[f->body_at + f->body_len] == '\0');
  CHECK(f->body_at == (last ? last->value + last->value_len : 0));
  CHECK(f->size == sizeof *f + f->n_headers * sizeof *f->headers + f->body_at +
                     f->body_len + 1);
}

static void note_frame(char *log, const stomp_frame *f) {
  uint32_t i;
  strcat(log, "frame ");
  strcat(log, stomp_command_name(f->command));
  note(log, " headers=%zu", f->n_headers);
  note(log, " body=%zu\n", f->body_len);
  for (i = 0; i < f->n_headers; i++) {
    note_octets(log, "  ", stomp_frame_name(f, i));
    note_octets(log, "=", stomp_frame_value(f, i));
    strcat(log, "\n");
  }
  if (f->body_len) {
    note_octets(log, "  | ", stomp_frame_body(f));
    strcat(log, "\n");
  }
}

static void note_error(char *log, const stomp_error *e) {
  strcat(log, "error ");
  strcat(log, stomp_status_name(e->status));
  if (e->offset != STOMP_NO_OFFSET)
    note(log, " byte %zu", (size_t)e->offset);
  if (e->detail[0])
    note_octets(log, ": ",
                (stomp_span){ (const uint8_t *)e->detail, strlen(e->detail) });
  strcat(log, "\n");
}

/* Read all of `in`; STOMP_MORE, or what ended it. */
static stomp_status drain(stomp_parser *p, stomp_span in, const check_memory *m,
                          char *log) {
  for (;;) {
    stomp_frame *frame = NULL;
    stomp_span before = in;
    uint64_t offset = stomp_parser_offset(p);
    stomp_status status = stomp_parser_next(p, &in, &frame);
    CHECK(in.bytes + in.len == before.bytes + before.len);
    CHECK(stomp_parser_offset(p) - offset == before.len - in.len);
    CHECK((frame != NULL) == (status == STOMP_FRAME));
    if (status == STOMP_FRAME) {
      check_shape(frame, &m->memory);
      check_lookups(frame);
      note_frame(log, frame);
      stomp_frame_free(frame);
    } else if (status == STOMP_HEARTBEAT) {
      strcat(log, "heartbeat\n");
    } else if (status == STOMP_MORE) {
      CHECK(in.len == 0);
      return status;
    } else {
      return status;
    }
  }
}

/* The same, where one allocation may fail: what is left is given again. */
static stomp_status drain_all(stomp_parser *p, const uint8_t *bytes, size_t len,
                              const check_memory *m, char *log) {
  uint64_t first = stomp_parser_offset(p);
  stomp_span in = { check_guarded(bytes, len), len };
  stomp_status status = drain(p, in, m, log);
  if (status == STOMP_ENOMEM) {
    size_t taken = (size_t)(stomp_parser_offset(p) - first);
    in = (stomp_span){ check_guarded(bytes + taken, len - taken), len - taken };
    status = drain(p, in, m, log);
  }
  return status;
}

/* Run a subject in pieces: `first` octets, then `step` at a time. */
static void run(const subject *s, check_memory *m, size_t first, size_t step,
                char *log) {
  stomp_parser *p = stomp_parser_new(&s->limits, s->version, &m->memory);
  stomp_status status = STOMP_MORE;
  size_t at = 0, len = first;
  log[0] = '\0';
  if (!p) /* the allocation that was to fail */
    p = stomp_parser_new(&s->limits, s->version, &m->memory);
  while (at < s->len && status == STOMP_MORE) {
    len = len < s->len - at ? len : s->len - at;
    status = drain_all(p, s->bytes + at, len, m, log);
    at += len;
    len = step;
  }
  if (status < 0) {
    stomp_span in = { (const uint8_t *)"\n", 1 };
    stomp_frame *frame = NULL;
    CHECK(stomp_parser_error(p)->status == status);
    note_error(log, stomp_parser_error(p));
    CHECK(stomp_parser_next(p, &in, &frame) == status && in.len == 1);
  } else if (!stomp_parser_is_idle(p)) {
    strcat(log, "unfinished\n");
  }
  stomp_parser_free(p);
  CHECK(m->live == 0);
}

static void check_log(const subject *s, const char *how, size_t n,
                      const char *expected, const char *got) {
  check_count++;
  if (strcmp(expected, got) == 0)
    return;
  check_failures++;
  fprintf(stderr, "%s (version %d, %s %zu):\n%swas expected, but got\n%s",
          s->title, (int)s->version, how, n, expected, got);
}

/* ---- The parser's vectors ---- */

static void check_cuts(subject *s, const char *expected) {
  static char log[LOG_SIZE];
  check_memory m;
  size_t i;
  for (i = 1; i <= s->len; i++) {
    check_memory_init(&m, 0);
    run(s, &m, i, s->len, log); /* the last one is whole */
    check_log(s, "cut after", i, expected, log);
  }
  for (i = 1; i <= 3; i++) {
    check_memory_init(&m, 0);
    run(s, &m, i, i, log);
    check_log(s, "pieces of", i, expected, log);
  }
}

/* Each allocation fails once and is tried again. */
static void check_failing_memory(subject *s, const char *expected,
                                 size_t step) {
  static char log[LOG_SIZE];
  check_memory m;
  size_t n = 0;
  do {
    check_memory_init(&m, ++n);
    run(s, &m, step, step, log);
    check_log(s, "allocation that fails:", n, expected, log);
  } while (m.n >= n);
}

/* The owner gives up at the first failure: nothing leaks. */
static void check_giving_up(const subject *s) {
  static char log[LOG_SIZE];
  check_memory m;
  size_t n = 0;
  do {
    stomp_span in = { s->bytes, s->len };
    stomp_parser *p;
    log[0] = '\0';
    check_memory_init(&m, ++n);
    p = stomp_parser_new(&s->limits, s->version, &m.memory);
    if (p)
      (void)!drain(p, in, &m, log);
    stomp_parser_free(p);
    CHECK(m.live == 0);
  } while (m.n >= n);
}

static void check_trailing(subject *s, const char *expected) {
  static char log[LOG_SIZE], longer[LOG_SIZE];
  check_memory m;
  if (strstr(expected, "error ") || strstr(expected, "unfinished"))
    return;
  strcpy(longer, expected);
  strcat(longer, "heartbeat\n");
  s->bytes[s->len++] = '\n';
  check_memory_init(&m, 0);
  run(s, &m, s->len, 1, log);
  check_log(s, "with trailing data", s->len, longer, log);
  s->len--;
}

static void read_subject(subject *s, const vector *v) {
  static const stomp_limits defaults = STOMP_LIMITS_DEFAULT;
  const vector_block *b = &v->block[0];
  s->title = v->title;
  s->len = vector_decode(s->bytes, b->text, b->len);
  s->limits = defaults;
  vector_says(b, "frame", &s->limits.frame);
  vector_says(b, "headers", &s->limits.headers);
  vector_says(b, "header_line", &s->limits.header_line);
  vector_says(b, "header_count", &s->limits.header_count);
}

static void test_parser_vectors(const vector_file *file) {
  static subject s;
  static char expected[LOG_SIZE];
  size_t i;
  int version;
  for (i = 0; i < file->n; i++) {
    CHECK(file->list[i].n_blocks == 2);
    read_subject(&s, &file->list[i]);
    vector_canonical(expected, &file->list[i].block[1]);
    for (version = 0; version < 4; version++) {
      s.version = (stomp_version)version;
      if (!vector_holds(&file->list[i].block[0], version))
        continue;
      check_cuts(&s, expected);
      check_trailing(&s, expected);
      check_failing_memory(&s, expected, 1);
      check_failing_memory(&s, expected, s.len + 1);
      check_giving_up(&s);
    }
  }
}

/* Lines and bodies that outgrow every first block, in all the ways above. */
static void test_growing(void) {
  static subject s;
  static char expected[LOG_SIZE], body[1401], value[1201];
  static const stomp_limits defaults = STOMP_LIMITS_DEFAULT;
  memset(body, 'b', sizeof body - 1);
  memset(value, 'v', sizeof value - 1);
  s.title = "long lines and bodies";
  s.version = STOMP_1_2;
  s.limits = defaults;
  s.len =
    (size_t)sprintf((char *)s.bytes, "SEND\na:%s\nb:1\n\n%s", value, body) + 1;
  sprintf(expected, "frame SEND headers=2 body=%zu\n  a=%s\n  b=1\n  | %s\n",
          sizeof body - 1, value, body);
  check_cuts(&s, expected);
  check_failing_memory(&s, expected, 1);
  check_failing_memory(&s, expected, 500);
  check_giving_up(&s);
}

/* ---- Streams that nobody wrote by hand ---- */

/* Vectors with some octets changed: no cut makes a difference. */
static void test_mutations(const vector_file *file) {
  static const uint8_t octets[] = "\0\0\n\n\r\r::\\\\cnr t07\xff";
  static subject s;
  static char whole[LOG_SIZE], cut[LOG_SIZE];
  uint64_t random = 1;
  check_memory m;
  size_t first;
  int i, k;
  for (i = 0; i < 20000; i++) {
    read_subject(&s, &file->list[check_random(&random, (uint32_t)file->n)]);
    s.version = (stomp_version)check_random(&random, 4);
    for (k = 0; k < 3 && s.len; k++)
      s.bytes[check_random(&random, (uint32_t)s.len)] =
        octets[check_random(&random, sizeof octets - 1)];
    check_memory_init(&m, 0);
    run(&s, &m, s.len + 1, 1, whole);
    run(&s, &m, 1, 1, cut);
    check_log(&s, "mutation, octet by octet", (size_t)i, whole, cut);
    first = check_random(&random, 20) + 1; /* the order of draws is told */
    run(&s, &m, first, check_random(&random, 9) + 1, cut);
    check_log(&s, "mutation, cut", (size_t)i, whole, cut);
  }
}

/* ---- What vectors cannot say ---- */

static stomp_status next(stomp_parser *p, const char *bytes, size_t len,
                         stomp_frame **frame) {
  stomp_span in = { check_guarded(bytes, len), len };
  return stomp_parser_next(p, &in, frame);
}

#define NEXT(p, text, frame) next(p, text, sizeof(text) - 1, frame)

static void test_version_between_frames(void) {
  static const stomp_limits limits = STOMP_LIMITS_DEFAULT;
  static const char bytes[] = "CONNECTED\nversion:1.2\n\n\0RECEIPT\na:\\c\n\n";
  stomp_span in = { (const uint8_t *)bytes, sizeof bytes };
  stomp_frame *frame = NULL;
  stomp_parser *p;
  check_memory m;
  check_memory_init(&m, 0);
  p = stomp_parser_new(&limits, STOMP_UNSETTLED, &m.memory);
  CHECK(stomp_parser_next(p, &in, &frame) == STOMP_FRAME);
  CHECK(frame->offset == 0);
  stomp_frame_free(frame);
  stomp_parser_version(p, STOMP_1_0);
  CHECK(stomp_parser_next(p, &in, &frame) == STOMP_FRAME);
  CHECK(frame->offset == 24);
  CHECK(stomp_span_is(STOMP_HEADER(frame, "a"), "\\c"));
  stomp_frame_free(frame);
  stomp_parser_free(p);
  CHECK(m.live == 0);
}

/* After an error, and in the middle of each state, the owner may begin anew. */
static void test_reset(void) {
  static const stomp_limits limits = STOMP_LIMITS_DEFAULT;
  static const char whole[] = "MESSAGE\ncontent-length:3\n\nabc";
  stomp_frame *frame = NULL;
  stomp_parser *p;
  check_memory m;
  size_t n;
  uint64_t at;
  check_memory_init(&m, 0);
  for (n = 1; n < sizeof whole; n++) {
    p = stomp_parser_new(&limits, STOMP_1_2, &m.memory);
    CHECK(next(p, whole, n, &frame) == STOMP_MORE);
    CHECK(!stomp_parser_is_idle(p));
    stomp_parser_reset(p);
    CHECK(stomp_parser_is_idle(p) && stomp_parser_offset(p) == n);
    CHECK(NEXT(p, "NOSUCH\n", &frame) == STOMP_ECOMMAND);
    CHECK(stomp_parser_error(p)->offset == n);
    at = stomp_parser_offset(p);
    stomp_parser_reset(p);
    CHECK(stomp_parser_error(p)->status == STOMP_OK);
    CHECK(NEXT(p, "RECEIPT\n\n\0", &frame) == STOMP_FRAME);
    CHECK(frame->offset == at && frame->n_headers == 0);
    stomp_frame_free(frame);
    stomp_parser_free(p);
    CHECK(m.live == 0);
  }
}

/* Feed `text`, then `filler` without end, in chunks; the most memory used. */
static size_t flood(const stomp_limits *limits, const char *text, char filler,
                    stomp_status expected) {
  static char chunk[4096];
  stomp_frame *frame = NULL;
  stomp_status status;
  stomp_parser *p;
  check_memory m;
  int i;
  check_memory_init(&m, 0);
  p = stomp_parser_new(limits, STOMP_1_2, &m.memory);
  m.peak = 0;
  memset(chunk, filler, sizeof chunk);
  status = next(p, text, strlen(text), &frame);
  for (i = 0; i < 1024 && status == STOMP_MORE; i++)
    status = next(p, chunk, sizeof chunk, &frame);
  CHECK(status == expected);
  stomp_parser_free(p);
  CHECK(m.live == 0);
  return m.peak;
}

/* What a peer sends cannot take more memory than the limits say. */
static void test_memory_is_bounded(void) {
  stomp_limits limits = STOMP_LIMITS_DEFAULT;
  const size_t little = 4096;
  limits.frame = (size_t)64 << 10;
  limits.headers = 8192;
  CHECK(flood(&limits, "", 'A', STOMP_ECOMMAND) < little);
  CHECK(flood(&limits, "SEND\n", 'a', STOMP_LHEADERS) < 3 * limits.headers);
  CHECK(flood(&limits, "SEND\n\n", 'a', STOMP_LFRAME) < 6 * limits.frame);
  CHECK(flood(&limits, "SEND\ncontent-length:65537\n", 'a', STOMP_LFRAME) <
        little);
  CHECK(flood(&limits, "SEND\ncontent-length:65530\n\n", 'a', STOMP_LFRAME) <
        little);
  limits.header_line = 512;
  CHECK(flood(&limits, "SEND\n", 'a', STOMP_LLINE) < little);
}

/* Offsets inside a frame are 32 bits, so no limit is larger than that. */
static void test_limits_are_capped(void) {
  stomp_limits limits = STOMP_LIMITS_DEFAULT;
  stomp_frame *frame = NULL;
  stomp_parser *p;
  check_memory m;
  limits.frame = limits.headers = SIZE_MAX;
  check_memory_init(&m, 0);
  p = stomp_parser_new(&limits, STOMP_1_2, &m.memory);
  CHECK(stomp_parser_error(p)->status == STOMP_OK &&
        stomp_parser_error(p)->offset == STOMP_NO_OFFSET);
  CHECK(NEXT(p, "SEND\ncontent-length:1073741825\n", &frame) == STOMP_LFRAME);
  stomp_parser_free(p);
  CHECK(m.live == 0);
}

/* A body that comes octet by octet is moved a few times, not each time. */
static void test_work_is_linear(void) {
  static const stomp_limits limits = STOMP_LIMITS_DEFAULT;
  stomp_frame *frame = NULL;
  stomp_parser *p;
  check_memory m;
  int i;
  check_memory_init(&m, 0);
  p = stomp_parser_new(&limits, STOMP_1_2, &m.memory);
  CHECK(NEXT(p, "SEND\n\n", &frame) == STOMP_MORE);
  for (i = 0; i < 1 << 20; i++)
    if (NEXT(p, "x", &frame) != STOMP_MORE)
      abort();
  CHECK(NEXT(p, "\0", &frame) == STOMP_FRAME);
  CHECK(frame->body_len == (size_t)1 << 20);
  CHECK(m.n < 24);
  stomp_frame_free(frame);
  stomp_parser_free(p);
}

/* A frame that lies whole in the input is one block, made once. */
static void test_a_whole_frame_is_one_block(void) {
  static const stomp_limits limits = STOMP_LIMITS_DEFAULT;
  stomp_frame *frame = NULL;
  stomp_parser *p;
  check_memory m;
  size_t before;
  int i;
  check_memory_init(&m, 0);
  p = stomp_parser_new(&limits, STOMP_1_2, &m.memory);
  for (i = 0; i < 4; i++) {
    before = m.calls;
    if (i % 2)
      CHECK(NEXT(p, "SEND\na:1\ncontent-length:3\n\nabc\0", &frame) ==
            STOMP_FRAME);
    else
      CHECK(NEXT(p, "SEND\na:1\nb:2\n\nabc\0", &frame) == STOMP_FRAME);
    CHECK(i == 0 || m.calls == before + 1);
    CHECK(m.live >= frame->size);
    stomp_frame_free(frame);
  }
  stomp_parser_free(p);
}

int main(void) {
  vector_file file = vector_open("spec/vectors/parser.md");
  CHECK(file.n >= 120);
  test_parser_vectors(&file);
  test_growing();
  test_mutations(&file);
  vector_close(&file);
  test_version_between_frames();
  test_reset();
  test_memory_is_bounded();
  test_limits_are_capped();
  test_work_is_linear();
  test_a_whole_frame_is_one_block();
  return check_result("codec");
}
