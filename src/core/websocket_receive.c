/* SPDX-License-Identifier: MIT
 *
 * RFC 6455 framing: receiving; see websocket.h. A frame is read in two states:
 * its header (gathered octet by octet, checked as soon as each tells something),
 * then its payload, which is handed on as it comes. */
#include "websocket_private.h"
#include <string.h>

enum { CONTINUATION = 0, RSV1 = 0x40 };

/* ---- Reading: failure ---- */

/* RFC 6455, 7.4.1 */
static uint16_t code_of(stomp_status status) {
  switch (status) {
    case STOMP_WUTF8:
    case STOMP_WINFLATE: return 1007;
    case STOMP_WLIMIT:
    case STOMP_WRATIO: return 1009;
    case STOMP_ENOMEM: return 1011;
    default: return 1002;
  }
}

/* RFC 6455, 7.1.7: tell the peer, if there is room, and be done. */
stomp_status stomp_websocket_fail(stomp_websocket *w, stomp_status status,
                                  uint64_t offset) {
  const char *text = stomp_status_sentence(status);
  stomp_span reason = { (const uint8_t *)text, strlen(text) };
  stomp_error_set(&w->error, status, offset);
  (void)!stomp_websocket_close(w, code_of(status), reason);
  return status;
}

/* ---- Reading: the header ---- */

static bool is_control(const stomp_websocket *w) {
  return w->opcode >= 8;
}

/* RFC 7692, 6: RSV1 on the first frame of a compressed message alone. */
static bool is_compressed_first(const stomp_websocket *w, uint8_t c) {
  return w->deflate && (c & 0x70) == RSV1 &&
         (w->opcode == STOMP_WEBSOCKET_TEXT ||
          w->opcode == STOMP_WEBSOCKET_BINARY);
}

static stomp_status check_first(stomp_websocket *w, uint8_t c) {
  w->fin = (c & 0x80) != 0;
  w->opcode = c & 0x0f;
  if ((c & 0x70) && !is_compressed_first(w, c))
    return STOMP_WRESERVED;
  if ((w->opcode > 2 && w->opcode < 8) || w->opcode > 10)
    return STOMP_WOPCODE;
  if (is_control(w))
    return w->fin ? STOMP_OK : STOMP_WCONTROL;
  if ((w->opcode == CONTINUATION) != w->in_message)
    return STOMP_WFRAGMENT;
  return STOMP_OK;
}

static size_t mask_octets(const stomp_websocket *w) {
  return w->options.server ? 4 : 0;
}

static stomp_status check_second(stomp_websocket *w, uint8_t c) {
  unsigned len = c & 0x7f;
  bool masked = (c & 0x80) != 0;
  if (masked != w->options.server)
    return STOMP_WMASK;
  if (is_control(w) && len > STOMP_CONTROL_MAX)
    return STOMP_WCONTROL;
  w->head_need = 2u + (len == 126 ? 2 : len == 127 ? 8 : 0) + mask_octets(w);
  return STOMP_OK;
}

/* The limit counts what is still to come, before memory is spent on it; of a
 * compressed message what it inflates to, so not here. */
static stomp_status check_limit(const stomp_websocket *w) {
  bool begins = w->opcode != CONTINUATION;
  uint64_t before = begins ? 0 : w->message_len;
  uint64_t limit = w->options.message;
  if (!limit || is_control(w) ||
      (begins ? (w->head[0] & RSV1) != 0 : w->compressed))
    return STOMP_OK;
  return w->left > limit || before > limit - w->left ? STOMP_WLIMIT : STOMP_OK;
}

/* The payload's length (RFC 6455, 5.2: the shortest form, top bit 0). */
static stomp_status check_length(stomp_websocket *w) {
  unsigned len = w->head[1] & 0x7f;
  uint64_t long_len = 0;
  size_t i;
  for (i = 2; i < w->head_len; i++)
    long_len = long_len << 8 | w->head[i];
  if ((len == 126 && long_len < 126) ||
      (len == 127 && (long_len <= 0xffff || long_len >> 63)))
    return STOMP_WLENGTH;
  w->left = len < 126 ? len : long_len;
  return check_limit(w);
}

static stomp_status check_octet(stomp_websocket *w, uint8_t c) {
  stomp_status status;
  if (w->head_len == 1)
    return check_first(w, c);
  status = w->head_len == 2 ? check_second(w, c) : STOMP_OK;
  if (status != STOMP_OK || w->head_len != w->head_need - mask_octets(w))
    return status;
  return check_length(w);
}

static void begin_payload(stomp_websocket *w) {
  if (w->options.server)
    memcpy(w->mask, w->head + w->head_need - sizeof w->mask, sizeof w->mask);
  w->head_len = 0;
  w->head_need = 2;
  w->phase = 0;
  w->in_payload = true;
  w->control_len = 0;
  if (is_control(w))
    return;
  if (w->opcode != CONTINUATION) {
    w->kind = (stomp_websocket_kind)w->opcode;
    w->in_message = w->first = true;
    w->message_len = 0;
    w->utf8 = (stomp_utf8)STOMP_UTF8_START;
    w->compressed = (w->head[0] & RSV1) != 0;
    if (w->compressed)
      stomp_websocket_inflate_begin(w);
  }
  w->message_len += w->left;
}

/* STOMP_OK: the header is complete. */
static stomp_status read_header(stomp_websocket *w, stomp_span *in) {
  stomp_status status;
  while (in->len && w->head_len < w->head_need) {
    uint8_t c = *in->bytes++;
    in->len--;
    w->offset++;
    w->head[w->head_len++] = c;
    status = check_octet(w, c);
    if (status != STOMP_OK)
      return stomp_websocket_fail(w, status, w->offset - 1);
  }
  if (w->head_len < w->head_need)
    return STOMP_MORE;
  begin_payload(w);
  return STOMP_OK;
}

