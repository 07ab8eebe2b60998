/* SPDX-License-Identifier: MIT
 *
 * RFC 6455 framing: receiving compressed messages (RFC 7692); see websocket.h.
 * They are inflated into one piece of memory of a fixed size and handed on from
 * there, so however much a message becomes, no more of it is here at once; each
 * limit is looked at after each such piece. */
#include "limits.h"
#include "websocket_private.h"
#include <string.h>

#define PIECE STOMP_WEBSOCKET_SCRATCH

stomp_status stomp_websocket_compress(stomp_websocket *w,
                                      const stomp_deflate_terms *terms) {
  const stomp_memory *memory = w->options.memory;
  stomp_status status =
    stomp_deflate_new(&w->deflate, terms, w->options.server, memory);
  if (status != STOMP_OK)
    return status;
  w->inflated = stomp_memory_new(memory, PIECE);
  if (w->inflated)
    return STOMP_OK;
  stomp_deflate_free(w->deflate);
  w->deflate = NULL;
  return STOMP_ENOMEM;
}

bool stomp_websocket_is_compressed(const stomp_websocket *w) {
  return w->deflate != NULL;
}

void stomp_websocket_inflate_begin(stomp_websocket *w) {
  stomp_deflate_start(w->deflate);
  w->message_at = w->offset;
  w->wire_len = w->inflated_len = 0;
}

/* Pieces end where the message's octets are whole multiples of them, and the
 * limits are looked at there, so that it does not matter how the input was cut.
 * One octet more than the limit shows that there is one. */
static size_t room(const stomp_websocket *w) {
  uint64_t most = PIECE - w->inflated_len % PIECE;
  uint64_t limit = w->options.message;
  if (limit && limit - w->inflated_len < most)
    most = limit + 1 - w->inflated_len;
  return (size_t)most;
}

static bool is_bomb(const stomp_websocket *w) {
  uint64_t ratio = w->options.inflate_ratio;
  return ratio && w->inflated_len > STOMP_INFLATE_FREE &&
         w->inflated_len % PIECE == 0 &&
         (w->inflated_len - 1) / ratio >= w->wire_len;
}

/* Inflate the next octets of `in` into `inflated`. */
static stomp_status inflate(stomp_websocket *w, stomp_span *in, size_t *len) {
  size_t most = w->options.server ? STOMP_WEBSOCKET_SCRATCH : SIZE_MAX;
  stomp_span data = { in->bytes, in->len < most ? in->len : most };
  stomp_status status;
  size_t given;
  if (data.len > w->left)
    data.len = (size_t)w->left;
  given = data.len;
  if (w->options.server && given) { /* what is left over is unmasked again */
    memcpy(w->scratch, data.bytes, given);
    stomp_websocket_mask(w->scratch, given, w->mask, w->phase);
    data.bytes = w->scratch;
  }
  *len = room(w);
  status = stomp_deflate_inflate(w->deflate, &data, w->fin && given == w->left,
                                 w->inflated, len);
  given -= data.len;
  (void)stomp_websocket_take(w, in, given);
  w->phase = (unsigned)((w->phase + given) & 3);
  w->wire_len += given;
  w->inflated_len += *len;
  return status;
}

/* What the limits make of it. */
static stomp_status check(const stomp_websocket *w, stomp_status status,
                          size_t *len) {
  uint64_t limit = w->options.message;
  if (limit && w->inflated_len > limit) {
    --*len;
    return STOMP_WLIMIT;
  }
  return is_bomb(w) ? STOMP_WRATIO : status;
}

static stomp_status fail(stomp_websocket *w, stomp_status status) {
  uint64_t at = w->message_at;
  if (status == STOMP_WINFLATE)
    at = w->offset - !stomp_deflate_ends_early(w->deflate);
  stomp_websocket_fail(w, status, at);
  if (status == STOMP_WINFLATE)
    stomp_error_add(&w->error, stomp_deflate_complaint(w->deflate));
  return status;
}

/* Whether these octets go on with a text; if not, *data is what stands before
 * the offending one. */
static bool is_text(stomp_websocket *w, stomp_span *data, bool last) {
  size_t len = data->len;
  data->len = stomp_utf8_feed(&w->utf8, data->bytes, len);
  return data->len == len && (!last || stomp_utf8_is_complete(&w->utf8));
}

stomp_status stomp_websocket_inflate(stomp_websocket *w, stomp_span *in,
                                     stomp_websocket_event *event) {
  stomp_status status = w->inflate_status;
  stomp_span data = { w->inflated, 0 };
  bool last;
  if (status < 0)
    return fail(w, status);
  status = check(w, inflate(w, in, &data.len), &data.len);
  last = status == STOMP_OK;
  if (w->options.strict_utf8 && w->kind == STOMP_WEBSOCKET_TEXT &&
      !is_text(w, &data, last)) {
    status = STOMP_WUTF8;
    last = false;
  }
  if (status < 0 && data.len == 0)
    return fail(w, status);
  w->inflate_status = status < 0 ? status : STOMP_OK;
  w->inflating = status < 0 || status == STOMP_FULL;
  w->in_payload = w->left != 0 || w->inflating;
  if (data.len == 0 && !last)
    return STOMP_MORE;
  *event = (stomp_websocket_event){
    .kind = w->kind, .data = data, .first = w->first, .last = last
  };
  w->first = false;
  if (last)
    w->in_message = false;
  return STOMP_FRAME;
}
