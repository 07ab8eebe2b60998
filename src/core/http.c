/* SPDX-License-Identifier: MIT
 *
 * See http.h. */
#include "http.h"
#include "base64.h"
#include "sha1.h"
#include <string.h>

/* RFC 6455, 1.3 */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

bool stomp_http_is_token(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static uint8_t lower(uint8_t c) {
  return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool stomp_http_is_same(stomp_span a, stomp_span b) {
  size_t i;
  if (a.len != b.len)
    return false;
  for (i = 0; i < a.len; i++)
    if (lower(a.bytes[i]) != lower(b.bytes[i]))
      return false;
  return true;
}

bool stomp_http_is_like(stomp_span span, const char *text) {
  return stomp_http_is_same(
    span, (stomp_span){ (const uint8_t *)text, strlen(text) });
}

stomp_span stomp_http_trimmed(stomp_span s) {
  while (s.len && (s.bytes[0] == ' ' || s.bytes[0] == '\t'))
    s.bytes++, s.len--;
  while (s.len && (s.bytes[s.len - 1] == ' ' || s.bytes[s.len - 1] == '\t'))
    s.len--;
  return s;
}

bool stomp_http_next_item(stomp_span *list, stomp_span *item) {
  const uint8_t *comma;
  size_t len;
  if (list->len == 0)
    return false;
  comma = memchr(list->bytes, ',', list->len);
  len = comma ? (size_t)(comma - list->bytes) : list->len;
  *item = stomp_http_trimmed((stomp_span){ list->bytes, len });
  len += comma != NULL;
  list->bytes += len;
  list->len -= len;
  return true;
}

bool stomp_http_put(stomp_buffer *b, const char *text) {
  return stomp_buffer_append(b, text, strlen(text)) == STOMP_OK;
}

size_t stomp_http_clean(stomp_span s, bool blanks) {
  size_t i;
  for (i = 0; i < s.len; i++) {
    uint8_t c = s.bytes[i];
    if ((c < 0x20 && !(blanks && c == '\t')) || c == 0x7f ||
        (c == ' ' && !blanks))
      break;
  }
  return i;
}

bool stomp_http_is_clean(const char *s, size_t len, bool blanks) {
  return stomp_http_clean((stomp_span){ (const uint8_t *)s, len }, blanks) ==
         len;
}

void stomp_http_accept(const uint8_t *key, char accept[28]) {
  uint8_t text[STOMP_HTTP_KEY_LEN + sizeof guid - 1], digest[20];
  memcpy(text, key, STOMP_HTTP_KEY_LEN);
  memcpy(text + STOMP_HTTP_KEY_LEN, guid, sizeof guid - 1);
  stomp_sha1(text, sizeof text, digest);
  stomp_base64(accept, digest, sizeof digest);
}
