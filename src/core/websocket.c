/* SPDX-License-Identifier: MIT
 *
 * RFC 6455 framing: life and sending; see websocket.h. */
#include "websocket_private.h"
#include <string.h>

/* The largest control frame. Messages leave room for four, beside the header of
 * their own; pings and pongs leave it for the close. */
#define CONTROL_FRAME ((size_t)6 + STOMP_CONTROL_MAX)
_Static_assert(STOMP_WEBSOCKET_HEADROOM ==
                 4 * CONTROL_FRAME + STOMP_WEBSOCKET_HEADER_MAX,
               "what the header says");

#define FIN  0x80u
#define RSV1 0x40u /* of a compressed message (RFC 7692, 6) */

/* The payload of the largest frame: a longer message goes out in several. Many
 * servers take no larger one (Netty's 64 KiB by default: Artemis drops the
 * connection without a word), but messages of any length. */
#define FRAGMENT ((size_t)64 << 10)

/* ---- Life ---- */

stomp_websocket *stomp_websocket_new(const stomp_websocket_options *options,
                                     stomp_buffer *out) {
  stomp_websocket *w = stomp_memory_new(options->memory, sizeof *w);
  if (!w)
    return NULL;
  memset(w, 0, sizeof *w);
  w->options = *options;
  w->out = out;
  w->head_need = 2;
  stomp_error_clear(&w->error);
  if (options->server) {
    w->scratch = stomp_memory_new(options->memory, STOMP_WEBSOCKET_SCRATCH);
    if (!w->scratch) {
      stomp_websocket_free(w);
      return NULL;
    }
  }
  return w;
}

void stomp_websocket_free(stomp_websocket *w) {
  if (!w)
    return;
  stomp_deflate_free(w->deflate);
  stomp_memory_free(w->options.memory, w->inflated, STOMP_WEBSOCKET_SCRATCH);
  stomp_memory_free(w->options.memory, w->scratch, STOMP_WEBSOCKET_SCRATCH);
  stomp_memory_free(w->options.memory, w, sizeof *w);
}

bool stomp_websocket_close_sent(const stomp_websocket *w) {
  return w->close_sent;
}

bool stomp_websocket_close_received(const stomp_websocket *w) {
  return w->close_received;
}

const stomp_error *stomp_websocket_error(const stomp_websocket *w) {
  return &w->error;
}

/* ---- Writing ---- */

unsigned stomp_websocket_mask(uint8_t *bytes, size_t len, const uint8_t mask[4],
                              unsigned phase) {
  uint8_t turned[8];
  uint64_t key, word;
  size_t i;
  for (i = 0; i < sizeof turned; i++)
    turned[i] = mask[(phase + i) & 3];
  memcpy(&key, turned, sizeof key);
  for (i = 0; i + sizeof word <= len; i += sizeof word) {
    memcpy(&word, bytes + i, sizeof word);
    word ^= key;
    memcpy(bytes + i, &word, sizeof word);
  }
  for (; i < len; i++)
    bytes[i] ^= turned[i & 7];
  return (unsigned)((phase + len) & 3);
}

static size_t header_size(const stomp_websocket *w, size_t len) {
  size_t size = len < 126 ? 2 : len <= 0xffff ? 4 : 10;
  return w->options.server ? size : size + 4;
}

/* Frames of a message of `len` octets. */
static size_t n_fragments(size_t len) {
  return len == 0 ? 1 : (len - 1) / FRAGMENT + 1;
}

/* Octets of frame `i` of them. */
static size_t fragment_size(size_t len, size_t i) {
  size_t left = len - i * FRAGMENT;
  return left < FRAGMENT ? left : FRAGMENT;
}

size_t stomp_websocket_framing(size_t len) {
  return (n_fragments(len) - 1) * (STOMP_WEBSOCKET_HEADER_MAX + 4);
}

