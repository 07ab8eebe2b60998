/* SPDX-License-Identifier: MIT
 *
 * The server reads the request of an upgrade and answers it (RFC 6455, 4.2). */
#include "handshake_private.h"
#include <string.h>

stomp_status stomp_handshake_refuse_request(stomp_handshake *h,
                                            const char *answer,
                                            const char *why) {
  (void)stomp_http_put(h->out, "HTTP/1.1 ");
  (void)stomp_http_put(h->out, answer);
  (void)stomp_http_put(h->out,
                       "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  if (h->step != FAILED)
    stomp_handshake_fail(h, STOMP_UREQUEST, why);
  return h->error.status;
}

/* Of ours, best first, the first that the client offers too. */
static void choose_protocol(stomp_handshake *h) {
  stomp_span ours = stomp_buffer_span(&h->offered), mine, theirs;
  while (stomp_http_next_item(&ours, &mine)) {
    stomp_span list = stomp_handshake_find(h, "Sec-WebSocket-Protocol");
    while (stomp_http_next_item(&list, &theirs))
      if (mine.len == theirs.len && mine.len < sizeof h->protocol &&
          memcmp(mine.bytes, theirs.bytes, mine.len) == 0) {
        memcpy(h->protocol, mine.bytes, mine.len);
        return;
      }
  }
}

stomp_status stomp_handshake_end_request(stomp_handshake *h) {
  stomp_span key = stomp_handshake_find(h, "Sec-WebSocket-Key");
  char accept[28];
  bool ok;
  if (!stomp_http_is_like(stomp_handshake_find(h, "Upgrade"), "websocket") ||
      !stomp_http_has_item(stomp_handshake_find(h, "Connection"), "Upgrade"))
    return stomp_handshake_refuse_request(
      h,
      "426 Upgrade Required\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13",
      "no Upgrade: websocket");
  if (!stomp_http_is_like(stomp_handshake_find(h, "Sec-WebSocket-Version"),
                          "13"))
    return stomp_handshake_refuse_request(
      h, "426 Upgrade Required\r\nSec-WebSocket-Version: 13",
      "Sec-WebSocket-Version is not 13");
  if (key.len != STOMP_HTTP_KEY_LEN)
    return stomp_handshake_refuse_request(h, "400 Bad Request",
                                          "Sec-WebSocket-Key");
  stomp_http_accept(key.bytes, accept);
  choose_protocol(h);
  ok = stomp_http_put(
         h->out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: ") &&
       stomp_buffer_append(h->out, accept, sizeof accept) == STOMP_OK &&
       (!h->protocol[0] ||
        (stomp_http_put(h->out, "\r\nSec-WebSocket-Protocol: ") &&
         stomp_http_put(h->out, h->protocol))) &&
       stomp_http_put(h->out, "\r\n\r\n");
  if (!ok)
    return stomp_handshake_fail(h, STOMP_ENOMEM, "");
  h->step = DONE;
  return STOMP_OK;
}
