/* SPDX-License-Identifier: MIT
 *
 * The body of a refusal, as far as people read it: by Content-Length, in chunks
 * (RFC 9112, 6.3 and 7.1), or until the bytes end. A body that is malformed ends
 * there: that the upgrade was refused is known already. */
#include "handshake_private.h"
#include <string.h>

#define CHUNK_MOST ((size_t)STOMP_BODY_MAX * 16) /* larger counts as this */

/* The value of Content-Length, STOMP_BODY_MAX where it is larger or none. */
static size_t content_length(const stomp_handshake *h) {
  size_t i, n, want = 0;
  stomp_span length = stomp_handshake_find(h, "Content-Length", &n);
  for (i = 0; i < length.len && length.bytes[i] >= '0' &&
              length.bytes[i] <= '9' && want < STOMP_BODY_MAX;
       i++)
    want = want * 10 + (size_t)(length.bytes[i] - '0');
  return length.len && i == length.len && want < STOMP_BODY_MAX
           ? want
           : STOMP_BODY_MAX;
}

stomp_status stomp_handshake_expect_body(stomp_handshake *h, stomp_span *in) {
  h->step = BODY;
  if (h->status == 101 || h->status == 204 || h->status == 304) {
    h->body_want = 0; /* never has one */
  } else if (STOMP_HANDSHAKE_LISTS(h, "Transfer-Encoding", "chunked")) {
    h->body_want = STOMP_BODY_MAX;
    h->chunk = CHUNK_BEGIN;
  } else {
    h->body_want = content_length(h);
  }
  return stomp_handshake_read_body(h, in);
}

/* ---- Chunks ---- */

static int hex_digit(uint8_t c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* An octet between the data of two chunks; false: the body ends here. */
static bool between_chunks(stomp_handshake *h, uint8_t c) {
  int digit = hex_digit(c);
  if (h->chunk == CHUNK_END) {
    h->chunk = c == '\n' ? CHUNK_BEGIN : CHUNK_END;
    return c == '\n' || c == '\r';
  }
  if (h->chunk != CHUNK_EXTENSION && digit >= 0) {
    h->chunk = CHUNK_SIZE;
    h->chunk_left = h->chunk_left * 16 + (size_t)digit;
    if (h->chunk_left > CHUNK_MOST)
      h->chunk_left = CHUNK_MOST;
    return true;
  }
  if (h->chunk == CHUNK_BEGIN)
    return false; /* no size */
  h->chunk = c == '\n' ? CHUNK_DATA : CHUNK_EXTENSION;
  return c != '\n' || h->chunk_left != 0; /* the last chunk is empty */
}

/* Take at most `want` octets of body; false: no memory. */
static bool take_body(stomp_handshake *h, stomp_span *in, size_t *want) {
  size_t len = in->len < *want ? in->len : *want;
  if (len && stomp_buffer_append(&h->body, in->bytes, len) != STOMP_OK)
    return false;
  in->bytes += len;
  in->len -= len;
  h->offset += len;
  *want -= len;
  h->body_want -= want == &h->body_want ? 0 : len;
  return true;
}

static stomp_status read_chunks(stomp_handshake *h, stomp_span *in) {
  while (in->len && h->body_want) {
    if (h->chunk == CHUNK_DATA) {
      if (h->chunk_left > h->body_want)
        h->chunk_left = h->body_want;
      if (!take_body(h, in, &h->chunk_left))
        return stomp_handshake_fail(h, STOMP_ENOMEM, "");
      h->chunk = h->chunk_left ? CHUNK_DATA : CHUNK_END;
    } else {
      if (h->taken == h->limit || !between_chunks(h, *in->bytes))
        return stomp_handshake_refused(h);
      h->taken++;
      h->offset++;
      in->bytes++;
      in->len--;
    }
  }
  return h->body_want ? STOMP_MORE : stomp_handshake_refused(h);
}

stomp_status stomp_handshake_read_body(stomp_handshake *h, stomp_span *in) {
  if (h->chunk != NO_CHUNKS)
    return read_chunks(h, in);
  if (!take_body(h, in, &h->body_want))
    return stomp_handshake_fail(h, STOMP_ENOMEM, "");
  return h->body_want ? STOMP_MORE : stomp_handshake_refused(h);
}
