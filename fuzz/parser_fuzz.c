/* SPDX-License-Identifier: MIT
 *
 * Fuzzes core/parser.h and core/encoder.h. What holds for every input:
 *   - whole, and cut at places that the input chooses, it gives the same frames,
 *     heart-beats and error, octet for octet, offset for offset;
 *   - so it does when an allocation (the input says which) fails and what is
 *     left is given again; giving up instead leaks nothing;
 *   - no octet outside the input is read: each piece is a block of its own;
 *   - memory stays below a cap made of the limits;
 *   - after an error the parser takes nothing and says the same error; reset
 *     makes it read again;
 *   - what the encoder accepts of a parsed frame is read back as that frame,
 *     and encodes to the same bytes again.
 *
 * An input is 5 octets of settings and the stream: versions of four frames (two
 * bits each, in turn), limits, their size, cuts, the allocation that fails. */
#include "core/encoder.h"
#include "core/parser.h"
#include "talk.h"

typedef struct subject {
  unsigned versions; /* of frames 0 1 2 3, 4 … : two bits each */
  stomp_limits limits;
  const uint8_t *bytes;
  size_t len;
} subject;

static stomp_version version_of(const subject *s, size_t n_frames) {
  return (stomp_version)(s->versions >> 2 * (n_frames % 4) & 3);
}

/* Most bytes that a parser may hold: the lines and the table of headers, which
 * double, the frame, whose body grows by half or doubles, and itself. */
static size_t cap_of(const stomp_limits *l) {
  size_t frame = l->frame < STOMP_LIMIT_MAX ? l->frame : STOMP_LIMIT_MAX;
  size_t head = l->headers < frame ? l->headers : frame;
  size_t count = l->header_count < head ? l->header_count : head;
  return 4096 + 2 * head + 3 * (16 + count) * sizeof(stomp_header) + head +
         2 * frame + 512;
}

/* ---- What came out ---- */

static void check_shape(const stomp_frame *f, const stomp_memory *memory) {
  uint32_t i;
  FUZZ_CHECK(f->next == NULL && f->memory == memory);
  FUZZ_CHECK(f->bytes[f->body_at + f->body_len] == '\0');
  FUZZ_CHECK((const uint8_t *)f + f->size ==
             f->bytes + f->body_at + f->body_len + 1);
  for (i = 0; i < f->n_headers; i++) {
    const stomp_header *h = &f->headers[i];
    FUZZ_CHECK(h->name_len && h->name + h->name_len <= h->value);
    FUZZ_CHECK((size_t)h->value + h->value_len <= f->body_at);
  }
}

/* ---- Encoding what was parsed ---- */

static stomp_outgoing outgoing_of(const stomp_frame *f, stomp_field *fields) {
  stomp_span body = stomp_frame_body(f);
  uint32_t i;
  for (i = 0; i < f->n_headers; i++) {
    stomp_span name = stomp_frame_name(f, i), value = stomp_frame_value(f, i);
    fields[i] = (stomp_field){ (const char *)name.bytes, name.len,
                               (const char *)value.bytes, value.len };
  }
  return (stomp_outgoing){ .command = f->command,
                           .headers = fields,
                           .n_headers = f->n_headers,
                           .body = (const char *)body.bytes,
                           .body_len = body.len };
}

/* NULL: it cannot be sent; else owned, *size octets. */
static uint8_t *encoded(const stomp_frame *f, stomp_version version,
                        size_t *size) {
  stomp_field *fields = calloc(f->n_headers + 1, sizeof *fields);
  stomp_encoding encoding = { version, false };
  stomp_outgoing out;
  stomp_error error;
  uint8_t *to = NULL;
  FUZZ_CHECK(fields != NULL);
  out = outgoing_of(f, fields);
  stomp_error_clear(&error);
  if (stomp_encode_check(&out, encoding, size, &error) == STOMP_OK) {
    to = malloc(*size);
    FUZZ_CHECK(to != NULL);
    stomp_encode(&out, encoding, to);
  } else {
    FUZZ_CHECK(error.status < 0 &&
               strcmp(stomp_status_kind(error.status), "invalid") == 0);
  }
  free(fields);
  return to;
}

