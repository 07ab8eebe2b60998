/* SPDX-License-Identifier: MIT
 *
 * The upgrade where vectors do not reach: what may not be asked for, room and
 * random bytes that are missing, calls out of turn, limits that need many lines,
 * and work that grows with the input and not faster. */
#include "check.h"
#include "core/handshake.h"

/* ---- What each test needs ---- */

static bool draw(void *user, void *bytes, size_t len) {
  const bool *works = user;
  memset(bytes, 7, len);
  return *works;
}

typedef struct bench {
  check_memory m;
  bool works; /* the random source */
  stomp_random random;
  stomp_handshake_options options;
  stomp_buffer out;
  stomp_handshake *h;
  stomp_error error;
} bench;

static const char *const protocols[] = { "v12.stomp" };

static void bench_init(bench *b, bool server) {
  memset(b, 0, sizeof *b);
  check_memory_init(&b->m, 0);
  b->works = true;
  b->random = (stomp_random){ draw, &b->works };
  b->options = (stomp_handshake_options){ .server = server,
                                          .host = "h",
                                          .path = "/",
                                          .protocols = protocols,
                                          .n_protocols = 1,
                                          .limit = (size_t)1 << 20 };
}

static void bench_open(bench *b, size_t room) {
  b->options.memory = &b->m.memory;
  b->options.random = &b->random;
  stomp_buffer_init(&b->out, &b->m.memory, room);
  b->h = stomp_handshake_new(&b->options, &b->out, &b->error);
}

static void bench_close(bench *b) {
  stomp_handshake_free(b->h);
  stomp_buffer_clear(&b->out);
  CHECK(b->m.live == 0);
}

static stomp_status give(bench *b, const char *text) {
  stomp_span in = { check_guarded(text, strlen(text)), strlen(text) };
  return stomp_handshake_next(b->h, &in);
}

static bool says(const stomp_buffer *out, const char *text) {
  stomp_span s = stomp_buffer_span(out);
  return s.len >= strlen(text) && memcmp(s.bytes, text, strlen(text)) == 0;
}

/* ---- What may not be asked for ---- */

/* It is refused with its name, and nothing was made. */
static void check_refused(bench *b, const char *detail) {
  bench_open(b, 4096);
  CHECK(!b->h);
  CHECK(b->error.status == STOMP_UINVALID);
  CHECK(strcmp(b->error.detail, detail) == 0);
  bench_close(b);
}

/* Each octet that would end a word or a line of the request, or is none of
 * HTTP's. */
static void test_nothing_is_injected(void) {
  static const char bad[] = { '\r', '\n', ' ', '\t', 1, 0x1f, 0x7f };
  char text[] = "/a?b", shown[40];
  size_t i;
  bench b;
  for (i = 0; i < sizeof bad; i++) {
    bool control = bad[i] != ' ';
    text[2] = bad[i];
    bench_init(&b, false);
    b.options.path = text;
    snprintf(shown, sizeof shown, "path /a%cb", control ? '?' : ' ');
    check_refused(&b, shown);
    bench_init(&b, false);
    b.options.host = text + 1;
    snprintf(shown, sizeof shown, "host a%cb", control ? '?' : ' ');
    check_refused(&b, shown);
    bench_init(&b, false);
    b.options.proxy_target = text + 1;
    snprintf(shown, sizeof shown, "proxy target a%cb", control ? '?' : ' ');
    check_refused(&b, shown);
    if (bad[i] == ' ' || bad[i] == '\t')
      continue;
    bench_init(&b, false);
    b.options.proxy_target = "p:1";
    b.options.proxy_authorization = text;
    check_refused(&b, "proxy authorization"); /* a secret: not shown */
  }
  bench_init(&b, false);
  b.options.host = "";
  check_refused(&b, "host ");
  bench_init(&b, false);
  b.options.path = "";
  check_refused(&b, "path ");
  bench_init(&b, false);
  b.options.path = "ws";
  check_refused(&b, "path ws");
}

static void check_header_refused(const char *name, size_t name_len,
                                 const char *value, size_t value_len,
                                 const char *detail) {
  stomp_field fields[] = { { "X-Fine", 6, "a b\tc", 5 },
                           { name, name_len, value, value_len } };
  stomp_field turned[] = { fields[1], fields[0] };
  bench b;
  bench_init(&b, false);
  b.options.headers = fields;
  b.options.n_headers = 2;
  check_refused(&b, detail);
  bench_init(&b, false);
  b.options.headers = turned;
  b.options.n_headers = 2;
  check_refused(&b, detail);
}

