/* SPDX-License-Identifier: MIT
 *
 * Fuzzes core/handshake.h, both roles. What holds for every input:
 *   - whole, and cut at places that the input chooses, it gives the same end,
 *     error, headers, body and output, octet for octet, offset for offset;
 *   - no octet outside the input is read: each piece is a block of its own; an
 *     upgrade takes nothing of what is behind it;
 *   - whatever host, path, subprotocol and headers a client is made with: it is
 *     refused, or its request is one that our server reads with that path and
 *     those headers and no others;
 *   - what a server answers is read by our client: an upgrade to the same terms
 *     of compression, or a refusal without a body, one of each connection;
 *   - after its end it says the same again, takes and sends nothing;
 *   - memory stays below a cap made of the limit; when memory, random bytes or
 *     room fail (the input says when), that is told or the answer is missing;
 *     the output is whole or not there; nothing leaks.
 *
 * An input is 5 octets of settings and the stream: flags (see below), limit,
 * cuts, the allocation that fails, room of the output (0: enough). With OPTIONS
 * the stream begins with host, path, header name and value, each a length and
 * so many octets. */
#include "core/handshake.h"
#include "support.h"

enum {
  SERVER = 1,
  PROXY = 2,
  PLAIN = 4,
  SMALL = 8,
  OPTIONS = 16,
  NO_DICE = 32,
  DEFLATE = 64
};

#define KEY  "the sample nonce" /* RFC 6455, 1.3 */
#define TEXT 64                 /* octets of an option, at most */

typedef struct subject {
  unsigned flags;
  size_t limit, room;
  char host[TEXT + 1], path[TEXT + 1];
  stomp_field header;
  const uint8_t *bytes;
  size_t len;
} subject;

static const char *const protocols[] = { "v12.stomp", "v11.stomp" };

static bool fill(void *user, void *bytes, size_t len) {
  const subject *s = user;
  FUZZ_CHECK(len == sizeof KEY - 1);
  memcpy(bytes, KEY, len);
  return !(s->flags & NO_DICE);
}

/* ---- Our other role ---- */

typedef struct peer {
  subject s;
  fuzz_memory memory;
  stomp_random random;
  stomp_buffer out;
  stomp_handshake *h;
} peer;

static void peer_open(peer *p, bool server, bool compression) {
  stomp_handshake_options o = { .server = server,
                                .host = "h",
                                .path = "/",
                                .protocols = protocols,
                                .n_protocols = 2,
                                .compression = compression,
                                .limit = (size_t)64 << 10,
                                .memory = &p->memory.memory,
                                .random = &p->random };
  stomp_error error;
  p->s.flags = 0;
  p->random = (stomp_random){ fill, &p->s };
  fuzz_memory_init(&p->memory, SIZE_MAX, 0);
  stomp_buffer_init(&p->out, &p->memory.memory, 4096);
  p->h = stomp_handshake_new(&o, &p->out, &error);
  FUZZ_CHECK(p->h != NULL);
  FUZZ_CHECK(server || stomp_handshake_start(p->h) == STOMP_OK);
}

static void peer_close(peer *p) {
  stomp_handshake_free(p->h);
  stomp_buffer_clear(&p->out);
  FUZZ_CHECK(p->memory.live == 0);
}

static bool same_terms(const stomp_deflate_terms *a,
                       const stomp_deflate_terms *b) {
  if (!a || !b)
    return a == b;
  return a->server_no_context_takeover == b->server_no_context_takeover &&
         a->client_no_context_takeover == b->client_no_context_takeover &&
         a->server_max_window_bits == b->server_max_window_bits &&
         a->client_max_window_bits == b->client_max_window_bits;
}

/* A request of ours: our server upgrades it, with nothing behind it, and finds
 * in it what it was made of. */
