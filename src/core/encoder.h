/* SPDX-License-Identifier: MIT
 *
 * Frame -> STOMP bytes; refuses what cannot be sent in the version, so nothing
 * can be injected through a header. Knows frame, escape and buffer. */
#ifndef STOMP_ENCODER_H
#define STOMP_ENCODER_H

#include "frame.h"

typedef struct stomp_encoding {
  stomp_version version;
  bool escape_connect; /* RabbitMQ unescapes CONNECT too; STOMP says not to */
} stomp_encoding;

/* Check a frame and count its bytes, the NUL included.
 * STOMP_OK with *size, or a failure of kind `invalid` with the header's name in
 * `error`. A content-length is added for a body unless the frame says not to
 * or brings one (which must be right: ILENGTH). */
STOMP_CHECKED stomp_status stomp_encode_check(const stomp_outgoing *frame,
                                              stomp_encoding encoding,
                                              size_t *size, stomp_error *error);

/* Write a checked frame to `to`, which has room for its size. */
void stomp_encode(const stomp_outgoing *frame, stomp_encoding encoding,
                  uint8_t *to);

#endif