static void test_headers_are_checked(void) {
  static const char *const own[] = { "Host",
                                     "UPGRADE",
                                     "connection",
                                     "Sec-WebSocket-Key",
                                     "Sec-WebSocket-Version",
                                     "Sec-WebSocket-Protocol",
                                     "sec-websocket-extensions",
                                     "Content-Length",
                                     "Transfer-Encoding" };
  char detail[80];
  size_t i;
  check_header_refused("X-A", 3, "a\r\nX-B: b", 9, "value of header X-A");
  check_header_refused("X-A", 3, "a\nb", 3, "value of header X-A");
  check_header_refused("X-A", 3, "a\0b", 3, "value of header X-A");
  check_header_refused("X-A", 3, "\x7f", 1, "value of header X-A");
  check_header_refused("X-A: b\r\nX-B", 11, "c", 1, "header name X-A: b??X-B");
  check_header_refused("X A", 3, "c", 1, "header name X A");
  check_header_refused("(X", 2, "c", 1, "header name (X");
  check_header_refused("X:", 2, "c", 1, "header name X:");
  check_header_refused("X\0A", 3, "c", 1, "header name X?A");
  check_header_refused("\xc3\xbc", 2, "c", 1, "header name \xc3\xbc");
  check_header_refused("", 0, "c", 1, "header name ");
  for (i = 0; i < sizeof own / sizeof *own; i++) {
    snprintf(detail, sizeof detail, "the upgrade sets this header itself: %s",
             own[i]);
    check_header_refused(own[i], strlen(own[i]), "x", 1, detail);
  }
}

/* Subprotocols, asked for or taken, are tokens, and not longer than is kept. */
static void test_subprotocols_are_checked(void) {
  char name[65];
  const char *bad[] = { "", "(a", "a,b", "a\r\nX-A: b", "\xc3\xbc", name };
  const char *shown[] = { "", "(a", "a,b", "a??X-A: b", "\xc3\xbc", name };
  const char *second[] = { "fine", "a b" };
  const char *good[1] = { name + 1 };
  char detail[100];
  size_t i;
  bench b;
  memset(name, 'x', 64);
  name[64] = '\0';
  for (i = 0; i < 12; i++) {
    bench_init(&b, i % 2);
    b.options.protocols = &bad[i / 2];
    snprintf(detail, sizeof detail, "subprotocol %s", shown[i / 2]);
    check_refused(&b, detail);
  }
  bench_init(&b, false);
  b.options.protocols = second;
  b.options.n_protocols = 2;
  check_refused(&b, "subprotocol a b");
  bench_init(&b, false);
  b.options.protocols = good;
  bench_open(&b, 4096);
  CHECK(b.h != NULL);
  bench_close(&b);
}

/* ---- What is missing ---- */

static void test_without_random_bytes(void) {
  bench b;
  bench_init(&b, false);
  b.works = false;
  bench_open(&b, 4096);
  CHECK(!b.h && b.error.status == STOMP_ERANDOM);
  bench_close(&b);
  bench_init(&b, true); /* a server draws none */
  b.works = false;
  bench_open(&b, 4096);
  CHECK(b.h != NULL);
  bench_close(&b);
}

/* The request goes out whole or not at all, and can be asked for again. */
static void test_start_without_room(void) {
  bench b;
  size_t room;
  for (room = 0; room < 200; room++) {
    bench_init(&b, false);
    bench_open(&b, room);
    if (stomp_handshake_start(b.h) == STOMP_OK)
      break;
    CHECK(stomp_buffer_len(&b.out) == 0);
    b.out.cap = 4096;
    CHECK(stomp_handshake_start(b.h) == STOMP_OK);
    CHECK(says(&b.out, "GET / HTTP/1.1\r\n"));
    CHECK(stomp_handshake_start(b.h) == STOMP_ISTATE);
    bench_close(&b);
  }
  CHECK(room == stomp_buffer_len(&b.out));
  bench_close(&b);
}

#define REQUEST                                                                \
  "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"                        \
  "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"     \
  "Sec-WebSocket-Protocol: v12.stomp\r\n"

