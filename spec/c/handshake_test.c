/* SPDX-License-Identifier: MIT
 *
 * Every vector of spec/vectors/handshake.md: whole, octet by octet, cut in two at
 * each place, with something behind it, and with each allocation failing once.
 * The input ends at a page that cannot be read. (What vectors cannot say is
 * handshake_unit_test.c's.)
 *
 * The invariant of all of it: however the bytes are cut, the same answers, the
 * same end and the same offset come out. */
#include "core/handshake.h"
#include "vectors.h"

#define LOG_SIZE ((size_t)1 << 16)
#define KEY      "the sample nonce" /* RFC 6455, 1.3 */

/* How a vector is to be run. */
typedef struct subject {
  const char *title;
  stomp_handshake_options options;
  bool start; /* the client's first request is part of the log */
  uint8_t bytes[8192];
  size_t len;
} subject;

/* ---- The notation ---- */

/* Lines end in CRLF; one that begins with "| " stands for its octets alone. */
static void read_input(subject *s, const vector_block *b) {
  const char *line = b->text, *stop = b->text + b->len, *end;
  for (s->len = 0; b->len && line <= stop; line = end + 1) {
    bool raw = line + 1 < stop && memcmp(line, "| ", 2) == 0;
    end = line < stop ? memchr(line, '\n', (size_t)(stop - line)) : NULL;
    if (!end)
      end = stop;
    if (raw)
      line += 2;
    s->len += vector_decode(s->bytes + s->len, line, (size_t)(end - line));
    if (!raw) {
      memcpy(s->bytes + s->len, "\r\n", 2);
      s->len += 2;
    }
  }
}

static void read_options(subject *s, const vector_block *b) {
  static const char *const protocols[] = { "v12.stomp", "v11.stomp" };
  static const stomp_field more[] = { { "X-A", 3, "b c", 3 },
                                      { "Authorization", 13, "Basic x", 7 } };
  stomp_handshake_options o = { .server = vector_says(b, "server", NULL),
                                .host = "broker.test:8080",
                                .path = "/ws?a=1",
                                .protocols = protocols,
                                .n_protocols = 2,
                                .limit = 4096 };
  CHECK(o.server || vector_says(b, "client", NULL));
  if (vector_says(b, "proxy", NULL))
    o.proxy_target = "broker.test:443";
  if (vector_says(b, "authorized", NULL))
    o.proxy_authorization = "Basic dTpw";
  if (vector_says(b, "plain", NULL))
    o.n_protocols = 0;
  o.compression = vector_says(b, "compression", NULL);
  if (vector_says(b, "headers", NULL)) {
    o.headers = more;
    o.n_headers = 2;
  }
  vector_says(b, "limit", &o.limit);
  s->options = o;
  s->start = vector_says(b, "start", NULL);
}

/* ---- The log ---- */

static void note(char *log, const char *text, size_t number) {
  sprintf(log + strlen(log), text, number);
}

static void note_octets(char *log, const char *before, stomp_span span) {
  strcat(log, before);
  vector_encode(log, span.bytes, span.len);
}

/* The output in lines, which all end in CRLF. */
static void note_output(char *log, stomp_buffer *out) {
  stomp_span s = stomp_buffer_span(out);
  while (s.len) {
    const uint8_t *lf = memchr(s.bytes, '\n', s.len);
    size_t len = lf ? (size_t)(lf - s.bytes) + 1 : s.len;
    CHECK(len >= 2 && s.bytes[len - 1] == '\n' && s.bytes[len - 2] == '\r');
    note_octets(log, len > 2 ? "> " : ">", (stomp_span){ s.bytes, len - 2 });
    strcat(log, "\n");
    s.bytes += len;
    s.len -= len;
  }
  stomp_buffer_consume(out, stomp_buffer_len(out));
}

static void note_headers(char *log, const stomp_handshake *h) {
  stomp_span name, value;
  size_t at = 0;
  while (stomp_handshake_header(h, &at, &name, &value)) {
    note_octets(log, "  ", name);
    note_octets(log, "=", value);
    strcat(log, "\n");
  }
}