/* Write the header of a frame; `first` is its first octet. */
static void put_header(uint8_t *to, unsigned first, size_t len,
                       const uint8_t *mask) {
  uint8_t masked = mask ? 0x80 : 0;
  int i;
  *to++ = (uint8_t)first;
  if (len < 126) {
    *to++ = (uint8_t)(masked | len);
  } else if (len <= 0xffff) {
    *to++ = masked | 126;
    *to++ = (uint8_t)(len >> 8);
    *to++ = (uint8_t)len;
  } else {
    *to++ = masked | 127;
    for (i = 7; i >= 0; i--)
      *to++ = (uint8_t)((uint64_t)len >> (8 * i));
  }
  if (mask)
    memcpy(to, mask, 4);
}

/* Fresh masks (RFC 6455, 5.3): of the first frame, and of the others, which lie
 * behind all that the message may take up until it is sealed. */
static bool draw_masks(stomp_websocket *w, size_t len) {
  const stomp_random *random = w->options.random;
  size_t n = n_fragments(len) - 1;
  w->out_masks = w->out_payload + len + n * STOMP_WEBSOCKET_HEADER_MAX;
  return random->fill(random->user, w->out_mask, sizeof w->out_mask) &&
         (n == 0 || random->fill(random->user, w->out_masks, 4 * n));
}

/* Room for a message of `len` octets of payload, its header before them, and
 * behind them what more frames than one need. */
static stomp_status open_message(stomp_websocket *w, size_t len) {
  size_t head = header_size(w, fragment_size(len, 0));
  size_t size = head + len + stomp_websocket_framing(len);
  uint8_t *to = stomp_buffer_reserve(w->out, size);
  if (!to)
    return stomp_buffer_room(w->out) < size ? STOMP_FULL : STOMP_ENOMEM;
  w->out_head = to;
  w->out_payload = to + head;
  w->out_len = len;
  if (!w->options.server && !draw_masks(w, len))
    return STOMP_ERANDOM;
  return STOMP_OK;
}

/* Frame `i` of the message goes from where it was written to `to`, masked, with
 * its header before it; returns its end. */
static uint8_t *seal_frame(stomp_websocket *w, unsigned bits, size_t i,
                           uint8_t *to) {
  size_t len = fragment_size(w->out_len, i);
  bool last = i + 1 == n_fragments(w->out_len);
  uint8_t mask[4] = { 0 };
  if (!w->options.server)
    memcpy(mask, i == 0 ? w->out_mask : w->out_masks + 4 * (i - 1), 4);
  if (i > 0) /* the first is where it belongs */
    memmove(to + header_size(w, len), w->out_payload + i * FRAGMENT, len);
  put_header(to, (last ? FIN : 0) | (i == 0 ? bits : 0), len,
             w->options.server ? NULL : mask);
  to += header_size(w, len);
  if (!w->options.server)
    stomp_websocket_mask(to, len, mask, 0);
  return to + len;
}

/* The payload is written: its frames are put where they belong, from the last,
 * which makes room for the header of the one before it. `bits`: opcode, RSV1. */
static void seal_message(stomp_websocket *w, unsigned bits) {
  size_t i = n_fragments(w->out_len);
  uint8_t *end = NULL, *its_end;
  while (i-- > 0) {
    size_t headers = i * header_size(w, FRAGMENT);
    its_end = seal_frame(w, bits, i, w->out_head + i * FRAGMENT + headers);
    end = end ? end : its_end;
  }
  stomp_buffer_commit(w->out, (size_t)(end - w->out_head));
  w->out_head = w->out_payload = w->out_masks = NULL;
}

/* Whether nothing but a close frame may be sent any more. */
static bool is_closing(const stomp_websocket *w) {
  return w->close_sent || w->close_received || w->error.status != STOMP_OK;
}

uint8_t *stomp_websocket_begin(stomp_websocket *w, size_t len,
                               stomp_status *status) {
  const size_t keep = STOMP_WEBSOCKET_HEADROOM;
  size_t framing = stomp_websocket_framing(len);
  if (is_closing(w))
    *status = STOMP_WSTATE;
  else if (w->out->cap < keep || len > w->out->cap - keep ||
           framing > w->out->cap - keep - len)
    *status = STOMP_LOUTBOX;
  else if (stomp_buffer_len(w->out) > w->out->cap - keep - len - framing)
    *status = STOMP_FULL;
  else
    *status = open_message(w, len);
  return *status == STOMP_OK ? w->out_payload : NULL;
}

