/* SPDX-License-Identifier: MIT
 *
 * RFC 6455 framing; see websocket.h. A frame is read in two states: its header
 * (gathered octet by octet, checked as soon as each tells something), then its
 * payload, which is handed on as it comes. */
#include "websocket.h"
#include <string.h>

#define CONTROL_MAX 125 /* RFC 6455, 5.5 */
#define HEADER_MAX  14
#define SCRATCH     ((size_t)16 << 10) /* a server unmasks in such pieces */

/* Room that messages leave in the output for control frames. */
#define CONTROL_ROOM 256

enum { CONTINUATION = 0 };

struct stomp_websocket {
  stomp_websocket_options options;
  stomp_buffer *out; /* borrowed */
  uint64_t offset;   /* octets taken since birth */
  stomp_error error;
  bool close_sent, close_received;

  /* the frame being read */
  uint8_t head[HEADER_MAX];
  size_t head_len, head_need;
  bool in_payload;
  bool fin;
  unsigned opcode;
  uint64_t left; /* octets of payload still to come */
  uint8_t mask[4];
  unsigned phase;
  uint8_t control[CONTROL_MAX];
  size_t control_len;
  uint8_t *scratch; /* server only, owned */

  /* the message being read, over its fragments */
  bool in_message, first;
  stomp_websocket_kind kind;
  uint64_t message_len;
  stomp_utf8 utf8;

  /* the newest ping that was not answered yet */
  uint8_t pong[CONTROL_MAX];
  size_t pong_len;
  bool owes_pong;

  /* the message being written, between begin and end */
  uint8_t *out_head, *out_payload;
  size_t out_len;
  uint8_t out_mask[4];
};

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
    w->scratch = stomp_memory_new(options->memory, SCRATCH);
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
  stomp_memory_free(w->options.memory, w->scratch, SCRATCH);
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