/* An answer goes out whole or not at all; without it the upgrade has failed. */
static void test_answers_without_room(void) {
  static const char *const rest[] = { "Sec-WebSocket-Version: 13\r\n\r\n",
                                      "\r\n", " folded\r\n" };
  static const stomp_status fails[] = { STOMP_LOUTBOX, STOMP_UREQUEST,
                                        STOMP_UHEADER };
  size_t i, room, len, end;
  bench b;
  for (i = 0; i < 3; i++)
    for (room = 0, end = 400; room < end; room++) {
      bench_init(&b, true);
      bench_open(&b, room);
      CHECK(give(&b, REQUEST) == STOMP_MORE);
      if (give(&b, rest[i]) == STOMP_OK)
        CHECK(i == 0);
      else
        CHECK(stomp_handshake_error(b.h)->status == fails[i]);
      len = stomp_buffer_len(&b.out);
      /* where the 101 has no room a shorter 500 may have */
      CHECK(len == 0 || says(&b.out, "HTTP/1.1 500 ") ||
            says(&b.out, i == 0 ? "HTTP/1.1 101 " : "HTTP/1.1 4"));
      CHECK(len == 0 || len == room || says(&b.out, "HTTP/1.1 500 "));
      if (len && !says(&b.out, "HTTP/1.1 500 "))
        end = room;
      bench_close(&b);
    }
}

/* The request of the upgrade has no room behind the tunnel. */
static void test_a_tunnel_without_room(void) {
  bench b;
  bench_init(&b, false);
  b.options.proxy_target = "p:1";
  bench_open(&b, 60);
  CHECK(stomp_handshake_start(b.h) == STOMP_OK);
  CHECK(stomp_handshake_in_proxy(b.h));
  CHECK(give(&b, "HTTP/1.1 200 OK\r\n\r\n") == STOMP_LOUTBOX);
  CHECK(stomp_handshake_error(b.h)->status == STOMP_LOUTBOX);
  CHECK(stomp_handshake_ended(b.h) == STOMP_LOUTBOX);
  bench_close(&b);
}

/* ---- Calls out of turn ---- */

static void test_calls_out_of_turn(void) {
  stomp_span name, value, none = { NULL, 0 };
  size_t at = 0;
  bench b;
  bench_init(&b, true);
  b.error.status = STOMP_ENOMEM; /* of an earlier call */
  bench_open(&b, 4096);
  CHECK(b.h && b.error.status == STOMP_OK);
  CHECK(stomp_handshake_start(b.h) == STOMP_ISTATE); /* a server is asked */
  CHECK(stomp_handshake_path(b.h).len == 0);
  CHECK(!stomp_handshake_header(b.h, &at, &name, &value));
  CHECK(stomp_handshake_next(b.h, &none) == STOMP_MORE);
  CHECK(give(&b, "GET /a HTTP/1.1\r\nHost: h") == STOMP_MORE);
  CHECK(!stomp_handshake_header(b.h, &at, &name, &value)); /* not whole yet */
  CHECK(give(&b, "i\r\n") == STOMP_MORE);
  CHECK(at == 0 && stomp_handshake_header(b.h, &at, &name, &value));
  CHECK(name.len == 4 && value.len == 2 && memcmp(value.bytes, "hi", 2) == 0);
  CHECK(!stomp_handshake_header(b.h, &at, &name, &value));
  at = 1000; /* of a longer head */
  CHECK(!stomp_handshake_header(b.h, &at, &name, &value));
  CHECK(stomp_handshake_status(b.h) == 0 && !*stomp_handshake_protocol(b.h));
  CHECK(!stomp_handshake_is_refused(b.h) && !stomp_handshake_in_proxy(b.h));
  CHECK(stomp_handshake_body(b.h).len == 0);
  bench_close(&b);
  bench_init(&b, false);
  bench_open(&b, 4096);
  CHECK(stomp_handshake_start(b.h) == STOMP_OK);
  CHECK(give(&b, "HTTP/1.1 100 X\r\n") == STOMP_MORE);
  CHECK(stomp_handshake_status(b.h) == 100);
  CHECK(give(&b, "\r\n") == STOMP_MORE); /* it was none for us */
  CHECK(stomp_handshake_status(b.h) == 0);
  CHECK(give(&b, "HTTP/1.1 101 X\r\na: b\r\nno colon\r\n") == STOMP_UHEADER);
  at = 0; /* what is no header is not told as one */
  CHECK(stomp_handshake_header(b.h, &at, &name, &value) && name.len == 1);
  CHECK(!stomp_handshake_header(b.h, &at, &name, &value));
  bench_close(&b);
  bench_init(&b, false); /* an answer to what was not asked */
  bench_open(&b, 4096);
  CHECK(stomp_handshake_next(b.h, &none) == STOMP_MORE);
  CHECK(give(&b, "HTTP/1.1 101 X\r\n") == STOMP_UGARBAGE);
  CHECK(stomp_handshake_error(b.h)->offset == 0);
  bench_close(&b);
  stomp_handshake_free(NULL);
}