static void note_error(char *log, const stomp_handshake *h) {
  const stomp_error *e = stomp_handshake_error(h);
  stomp_span body = stomp_handshake_body(h);
  bool refused = e->status == STOMP_UREFUSED || e->status == STOMP_UPROXY;
  note_octets(log, "error ", (stomp_span){ NULL, 0 });
  strcat(log, stomp_status_name(e->status));
  note(log, " byte %zu", (size_t)e->offset);
  if (e->detail[0])
    note_octets(log, ": ",
                (stomp_span){ (const uint8_t *)e->detail, strlen(e->detail) });
  strcat(log, "\n");
  CHECK(e->http_status == stomp_handshake_status(h));
  if (!refused)
    return;
  note(log, "  status %zu\n", stomp_handshake_status(h));
  note_headers(log, h);
  if (body.len > 160) {
    note(log, "  | %zu octets", body.len);
    note_octets(log, ", the last ",
                (stomp_span){ body.bytes + body.len - 8, 8 });
    strcat(log, "\n");
  } else if (body.len) {
    note_octets(log, "  | ", body);
    strcat(log, "\n");
  }
}

static void note_upgraded(char *log, const stomp_handshake *h, size_t at) {
  stomp_span path = stomp_handshake_path(h);
  note(log, "upgraded byte %zu", at);
  if (*stomp_handshake_protocol(h)) {
    strcat(log, " ");
    strcat(log, stomp_handshake_protocol(h));
  }
  if (stomp_handshake_deflate(h))
    strcat(log, " deflate");
  strcat(log, "\n");
  CHECK(stomp_handshake_error(h)->status == STOMP_OK);
  CHECK(!stomp_handshake_in_proxy(h) && !stomp_handshake_is_refused(h));
  if (path.len) {
    note_octets(log, "  path ", path);
    strcat(log, "\n");
  }
}

/* ---- One run ---- */

static bool fill_random(void *user, void *bytes, size_t len) {
  (void)user;
  CHECK(len == sizeof KEY - 1);
  memcpy(bytes, KEY, len);
  return true;
}

/* It has ended: the same is said again, and nothing is taken or put out. */
static void check_final(stomp_handshake *h, stomp_buffer *out,
                        stomp_status status) {
  static const uint8_t more[] = "HTTP/1.1 200 OK\r\n\r\n";
  stomp_error error = *stomp_handshake_error(h);
  stomp_span in = { more, sizeof more - 1 };
  CHECK(stomp_handshake_next(h, &in) == status && in.len == sizeof more - 1);
  CHECK(status == STOMP_OK || stomp_handshake_ended(h) == status);
  CHECK(memcmp(&error, stomp_handshake_error(h), sizeof error) == 0);
  CHECK(stomp_buffer_len(out) == 0);
}

static void finish(stomp_handshake *h, stomp_buffer *out, stomp_status status,
                   size_t at, char *log) {
  if (status == STOMP_MORE) {
    strcat(log, stomp_handshake_is_refused(h) ? "unfinished, refused\n"
                                              : "unfinished\n");
    status = stomp_handshake_ended(h);
    CHECK(status < 0);
  }
  note_output(log, out);
  if (status == STOMP_OK)
    note_upgraded(log, h, at);
  else
    note_error(log, h);
  check_final(h, out, status);
}

/* Give pieces until it ends; *at is how many octets were taken. */
static stomp_status feed(stomp_handshake *h, const subject *s, size_t first,
                         size_t step, size_t *at) {
  stomp_status status = STOMP_MORE;
  size_t end = first, len;
  for (*at = 0; *at < s->len && status == STOMP_MORE; end = *at + step) {
    stomp_span in;
    len = (end < s->len ? end : s->len) - *at;
    in = (stomp_span){ check_guarded(s->bytes + *at, len), len };
    status = stomp_handshake_next(h, &in);
    CHECK(status != STOMP_MORE || in.len == 0);
    CHECK(in.len <= len);
    *at += len - in.len;
  }
  return status;
}

/* In pieces: `first` octets, then `step` at a time. NULL: a new one could not
 * be made, else the last status. */
