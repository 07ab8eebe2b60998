/* SPDX-License-Identifier: MIT
 *
 * The client reads the answer to its upgrade (RFC 6455, 4.1), or its proxy's to
 * CONNECT. */
#include "handshake_private.h"
#include <string.h>

static stomp_status check_protocol(stomp_handshake *h) {
  stomp_span answer = stomp_handshake_find(h, "Sec-WebSocket-Protocol"), item;
  stomp_span offered = stomp_buffer_span(&h->offered);
  if (!answer.bytes)
    return STOMP_OK;
  while (stomp_http_next_item(&offered, &item))
    if (item.len == answer.len && item.len < sizeof h->protocol &&
        memcmp(item.bytes, answer.bytes, item.len) == 0) {
      memcpy(h->protocol, item.bytes, item.len);
      return STOMP_OK;
    }
  stomp_handshake_fail(h, STOMP_UPROTOCOL, "");
  stomp_error_add_bytes(&h->error, answer.bytes, answer.len);
  return STOMP_UPROTOCOL;
}

/* None was offered, so none may be agreed on, in whichever of several lines. */
static stomp_status check_extensions(stomp_handshake *h) {
  stomp_span name, value;
  size_t i;
  for (i = 0; stomp_handshake_header(h, i, &name, &value); i++)
    if (value.len && stomp_http_is_like(name, "Sec-WebSocket-Extensions")) {
      stomp_handshake_fail(h, STOMP_UEXTENSION, "");
      stomp_error_add_bytes(&h->error, value.bytes, value.len);
      return STOMP_UEXTENSION;
    }
  return STOMP_OK;
}

/* RFC 6455, 4.1: what the 101 must say. */
static stomp_status check_upgrade(stomp_handshake *h) {
  stomp_span accept = stomp_handshake_find(h, "Sec-WebSocket-Accept");
  if (!stomp_http_is_like(stomp_handshake_find(h, "Upgrade"), "websocket"))
    return stomp_handshake_fail(h, STOMP_UUPGRADE, "header Upgrade");
  if (!stomp_http_has_item(stomp_handshake_find(h, "Connection"), "Upgrade"))
    return stomp_handshake_fail(h, STOMP_UUPGRADE, "header Connection");
  if (accept.len != sizeof h->accept ||
      memcmp(accept.bytes, h->accept, sizeof h->accept) != 0)
    return stomp_handshake_fail(h, STOMP_UACCEPT,
                                accept.bytes ? "" : "no such header");
  if (check_extensions(h) != STOMP_OK)
    return h->error.status;
  return check_protocol(h);
}

/* A refusal is told when so much of its body is here as people read. */
static void expect_body(stomp_handshake *h) {
  stomp_span length = stomp_handshake_find(h, "Content-Length");
  size_t i, want = 0;
  h->step = BODY;
  h->body_want = STOMP_BODY_MAX;
  for (i = 0; i < length.len && length.bytes[i] >= '0' &&
              length.bytes[i] <= '9' && want < STOMP_BODY_MAX;
       i++)
    want = want * 10 + (size_t)(length.bytes[i] - '0');
  if (length.len && i == length.len && want < STOMP_BODY_MAX)
    h->body_want = want;
}

stomp_status stomp_handshake_refused(stomp_handshake *h) {
  stomp_span location = stomp_handshake_find(h, "Location");
  stomp_handshake_fail(h, h->in_proxy ? STOMP_UPROXY : STOMP_UREFUSED,
                       "status ");
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

stomp_status stomp_handshake_read_body(stomp_handshake *h, stomp_span *in) {
  size_t want = h->body_want - stomp_buffer_len(&h->body);
  size_t len = in->len < want ? in->len : want;
  if (stomp_buffer_append(&h->body, in->bytes, len) != STOMP_OK)
    return stomp_handshake_fail(h, STOMP_ENOMEM, "");
  in->bytes += len;
  in->len -= len;
  h->offset += len;
  return len == want ? stomp_handshake_refused(h) : STOMP_MORE;
}

stomp_status stomp_handshake_end_answer(stomp_handshake *h) {
  bool tunnel = h->in_proxy && h->status >= 200 && h->status < 300;
  if (tunnel || (h->status >= 100 && h->status < 200 && h->status != 101)) {
    stomp_status status = STOMP_OK;
    if (tunnel) {
      h->in_proxy = false;
      status = stomp_handshake_send(h, &h->request);
    }
    stomp_handshake_forget(h);
    h->status = 0;
    return status == STOMP_OK ? STOMP_MORE
                              : stomp_handshake_fail(h, STOMP_ENOMEM, "");
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
