/* SPDX-License-Identifier: MIT
 *
 * The server reads the request of an upgrade and answers it (RFC 6455, 4.2). */
#include "handshake_private.h"
#include <string.h>

/* ---- Refusals ---- */

/* Without room for it the connection ends without an answer. */
static void answer(stomp_handshake *h, const char *text) {
  stomp_buffer *b = &h->request;
  bool ok =
    stomp_http_put(b, "HTTP/1.1 ") && stomp_http_put(b, text) &&
    stomp_http_put(b, "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  h->answered = true;
  if (ok) /* without room: nothing */
    (void)!stomp_handshake_send(h, b);
}

stomp_status stomp_handshake_refuse_request(stomp_handshake *h,
                                            const char *text, const char *why) {
  answer(h, text);
  return stomp_handshake_fail(h, STOMP_UREQUEST, why);
}

void stomp_handshake_answer_failure(stomp_handshake *h) {
  if (h->answered)
    return;
  stomp_buffer_clear(&h->request);
  switch ((int)h->error.status) {
    case STOMP_UHEADER: answer(h, "400 Bad Request"); break;
    case STOMP_ULIMIT: answer(h, "431 Request Header Fields Too Large"); break;
    default: answer(h, "500 Internal Server Error"); break;
  }
}

/* RFC 9110, 15.5.22: it says what to upgrade to. */
static stomp_status require_upgrade(stomp_handshake *h, const char *why) {
  return stomp_handshake_refuse_request(
    h,
    "426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13",
    why);
}

/* ---- The request line (RFC 9112, 3) ---- */

/* What stands between the first and the last blank. */
static stomp_span target_of(stomp_span line) {
  const uint8_t *blank = line.len ? memchr(line.bytes, ' ', line.len) : NULL;
  size_t from = blank ? (size_t)(blank - line.bytes) + 1 : line.len;
  size_t to = line.len;
  while (to > from && line.bytes[to - 1] != ' ')
    to--;
  return (stomp_span){ line.bytes + from, to > from ? to - from - 1 : 0 };
}

/* A target in the absolute form (RFC 9112, 3.2.2) without its authority. */
static stomp_span path_of(stomp_span target) {
  size_t i = 0;
  while (i + 3 <= target.len && memcmp(target.bytes + i, "://", 3) != 0 &&
         target.bytes[i] != '/')
    i++;
  if (i == 0 || i + 3 > target.len || target.bytes[i] != ':')
    return target;
  for (i += 3; i < target.len && target.bytes[i] != '/';)
    i++;
  return (stomp_span){ target.bytes + i, target.len - i };
}

/* " HTTP/1.1" */
static bool is_version(const char *s) {
  return memcmp(s, " HTTP/", 6) == 0 && s[6] >= '0' && s[6] <= '9' &&
         s[7] == '.' && s[8] >= '0' && s[8] <= '9';
}

stomp_status stomp_handshake_check_request_line(stomp_handshake *h,
                                                stomp_span line) {
  stomp_span target = target_of(line), path = path_of(target);
  const char *version = (const char *)target.bytes + target.len;
  size_t from = (size_t)(target.bytes - line.bytes), method = from - 1, i;
  for (i = 0; i < line.len && stomp_http_is_token(line.bytes[i]);)
    i++;
  if (i == 0 || i != method || line.len - from - target.len != 9 ||
      !is_version(version) || stomp_http_clean(target, false) != target.len)
    return stomp_handshake_refuse_request(h, "400 Bad Request", "request line");
  if (version[6] != '1')
    return stomp_handshake_refuse_request(h, "505 HTTP Version Not Supported",
                                          "HTTP version");
  if (method != 3 || memcmp(line.bytes, "GET", 3) != 0)
    return stomp_handshake_refuse_request(
      h, "405 Method Not Allowed\r\nAllow: GET", "the method is not GET");
  if (path.len == 0 || path.bytes[0] != '/')
    return stomp_handshake_refuse_request(h, "400 Bad Request", "request path");
  if (version[8] == '0') /* its Upgrade means nothing (RFC 9110, 7.8) */
    return require_upgrade(h, "HTTP/1.0");
  return STOMP_OK;
}

stomp_span stomp_handshake_path(const stomp_handshake *h) {
  if (!h->server || (h->step != DONE && h->step != HEADER_LINES))
    return (stomp_span){ NULL, 0 };
  return path_of(target_of(stomp_handshake_first_line(h)));
}

/* ---- The headers ---- */

static bool is_base64(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* Base64 of 16 octets (RFC 6455, 4.2.1). */
static bool is_key(stomp_span key) {
  size_t i;
  for (i = 0; i < key.len && i < STOMP_HTTP_KEY_LEN - 2; i++)
    if (!is_base64(key.bytes[i]))
      return false;
  return key.len == STOMP_HTTP_KEY_LEN && memcmp(key.bytes + i, "==", 2) == 0;
}

/* What follows the head must be WebSocket's. */
static bool has_body(const stomp_handshake *h) {
  size_t n, n_codings;
  stomp_span length = stomp_handshake_find(h, "Content-Length", &n);
  (void)stomp_handshake_find(h, "Transfer-Encoding", &n_codings);
  return n_codings || (n && !stomp_http_is_like(length, "0"));
}

static stomp_status check_headers(stomp_handshake *h, stomp_span *key) {
  size_t n_host, n_version, n_key;
  stomp_span version;
  (void)stomp_handshake_find(h, "Host", &n_host);
  version = stomp_handshake_find(h, "Sec-WebSocket-Version", &n_version);
  *key = stomp_handshake_find(h, "Sec-WebSocket-Key", &n_key);
  if (n_host != 1)
    return stomp_handshake_refuse_request(
      h, "400 Bad Request", n_host ? "several headers Host" : "no header Host");
  if (has_body(h))
    return stomp_handshake_refuse_request(h, "400 Bad Request", "a body");
  if (!STOMP_HANDSHAKE_LISTS(h, "Upgrade", "websocket") ||
      !STOMP_HANDSHAKE_LISTS(h, "Connection", "Upgrade"))
    return require_upgrade(h, "no Upgrade: websocket");
  if (n_version != 1 || !stomp_http_is_like(version, "13"))
    return require_upgrade(h, "Sec-WebSocket-Version is not 13");
  if (n_key != 1 || !is_key(*key))
    return stomp_handshake_refuse_request(h, "400 Bad Request",
                                          "Sec-WebSocket-Key");
  return STOMP_OK;
}

/* Of ours, best first, the first that the client offers too. */
static void choose_protocol(stomp_handshake *h) {
  stomp_span ours = stomp_buffer_span(&h->offered), mine;
  while (stomp_http_next_item(&ours, &mine))
    if (stomp_handshake_lists(h, "Sec-WebSocket-Protocol", mine, false)) {
      memcpy(h->protocol, mine.bytes, mine.len);
      return;
    }
}

stomp_status stomp_handshake_end_request(stomp_handshake *h) {
  stomp_buffer *b = &h->request;
  stomp_span key;
  char accept[28];
  stomp_status status = check_headers(h, &key);
  bool ok;
  if (status != STOMP_OK)
    return status;
  if (stomp_handshake_choose_extensions(h) != STOMP_OK)
    return stomp_handshake_refuse_request(h, "400 Bad Request",
                                          "Sec-WebSocket-Extensions");
  stomp_http_accept(key.bytes, accept);
  choose_protocol(h);
  ok = stomp_http_put(
         b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Accept: ") &&
       stomp_buffer_append(b, accept, sizeof accept) == STOMP_OK &&
       (!h->protocol[0] || (stomp_http_put(b, "\r\nSec-WebSocket-Protocol: ") &&
                            stomp_http_put(b, h->protocol))) &&
       stomp_http_put(b, "\r\n") && stomp_handshake_put_choice(h, b) &&
       stomp_http_put(b, "\r\n");
  status = ok ? stomp_handshake_send(h, b) : STOMP_ENOMEM;
  if (status != STOMP_OK)
    return stomp_handshake_fail(h, status, "");
  h->step = DONE;
  return STOMP_OK;
}