static stomp_status run(const subject *s, check_memory *m, size_t first,
                        size_t step, char *log) {
  stomp_random random = { fill_random, NULL };
  stomp_handshake_options options = s->options;
  stomp_error error;
  stomp_handshake *h;
  stomp_buffer out;
  stomp_status status;
  size_t at;
  options.memory = &m->memory;
  options.random = &random;
  log[0] = '\0';
  stomp_buffer_init(&out, &m->memory, 1024);
  h = stomp_handshake_new(&options, &out, &error);
  if (!h)
    return error.status;
  status = s->options.server ? STOMP_OK : stomp_handshake_start(h);
  if (status == STOMP_OK) {
    if (s->start)
      note_output(log, &out);
    stomp_buffer_consume(&out, stomp_buffer_len(&out));
    status = feed(h, s, first, step, &at);
    finish(h, &out, status, at, log);
  }
  stomp_handshake_free(h);
  stomp_buffer_clear(&out);
  CHECK(m->live == 0);
  return status;
}

/* ---- Every way ---- */

static void compare(const subject *s, const char *how, size_t n,
                    const char *expected, const char *got) {
  check_count++;
  if (strcmp(expected, got) == 0)
    return;
  check_failures++;
  fprintf(stderr, "%s (%s %zu)\nexpected:\n%sgot:\n%s\n", s->title, how, n,
          expected, got);
}

static void check_cut(const subject *s, const char *how, size_t first,
                      size_t step, const char *expected) {
  static char log[LOG_SIZE];
  check_memory m;
  check_memory_init(&m, 0);
  (void)!run(s, &m, first, step, log);
  compare(s, how, first, expected, log);
}

static void check_cuts(const subject *s, const char *expected) {
  size_t i;
  check_cut(s, "whole", s->len, 1, expected);
  check_cut(s, "octet by octet", 1, 1, expected);
  for (i = 1; i < s->len; i++)
    check_cut(s, "cut after", i, s->len, expected);
}

/* What is behind its end is not looked at. */
static void check_trailing(subject *s, const char *expected) {
  static const char behind[] = "\x82\x03"
                               "a: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
  size_t len = s->len;
  if (strstr(expected, "unfinished"))
    return;
  memcpy(s->bytes + len, behind, sizeof behind);
  s->len += sizeof behind;
  check_cut(s, "with more behind it, whole", s->len, 1, expected);
  check_cut(s, "with more behind it, octet by octet", 1, 1, expected);
  s->len = len;
}

/* Each allocation fails once: that is told, and nothing leaks. A server says
 * 500 where it can. */
static void check_failing_memory(const subject *s, const char *expected) {
  static char log[LOG_SIZE];
  stomp_status status;
  check_memory m;
  size_t n = 0;
  for (;;) {
    check_memory_init(&m, ++n);
    status = run(s, &m, s->len ? s->len : 1, 1, log);
    if (m.n < n)
      break;
    CHECK(m.live == 0);
    if (status != STOMP_ENOMEM) /* it failed anyway, and cannot answer it */
      CHECK(s->options.server && status < 0 && !strstr(log, "> "));
    if (strstr(log, "> HTTP/"))
      CHECK(strncmp(log, "> HTTP/1.1 500 ", 15) == 0);
  }
  compare(s, "with memory again", n, expected, log);
}

int main(void) {
  static char expected[LOG_SIZE];
  vector_file file = vector_open("spec/vectors/handshake.md");
  size_t i;
  for (i = 0; i < file.n; i++) {
    static subject s;
    const vector *v = &file.list[i];
    CHECK(v->n_blocks == 2);
    s.title = v->title;
    read_options(&s, &v->block[0]);
    if (s.options.compression && !stomp_deflate_is_built_in())
      continue;
    read_input(&s, &v->block[0]);
    vector_canonical(expected, &v->block[1]);
    check_cuts(&s, expected);
    check_trailing(&s, expected);
    check_failing_memory(&s, expected);
  }
  CHECK(file.n >= 60);
  printf("%zu vectors\n", file.n);
  vector_close(&file);
  return check_result("handshake");
}