/* Write the header of a single-frame message; the payload follows it. */
static void put_header(uint8_t *to, unsigned kind, size_t len,
                       const uint8_t *mask) {
  uint8_t masked = mask ? 0x80 : 0;
  int i;
  *to++ = (uint8_t)(0x80 | kind);
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

/* Room for a frame of `len` octets of payload and its header, written. */
static stomp_status open_frame(stomp_websocket *w, size_t len, unsigned kind) {
  const stomp_random *random = w->options.random;
  size_t head = header_size(w, len);
  uint8_t *to = stomp_buffer_reserve(w->out, head + len);
  if (!to)
    return stomp_buffer_room(w->out) < head + len ? STOMP_FULL : STOMP_ENOMEM;
  if (!w->options.server &&
      !random->fill(random->user, w->out_mask, sizeof w->out_mask))
    return STOMP_ERANDOM;
  put_header(to, kind, len, w->options.server ? NULL : w->out_mask);
  w->out_head = to;
  w->out_payload = to + head;
  w->out_len = len;
  return STOMP_OK;
}

static void close_frame(stomp_websocket *w) {
  if (!w->options.server)
    stomp_websocket_mask(w->out_payload, w->out_len, w->out_mask, 0);
  stomp_buffer_commit(w->out,
                      (size_t)(w->out_payload - w->out_head) + w->out_len);
  w->out_head = w->out_payload = NULL;
}

uint8_t *stomp_websocket_begin(stomp_websocket *w, size_t len,
                               stomp_status *status) {
  size_t most = w->out->cap - CONTROL_ROOM - HEADER_MAX;
  if (w->close_sent)
    *status = STOMP_WSTATE;
  else if (len > most)
    *status = STOMP_LOUTBOX;
  else if (stomp_buffer_len(w->out) > most - len)
    *status = STOMP_FULL;
  else
    *status = open_frame(w, len, STOMP_WEBSOCKET_BINARY);
  return *status == STOMP_OK ? w->out_payload : NULL;
}

void stomp_websocket_end(stomp_websocket *w, stomp_websocket_kind kind) {
  w->out_head[0] = (uint8_t)(0x80 | (unsigned)kind);
  close_frame(w);
}

static stomp_status send_control(stomp_websocket *w, unsigned kind,
                                 const uint8_t *bytes, size_t len) {
  stomp_status status = open_frame(w, len, kind);
  if (status != STOMP_OK)
    return status;
  if (len)
    memcpy(w->out_payload, bytes, len);
  close_frame(w);
  return STOMP_OK;
}

stomp_status stomp_websocket_send(stomp_websocket *w, stomp_websocket_kind kind,
                                  stomp_span data) {
  stomp_status status;
  uint8_t *to;
  if (w->close_sent)
    return STOMP_WSTATE;
  if (kind == STOMP_WEBSOCKET_PING || kind == STOMP_WEBSOCKET_PONG)
    return data.len > CONTROL_MAX
             ? STOMP_WINVALID
             : send_control(w, (unsigned)kind, data.bytes, data.len);
  if (kind != STOMP_WEBSOCKET_TEXT && kind != STOMP_WEBSOCKET_BINARY)
    return STOMP_WINVALID;
  to = stomp_websocket_begin(w, data.len, &status);
  if (!to)
    return status;
  if (data.len)
    memcpy(to, data.bytes, data.len);
  stomp_websocket_end(w, kind);
  return STOMP_OK;
}

/* Codes that may stand in a close frame (RFC 6455, 7.4). */
static bool is_close_code(uint16_t code) {
  if (code >= 3000 && code <= 4999)
    return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

stomp_status stomp_websocket_close(stomp_websocket *w, uint16_t code,
                                   stomp_span reason) {
  uint8_t payload[CONTROL_MAX];
  size_t len =
    reason.len < sizeof payload - 2 ? reason.len : sizeof payload - 2;
  stomp_status status;
  if (w->close_sent)
    return STOMP_OK;
  if (code && !is_close_code(code))
    return STOMP_WINVALID;
  while (len < reason.len && len && (reason.bytes[len] & 0xc0) == 0x80)
    len--; /* never half a character */
  payload[0] = (uint8_t)(code >> 8);
  payload[1] = (uint8_t)code;
  if (len)
    memcpy(payload + 2, reason.bytes, len);
  status = send_control(w, STOMP_WEBSOCKET_CLOSE, payload, code ? len + 2 : 0);
  if (status == STOMP_OK)
    w->close_sent = true;
  return status;
}

/* Answer the newest ping (RFC 6455, 5.5.3). Without room it waits. */
static void pay_pong(stomp_websocket *w) {
  if (!w->owes_pong || w->close_sent ||
      stomp_buffer_room(w->out) < 2 * CONTROL_ROOM)
    return;
  if (send_control(w, STOMP_WEBSOCKET_PONG, w->pong, w->pong_len) == STOMP_OK)
    w->owes_pong = false;
}

/* ---- Reading: failure ---- */

/* RFC 6455, 7.1.7: tell the peer, if there is room, and be done. */
static stomp_status fail(stomp_websocket *w, stomp_status status,
                         uint64_t offset) {
  const char *text = stomp_status_sentence(status);
  stomp_span reason = { (const uint8_t *)text, strlen(text) };
  uint16_t code = status == STOMP_WUTF8    ? 1007
                  : status == STOMP_WLIMIT ? 1009
                                           : 1002;
  stomp_error_set(&w->error, status, offset);
  (void)!stomp_websocket_close(w, code, reason);
  return status;
}

/* ---- Reading: the header ---- */

static bool is_control(const stomp_websocket *w) {
  return w->opcode >= 8;
}

static stomp_status check_first(stomp_websocket *w, uint8_t c) {
  w->fin = (c & 0x80) != 0;
  w->opcode = c & 0x0f;
  if (c & 0x70)
    return STOMP_WRESERVED;
  if ((w->opcode > 2 && w->opcode < 8) || w->opcode > 10)
    return STOMP_WOPCODE;
  if (is_control(w))
    return w->fin ? STOMP_OK : STOMP_WCONTROL;
  if ((w->opcode == CONTINUATION) != w->in_message)
    return STOMP_WFRAGMENT;
  return STOMP_OK;
}

static stomp_status check_second(stomp_websocket *w, uint8_t c) {
  unsigned len = c & 0x7f;
  bool masked = (c & 0x80) != 0;
  if (masked != w->options.server)
    return STOMP_WMASK;
  if (is_control(w) && len > CONTROL_MAX)
    return STOMP_WCONTROL;
  w->head_need = 2u + (len == 126 ? 2 : len == 127 ? 8 : 0) + (masked ? 4 : 0);
  return STOMP_OK;
}

/* The payload's length (RFC 6455, 5.2: the shortest form, top bit 0). */
static stomp_status check_length(stomp_websocket *w) {
  unsigned len = w->head[1] & 0x7f;
  uint64_t long_len = 0;
  size_t octets = len == 126 ? 2 : len == 127 ? 8 : 0, i;
  for (i = 0; i < octets; i++)
    long_len = long_len << 8 | w->head[2 + i];
  if ((len == 126 && long_len < 126) ||
      (len == 127 && (long_len <= 0xffff || long_len >> 63)))
    return STOMP_WLENGTH;
  w->left = octets ? long_len : len;
  if (w->options.server)
    memcpy(w->mask, w->head + w->head_need - 4, sizeof w->mask);
  return STOMP_OK;
}

static stomp_status begin_payload(stomp_websocket *w) {
  stomp_status status = check_length(w);
  uint64_t limit = w->options.message;
  if (status != STOMP_OK)
    return status;
  w->phase = 0;
  w->in_payload = true;
  w->control_len = 0;
  if (is_control(w))
    return STOMP_OK;
  if (w->opcode != CONTINUATION) {
    w->kind = (stomp_websocket_kind)w->opcode;
    w->in_message = w->first = true;
    w->message_len = 0;
    w->utf8 = (stomp_utf8)STOMP_UTF8_START;
  }
  if (limit && (w->left > limit || w->message_len > limit - w->left))
    return STOMP_WLIMIT;
  w->message_len += w->left;
  return STOMP_OK;
}

/* STOMP_OK: the header is complete. */
static stomp_status read_header(stomp_websocket *w, stomp_span *in) {
  stomp_status status = STOMP_OK;
  while (in->len && w->head_len < w->head_need) {
    uint8_t c = *in->bytes++;
    in->len--;
    w->offset++;
    w->head[w->head_len++] = c;
    if (w->head_len == 1)
      status = check_first(w, c);
    else if (w->head_len == 2)
      status = check_second(w, c);
    if (status != STOMP_OK)
      return fail(w, status, w->offset - 1);
  }
  if (w->head_len < w->head_need)
    return STOMP_MORE;
  w->head_len = 0;
  status = begin_payload(w);
  w->head_need = 2;
  return status == STOMP_OK ? status : fail(w, status, w->offset - 1);
}

/* ---- Reading: the payload ---- */

static stomp_span take(stomp_websocket *w, stomp_span *in, size_t most) {
  stomp_span piece = { in->bytes, in->len < most ? in->len : most };
  if (piece.len > w->left)
    piece.len = (size_t)w->left;
  in->bytes += piece.len;
  in->len -= piece.len;
  w->offset += piece.len;
  w->left -= piece.len;
  return piece;
}

static stomp_status check_text(stomp_websocket *w, stomp_span data, bool last) {
  size_t right;
  if (!w->options.strict_utf8 || w->kind != STOMP_WEBSOCKET_TEXT)
    return STOMP_OK;
  right = stomp_utf8_feed(&w->utf8, data.bytes, data.len);
  if (right < data.len)
    return fail(w, STOMP_WUTF8, w->offset - data.len + right);
  if (last && !stomp_utf8_is_complete(&w->utf8))
    return fail(w, STOMP_WUTF8, w->offset);
  return STOMP_OK;
}

static stomp_status read_data(stomp_websocket *w, stomp_span *in,
                              stomp_websocket_event *event) {
  stomp_span data = take(w, in, w->options.server ? SCRATCH : SIZE_MAX);
  bool last = w->left == 0 && w->fin;
  stomp_status status;
  if (w->options.server && data.len) {
    memcpy(w->scratch, data.bytes, data.len);
    w->phase = stomp_websocket_mask(w->scratch, data.len, w->mask, w->phase);
    data.bytes = w->scratch;
  }
  status = check_text(w, data, last);
  if (status != STOMP_OK)
    return status;
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
  uint16_t code = 0;
  if (w->control_len == 1)
    return fail(w, STOMP_WCLOSE, w->offset);
  if (w->control_len >= 2) {
    code = (uint16_t)(w->control[0] << 8 | w->control[1]);
    if (!is_close_code(code))
      return fail(w, STOMP_WCLOSE, w->offset - w->control_len);
    if (!stomp_utf8_is_text(w->control + 2, w->control_len - 2))
      return fail(w, STOMP_WUTF8, w->offset - w->control_len + 2);
    event->data = (stomp_span){ w->control + 2, w->control_len - 2 };
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
  if (w->opcode == STOMP_WEBSOCKET_CLOSE) {
    event->data.len = 0;
    return take_close(w, event);
  }
  if (w->opcode == STOMP_WEBSOCKET_PING) {
    memcpy(w->pong, w->control, w->control_len);
    w->pong_len = w->control_len;
    w->owes_pong = true;
  }
  return STOMP_FRAME;
}

static stomp_status read_control(stomp_websocket *w, stomp_span *in,
                                 stomp_websocket_event *event) {
  stomp_span piece = take(w, in, CONTROL_MAX);
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
  while (in->len && !w->close_received) {
    if (!w->in_payload) {
      status = read_header(w, in);
      if (status < 0)
        return status;
      if (status == STOMP_MORE)
        break;
      if (w->left && in->len == 0)
        break;
    }
    status =
      is_control(w) ? read_control(w, in, event) : read_data(w, in, event);
    if (status != STOMP_MORE)
      return status;
  }
  if (w->close_received) {
    in->bytes += in->len;
    in->len = 0;
  }
  pay_pong(w);
  return STOMP_MORE;
}