/* ---- Limits ---- */

static void test_lines_are_counted(void) {
  static const char heads[] =
    "HTTP/1.1 103 X\r\na: b\r\n\r\nHTTP/1.1 101 X\r\n";
  char line[32];
  size_t i, given = sizeof heads - 1;
  bench b;
  bench_init(&b, false);
  bench_open(&b, 4096);
  CHECK(stomp_handshake_start(b.h) == STOMP_OK);
  CHECK(give(&b, heads) == STOMP_MORE);
  for (i = 0; i < STOMP_HANDSHAKE_LINES; i++) {
    snprintf(line, sizeof line, "X-%zu: y\r\n", i);
    CHECK(give(&b, line) == STOMP_MORE);
    given += strlen(line);
  }
  CHECK(give(&b, "One: more\r\n") == STOMP_ULIMIT);
  CHECK(strcmp(stomp_handshake_error(b.h)->detail, "header lines") == 0);
  CHECK(stomp_handshake_error(b.h)->offset == given);
  bench_close(&b);
}

/* Octets that are moved by all allocations, for a head of `n` octets that come
 * one by one. */
static size_t moved_by(size_t n, bool one_line) {
  size_t i;
  bench b;
  bench_init(&b, false);
  bench_open(&b, 4096);
  CHECK(stomp_handshake_start(b.h) == STOMP_OK);
  CHECK(give(&b, "HTTP/1.1 101 X\r\nX: ") == STOMP_MORE);
  for (i = 0; i < n; i++)
    CHECK(give(&b, one_line || i % 400 ? "y" : "\nX:") == STOMP_MORE);
  n = b.m.n;
  CHECK(b.m.peak < 3 * i + 8192);
  bench_close(&b);
  return n;
}

static void test_work_grows_with_the_input(void) {
  CHECK(moved_by(80000, true) <= moved_by(40000, true) + 4);
  CHECK(moved_by(80000, false) <= moved_by(40000, false) + 4);
}

/* ---- Each octet ---- */

/* A server is asked with the text in which octet `at` is `c`. */
static stomp_status ask_with(const char *text, size_t at, uint8_t c) {
  uint8_t bytes[400];
  size_t len = strlen(text);
  stomp_status status;
  stomp_span in;
  bench b;
  memcpy(bytes, text, len);
  bytes[at] = c;
  bench_init(&b, true);
  bench_open(&b, 4096);
  in = (stomp_span){ check_guarded(bytes, len), len };
  status = stomp_handshake_next(b.h, &in);
  bench_close(&b);
  return status;
}

static void test_each_octet_of_key_and_version(void) {
  static const char text[] = REQUEST "Sec-WebSocket-Version: 13\r\n\r\n";
  static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                               "uvwxyz0123456789+/";
  size_t key = (size_t)(strstr(text, "dGhlI") - text), at;
  size_t version = (size_t)(strstr(text, " HTTP") - text);
  unsigned c;
  for (c = 1; c < 256; c++) {
    bool digit = c >= '0' && c <= '9';
    CHECK((ask_with(text, key + 5, (uint8_t)c) == STOMP_OK) ==
          (strchr(base64, (int)c) != NULL));
    if (c == '\n') /* the line ends there */
      continue;
    for (at = 0; at < 9; at++) {
      bool right = (uint8_t) " HTTP/1.1"[at] == c || (at == 8 && digit);
      if (at == 8 && c == '0')
        right = false;
      CHECK((ask_with(text, version + at, (uint8_t)c) == STOMP_OK) == right);
    }
  }
}

