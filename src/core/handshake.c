/* SPDX-License-Identifier: MIT
 *
 * The HTTP upgrade; see handshake.h. Both roles read a head (a first line and
 * header lines) into one buffer and look into it when the blank line has come;
 * what is wrong with a line is said as soon as the line is there. */
#include "handshake.h"
#include "handshake_private.h"
#include "base64.h"
#include <string.h>

/* ---- Birth ---- */

/* Headers that the upgrade sets itself. */
static const char *const own_headers[] = { "host",
                                           "upgrade",
                                           "connection",
                                           "sec-websocket-key",
                                           "sec-websocket-version",
                                           "sec-websocket-protocol",
                                           "sec-websocket-extensions",
                                           "content-length",
                                           "transfer-encoding" };

static stomp_status refuse(stomp_error *error, const char *what,
                           const void *name, size_t len) {
  stomp_error_set(error, STOMP_UINVALID, STOMP_NO_OFFSET);
  stomp_error_add(error, what);
  stomp_error_add_bytes(error, name, len);
  return error->status;
}

static stomp_status check_header(const stomp_field *f, stomp_error *error) {
  stomp_span name = { (const uint8_t *)f->name, f->name_len };
  size_t i;
  for (i = 0; i < f->name_len; i++)
    if (!stomp_http_is_token(name.bytes[i]))
      return refuse(error, "header name ", f->name, f->name_len);
  if (f->name_len == 0 || !stomp_http_is_clean(f->value, f->value_len, true))
    return refuse(error, "value of header ", f->name, f->name_len);
  for (i = 0; i < sizeof own_headers / sizeof *own_headers; i++)
    if (stomp_http_is_like(name, own_headers[i]))
      return refuse(error, "the upgrade sets this header itself: ", f->name,
                    f->name_len);
  return STOMP_OK;
}

static stomp_status check_options(const stomp_handshake_options *o,
                                  stomp_error *error) {
  size_t i;
  if (o->server)
    return STOMP_OK;
  if (!*o->host || !stomp_http_is_clean(o->host, strlen(o->host), false))
    return refuse(error, "host ", o->host, strlen(o->host));
  if (o->path[0] != '/' ||
      !stomp_http_is_clean(o->path, strlen(o->path), false))
    return refuse(error, "path ", o->path, strlen(o->path));
  if (o->proxy_target &&
      !stomp_http_is_clean(o->proxy_target, strlen(o->proxy_target), false))
    return refuse(error, "proxy target ", o->proxy_target,
                  strlen(o->proxy_target));
  if (o->proxy_authorization &&
      !stomp_http_is_clean(o->proxy_authorization,
                           strlen(o->proxy_authorization), true))
    return refuse(error, "proxy authorization", "", 0);
  for (i = 0; i < o->n_headers; i++)
    if (check_header(&o->headers[i], error) != STOMP_OK)
      return error->status;
  return STOMP_OK;
}

