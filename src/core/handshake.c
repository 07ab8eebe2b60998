/* SPDX-License-Identifier: MIT
 *
 * The HTTP upgrade; see handshake.h. Both roles read a head (a first line and
 * header lines) into one buffer and look into it when the blank line has come;
 * what is wrong with a line is said as soon as the line is there. */
#include "handshake.h"
#include "base64.h"
#include "sha1.h"
#include <string.h>

#define BODY_MAX 1024 /* what is kept of a refusal's body */
#define KEY_LEN  24   /* base64 of 16 bytes */

/* RFC 6455, 1.3 */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

typedef enum step { FIRST_LINE, HEADER_LINES, BODY, DONE, FAILED } step;

struct stomp_handshake {
  const stomp_memory *memory;
  const stomp_random *random;
  bool server;
  bool in_proxy;  /* the answer that comes is the proxy's */
  bool started;   /* the request is in the output */
  stomp_buffer *out;
  stomp_buffer request;       /* client: what start sends */
  stomp_buffer proxy_request; /* client: empty without a proxy */
  stomp_buffer offered;       /* "v12.stomp, v11.stomp", our order */
  char accept[28];            /* client: the right answer to our key */

  step step;
  size_t limit, taken; /* bytes of heads and body, all together */
  uint64_t offset;     /* octets taken since birth */
  stomp_buffer head;   /* lines without their ends, each ended by LF */
  size_t line_start;   /* index in head's bytes */
  unsigned status;
  stomp_buffer body;
  size_t body_want; /* bytes of body to wait for */
  char protocol[64];
  stomp_error error;
};

/* ---- Text ---- */