/* Which octets may stand where in "HTTP/1.1 403 " */
static void test_each_octet_of_a_status(void) {
  static const char line[] = "HTTP/1.1 403 No\r\n";
  unsigned c;
  size_t at;
  for (at = 0; at < 13; at++)
    for (c = 1; c < 256; c++) {
      char text[sizeof line];
      bool digit = c >= '0' && c <= '9', right = (uint8_t)line[at] == c;
      bench b;
      if (at == 7 || at == 10 || at == 11)
        right = digit;
      else if (at == 9)
        right = digit && c != '0';
      if (c == '\n')
        continue;
      memcpy(text, line, sizeof line);
      text[at] = (char)c;
      bench_init(&b, false);
      bench_open(&b, 4096);
      CHECK(stomp_handshake_start(b.h) == STOMP_OK);
      CHECK(give(&b, text) == (right ? STOMP_MORE : STOMP_UGARBAGE));
      bench_close(&b);
    }
}

static stomp_status ask_for(const char *target, const char *path) {
  char text[400];
  stomp_status status;
  stomp_span got;
  bench b;
  snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n", target);
  bench_init(&b, true);
  bench_open(&b, 4096);
  status = give(&b, text);
  got = stomp_handshake_path(b.h);
  CHECK(got.len == strlen(path) &&
        (!got.len || !memcmp(got.bytes, path, got.len)));
  bench_close(&b);
  return status;
}

static void test_targets(void) {
  CHECK(ask_for("/", "/") == STOMP_MORE);
  CHECK(ask_for("/a/b?c=d://e", "/a/b?c=d://e") == STOMP_MORE);
  CHECK(ask_for("http://h:1/a", "/a") == STOMP_MORE);
  CHECK(ask_for("http://h", "") == STOMP_UREQUEST);
  CHECK(ask_for("://h/a", "") == STOMP_UREQUEST);
  CHECK(ask_for("a/b://c", "") == STOMP_UREQUEST);
  CHECK(ask_for("a:/", "") == STOMP_UREQUEST);
  CHECK(ask_for("*", "") == STOMP_UREQUEST);
}

/* Headers can be read up to the line for which it failed. */
static void test_headers_of_a_failure(void) {
  static const char *const lines[] = { "nocolon\r\n", "\tfolded\r\n",
                                       ":x\r\n" };
  stomp_span name, value;
  size_t i, at;
  bench b;
  for (i = 0; i < 3; i++) {
    bench_init(&b, false);
    bench_open(&b, 4096);
    CHECK(stomp_handshake_start(b.h) == STOMP_OK);
    CHECK(give(&b, "HTTP/1.1 403 No\r\nA: b\r\n") == STOMP_MORE);
    CHECK(give(&b, lines[i]) == STOMP_UHEADER);
    at = 0;
    CHECK(stomp_handshake_header(b.h, &at, &name, &value));
    CHECK(name.len == 1 && name.bytes[0] == 'A');
    (void)stomp_handshake_header(b.h, &at, &name, &value);
    CHECK(!stomp_handshake_header(b.h, &at, &name, &value));
    bench_close(&b);
  }
}

/* A refusal's Content-Length that is no number is none: the body goes on. */
static void test_lengths_of_a_body(void) {
  static const char *const none[] = { "-1", "1:", "0x1", "1 1", "", "99999" };
  char text[80];
  size_t i;
  bench b;
  for (i = 0; i < 7; i++) {
    bench_init(&b, false);
    bench_open(&b, 4096);
    CHECK(stomp_handshake_start(b.h) == STOMP_OK);
    snprintf(text, sizeof text,
             "HTTP/1.1 403 No\r\nContent-Length: %s\r\n\r\nxy",
             i < 6 ? none[i] : "2");
    CHECK(give(&b, text) == (i < 6 ? STOMP_MORE : STOMP_UREFUSED));
    CHECK(stomp_handshake_body(b.h).len == 2);
    bench_close(&b);
  }
}

int main(void) {
  test_nothing_is_injected();
  test_headers_are_checked();
  test_subprotocols_are_checked();
  test_without_random_bytes();
  test_start_without_room();
  test_answers_without_room();
  test_a_tunnel_without_room();
  test_calls_out_of_turn();
  test_lines_are_counted();
  test_work_grows_with_the_input();
  test_each_octet_of_key_and_version();
  test_each_octet_of_a_status();
  test_targets();
  test_headers_of_a_failure();
  test_lengths_of_a_body();
  return check_result("handshake_unit");
}