static stomp_frame *parsed(const uint8_t *bytes, size_t len,
                           stomp_version version, const stomp_memory *memory) {
  static const stomp_limits limits = STOMP_LIMITS_DEFAULT;
  stomp_parser *p = stomp_parser_new(&limits, version, memory);
  stomp_span in = { bytes, len };
  stomp_frame *frame = NULL;
  FUZZ_CHECK(stomp_parser_next(p, &in, &frame) == STOMP_FRAME);
  FUZZ_CHECK(in.len == 0 && frame->offset == 0);
  stomp_parser_free(p);
  return frame;
}

/* `b` is what `a` became on the wire: the same, but for a content-length. */
static void check_same(const stomp_frame *a, const stomp_frame *b) {
  bool added = b->n_headers == a->n_headers + 1;
  uint32_t i;
  FUZZ_CHECK(a->command == b->command);
  FUZZ_CHECK(a->n_headers == b->n_headers || added);
  FUZZ_CHECK(!added || (!STOMP_HEADER(a, "content-length").bytes &&
                        STOMP_HEADER(b, "content-length").bytes));
  for (i = 0; i < a->n_headers; i++) {
    FUZZ_CHECK(fuzz_same(stomp_frame_name(a, i), stomp_frame_name(b, i)));
    FUZZ_CHECK(fuzz_same(stomp_frame_value(a, i), stomp_frame_value(b, i)));
  }
  FUZZ_CHECK(fuzz_same(stomp_frame_body(a), stomp_frame_body(b)));
}

static bool has_escapes(stomp_command command) {
  return command != STOMP_CONNECT_COMMAND && command != STOMP_STOMP_COMMAND &&
         command != STOMP_CONNECTED_COMMAND;
}

/* (Before the version is settled escapes are read but not written: only frames
 * without any can come back the same.) */
static void check_encoding(const stomp_frame *f, stomp_version version) {
  fuzz_memory m;
  stomp_frame *again;
  uint8_t *first, *second;
  size_t n_first, n_second;
  if (version == STOMP_UNSETTLED && has_escapes(f->command))
    return;
  first = encoded(f, version, &n_first);
  if (!first)
    return;
  fuzz_memory_init(&m, SIZE_MAX, 0);
  again = parsed(first, n_first, version, &m.memory);
  check_same(f, again);
  second = encoded(again, version, &n_second);
  FUZZ_CHECK(second != NULL && n_first == n_second &&
             memcmp(first, second, n_first) == 0);
  free(first);
  free(second);
  stomp_frame_free(again);
  FUZZ_CHECK(m.live == 0);
}

/* ---- A run ---- */

typedef struct run_state {
  stomp_parser *parser;
  fuzz_memory memory;
  fuzz_log *log;
  size_t n_frames;
  bool encode;
} run_state;

static void take_frame(const subject *s, run_state *r, stomp_frame *frame) {
  check_shape(frame, &r->memory.memory);
  talk_log_frame(r->log, frame);
  if (r->encode)
    check_encoding(frame, version_of(s, r->n_frames));
  stomp_frame_free(frame);
  stomp_parser_version(r->parser, version_of(s, ++r->n_frames));
}

/* Read a piece: STOMP_MORE, or the failure; `in` is what was not taken. */
static stomp_status drain(const subject *s, run_state *r, stomp_span *in) {
  for (;;) {
    stomp_frame *frame = NULL;
    uint64_t offset = stomp_parser_offset(r->parser);
    const uint8_t *end = in->bytes + in->len;
    size_t before = in->len;
    stomp_status status = stomp_parser_next(r->parser, in, &frame);
    FUZZ_CHECK(in->bytes + in->len == end && in->len <= before);
    FUZZ_CHECK(stomp_parser_offset(r->parser) - offset == before - in->len);
    FUZZ_CHECK((frame != NULL) == (status == STOMP_FRAME));
    if (status == STOMP_FRAME)
      take_frame(s, r, frame);
    else if (status == STOMP_HEARTBEAT)
      fuzz_log_text(r->log, "heartbeat\n");
    else
      return status;
    FUZZ_CHECK(stomp_parser_is_idle(r->parser));
  }
}

