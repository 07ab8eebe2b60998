/* SPDX-License-Identifier: MIT
 *
 * The encoder: its vectors with all options and versions, and frames made at
 * random. The invariant: what is encoded is exactly as long as was said, and
 * the parser reads it back as one frame, the same one; so nothing that a
 * program puts into a header can change the shape of a frame. */
#include "core/encoder.h"
#include "core/parser.h"
#include "vectors.h"

#define MAX_FIELDS 8

typedef struct subject {
  const char *title;
  stomp_outgoing frame;
  stomp_field fields[MAX_FIELDS];
  stomp_encoding encoding;
  char command[32];
  uint8_t octets[4096]; /* names, values, body */
  size_t n_octets;
} subject;

/* ---- Encode ---- */

/* Check and write `s`, its headers in a block of just their size, to a block of
 * just its size; NULL: refused. */
static uint8_t *encode(const subject *s, size_t *size, stomp_error *error) {
  stomp_outgoing frame = s->frame;
  size_t headers_size = frame.n_headers * sizeof *frame.headers;
  stomp_field *headers = malloc(headers_size);
  uint8_t *to = NULL;
  if (!headers && headers_size)
    abort();
  if (headers_size)
    memcpy(headers, s->fields, headers_size);
  frame.headers = headers;
  stomp_error_clear(error);
  if (stomp_encode_check(&frame, s->encoding, size, error) != STOMP_OK) {
    CHECK(error->status < 0);
    CHECK(strcmp(stomp_status_kind(error->status), "invalid") == 0);
  } else {
    CHECK(error->status == STOMP_OK);
    to = malloc(*size);
    if (!to)
      abort();
    stomp_encode(&frame, s->encoding, to);
  }
  free(headers);
  return to;
}

/* What a 1.0 parser leaves of a header: blanks around it are not kept. */
static stomp_span kept(const char *bytes, size_t len, stomp_version version) {
  while (version == STOMP_1_0 && len && strchr(" \t", bytes[0]))
    bytes++, len--;
  while (version == STOMP_1_0 && len && strchr(" \t", bytes[len - 1]))
    len--;
  return (stomp_span){ (const uint8_t *)bytes, len };
}