/* Put what the message compresses to in its place, where that is shorter; whether
 * it is. */
static bool compress(stomp_websocket *w) {
  stomp_span message = { w->out_payload, w->out_len };
  stomp_span packed = stomp_deflate_pack(w->deflate, message);
  if (packed.len == 0)
    return false;
  w->out_len = packed.len;
  w->out_payload = w->out_head + header_size(w, fragment_size(packed.len, 0));
  memcpy(w->out_payload, packed.bytes, packed.len);
  stomp_deflate_packed(w->deflate);
  return true;
}

void stomp_websocket_end_plain(stomp_websocket *w, stomp_websocket_kind kind) {
  seal_message(w, (unsigned)kind);
}

void stomp_websocket_end(stomp_websocket *w, stomp_websocket_kind kind) {
  bool compressed = w->deflate && compress(w);
  seal_message(w, (compressed ? RSV1 : 0) | (unsigned)kind);
}

static stomp_status send_control(stomp_websocket *w, unsigned kind,
                                 const uint8_t *bytes, size_t len) {
  stomp_status status;
  if (kind != STOMP_WEBSOCKET_CLOSE &&
      stomp_buffer_room(w->out) < 2 * CONTROL_FRAME)
    return STOMP_FULL;
  status = open_message(w, len);
  if (status != STOMP_OK)
    return status;
  if (len)
    memcpy(w->out_payload, bytes, len);
  seal_message(w, kind);
  return STOMP_OK;
}

stomp_status stomp_websocket_send(stomp_websocket *w, stomp_websocket_kind kind,
                                  stomp_span data) {
  stomp_status status;
  uint8_t *to;
  if (is_closing(w))
    return STOMP_WSTATE;
  if (kind == STOMP_WEBSOCKET_PING || kind == STOMP_WEBSOCKET_PONG)
    return data.len > STOMP_CONTROL_MAX
             ? STOMP_WINVALID
             : send_control(w, (unsigned)kind, data.bytes, data.len);
  if (kind != STOMP_WEBSOCKET_BINARY &&
      (kind != STOMP_WEBSOCKET_TEXT ||
       !stomp_utf8_is_text(data.bytes, data.len)))
    return STOMP_WINVALID;
  to = stomp_websocket_begin(w, data.len, &status);
  if (!to)
    return status;
  if (data.len)
    memcpy(to, data.bytes, data.len);
  stomp_websocket_end(w, kind);
  return STOMP_OK;
}

bool stomp_websocket_is_code(uint16_t code) {
  if (code >= 3000 && code <= 4999)
    return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

stomp_status stomp_websocket_close(stomp_websocket *w, uint16_t code,
                                   stomp_span reason) {
  uint8_t payload[STOMP_CONTROL_MAX];
  size_t len =
    reason.len < sizeof payload - 2 ? reason.len : sizeof payload - 2;
  stomp_status status;
  if (w->close_sent)
    return STOMP_OK;
  if (code ? !stomp_websocket_is_code(code) : reason.len != 0)
    return STOMP_WINVALID;
  if (!stomp_utf8_is_text(reason.bytes, reason.len))
    return STOMP_WINVALID;
  while (len < reason.len && (reason.bytes[len] & 0xc0) == 0x80)
    len--; /* never half a character: it is UTF-8, so a first octet comes */
  payload[0] = (uint8_t)(code >> 8);
  payload[1] = (uint8_t)code;
  if (len)
    memcpy(payload + 2, reason.bytes, len);
  status = send_control(w, STOMP_WEBSOCKET_CLOSE, payload, code ? len + 2 : 0);
  if (status == STOMP_OK)
    w->close_sent = true;
  return status;
}

void stomp_websocket_answer(stomp_websocket *w) {
  if (w->owes_pong && !is_closing(w) &&
      send_control(w, STOMP_WEBSOCKET_PONG, w->pong, w->pong_len) == STOMP_OK)
    w->owes_pong = false;
}
