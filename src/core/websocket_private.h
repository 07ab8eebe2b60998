/* SPDX-License-Identifier: MIT
 *
 * The inside of the framing, for its own files: websocket.c (life, sending) and
 * websocket_receive.c. */
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

  /* the newest ping that was not answered yet */
  uint8_t pong[STOMP_CONTROL_MAX];
  size_t pong_len;
  bool owes_pong;

  /* the message being written, between begin and end */
  uint8_t *out_head, *out_payload;
  size_t out_len;
  uint8_t out_mask[4];
};

/* Codes that may stand in a close frame (RFC 6455, 7.4). */
bool stomp_websocket_is_code(uint16_t code);

#endif