static bool write_request(stomp_handshake *h, const stomp_handshake_options *o,
                          const char *key) {
  stomp_buffer *b = &h->request;
  stomp_span offered = stomp_buffer_span(&h->offered);
  bool ok =
    stomp_http_put(b, "GET ") && stomp_http_put(b, o->path) &&
    stomp_http_put(b, " HTTP/1.1\r\nHost: ") && stomp_http_put(b, o->host) &&
    stomp_http_put(b, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ") &&
    stomp_buffer_append(b, key, STOMP_HTTP_KEY_LEN) == STOMP_OK &&
    stomp_http_put(b, "\r\n");
  size_t i;
  if (ok && offered.len)
    ok = stomp_http_put(b, "Sec-WebSocket-Protocol: ") &&
         stomp_buffer_append(b, offered.bytes, offered.len) == STOMP_OK &&
         stomp_http_put(b, "\r\n");
  for (i = 0; ok && i < o->n_headers; i++) {
    const stomp_field *f = &o->headers[i];
    ok = stomp_buffer_append(b, f->name, f->name_len) == STOMP_OK &&
         stomp_http_put(b, ": ") &&
         stomp_buffer_append(b, f->value, f->value_len) == STOMP_OK &&
         stomp_http_put(b, "\r\n");
  }
  return ok && stomp_http_put(b, "\r\n");
}

static bool write_proxy_request(stomp_handshake *h,
                                const stomp_handshake_options *o) {
  stomp_buffer *b = &h->proxy_request;
  if (!o->proxy_target)
    return true;
  return stomp_http_put(b, "CONNECT ") && stomp_http_put(b, o->proxy_target) &&
         stomp_http_put(b, " HTTP/1.1\r\nHost: ") &&
         stomp_http_put(b, o->proxy_target) &&
         (!o->proxy_authorization ||
          (stomp_http_put(b, "\r\nProxy-Authorization: ") &&
           stomp_http_put(b, o->proxy_authorization))) &&
         stomp_http_put(b, "\r\n\r\n");
}

static stomp_status prepare(stomp_handshake *h,
                            const stomp_handshake_options *o,
                            stomp_error *error) {
  uint8_t nonce[16];
  char key[STOMP_HTTP_KEY_LEN];
  size_t i;
  bool ok = true;
  if (check_options(o, error) != STOMP_OK)
    return error->status;
  for (i = 0; ok && i < o->n_protocols; i++)
    ok = (i == 0 || stomp_http_put(&h->offered, ", ")) &&
         stomp_http_put(&h->offered, o->protocols[i]);
  if (ok && !o->server) {
    if (!o->random->fill(o->random->user, nonce, sizeof nonce))
      return stomp_error_set(error, STOMP_ERANDOM, STOMP_NO_OFFSET);
    stomp_base64(key, nonce, sizeof nonce);
    stomp_http_accept((const uint8_t *)key, h->accept);
    ok = write_request(h, o, key) && write_proxy_request(h, o);
  }
  return ok ? STOMP_OK : stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
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
  stomp_buffer_init(&h->body, memory, STOMP_BODY_MAX);
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

/* ---- Shared with the roles ---- */

stomp_status stomp_handshake_fail(stomp_handshake *h, stomp_status status,
                                  const char *detail) {
  h->step = FAILED;
  stomp_error_set(&h->error, status, h->offset);
  h->error.http_status = (uint16_t)h->status;
  stomp_error_add(&h->error, detail);
  return status;
}

stomp_span stomp_handshake_find(const stomp_handshake *h, const char *wanted) {
  stomp_span text = stomp_buffer_span(&h->head);
  const uint8_t *end = text.bytes + text.len, *line = text.bytes, *lf, *colon;
  for (; line < end; line = lf + 1) {
    lf = memchr(line, '\n', (size_t)(end - line));
    if (!lf)
      break;
    colon = memchr(line, ':', (size_t)(lf - line));
    if (colon && line != text.bytes &&
        stomp_http_is_like((stomp_span){ line, (size_t)(colon - line) },
                           wanted))
      return stomp_http_trimmed(
        (stomp_span){ colon + 1, (size_t)(lf - colon - 1) });
  }
  return (stomp_span){ NULL, 0 };
}

stomp_status stomp_handshake_send(stomp_handshake *h, stomp_buffer *request) {
  stomp_span bytes = stomp_buffer_span(request);
  stomp_status status = stomp_buffer_append(h->out, bytes.bytes, bytes.len);
  if (status == STOMP_OK)
    stomp_buffer_clear(request);
  return status;
}

void stomp_handshake_forget(stomp_handshake *h) {
  stomp_buffer_consume(&h->head, stomp_buffer_len(&h->head));
  h->line_start = 0;
  h->step = FIRST_LINE;
}

/* ---- The client begins ---- */

stomp_status stomp_handshake_start(stomp_handshake *h) {
  if (h->server || h->started)
    return STOMP_ISTATE;
  h->started = true;
  h->in_proxy = stomp_buffer_len(&h->proxy_request) != 0;
  return stomp_handshake_send(h, h->in_proxy ? &h->proxy_request : &h->request);
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
    *line = (stomp_span){ text.bytes + at, (size_t)(lf - text.bytes) - at };
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
  *name = (stomp_span){ line.bytes, (size_t)(colon - line.bytes) };
  *value =
    stomp_http_trimmed((stomp_span){ colon + 1, line.len - name->len - 1 });
  return true;
}

/* "HTTP/1.x NNN ..." (RFC 9112, 4) */
static stomp_status check_status_line(stomp_handshake *h, stomp_span line) {
  const uint8_t *s = line.bytes;
  if (line.len < 12 || memcmp(s, "HTTP/1.", 7) != 0 || s[8] != ' ' ||
      s[9] < '1' || s[9] > '9' || s[10] < '0' || s[10] > '9' || s[11] < '0' ||
      s[11] > '9' || (line.len > 12 && s[12] != ' ')) {
    stomp_handshake_fail(h, STOMP_UGARBAGE, "");
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
      !stomp_http_is_clean((const char *)line.bytes + 4, line.len - 13, false))
    return stomp_handshake_fail(h, STOMP_UREQUEST, "request line");
  return STOMP_OK;
}

static stomp_status check_line(stomp_handshake *h, stomp_span line) {
  const uint8_t *colon;
  size_t i;
  if (!stomp_http_is_clean((const char *)line.bytes, line.len, true))
    return stomp_handshake_fail(
      h, h->step == FIRST_LINE ? STOMP_UGARBAGE : STOMP_UHEADER,
      "control character");
  if (h->step == FIRST_LINE)
    return h->server ? check_request_line(h, line) : check_status_line(h, line);
  colon = line.len ? memchr(line.bytes, ':', line.len) : NULL;
  if (line.len && (!colon || colon == line.bytes)) {
    stomp_handshake_fail(h, STOMP_UHEADER, "");
    stomp_error_add_bytes(&h->error, line.bytes, line.len < 60 ? line.len : 60);
    return STOMP_UHEADER;
  }
  for (i = 0; line.len && line.bytes + i < colon; i++)
    if (!stomp_http_is_token(line.bytes[i]))
      return stomp_handshake_fail(h, STOMP_UHEADER,
                                  "header name (or a folded line)");
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
  stomp_handshake_fail(h, STOMP_UGARBAGE, "");
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
    return stomp_handshake_fail(h, STOMP_ULIMIT, "");
  status = stomp_buffer_append(&h->head, in->bytes, len);
  if (status != STOMP_OK)
    return stomp_handshake_fail(h, STOMP_ENOMEM, "");
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

/* ---- Both ---- */

static stomp_status read_head(stomp_handshake *h, stomp_span *in) {
  stomp_span line = { NULL, 0 };
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
  return h->server ? stomp_handshake_end_request(h)
                   : stomp_handshake_end_answer(h);
}

stomp_status stomp_handshake_next(stomp_handshake *h, stomp_span *in) {
  stomp_status status = STOMP_MORE;
  if (h->step == FAILED)
    return h->error.status;
  /* an empty body is complete as soon as it is expected */
  while (status == STOMP_MORE && (in->len || h->step == BODY)) {
    status =
      h->step == BODY ? stomp_handshake_read_body(h, in) : read_head(h, in);
    if (status == STOMP_MORE && h->step == BODY && in->len == 0 &&
        stomp_buffer_len(&h->body) < h->body_want)
      break;
  }
  if (status < 0 && h->server && h->error.status != STOMP_UREQUEST)
    stomp_handshake_refuse_request(h, "400 Bad Request", "");
  return status;
}

stomp_status stomp_handshake_ended(stomp_handshake *h) {
  if (h->step == FAILED)
    return h->error.status;
  return h->step == BODY ? stomp_handshake_refused(h)
                         : stomp_handshake_fail(h, STOMP_UEOF, "");
}

bool stomp_handshake_is_refused(const stomp_handshake *h) {
  return h->step == BODY;
}

const stomp_error *stomp_handshake_error(const stomp_handshake *h) {
  return &h->error;
}

const char *stomp_handshake_protocol(const stomp_handshake *h) {
  return h->protocol;
}

bool stomp_handshake_in_proxy(const stomp_handshake *h) {
  return h->in_proxy;
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
    return (stomp_span){ NULL, 0 };
  return (stomp_span){ line.bytes + 4, line.len - 13 };
}
