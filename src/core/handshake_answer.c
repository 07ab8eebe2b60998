/* SPDX-License-Identifier: MIT
 *
 * The client reads the answer to its upgrade (RFC 6455, 4.1), or its proxy's to
 * CONNECT. */
#include "handshake_private.h"
#include <string.h>

static stomp_status check_protocol(stomp_handshake *h) {
  stomp_span offered = stomp_buffer_span(&h->offered), item;
  size_t n;
  stomp_span answer = stomp_handshake_find(h, "Sec-WebSocket-Protocol", &n);
  while (n == 1 && stomp_http_next_item(&offered, &item))
    if (item.len == answer.len &&
        memcmp(item.bytes, answer.bytes, item.len) == 0) {
      memcpy(h->protocol, item.bytes, item.len);
      return STOMP_OK;
    }
  if (n == 0)
    return STOMP_OK;
  stomp_handshake_fail(h, STOMP_UPROTOCOL, n > 1 ? "several headers, " : "");
  stomp_error_add_bytes(&h->error, answer.bytes, answer.len);
  return STOMP_UPROTOCOL;
}

/* Several headers of one name are refused where one is wanted (RFC 6455, 11.3,
 * says so of most): who put them there disagreed. */
static stomp_status check_accept(stomp_handshake *h) {
  size_t n;
  stomp_span accept = stomp_handshake_find(h, "Sec-WebSocket-Accept", &n);
  if (n != 1)
    return stomp_handshake_fail(h, STOMP_UACCEPT,
                                n ? "several headers" : "no such header");
  return accept.len == sizeof h->accept &&
             memcmp(accept.bytes, h->accept, sizeof h->accept) == 0
           ? STOMP_OK
           : stomp_handshake_fail(h, STOMP_UACCEPT, "");
}

/* RFC 6455, 4.1: what the 101 must say. */
static stomp_status check_upgrade(stomp_handshake *h) {
  size_t n;
  stomp_span upgrade = stomp_handshake_find(h, "Upgrade", &n);
  if (stomp_handshake_first_line(h).bytes[7] == '0')
    return stomp_handshake_fail(h, STOMP_UUPGRADE, "HTTP/1.0");
  if (n != 1 || !stomp_http_is_like(upgrade, "websocket"))
    return stomp_handshake_fail(h, STOMP_UUPGRADE, "header Upgrade");
  if (!STOMP_HANDSHAKE_LISTS(h, "Connection", "Upgrade"))
    return stomp_handshake_fail(h, STOMP_UUPGRADE, "header Connection");
  if (check_accept(h) != STOMP_OK ||
      stomp_handshake_check_extensions(h) != STOMP_OK)
    return h->error.status;
  return check_protocol(h);
}

stomp_status stomp_handshake_refused(stomp_handshake *h) {
  size_t n;
  stomp_span location = stomp_handshake_find(h, "Location", &n);
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

stomp_status stomp_handshake_end_answer(stomp_handshake *h, stomp_span *in) {
  bool tunnel = h->in_proxy && h->status >= 200 && h->status < 300;
  if (tunnel || (h->status < 200 && h->status != 101)) {
    stomp_status status = STOMP_OK;
    if (tunnel) {
      h->in_proxy = false;
      status = stomp_handshake_send(h, &h->request);
    }
    stomp_handshake_forget(h);
    h->status = 0;
    return status == STOMP_OK ? STOMP_MORE
                              : stomp_handshake_fail(h, status, "");
  }
  if (h->status != 101 || h->in_proxy)
    return stomp_handshake_expect_body(h, in);
  if (check_upgrade(h) != STOMP_OK)
    return h->error.status;
  h->step = DONE;
  return STOMP_OK;
}