static bool is_token_char(uint8_t c) { /* RFC 9110, 5.6.2 */
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static uint8_t lower(uint8_t c) {
  return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool is_like(stomp_span span, const char *text) {
  size_t i;
  if (span.len != strlen(text))
    return false;
  for (i = 0; i < span.len; i++)
    if (lower(span.bytes[i]) != lower((uint8_t)text[i]))
      return false;
  return true;
}

static stomp_span trimmed(stomp_span s) {
  while (s.len && (s.bytes[0] == ' ' || s.bytes[0] == '\t'))
    s.bytes++, s.len--;
  while (s.len && (s.bytes[s.len - 1] == ' ' || s.bytes[s.len - 1] == '\t'))
    s.len--;
  return s;
}

/* Take the next item off a comma list; false: there is none. */
static bool next_item(stomp_span *list, stomp_span *item) {
  const uint8_t *comma;
  size_t len;
  if (list->len == 0)
    return false;
  comma = memchr(list->bytes, ',', list->len);
  len = comma ? (size_t)(comma - list->bytes) : list->len;
  *item = trimmed((stomp_span) { list->bytes, len });
  len += comma != NULL;
  list->bytes += len;
  list->len -= len;
  return true;
}

static bool has_item(stomp_span list, const char *text) {
  stomp_span item;
  while (next_item(&list, &item))
    if (is_like(item, text))
      return true;
  return false;
}

static bool put(stomp_buffer *b, const char *text) {
  return stomp_buffer_append(b, text, strlen(text)) == STOMP_OK;
}

/* ---- Birth ---- */

/* Headers that the upgrade sets itself. */
static const char *const own_headers[] = {
  "host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version",
  "sec-websocket-protocol", "sec-websocket-extensions", "content-length",
  "transfer-encoding"
};

static stomp_status refuse(stomp_error *error, const char *what,
                           const void *name, size_t len) {
  stomp_error_set(error, STOMP_UINVALID, STOMP_NO_OFFSET);
  stomp_error_add(error, what);
  stomp_error_add_bytes(error, name, len);
  return error->status;
}

/* No control characters; with `blanks` false no blanks either. */
static bool is_clean(const char *s, size_t len, bool blanks) {
  size_t i;
  for (i = 0; i < len; i++) {
    uint8_t c = (uint8_t)s[i];
    if ((c < 0x20 && !(blanks && c == '\t')) || c == 0x7f ||
        (c == ' ' && !blanks))
      return false;
  }
  return true;
}

static stomp_status check_header(const stomp_field *f, stomp_error *error) {
  stomp_span name = { (const uint8_t *)f->name, f->name_len };
  size_t i;
  for (i = 0; i < f->name_len; i++)
    if (!is_token_char(name.bytes[i]))
      return refuse(error, "header name ", f->name, f->name_len);
  if (f->name_len == 0 || !is_clean(f->value, f->value_len, true))
    return refuse(error, "value of header ", f->name, f->name_len);
  for (i = 0; i < sizeof own_headers / sizeof *own_headers; i++)
    if (is_like(name, own_headers[i]))
      return refuse(error, "the upgrade sets this header itself: ", f->name,
                    f->name_len);
  return STOMP_OK;
}

static stomp_status check_options(const stomp_handshake_options *o,
                                  stomp_error *error) {
  size_t i;
  if (o->server)
    return STOMP_OK;
  if (!*o->host || !is_clean(o->host, strlen(o->host), false))
    return refuse(error, "host ", o->host, strlen(o->host));
  if (o->path[0] != '/' || !is_clean(o->path, strlen(o->path), false))
    return refuse(error, "path ", o->path, strlen(o->path));
  if (o->proxy_target &&
      !is_clean(o->proxy_target, strlen(o->proxy_target), false))
    return refuse(error, "proxy target ", o->proxy_target,
                  strlen(o->proxy_target));
  if (o->proxy_authorization &&
      !is_clean(o->proxy_authorization, strlen(o->proxy_authorization), true))
    return refuse(error, "proxy authorization", "", 0);
  for (i = 0; i < o->n_headers; i++)
    if (check_header(&o->headers[i], error) != STOMP_OK)
      return error->status;
  return STOMP_OK;
}

/* The answer that proves an upgrade of this key (RFC 6455, 4.2.2). */
static void accept_of(const uint8_t *key, char accept[28]) {
  uint8_t text[KEY_LEN + sizeof guid - 1], digest[20];
  memcpy(text, key, KEY_LEN);
  memcpy(text + KEY_LEN, guid, sizeof guid - 1);
  stomp_sha1(text, sizeof text, digest);
  stomp_base64(accept, digest, sizeof digest);
}

static bool write_request(stomp_handshake *h, const stomp_handshake_options *o,
                          const char *key) {
  stomp_buffer *b = &h->request;
  stomp_span offered = stomp_buffer_span(&h->offered);
  bool ok = put(b, "GET ") && put(b, o->path) &&
            put(b, " HTTP/1.1\r\nHost: ") && put(b, o->host) &&
            put(b, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ") &&
            stomp_buffer_append(b, key, KEY_LEN) == STOMP_OK &&
            put(b, "\r\n");
  size_t i;
  if (ok && offered.len)
    ok = put(b, "Sec-WebSocket-Protocol: ") &&
         stomp_buffer_append(b, offered.bytes, offered.len) == STOMP_OK &&
         put(b, "\r\n");
  for (i = 0; ok && i < o->n_headers; i++) {
    const stomp_field *f = &o->headers[i];
    ok = stomp_buffer_append(b, f->name, f->name_len) == STOMP_OK &&
         put(b, ": ") &&
         stomp_buffer_append(b, f->value, f->value_len) == STOMP_OK &&
         put(b, "\r\n");
  }
  return ok && put(b, "\r\n");
}

static bool write_proxy_request(stomp_handshake *h,
                                const stomp_handshake_options *o) {
  stomp_buffer *b = &h->proxy_request;
  if (!o->proxy_target)
    return true;
  return put(b, "CONNECT ") && put(b, o->proxy_target) &&
         put(b, " HTTP/1.1\r\nHost: ") && put(b, o->proxy_target) &&
         (!o->proxy_authorization ||
          (put(b, "\r\nProxy-Authorization: ") &&
           put(b, o->proxy_authorization))) &&
         put(b, "\r\n\r\n");
}

static stomp_status prepare(stomp_handshake *h,
                            const stomp_handshake_options *o,
                            stomp_error *error) {
  uint8_t nonce[16];
  char key[KEY_LEN];
  size_t i;
  bool ok = true;
  if (check_options(o, error) != STOMP_OK)
    return error->status;
  for (i = 0; ok && i < o->n_protocols; i++)
    ok = (i == 0 || put(&h->offered, ", ")) &&
         put(&h->offered, o->protocols[i]);
  if (ok && !o->server) {
    if (!o->random->fill(o->random->user, nonce, sizeof nonce))
      return stomp_error_set(error, STOMP_ERANDOM, STOMP_NO_OFFSET);
    stomp_base64(key, nonce, sizeof nonce);
    accept_of((const uint8_t *)key, h->accept);
    ok = write_request(h, o, key) && write_proxy_request(h, o);
  }
  return ok ? STOMP_OK
            : stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
}

stomp_handshake *stomp_handshake_new(const stomp_handshake_options *options,
                                     stomp_buffer *out, stomp_error *error) {
  const stomp_memory *memory = options->memory;
  stomp_handshake *h = stomp_memory_new(memory, sizeof *h);
  stomp_error_clear(error);
  if (!h) {
    stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
    return NULL;
  }
  memset(h, 0, sizeof *h);
  h->memory = memory;
  h->server = options->server;
  h->out = out;
  h->limit = options->limit;
  stomp_error_clear(&h->error);
  stomp_buffer_init(&h->request, memory, (size_t)1 << 20);
  stomp_buffer_init(&h->proxy_request, memory, (size_t)64 << 10);
  stomp_buffer_init(&h->offered, memory, 1024);
  stomp_buffer_init(&h->head, memory, options->limit);
  stomp_buffer_init(&h->body, memory, BODY_MAX);
  if (prepare(h, options, error) != STOMP_OK) {
    stomp_handshake_free(h);
    return NULL;
  }
  return h;
}

void stomp_handshake_free(stomp_handshake *h) {
  if (!h)
    return;
  stomp_buffer_clear(&h->request);
  stomp_buffer_clear(&h->proxy_request);
  stomp_buffer_clear(&h->offered);
  stomp_buffer_clear(&h->head);
  stomp_buffer_clear(&h->body);
  stomp_memory_free(h->memory, h, sizeof *h);
}

/* ---- Failing ---- */

static stomp_status fail(stomp_handshake *h, stomp_status status,
                         const char *detail) {
  h->step = FAILED;
  stomp_error_set(&h->error, status, h->offset);
  h->error.http_status = (uint16_t)h->status;
  stomp_error_add(&h->error, detail);
  return status;
}

/* ---- The client begins ---- */

static stomp_status send_request(stomp_handshake *h, stomp_buffer *request) {
  stomp_span bytes = stomp_buffer_span(request);
  stomp_status status = stomp_buffer_append(h->out, bytes.bytes, bytes.len);
  if (status == STOMP_OK)
    stomp_buffer_clear(request);
  return status;
}

stomp_status stomp_handshake_start(stomp_handshake *h) {
  if (h->server || h->started)
    return STOMP_ISTATE;
  h->started = true;
  h->in_proxy = stomp_buffer_len(&h->proxy_request) != 0;
  return send_request(h, h->in_proxy ? &h->proxy_request : &h->request);
}

/* ---- The head: a first line and header lines ---- */

/* The `i`-th line of the head (0 is the first line); false: no such. */
static bool find_line(const stomp_handshake *h, size_t i, stomp_span *line) {
  stomp_span text = stomp_buffer_span(&h->head);
  const uint8_t *lf;
  size_t at = 0;
  while (at < text.len) {
    lf = memchr(text.bytes + at, '\n', text.len - at);
    if (!lf)
      return false;
    *line = (stomp_span) { text.bytes + at,
                           (size_t)(lf - text.bytes) - at };
    if (i-- == 0)
      return true;
    at += line->len + 1;
  }
  return false;
}

bool stomp_handshake_header(const stomp_handshake *h, size_t i,
                            stomp_span *name, stomp_span *value) {
  stomp_span line;
  const uint8_t *colon;
  if (!find_line(h, i + 1, &line) || line.len == 0)
    return false;
  colon = memchr(line.bytes, ':', line.len);
  if (!colon)
    return false;
  *name = (stomp_span) { line.bytes, (size_t)(colon - line.bytes) };
  *value = trimmed(
      (stomp_span) { colon + 1, line.len - name->len - 1 });
  return true;
}

/* The value of the first header of that name; bytes == NULL: none. One pass
 * over the head. */
static stomp_span header(const stomp_handshake *h, const char *wanted) {
  stomp_span text = stomp_buffer_span(&h->head);
  const uint8_t *end = text.bytes + text.len, *line = text.bytes, *lf, *colon;
  for (; line < end; line = lf + 1) {
    lf = memchr(line, '\n', (size_t)(end - line));
    if (!lf)
      break;
    colon = memchr(line, ':', (size_t)(lf - line));
    if (colon && line != text.bytes &&
        is_like((stomp_span) { line, (size_t)(colon - line) }, wanted))
      return trimmed(
          (stomp_span) { colon + 1, (size_t)(lf - colon - 1) });
  }
  return (stomp_span) { NULL, 0 };
}

/* "HTTP/1.x NNN ..." (RFC 9112, 4) */
static stomp_status check_status_line(stomp_handshake *h, stomp_span line) {
  const uint8_t *s = line.bytes;
  if (line.len < 12 || memcmp(s, "HTTP/1.", 7) != 0 || s[8] != ' ' ||
      s[9] < '1' || s[9] > '9' || s[10] < '0' || s[10] > '9' || s[11] < '0' ||
      s[11] > '9' || (line.len > 12 && s[12] != ' ')) {
    fail(h, STOMP_UGARBAGE, "");
    stomp_error_add_bytes(&h->error, s, line.len < 60 ? line.len : 60);
    return STOMP_UGARBAGE;
  }
  h->status = (unsigned)((s[9] - '0') * 100 + (s[10] - '0') * 10 + s[11] - '0');
  return STOMP_OK;
}

/* "GET path HTTP/1.1" */
static stomp_status check_request_line(stomp_handshake *h, stomp_span line) {
  if (line.len < 14 || memcmp(line.bytes, "GET /", 5) != 0 ||
      memcmp(line.bytes + line.len - 9, " HTTP/1.1", 9) != 0 ||
      !is_clean((const char *)line.bytes + 4, line.len - 13, false))
    return fail(h, STOMP_UREQUEST, "request line");
  return STOMP_OK;
}

static stomp_status check_line(stomp_handshake *h, stomp_span line) {
  const uint8_t *colon;
  size_t i;
  if (!is_clean((const char *)line.bytes, line.len, true))
    return fail(h, h->step == FIRST_LINE ? STOMP_UGARBAGE : STOMP_UHEADER,
                "control character");
  if (h->step == FIRST_LINE)
    return h->server ? check_request_line(h, line)
                     : check_status_line(h, line);
  colon = line.len ? memchr(line.bytes, ':', line.len) : NULL;
  if (line.len && (!colon || colon == line.bytes)) {
    fail(h, STOMP_UHEADER, "");
    stomp_error_add_bytes(&h->error, line.bytes, line.len < 60 ? line.len : 60);
    return STOMP_UHEADER;
  }
  for (i = 0; line.len && line.bytes + i < colon; i++)
    if (!is_token_char(line.bytes[i]))
      return fail(h, STOMP_UHEADER, "header name (or a folded line)");
  return STOMP_OK;
}

/* Something that cannot become an HTTP answer is said at once. */
static stomp_status check_start(stomp_handshake *h) {
  static const char right[] = "HTTP/1.";
  stomp_span text = stomp_buffer_span(&h->head);
  size_t len = text.len < 7 ? text.len : 7;
  if (h->server || h->step != FIRST_LINE || len == 0 ||
      memcmp(text.bytes, right, len) == 0)
    return STOMP_OK;
  fail(h, STOMP_UGARBAGE, "");
  stomp_error_add_bytes(&h->error, text.bytes, len);
  return STOMP_UGARBAGE;
}

/* Take the rest of a line. STOMP_OK: *line is whole, without its end. */
static stomp_status take_line(stomp_handshake *h, stomp_span *in,
                              stomp_span *line) {
  const uint8_t *lf = in->len ? memchr(in->bytes, '\n', in->len) : NULL;
  size_t len = lf ? (size_t)(lf - in->bytes) + 1 : in->len;
  stomp_status status;
  if (len > h->limit - h->taken)
    return fail(h, STOMP_ULIMIT, "");
  status = stomp_buffer_append(&h->head, in->bytes, len);
  if (status != STOMP_OK)
    return fail(h, STOMP_ENOMEM, "");
  in->bytes += len;
  in->len -= len;
  h->taken += len;
  h->offset += len;
  status = check_start(h);
  if (status != STOMP_OK || !lf)
    return status != STOMP_OK ? status : STOMP_MORE;
  *line = stomp_buffer_span(&h->head);
  line->bytes += h->line_start;
  line->len -= h->line_start + 1;
  h->line_start += line->len + 1;
  if (line->len && line->bytes[line->len - 1] == '\r') {
    /* keep the lines in head without their CR */
    h->head.end--;
    h->line_start--;
    line->len--;
    h->head.block[h->head.end - 1] = '\n';
  }
  return STOMP_OK;
}

static void forget_head(stomp_handshake *h) {
  stomp_buffer_consume(&h->head, stomp_buffer_len(&h->head));
  h->line_start = 0;
  h->step = FIRST_LINE;
}

/* ---- The client reads the answer ---- */

static stomp_status check_protocol(stomp_handshake *h) {
  stomp_span answer = header(h, "Sec-WebSocket-Protocol"), item;
  stomp_span offered = stomp_buffer_span(&h->offered);
  if (!answer.bytes)
    return STOMP_OK;
  while (next_item(&offered, &item))
    if (item.len == answer.len && item.len < sizeof h->protocol &&
        memcmp(item.bytes, answer.bytes, item.len) == 0) {
      memcpy(h->protocol, item.bytes, item.len);
      return STOMP_OK;
    }
  fail(h, STOMP_UPROTOCOL, "");
  stomp_error_add_bytes(&h->error, answer.bytes, answer.len);
  return STOMP_UPROTOCOL;
}

/* RFC 6455, 4.1: what the 101 must say. */
static stomp_status check_upgrade(stomp_handshake *h) {
  stomp_span accept = header(h, "Sec-WebSocket-Accept");
  stomp_span extensions = header(h, "Sec-WebSocket-Extensions");
  if (!is_like(header(h, "Upgrade"), "websocket"))
    return fail(h, STOMP_UUPGRADE, "header Upgrade");
  if (!has_item(header(h, "Connection"), "Upgrade"))
    return fail(h, STOMP_UUPGRADE, "header Connection");
  if (accept.len != sizeof h->accept ||
      memcmp(accept.bytes, h->accept, sizeof h->accept) != 0)
    return fail(h, STOMP_UACCEPT, accept.bytes ? "" : "no such header");
  if (extensions.len) {
    fail(h, STOMP_UEXTENSION, "");
    stomp_error_add_bytes(&h->error, extensions.bytes, extensions.len);
    return STOMP_UEXTENSION;
  }
  return check_protocol(h);
}

/* A refusal is told when so much of its body is here as people read. */
static void expect_body(stomp_handshake *h) {
  stomp_span length = header(h, "Content-Length");
  size_t i, want = 0;
  h->step = BODY;
  h->body_want = BODY_MAX;
  for (i = 0; i < length.len && length.bytes[i] >= '0' &&
              length.bytes[i] <= '9' && want < BODY_MAX;
       i++)
    want = want * 10 + (size_t)(length.bytes[i] - '0');
  if (length.len && i == length.len && want < BODY_MAX)
    h->body_want = want;
}

static stomp_status refused(stomp_handshake *h) {
  stomp_span location = header(h, "Location");
  fail(h, h->in_proxy ? STOMP_UPROXY : STOMP_UREFUSED, "status ");
  stomp_error_add_number(&h->error, h->status);
  if (h->status >= 300 && h->status < 400 && location.len) {
    stomp_error_add(&h->error, ", redirects are not followed: ");
    stomp_error_add_bytes(&h->error, location.bytes, location.len);
  } else if (!h->in_proxy && (h->status == 200 || h->status == 400)) {
    stomp_error_add(&h->error, " (the WebSocket of a SockJS endpoint is its "
                               "path + \"/websocket\")");
  }
  return h->error.status;
}

static stomp_status read_body(stomp_handshake *h, stomp_span *in) {
  size_t want = h->body_want - stomp_buffer_len(&h->body);
  size_t len = in->len < want ? in->len : want;
  if (stomp_buffer_append(&h->body, in->bytes, len) != STOMP_OK)
    return fail(h, STOMP_ENOMEM, "");
  in->bytes += len;
  in->len -= len;
  h->offset += len;
  return len == want ? refused(h) : STOMP_MORE;
}

static stomp_status end_answer(stomp_handshake *h) {
  bool tunnel = h->in_proxy && h->status >= 200 && h->status < 300;
  if (tunnel || (h->status >= 100 && h->status < 200 && h->status != 101)) {
    stomp_status status = STOMP_OK;
    if (tunnel) {
      h->in_proxy = false;
      status = send_request(h, &h->request);
    }
    forget_head(h);
    h->status = 0;
    return status == STOMP_OK ? STOMP_MORE : fail(h, STOMP_ENOMEM, "");
  }
  if (h->status != 101 || h->in_proxy) {
    expect_body(h);
    return STOMP_MORE;
  }
  if (check_upgrade(h) != STOMP_OK)
    return h->error.status;
  h->step = DONE;
  return STOMP_OK;
}

/* ---- The server reads the request ---- */

static stomp_status refuse_request(stomp_handshake *h, const char *answer,
                                   const char *why) {
  (void)put(h->out, "HTTP/1.1 ");
  (void)put(h->out, answer);
  (void)put(h->out, "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  if (h->step != FAILED)
    fail(h, STOMP_UREQUEST, why);
  return h->error.status;
}

/* Of ours, best first, the first that the client offers too. */
static void choose_protocol(stomp_handshake *h) {
  stomp_span ours = stomp_buffer_span(&h->offered), mine, theirs;
  while (next_item(&ours, &mine)) {
    stomp_span list = header(h, "Sec-WebSocket-Protocol");
    while (next_item(&list, &theirs))
      if (mine.len == theirs.len && mine.len < sizeof h->protocol &&
          memcmp(mine.bytes, theirs.bytes, mine.len) == 0) {
        memcpy(h->protocol, mine.bytes, mine.len);
        return;
      }
  }
}

static stomp_status end_request(stomp_handshake *h) {
  stomp_span key = header(h, "Sec-WebSocket-Key");
  char accept[28];
  bool ok;
  if (!is_like(header(h, "Upgrade"), "websocket") ||
      !has_item(header(h, "Connection"), "Upgrade"))
    return refuse_request(h,
                          "426 Upgrade Required\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13",
                          "no Upgrade: websocket");
  if (!is_like(header(h, "Sec-WebSocket-Version"), "13"))
    return refuse_request(
        h, "426 Upgrade Required\r\nSec-WebSocket-Version: 13",
        "Sec-WebSocket-Version is not 13");
  if (key.len != KEY_LEN)
    return refuse_request(h, "400 Bad Request", "Sec-WebSocket-Key");
  accept_of(key.bytes, accept);
  choose_protocol(h);
  ok = put(h->out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Accept: ") &&
       stomp_buffer_append(h->out, accept, sizeof accept) == STOMP_OK &&
       (!h->protocol[0] || (put(h->out, "\r\nSec-WebSocket-Protocol: ") &&
                            put(h->out, h->protocol))) &&
       put(h->out, "\r\n\r\n");
  if (!ok)
    return fail(h, STOMP_ENOMEM, "");
  h->step = DONE;
  return STOMP_OK;
}

/* ---- Both ---- */

static stomp_status read_head(stomp_handshake *h, stomp_span *in) {
  stomp_span line;
  stomp_status status = take_line(h, in, &line);
  if (status == STOMP_OK)
    status = check_line(h, line);
  if (status != STOMP_OK)
    return status;
  if (h->step == FIRST_LINE) {
    h->step = HEADER_LINES;
    return STOMP_MORE;
  }
  if (line.len)
    return STOMP_MORE;
  return h->server ? end_request(h) : end_answer(h);
}

stomp_status stomp_handshake_next(stomp_handshake *h, stomp_span *in) {
  stomp_status status = STOMP_MORE;
  if (h->step == FAILED)
    return h->error.status;
  /* an empty body is complete as soon as it is expected */
  while (status == STOMP_MORE && (in->len || h->step == BODY)) {
    status = h->step == BODY ? read_body(h, in) : read_head(h, in);
    if (status == STOMP_MORE && h->step == BODY && in->len == 0 &&
        stomp_buffer_len(&h->body) < h->body_want)
      break;
  }
  if (status < 0 && h->server && h->error.status != STOMP_UREQUEST)
    refuse_request(h, "400 Bad Request", "");
  return status;
}

stomp_status stomp_handshake_ended(stomp_handshake *h) {
  if (h->step == FAILED)
    return h->error.status;
  return h->step == BODY ? refused(h) : fail(h, STOMP_UEOF, "");
}

const stomp_error *stomp_handshake_error(const stomp_handshake *h) {
  return &h->error;
}

const char *stomp_handshake_protocol(const stomp_handshake *h) {
  return h->protocol;
}

unsigned stomp_handshake_status(const stomp_handshake *h) {
  return h->status;
}

stomp_span stomp_handshake_body(const stomp_handshake *h) {
  return stomp_buffer_span(&h->body);
}

stomp_span stomp_handshake_path(const stomp_handshake *h) {
  stomp_span line;
  if (!h->server || !find_line(h, 0, &line) || line.len < 14)
    return (stomp_span) { NULL, 0 };
  return (stomp_span) { line.bytes + 4, line.len - 13 };
}
