/* SPDX-License-Identifier: MIT
 *
 * The inside of the framing, for its own files: websocket.c (life, sending),
 * websocket_receive.c and websocket_inflate.c. */
#ifndef STOMP_WEBSOCKET_PRIVATE_H
#define STOMP_WEBSOCKET_PRIVATE_H

#include "websocket.h"

#define STOMP_CONTROL_MAX          125 /* RFC 6455, 5.5 */
#define STOMP_WEBSOCKET_HEADER_MAX 14
/* A server unmasks in pieces of so many bytes. */
#define STOMP_WEBSOCKET_SCRATCH ((size_t)16 << 10)

struct stomp_websocket {
  stomp_websocket_options options;
  stomp_buffer *out; /* borrowed */
  uint64_t offset;   /* octets taken since birth */
  stomp_error error;
  bool close_sent, close_received;

  /* the frame being read */
  uint8_t head[STOMP_WEBSOCKET_HEADER_MAX];
  size_t head_len, head_need;
  bool in_payload;
  bool fin;
  unsigned opcode;
  uint64_t left; /* octets of payload still to come */
  uint8_t mask[4];
  unsigned phase;
  uint8_t control[STOMP_CONTROL_MAX];
  size_t control_len;
  uint8_t *scratch; /* server only, owned */

  /* the message being read, over its fragments */
  bool in_message, first;
  stomp_websocket_kind kind;
  uint64_t message_len;
  stomp_utf8 utf8;
  bool not_text; /* what is right of it was told, the next call fails */
  uint64_t not_text_at;

  /* compression; of a compressed message: */
  stomp_deflate *deflate;      /* owned; NULL: not agreed on */
  uint8_t *inflated;           /* STOMP_WEBSOCKET_SCRATCH octets, owned */
  bool compressed;             /* the message being read is */
  bool inflating;              /* there is more of it without more input */
  stomp_status inflate_status; /* < 0: what the next call says */
  uint64_t message_at;         /* offset of its first octet of payload */
  uint64_t wire_len;           /* octets of it that were inflated, */
  uint64_t inflated_len;       /* and what they became */

  /* the newest ping that was not answered yet */
  uint8_t pong[STOMP_CONTROL_MAX];
  size_t pong_len;
  bool owes_pong;

  /* the message being written, between begin and end */
  uint8_t *out_head, *out_payload;
  size_t out_len;
  uint8_t out_mask[4]; /* of its first frame */
  uint8_t *out_masks;  /* of the others */
};

/* Fail for good, with a close frame; returns `status`. */
stomp_status stomp_websocket_fail(stomp_websocket *w, stomp_status status,
                                  uint64_t offset);
/* Take octets of the frame's payload off the front of `in`. */
stomp_span stomp_websocket_take(stomp_websocket *w, stomp_span *in,
                                size_t most);
/* A compressed message begins; its payload: as stomp_websocket_next. */
void stomp_websocket_inflate_begin(stomp_websocket *w);
stomp_status stomp_websocket_inflate(stomp_websocket *w, stomp_span *in,
                                     stomp_websocket_event *event);

/* Codes that may stand in a close frame (RFC 6455, 7.4). */
bool stomp_websocket_is_code(uint16_t code);

#endif
