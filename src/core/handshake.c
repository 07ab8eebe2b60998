/* SPDX-License-Identifier: MIT
 *
 * The HTTP upgrade; see handshake.h: its life, and the request that a client
 * prepares at birth. The other files read: handshake_head.c lines, for both
 * roles, handshake_answer.c and handshake_body.c what a client gets,
 * handshake_request.c what a server gets. */
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
  if (f->name_len == 0)
    return refuse(error, "header name ", "", 0);
  if (!stomp_http_is_clean(f->value, f->value_len, true))
    return refuse(error, "value of header ", f->name, f->name_len);
  for (i = 0; i < sizeof own_headers / sizeof *own_headers; i++)
    if (stomp_http_is_like(name, own_headers[i]))
      return refuse(error, "the upgrade sets this header itself: ", f->name,
                    f->name_len);
  return STOMP_OK;
}

/* A token (RFC 6455, 4.1) that fits our memory of it. */
static bool is_protocol(const char *name) {
  size_t i, len = strlen(name);
  for (i = 0; i < len; i++)
    if (!stomp_http_is_token((uint8_t)name[i]))
      return false;
  return len > 0 && len < STOMP_HANDSHAKE_PROTOCOL;
}

static stomp_status check_options(const stomp_handshake_options *o,
                                  stomp_error *error) {
  size_t i;
  for (i = 0; i < o->n_protocols; i++)
    if (!is_protocol(o->protocols[i]))
      return refuse(error, "subprotocol ", o->protocols[i],
                    strlen(o->protocols[i]));
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
  ok = ok && stomp_handshake_put_offer(h, b);
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
  h->compression = options->compression;
  h->limit = options->limit;
  stomp_error_clear(&h->error);
  stomp_buffer_init(&h->request, memory, (size_t)1 << 20);
  stomp_buffer_init(&h->proxy_request, memory, (size_t)64 << 10);
  stomp_buffer_init(&h->offered, memory, (size_t)64 << 10);
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

stomp_status stomp_handshake_send(stomp_handshake *h, stomp_buffer *request) {
  stomp_span bytes = stomp_buffer_span(request);
  stomp_status status = stomp_buffer_append(h->out, bytes.bytes, bytes.len);
  if (status == STOMP_OK)
    stomp_buffer_clear(request);
  return status;
}

/* ---- Both roles ---- */

stomp_status stomp_handshake_start(stomp_handshake *h) {
  stomp_status status;
  if (h->server || h->started)
    return STOMP_ISTATE;
  h->in_proxy = stomp_buffer_len(&h->proxy_request) != 0;
  status =
    stomp_handshake_send(h, h->in_proxy ? &h->proxy_request : &h->request);
  h->started = status == STOMP_OK;
  return status;
}

stomp_status stomp_handshake_next(stomp_handshake *h, stomp_span *in) {
  stomp_status status = STOMP_MORE;
  if (h->step == FAILED)
    return h->error.status;
  if (h->step == DONE)
    return STOMP_OK;
  if (!h->server && !h->started && in->len)
    return stomp_handshake_fail(h, STOMP_UGARBAGE, "before the request");
  while (status == STOMP_MORE && in->len)
    status = h->step == BODY ? stomp_handshake_read_body(h, in)
                             : stomp_handshake_read_head(h, in);
  if (status < 0 && h->server)
    stomp_handshake_answer_failure(h);
  return status;
}

stomp_status stomp_handshake_ended(stomp_handshake *h) {
  if (h->step == FAILED)
    return h->error.status;
  if (h->step == BODY)
    return stomp_handshake_refused(h);
  if (stomp_handshake_check_start(h, true) != STOMP_OK)
    return h->error.status;
  return stomp_handshake_fail(h, STOMP_UEOF,
                              h->in_proxy ? "in the proxy's answer" : "");
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

const stomp_deflate_terms *stomp_handshake_deflate(const stomp_handshake *h) {
  return h->deflate ? &h->terms : NULL;
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