static bool is_same(stomp_span a, stomp_span b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

/* The parsed frame has the headers of `s`, and a content-length at most. */
static void check_same(const subject *s, const stomp_frame *f) {
  size_t i, added = f->n_headers - s->frame.n_headers;
  stomp_version v = s->encoding.version;
  CHECK(f->command == s->frame.command);
  CHECK(added <= 1);
  for (i = 0; i < s->frame.n_headers; i++) {
    const stomp_field *field = &s->fields[i];
    CHECK(
      is_same(kept(field->name, field->name_len, v), stomp_frame_name(f, i)));
    CHECK(is_same(kept(field->value, field->value_len, v),
                  stomp_frame_value(f, i)));
  }
  if (added == 1)
    CHECK(is_same(stomp_frame_name(f, i),
                  (stomp_span){ (const uint8_t *)"content-length", 14 }));
  CHECK(
    is_same(stomp_frame_body(f),
            (stomp_span){ (const uint8_t *)s->frame.body, s->frame.body_len }));
}

/* Whether both sides know how to read it: before the version is settled a
 * parser undoes what looks like an escape, except in these. */
static bool is_read_back(const subject *s) {
  return s->encoding.version != STOMP_UNSETTLED ||
         s->frame.command == STOMP_CONNECT_COMMAND ||
         s->frame.command == STOMP_STOMP_COMMAND ||
         s->frame.command == STOMP_CONNECTED_COMMAND;
}

static void check_back(const subject *s, const uint8_t *bytes, size_t size) {
  static const stomp_limits limits = STOMP_LIMITS_DEFAULT;
  stomp_span in = { bytes, size };
  stomp_frame *frame = NULL;
  check_memory m;
  stomp_parser *p;
  check_memory_init(&m, 0);
  p = stomp_parser_new(&limits, s->encoding.version, &m.memory);
  CHECK(stomp_parser_next(p, &in, &frame) == STOMP_FRAME);
  CHECK(in.len == 0);
  if (frame && is_read_back(s))
    check_same(s, frame);
  stomp_frame_free(frame);
  stomp_parser_free(p);
}

/* ---- The vectors ---- */

static const char *keep(subject *s, const char *text, size_t len, size_t *n) {
  uint8_t *to = s->octets + s->n_octets;
  *n = vector_decode(to, text, len);
  s->n_octets += *n;
  return (const char *)to;
}

static void read_line(subject *s, const char *line, size_t len) {
  const char *equals = memchr(line, '=', len);
  if (len >= 2 && memcmp(line, "| ", 2) == 0) {
    s->frame.body = keep(s, line + 2, len - 2, &s->frame.body_len);
  } else if (equals && s->frame.n_headers < MAX_FIELDS) {
    stomp_field *f = &s->fields[s->frame.n_headers++];
    f->name = keep(s, line, (size_t)(equals - line), &f->name_len);
    f->value =
      keep(s, equals + 1, len - (size_t)(equals + 1 - line), &f->value_len);
  }
}

/* The frame that a block describes. */
static void read_subject(subject *s, const vector *v) {
  const vector_block *b = &v->block[0];
  const char *line = b->text, *end;
  size_t n = strcspn(line, "\n");
  memset(s, 0, sizeof *s);
  s->title = v->title;
  snprintf(s->command, sizeof s->command, "%.*s", (int)n, line);
  s->frame.command = stomp_command_find(line, n);
  s->frame.headers = s->fields;
  s->frame.no_content_length = vector_says(b, "no_content_length", NULL);
  s->encoding.escape_connect = vector_says(b, "escape_connect", NULL);
  for (line += n; *line == '\n'; line = end) {
    end = line + 1 + strcspn(line + 1, "\n");
    read_line(s, line + 1, (size_t)(end - line - 1));
  }
}

static void check_octets(const subject *s, const vector_block *b,
                         const uint8_t *bytes, size_t size) {
  uint8_t expected[4096];
  size_t len = vector_decode(expected, b->text, b->len);
  check_count++;
  if (bytes && size == len && memcmp(bytes, expected, len) == 0)
    return;
  check_failures++;
  fprintf(stderr, "%s (version %d): other octets\n", s->title,
          (int)s->encoding.version);
}

static void check_refusal(const subject *s, const vector_block *b,
                          const stomp_error *error) {
  char expected[1024], got[1024];
  vector_canonical(expected, b);
  if (error->status == STOMP_ICOMMAND) /* only a name can say which */
    snprintf(got, sizeof got, "error ICOMMAND: %s\n", s->command);
  else
    snprintf(got, sizeof got, "error %s: %s\n",
             stomp_status_name(error->status), error->detail);
  check_count++;
  if (strcmp(expected, got) == 0)
    return;
  check_failures++;
  fprintf(stderr, "%s (version %d): %s", s->title, (int)s->encoding.version,
          got);
}

static void test_vectors(void) {
  vector_file file = vector_open("spec/vectors/encoder.md");
  static subject s;
  stomp_error error;
  size_t i, size = 0;
  int version;
  CHECK(file.n >= 60);
  for (i = 0; i < file.n; i++) {
    const vector *v = &file.list[i];
    CHECK(v->n_blocks == 2);
    for (version = 0; version < 4; version++) {
      uint8_t *bytes;
      if (!vector_holds(&v->block[0], version))
        continue;
      read_subject(&s, v);
      s.encoding.version = (stomp_version)version;
      bytes = encode(&s, &size, &error);
      if (strncmp(v->block[1].info, "stomp", 5) == 0)
        check_octets(&s, &v->block[1], bytes, size);
      else
        check_refusal(&s, &v->block[1], &error);
      if (bytes && !s.encoding.escape_connect)
        check_back(&s, bytes, size);
      free(bytes);
    }
  }
  vector_close(&file);
}

/* ---- Frames made at random ---- */

static const char *random_text(subject *s, uint64_t *random, size_t *len) {
  static const char letters[] = "aaabb::\\\\nrc\n\r\0\t\x80\xff";
  char *to = (char *)s->octets + s->n_octets;
  size_t i;
  *len = check_random(random, 6);
  for (i = 0; i < *len; i++)
    to[i] = letters[check_random(random, sizeof letters - 1)];
  s->n_octets += *len;
  return to;
}

static void make_subject(subject *s, uint64_t *random) {
  static const stomp_command with_body[] = { STOMP_SEND_COMMAND,
                                             STOMP_MESSAGE_COMMAND,
                                             STOMP_ERROR_COMMAND };
  size_t i;
  memset(s, 0, sizeof *s);
  s->title = "random";
  s->encoding.version = (stomp_version)check_random(random, 4);
  s->frame.headers = s->fields;
  s->frame.n_headers = check_random(random, 4);
  for (i = 0; i < s->frame.n_headers; i++) {
    stomp_field *f = &s->fields[i];
    f->name = random_text(s, random, &f->name_len);
    f->value = random_text(s, random, &f->value_len);
  }
  s->frame.command =
    (stomp_command)check_random(random, (uint32_t)STOMP_COMMAND_COUNT);
  if (check_random(random, 2)) {
    s->frame.command = with_body[check_random(random, 3)];
    s->frame.body = random_text(s, random, &s->frame.body_len);
    s->frame.no_content_length = check_random(random, 3) == 0;
  }
}

/* Whether a name is nothing but blanks: 1.0 reads it as none. */
static bool has_blank_name(const subject *s) {
  size_t i;
  for (i = 0; i < s->frame.n_headers; i++)
    if (kept(s->fields[i].name, s->fields[i].name_len, STOMP_1_0).len == 0)
      return true;
  return false;
}

static void test_random_frames(void) {
  static subject s;
  uint64_t random = 2;
  unsigned long encoded = 0;
  stomp_error error;
  size_t size = 0;
  long i;
  for (i = 0; i < 200000; i++) {
    uint8_t *bytes;
    make_subject(&s, &random);
    bytes = encode(&s, &size, &error);
    if (!bytes)
      continue;
    encoded++;
    if (s.encoding.version != STOMP_1_0 || !has_blank_name(&s))
      check_back(&s, bytes, size);
    free(bytes);
  }
  CHECK(encoded > 20000);
}

/* Bodies of each length up to one of four digits: the number that is written,
 * and the caller's own, which is refused when it is one off. */
static void test_every_length(void) {
  static char body[1200];
  static subject s;
  stomp_error error;
  size_t n, size = 0, i;
  memset(body, 'b', sizeof body);
  for (n = 1; n <= sizeof body; n++) {
    char number[48];
    uint8_t *bytes;
    memset(&s, 0, sizeof s);
    s.title = "length";
    s.encoding.version = STOMP_1_2;
    s.frame.command = STOMP_SEND_COMMAND;
    s.frame.headers = s.fields;
    s.frame.body = body;
    s.frame.body_len = n;
    bytes = encode(&s, &size, &error);
    sprintf(number, "SEND\ncontent-length:%zu\n\n", n);
    CHECK(bytes && size == strlen(number) + n + 1);
    CHECK(bytes && memcmp(bytes, number, strlen(number)) == 0);
    free(bytes);
    s.frame.n_headers = 1;
    for (i = n - 1; i <= n + 1; i++) {
      sprintf(number, "%zu", i);
      s.fields[0] =
        (stomp_field){ "content-length", 14, number, strlen(number) };
      bytes = encode(&s, &size, &error);
      CHECK((bytes != NULL) == (i == n));
      free(bytes);
    }
  }
}

/* Each octet at each place of a name and of a value, in each command and version:
 * it is refused by its name, or read back as what it was; nothing that a program
 * puts there begins a header or a frame of its own. */
static void check_octet(stomp_command command, stomp_encoding encoding,
                        uint8_t octet, int at, unsigned long *sent) {
  static subject s;
  stomp_error error;
  size_t size = 0;
  size_t i, lines;
  uint8_t *bytes;
  char text[3] = { 'a', 'b', 'c' };
  text[at % 3] = (char)octet;
  memset(&s, 0, sizeof s);
  s.title = "octet";
  s.encoding = encoding;
  s.frame.command = command;
  s.frame.headers = s.fields;
  s.frame.n_headers = 2;
  s.fields[0] = (stomp_field){ "name", 4, "value", 5 };
  s.fields[1] = (stomp_field){ "other", 5, "more", 4 };
  if (at < 3)
    s.fields[0].name = text, s.fields[0].name_len = 3;
  else
    s.fields[0].value = text, s.fields[0].value_len = 3;
  bytes = encode(&s, &size, &error);
  if (!bytes) {
    CHECK(error.status == STOMP_IHEADER);
    CHECK(at < 3 || strncmp(error.detail, "name", 4) == 0);
    return;
  }
  ++*sent;
  if (!encoding.escape_connect) /* what RabbitMQ alone undoes */
    check_back(&s, bytes, size);
  for (i = 0, lines = 0; i < size; i++)
    lines += bytes[i] == '\n';
  CHECK(lines == 4); /* the command's, two headers', the blank one */
  CHECK(memchr(bytes, '\0', size) == bytes + size - 1);
  free(bytes);
}

static void test_each_octet(void) {
  unsigned long sent = 0;
  int command, version, octet, at, escape;
  for (command = 0; command < (int)STOMP_COMMAND_COUNT; command++)
    for (version = 0; version < 4; version++)
      for (escape = 0; escape < 2; escape++)
        for (octet = 0; octet < 256; octet++)
          for (at = 0; at < 6; at++)
            check_octet((stomp_command)command,
                        (stomp_encoding){ (stomp_version)version, escape },
                        (uint8_t)octet, at, &sent);
  CHECK(sent > 150000);
}

/* Which commands have a body does not depend on the version. */
static void test_bodies(void) {
  static subject s;
  stomp_error error;
  size_t size = 0;
  int command, version;
  for (command = 0; command < (int)STOMP_COMMAND_COUNT; command++)
    for (version = 0; version < 4; version++) {
      bool may = command == STOMP_SEND_COMMAND ||
                 command == STOMP_MESSAGE_COMMAND ||
                 command == STOMP_ERROR_COMMAND;
      uint8_t *bytes;
      memset(&s, 0, sizeof s);
      s.title = "body";
      s.encoding.version = (stomp_version)version;
      s.frame.command = (stomp_command)command;
      s.frame.body = "x";
      s.frame.body_len = 1;
      bytes = encode(&s, &size, &error);
      CHECK((bytes != NULL) == may);
      CHECK(may || error.status == STOMP_IBODY);
      free(bytes);
    }
}

int main(void) {
  test_vectors();
  test_every_length();
  test_each_octet();
  test_bodies();
  test_random_frames();
  return check_result("encoder");
}