/* An allocation that failed is tried again, or (give_up) ends it. */
static stomp_status feed(const subject *s, run_state *r, const uint8_t *bytes,
                         size_t len, bool give_up) {
  uint8_t *copy = fuzz_copy(bytes, len);
  stomp_span in = { copy, len };
  stomp_status status = drain(s, r, &in);
  while (status == STOMP_ENOMEM && !give_up) {
    uint8_t *rest = fuzz_copy(in.bytes, in.len);
    FUZZ_CHECK(stomp_parser_error(r->parser)->status == STOMP_OK);
    free(copy);
    copy = rest;
    in.bytes = rest;
    status = drain(s, r, &in);
  }
  FUZZ_CHECK(status < 0 || in.len == 0);
  free(copy);
  return status;
}

/* Failed for good: nothing is taken, the same is said; then begin anew. */
static void check_failed(const subject *s, run_state *r, stomp_status status) {
  static const uint8_t more[] = "RECEIPT\n\n";
  stomp_error error = *stomp_parser_error(r->parser);
  uint64_t offset = stomp_parser_offset(r->parser);
  stomp_span in = { more, sizeof more };
  stomp_frame *frame = NULL;
  FUZZ_CHECK(error.status == status && error.offset <= s->len);
  FUZZ_CHECK(!stomp_parser_is_idle(r->parser));
  FUZZ_CHECK(stomp_parser_next(r->parser, &in, &frame) == status);
  FUZZ_CHECK(in.len == sizeof more && !frame);
  FUZZ_CHECK(memcmp(&error, stomp_parser_error(r->parser), sizeof error) == 0);
  fuzz_log_error(r->log, &error);
  stomp_parser_reset(r->parser);
  FUZZ_CHECK(stomp_parser_is_idle(r->parser));
  FUZZ_CHECK(stomp_parser_error(r->parser)->status == STOMP_OK);
  FUZZ_CHECK(stomp_parser_offset(r->parser) == offset);
}

static void run(const subject *s, fuzz_cuts cuts, size_t fail_at, bool give_up,
                fuzz_log *log) {
  run_state r = { .log = log, .encode = cuts.most == 0 };
  stomp_status status = STOMP_MORE;
  size_t at = 0, len;
  fuzz_log_clear(log);
  fuzz_memory_init(&r.memory, cap_of(&s->limits), fail_at);
  r.parser = stomp_parser_new(&s->limits, version_of(s, 0), &r.memory.memory);
  if (!r.parser && !give_up)
    r.parser = stomp_parser_new(&s->limits, version_of(s, 0), &r.memory.memory);
  if (!r.parser)
    return;
  for (; at < s->len && status == STOMP_MORE; at += len) {
    len = fuzz_piece(&cuts, s->len - at);
    status = feed(s, &r, s->bytes + at, len, give_up);
  }
  if (status < 0 && status != STOMP_ENOMEM)
    check_failed(s, &r, status);
  else if (!stomp_parser_is_idle(r.parser))
    fuzz_log_text(log, "unfinished\n");
  fuzz_log_number(log, stomp_parser_offset(r.parser) * (status >= 0));
  stomp_parser_free(r.parser);
  FUZZ_CHECK(r.memory.live == 0);
}

/* One octet says which limits are small, one how small. */
static stomp_limits limits_of(unsigned which, size_t size) {
  stomp_limits l = STOMP_LIMITS_DEFAULT;
  l.frame = which & 1 ? size * 4 : (size_t)64 << 10;
  l.headers = which & 2 ? size * 2 : (size_t)16 << 10;
  l.header_line = which & 4 ? size : (size_t)16 << 10;
  l.header_count = which & 8 ? size / 8 : 64;
  return l;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static fuzz_log whole, cut;
  fuzz_input in = { bytes, len };
  subject s = { .versions = fuzz_octet(&in) };
  unsigned which = fuzz_octet(&in);
  fuzz_cuts cuts;
  size_t fail_at;
  s.limits = limits_of(which, fuzz_octet(&in));
  cuts = fuzz_cuts_read(&in);
  fail_at = fuzz_octet(&in);
  s.bytes = in.at;
  s.len = in.len;
  run(&s, FUZZ_WHOLE, 0, false, &whole);
  run(&s, FUZZ_OCTETS, 0, false, &cut);
  fuzz_log_compare("whole and octet by octet", &whole, &cut);
  run(&s, cuts, 0, false, &cut);
  fuzz_log_compare("whole and cut", &whole, &cut);
  if (fail_at == 0)
    return 0;
  run(&s, cuts, fail_at, false, &cut);
  fuzz_log_compare("with an allocation that failed", &whole, &cut);
  run(&s, cuts, fail_at, true, &cut);
  return 0;
}
