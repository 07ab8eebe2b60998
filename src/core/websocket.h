/* SPDX-License-Identifier: MIT
 *
 * RFC 6455 framing, both roles, without the upgrade: bytes -> pieces of messages
 * and control frames; messages -> bytes. It answers pings and closes by itself,
 * into the owner's buffer. It knows nothing of STOMP. Knows buffer, utf8 and
 * deflate. */
#ifndef STOMP_WEBSOCKET_H
#define STOMP_WEBSOCKET_H

#include "buffer.h"
#include "deflate.h"
#include "random.h"
#include "utf8.h"
#include <stdbool.h>

typedef struct stomp_websocket stomp_websocket;

/* Bytes of the output that messages never use: they are for control frames, and
 * the last of them for the close. */
#define STOMP_WEBSOCKET_HEADROOM 538

/* Bytes that a message of `len` takes up in the output beside its own and its
 * first header, because it goes out in several frames. */
size_t stomp_websocket_framing(size_t len);

typedef struct stomp_websocket_options {
  bool server;          /* expects masked frames and sends unmasked ones */
  bool strict_utf8;     /* text that is not UTF-8 fails (RFC 6455, 8.1) */
  size_t message;       /* most bytes of one message, all fragments together;
                      * 0: no limit here (the owner bounds what it keeps);
                      * of a compressed one what it inflates to */
  size_t inflate_ratio; /* see limits.h; 0: none */
  const stomp_memory *memory; /* borrowed */
  const stomp_random *random; /* borrowed; masks */
} stomp_websocket_options;

typedef enum stomp_websocket_kind {
  STOMP_WEBSOCKET_TEXT = 1,
  STOMP_WEBSOCKET_BINARY = 2,
  STOMP_WEBSOCKET_CLOSE = 8,
  STOMP_WEBSOCKET_PING = 9,
  STOMP_WEBSOCKET_PONG = 10
} stomp_websocket_kind;

typedef struct stomp_websocket_event {
  stomp_websocket_kind kind;
  stomp_span data;     /* borrowed until the next call; a piece of a message as
                        * it came (any size, may be empty), or the whole of a
                        * control frame's payload */
  bool first, last;    /* of the message; control frames are both */
  uint16_t close_code; /* CLOSE: 1005 when it had none */
} stomp_websocket_event; /* CLOSE: data is the reason */

/* A new one, owned by the caller; NULL: no memory. Options are copied. Output
 * (control frames, messages) goes to `out`, which is borrowed for life. */
stomp_websocket *stomp_websocket_new(const stomp_websocket_options *options,
                                     stomp_buffer *out);
void stomp_websocket_free(stomp_websocket *w); /* NULL is fine */

/* permessage-deflate was agreed on (RFC 7692): before the first byte. STOMP_OK,
 * STOMP_ENOMEM, STOMP_WNOZLIB. Messages may be compressed from here on, both
 * ways; a message goes out as it is where compressing it does not pay. */
STOMP_CHECKED stomp_status
stomp_websocket_compress(stomp_websocket *w, const stomp_deflate_terms *terms);
bool stomp_websocket_is_compressed(const stomp_websocket *w);

/* Take bytes off the front of `in` until there is something to tell.
 *   STOMP_FRAME  *event
 *   STOMP_MORE   `in` is used up
 *   < 0          the peer broke the protocol; final; a close frame with the
 *                right code (1002, 1007, 1009; 1011: no memory) is in the
 *                output
 * A server's `data` may point to memory of this object (unmasked there), a
 * client's into `in`; what was inflated lies in this object's memory. The offset
 * of what is wrong with an inflated message (text, length, ratio) is that of its
 * first octet of payload, of corrupt data the octet where it shows. A PING was
 * answered when it comes out (without room only the newest is, later); a CLOSE
 * was echoed. After CLOSE all is ignored. */
STOMP_CHECKED stomp_status stomp_websocket_next(stomp_websocket *w,
                                                stomp_span *in,
                                                stomp_websocket_event *event);

/* Output was taken: a pong that waited for room is written, if there is one. */
void stomp_websocket_answer(stomp_websocket *w);

/* Begin a message of exactly `len` bytes: where to write them, borrowed until
 * `end`, which follows with the kind it turned out to have, or until anything else
 * is written: then it is dropped. NULL with
 * *status: STOMP_FULL (does not fit into the buffer's cap now), STOMP_LOUTBOX
 * (never will), STOMP_ENOMEM, STOMP_ERANDOM, STOMP_WSTATE (closing). */
uint8_t *stomp_websocket_begin(stomp_websocket *w, size_t len,
                               stomp_status *status);
/* Set the kind (TEXT or BINARY), cut it into frames of 64 KiB and mask what was
 * written, in place; compress it before, where that was agreed on. A secret goes out plain: it must not lie in
 * one window with what others write (its length would tell of it). */
void stomp_websocket_end(stomp_websocket *w, stomp_websocket_kind kind);
void stomp_websocket_end_plain(stomp_websocket *w, stomp_websocket_kind kind);

/* A whole message or control frame (at most 125 bytes then). Results as of
 * begin; STOMP_WINVALID for what RFC 6455 does not allow: text must be UTF-8. */
STOMP_CHECKED stomp_status stomp_websocket_send(stomp_websocket *w,
                                                stomp_websocket_kind kind,
                                                stomp_span data);

/* Queue a close frame, once: code 0 sends none, a reason is cut at 123 bytes,
 * between two characters. STOMP_OK also when one was sent already;
 * STOMP_WINVALID: a code that none may send, a reason that is not UTF-8 or has
 * no code before it; else as of begin. */
STOMP_CHECKED stomp_status stomp_websocket_close(stomp_websocket *w,
                                                 uint16_t code,
                                                 stomp_span reason);

/* Whether a close frame of ours is in the output, one of the peer's has come;
 * what failed (status STOMP_OK: nothing), borrowed for the object's life. */
bool stomp_websocket_close_sent(const stomp_websocket *w);
bool stomp_websocket_close_received(const stomp_websocket *w);
const stomp_error *stomp_websocket_error(const stomp_websocket *w);

/* XOR `len` bytes with the mask, beginning at its octet `phase` (RFC 6455,
 * 5.3), a word at a time; returns the phase that follows. */
unsigned stomp_websocket_mask(uint8_t *bytes, size_t len, const uint8_t mask[4],
                              unsigned phase);

#endif