static void check_request(const subject *s, stomp_span request) {
  static const char *const names[] = { "Host",
                                       "Upgrade",
                                       "Connection",
                                       "Sec-WebSocket-Version",
                                       "Sec-WebSocket-Key",
                                       "Sec-WebSocket-Protocol",
                                       "Sec-WebSocket-Extensions" };
  bool compression = s->flags & DEFLATE;
  stomp_span name, value, path;
  size_t i, at = 0;
  peer p;
  peer_open(&p, true, compression);
  FUZZ_CHECK(stomp_handshake_next(p.h, &request) == STOMP_OK);
  FUZZ_CHECK(request.len == 0);
  path = stomp_handshake_path(p.h);
  FUZZ_CHECK(
    fuzz_same(path, (stomp_span){ (const uint8_t *)s->path, strlen(s->path) }));
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    if ((i == 5 && s->flags & PLAIN) || (i == 6 && !compression))
      continue;
    FUZZ_CHECK(stomp_handshake_header(p.h, &at, &name, &value));
    FUZZ_CHECK(name.len == strlen(names[i]) &&
               memcmp(name.bytes, names[i], name.len) == 0);
  }
  if (s->header.name) {
    FUZZ_CHECK(stomp_handshake_header(p.h, &at, &name, &value));
    FUZZ_CHECK(name.len == s->header.name_len &&
               memcmp(name.bytes, s->header.name, name.len) == 0);
    FUZZ_CHECK(value.len <= s->header.value_len); /* blanks are cut off */
  }
  FUZZ_CHECK(!stomp_handshake_header(p.h, &at, &name, &value));
  FUZZ_CHECK(strcmp(stomp_handshake_protocol(p.h),
                    s->flags & PLAIN ? "" : protocols[0]) == 0);
  FUZZ_CHECK((stomp_handshake_deflate(p.h) != NULL) == compression);
  peer_close(&p);
}

/* An answer of ours: our client reads it to its end. (Its key may be another
 * one than it was that the answer is for.) */
static void check_answer(const stomp_handshake *h, stomp_span answer,
                         bool upgraded) {
  const stomp_deflate_terms *terms = stomp_handshake_deflate(h), *read;
  stomp_status status;
  peer p;
  peer_open(&p, false, terms != NULL);
  status = stomp_handshake_next(p.h, &answer);
  FUZZ_CHECK(answer.len == 0);
  if (upgraded) {
    FUZZ_CHECK(status == STOMP_OK || status == STOMP_UACCEPT);
    read = stomp_handshake_deflate(p.h);
    if (status == STOMP_OK)
      FUZZ_CHECK(same_terms(terms, read));
  } else {
    FUZZ_CHECK(status == STOMP_UREFUSED);
    FUZZ_CHECK(stomp_handshake_status(p.h) >= 400);
    FUZZ_CHECK(stomp_handshake_body(p.h).len == 0);
  }
  peer_close(&p);
}

/* The proxy's request is a head of two or more lines; what is behind it. */
static stomp_span behind_connect(stomp_span out) {
  FUZZ_CHECK(out.len > 8 && memcmp(out.bytes, "CONNECT ", 8) == 0);
  while (memcmp(out.bytes, "\r\n\r\n", 4) != 0) {
    out.bytes++;
    out.len--;
    FUZZ_CHECK(out.len >= 4);
  }
  return (stomp_span){ out.bytes + 4, out.len - 4 };
}

/* ---- A run ---- */

typedef struct run_state {
  const subject *s;
  stomp_handshake *h;
  stomp_buffer out;
  fuzz_memory memory;
  stomp_random random;
  fuzz_log *log;
  bool
    may_fail; /* memory or room: not all that is owed need be in the output */
} run_state;

static void check_output(const run_state *r, stomp_status status) {
  stomp_span out = stomp_buffer_span(&r->out);
  if (r->s->flags & SERVER) {
    if (out.len)
      check_answer(r->h, out, status == STOMP_OK);
    FUZZ_CHECK(out.len || r->may_fail ||
               stomp_handshake_error(r->h)->status == STOMP_UEOF);
    return;
  }
  if (r->s->flags & PROXY)
    out = behind_connect(out);
  FUZZ_CHECK((out.len == 0) ==
             (stomp_handshake_in_proxy(r->h) || status == STOMP_LOUTBOX));
  if (out.len)
    check_request(r->s, out);
}