/* ---- Reading: the payload ---- */

stomp_span stomp_websocket_take(stomp_websocket *w, stomp_span *in,
                                size_t most) {
  stomp_span piece = { in->bytes, in->len < most ? in->len : most };
  if (piece.len > w->left)
    piece.len = (size_t)w->left;
  in->bytes += piece.len;
  in->len -= piece.len;
  w->offset += piece.len;
  w->left -= piece.len;
  return piece;
}

/* Whether octets go on with a text, and end it if they are the `last`; *right:
 * how many stand before the offending one. */
static bool is_text(stomp_utf8 *utf8, stomp_span data, bool last,
                    size_t *right) {
  *right = stomp_utf8_feed(utf8, data.bytes, data.len);
  return *right == data.len && (!last || stomp_utf8_is_complete(utf8));
}

static stomp_status read_data(stomp_websocket *w, stomp_span *in,
                              stomp_websocket_event *event) {
  stomp_span data = stomp_websocket_take(
    w, in, w->options.server ? STOMP_WEBSOCKET_SCRATCH : SIZE_MAX);
  bool last = w->left == 0 && w->fin;
  size_t right;
  if (w->options.server && data.len) {
    memcpy(w->scratch, data.bytes, data.len);
    w->phase = stomp_websocket_mask(w->scratch, data.len, w->mask, w->phase);
    data.bytes = w->scratch;
  }
  if (w->options.strict_utf8 && w->kind == STOMP_WEBSOCKET_TEXT &&
      !is_text(&w->utf8, data, last, &right)) {
    w->not_text_at = w->offset - data.len + right;
    if (right == 0)
      return stomp_websocket_fail(w, STOMP_WUTF8, w->not_text_at);
    data.len = right; /* as if they had come alone; then it fails */
    w->not_text = true;
    last = false;
  }
  *event = (stomp_websocket_event){
    .kind = w->kind, .data = data, .first = w->first, .last = last
  };
  w->first = false;
  w->in_payload = w->left != 0;
  if (last)
    w->in_message = false;
  return STOMP_FRAME;
}

/* RFC 6455, 5.5.1: a code, then a reason in UTF-8, or nothing. */
static stomp_status take_close(stomp_websocket *w,
                               stomp_websocket_event *event) {
  stomp_utf8 utf8 = STOMP_UTF8_START;
  uint16_t code = 0;
  size_t right;
  if (w->control_len == 1)
    return stomp_websocket_fail(w, STOMP_WCLOSE, w->offset);
  if (w->control_len >= 2) {
    code = (uint16_t)(w->control[0] << 8 | w->control[1]);
    if (!stomp_websocket_is_code(code))
      return stomp_websocket_fail(w, STOMP_WCLOSE, w->offset - w->control_len);
    event->data = (stomp_span){ w->control + 2, w->control_len - 2 };
    if (!is_text(&utf8, event->data, true, &right))
      return stomp_websocket_fail(w, STOMP_WUTF8,
                                  w->offset - event->data.len + right);
  }
  w->close_received = true;
  event->close_code = code ? code : 1005;
  /* without room for the answer the end of the bytes is one */
  (void)!stomp_websocket_close(w, code, (stomp_span){ NULL, 0 });
  return STOMP_FRAME;
}

static stomp_status end_control(stomp_websocket *w,
                                stomp_websocket_event *event) {
  w->in_payload = false;
  *event = (stomp_websocket_event){ .kind = (stomp_websocket_kind)w->opcode,
                                    .data = { w->control, w->control_len },
                                    .first = true,
                                    .last = true };
  if (w->opcode == STOMP_WEBSOCKET_CLOSE)
    return take_close(w, event);
  if (w->opcode == STOMP_WEBSOCKET_PING) {
    memcpy(w->pong, w->control, w->control_len);
    w->pong_len = w->control_len;
    w->owes_pong = true;
    stomp_websocket_answer(w);
  }
  return STOMP_FRAME;
}

static stomp_status read_control(stomp_websocket *w, stomp_span *in,
                                 stomp_websocket_event *event) {
  stomp_span piece = stomp_websocket_take(w, in, STOMP_CONTROL_MAX);
  if (piece.len) {
    uint8_t *to = w->control + w->control_len;
    memcpy(to, piece.bytes, piece.len);
    if (w->options.server)
      w->phase = stomp_websocket_mask(to, piece.len, w->mask, w->phase);
    w->control_len += piece.len;
  }
  return w->left ? STOMP_MORE : end_control(w, event);
}

stomp_status stomp_websocket_next(stomp_websocket *w, stomp_span *in,
                                  stomp_websocket_event *event) {
  stomp_status status;
  if (w->error.status != STOMP_OK)
    return w->error.status;
  if (w->not_text)
    return stomp_websocket_fail(w, STOMP_WUTF8, w->not_text_at);
  while ((in->len || w->inflating) && !w->close_received) {
    if (!w->in_payload) {
      status = read_header(w, in);
      if (status < 0)
        return status;
      if (status == STOMP_MORE)
        break;
      if (w->left && in->len == 0)
        break;
    }
    status = is_control(w)   ? read_control(w, in, event)
             : w->compressed ? stomp_websocket_inflate(w, in, event)
                             : read_data(w, in, event);
    if (status != STOMP_MORE)
      return status;
  }
  if (w->close_received) {
    in->bytes += in->len;
    in->len = 0;
  }
  stomp_websocket_answer(w);
  return STOMP_MORE;
}