static void log_terms(fuzz_log *log, const stomp_deflate_terms *t) {
  fuzz_log_number(log, t != NULL);
  if (!t)
    return;
  fuzz_log_number(log, 2u * t->server_no_context_takeover +
                         t->client_no_context_takeover);
  fuzz_log_number(log, t->server_max_window_bits);
  fuzz_log_number(log, t->client_max_window_bits);
}

static void log_end(run_state *r, stomp_status status, size_t taken) {
  stomp_span name, value;
  size_t n = 0, at = 0;
  fuzz_log_number(r->log, status == STOMP_OK ? taken : 0);
  fuzz_log_text(r->log, stomp_handshake_protocol(r->h));
  fuzz_log_number(r->log, stomp_handshake_status(r->h));
  fuzz_log_number(r->log, stomp_handshake_in_proxy(r->h));
  log_terms(r->log, stomp_handshake_deflate(r->h));
  fuzz_log_error(r->log, stomp_handshake_error(r->h));
  for (; stomp_handshake_header(r->h, &at, &name, &value); n++) {
    fuzz_log_span(r->log, name);
    fuzz_log_span(r->log, value);
  }
  fuzz_log_number(r->log, stomp_handshake_path(r->h).len);
  fuzz_log_span(r->log, stomp_handshake_path(r->h));
  fuzz_log_span(r->log, stomp_handshake_body(r->h));
  fuzz_log_span(r->log, stomp_buffer_span(&r->out));
  FUZZ_CHECK(n <= STOMP_HANDSHAKE_LINES);
  FUZZ_CHECK(stomp_handshake_body(r->h).len <= 1024);
}

/* What has ended says the same again, takes and sends nothing. */
static void check_final(const run_state *r, stomp_status status) {
  static const uint8_t more[] = "HTTP/1.1 200 OK\r\n\r\n";
  stomp_error error = *stomp_handshake_error(r->h);
  size_t out = stomp_buffer_len(&r->out);
  stomp_span in = { more, sizeof more };
  FUZZ_CHECK((status == STOMP_OK) == (error.status == STOMP_OK));
  FUZZ_CHECK(status == error.status);
  FUZZ_CHECK(stomp_handshake_next(r->h, &in) == status);
  FUZZ_CHECK(in.len == sizeof more && !stomp_handshake_is_refused(r->h));
  FUZZ_CHECK(status == STOMP_OK || stomp_handshake_ended(r->h) == status);
  FUZZ_CHECK(memcmp(&error, stomp_handshake_error(r->h), sizeof error) == 0);
  FUZZ_CHECK(stomp_buffer_len(&r->out) == out);
}

static stomp_status feed(run_state *r, fuzz_cuts cuts, size_t *taken) {
  stomp_status status = STOMP_MORE;
  size_t len;
  for (*taken = 0; *taken < r->s->len && status == STOMP_MORE;) {
    uint8_t *copy;
    stomp_span in;
    len = fuzz_piece(&cuts, r->s->len - *taken);
    copy = fuzz_copy(r->s->bytes + *taken, len);
    in = (stomp_span){ copy, len };
    status = stomp_handshake_next(r->h, &in);
    FUZZ_CHECK(in.bytes + in.len == copy + len);
    FUZZ_CHECK(status != STOMP_MORE || in.len == 0);
    FUZZ_CHECK(status == STOMP_OK || status == STOMP_MORE || status < 0);
    *taken += len - in.len;
    free(copy);
  }
  return status;
}

static void talk(run_state *r, fuzz_cuts cuts) {
  size_t taken;
  stomp_status status = feed(r, cuts, &taken);
  if (status == STOMP_MORE) {
    fuzz_log_number(r->log, stomp_handshake_is_refused(r->h));
    status = stomp_handshake_ended(r->h);
    FUZZ_CHECK(status < 0);
  }
  check_output(r, status);
  log_end(r, status, taken);
  check_final(r, status);
}

static bool open_handshake(run_state *r) {
  const subject *s = r->s;
  stomp_handshake_options o = { .server = s->flags & SERVER,
                                .host = s->host,
                                .path = s->path,
                                .headers = &s->header,
                                .n_headers = s->header.name != NULL,
                                .protocols = protocols,
                                .n_protocols = s->flags & PLAIN ? 0 : 2,
                                .compression = (s->flags & DEFLATE) != 0,
                                .limit = s->limit,
                                .memory = &r->memory.memory,
                                .random = &r->random };
  stomp_error error;
  if (s->flags & PROXY) {
    o.proxy_target = "h:80";
    o.proxy_authorization = "Basic x";
  }
  r->h = stomp_handshake_new(&o, &r->out, &error);
  FUZZ_CHECK((r->h == NULL) == (error.status != STOMP_OK));
  if (!r->h) {
    fuzz_log_error(r->log, &error);
    FUZZ_CHECK(error.status == STOMP_UINVALID || error.status == STOMP_ENOMEM ||
               (error.status == STOMP_ERANDOM && s->flags & NO_DICE));
    return false;
  }
  FUZZ_CHECK(!(s->flags & NO_DICE) || s->flags & SERVER);
  if (s->flags & SERVER || stomp_handshake_start(r->h) == STOMP_OK)
    return true;
  FUZZ_CHECK(r->may_fail && stomp_buffer_len(&r->out) == 0);
  return false;
}

static void run(const subject *s, fuzz_cuts cuts, size_t room, size_t fail_at,
                fuzz_log *log) {
  /* fill only reads it */
  run_state r = { .s = s, .log = log, .random = { fill, NULL } };
  subject copy = *s;
  r.random.user = &copy;
  r.may_fail = fail_at || room < 4096;
  fuzz_log_clear(log);
  fuzz_memory_init(&r.memory, 3 * s->limit + 3 * 4096 + 8192, fail_at);
  stomp_buffer_init(&r.out, &r.memory.memory, room);
  if (open_handshake(&r))
    talk(&r, cuts);
  stomp_handshake_free(r.h);
  stomp_buffer_clear(&r.out);
  FUZZ_CHECK(r.memory.live == 0);
}

/* ---- The input ---- */

/* NUL-ended options end at a NUL. */
static void read_text(fuzz_input *in, char *to) {
  stomp_span text = fuzz_take(in, fuzz_below(in, TEXT));
  if (text.len)
    memcpy(to, text.bytes, text.len);
  to[text.len] = '\0';
}

static subject read_subject(fuzz_input *in, fuzz_cuts *cuts, size_t *fail_at) {
  subject s = { .flags = fuzz_octet(in), .host = "h", .path = "/" };
  unsigned limit = fuzz_octet(in);
  stomp_span name, value;
  s.limit = s.flags & SMALL ? limit : 4096;
  *cuts = fuzz_cuts_read(in);
  *fail_at = fuzz_octet(in);
  s.room = 2 * fuzz_octet(in);
  if (s.flags & OPTIONS) {
    read_text(in, s.host);
    read_text(in, s.path);
    name = fuzz_take(in, fuzz_below(in, TEXT));
    value = fuzz_take(in, fuzz_below(in, TEXT));
    s.header = (stomp_field){ (const char *)name.bytes, name.len,
                              (const char *)value.bytes, value.len };
  }
  s.bytes = in->at;
  s.len = in->len;
  return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static fuzz_log whole, cut;
  fuzz_input in = { bytes, len };
  fuzz_cuts cuts;
  size_t fail_at;
  subject s = read_subject(&in, &cuts, &fail_at);
  run(&s, FUZZ_WHOLE, 4096, 0, &whole);
  run(&s, FUZZ_OCTETS, 4096, 0, &cut);
  fuzz_log_compare("whole and octet by octet", &whole, &cut);
  run(&s, cuts, 4096, 0, &cut);
  fuzz_log_compare("whole and cut", &whole, &cut);
  if (fail_at)
    run(&s, cuts, 4096, fail_at, &cut);
  if (s.room)
    run(&s, cuts, s.room, 0, &cut);
  return 0;
}
