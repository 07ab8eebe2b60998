/* SPDX-License-Identifier: MIT
 *
 * The inside of a parser, for its own files: parser.c (life, frames, bodies) and
 * parser_lines.c (the command and header lines). */
#ifndef STOMP_PARSER_PRIVATE_H
#define STOMP_PARSER_PRIVATE_H

#include "parser.h"

typedef enum parser_state {
  BETWEEN,  /* between two frames */
  AFTER_CR, /* the same, after a CR */
  COMMAND,
  HEADER,
  COUNTED,  /* body with a content-length */
  SEARCHED, /* body up to the first NUL */
  BODY_END, /* the NUL after a counted body */
  FAILED
} parser_state;

struct stomp_parser {
  const stomp_memory *memory;
  stomp_limits limits;
  stomp_status block; /* what a larger header block exceeds: LHEADERS, LFRAME */
  stomp_version version;
  parser_state state;
  uint64_t offset;       /* octets taken since birth */
  uint64_t frame_offset; /* of the frame's first octet */
  uint64_t line_offset;  /* of the line's first octet */
  stomp_error error;

  uint8_t *head; /* header bytes of this frame, then the line being read */
  size_t head_len, head_capacity;
  size_t line_start; /* index in head */
  unsigned line_has; /* STOMP_HAS_… of the line so far */
  stomp_header *headers;
  size_t n_headers, headers_capacity; /* numbers */

  stomp_command command;
  bool crlf;       /* the command line ended in CR LF */
  bool has_length; /* a content-length came */
  size_t length;   /* its value, if it did */

  stomp_frame *frame;   /* its block, once the body begins */
  size_t body_capacity; /* bytes of it that are for the body */
};

/* Fail for good at this octet; returns `status`. */
static inline stomp_status
stomp_parser_fail(stomp_parser *p, stomp_status status, uint64_t offset) {
  p->state = FAILED;
  return stomp_error_set(&p->error, status, offset);
}

/* Take so many octets off the input. */
static inline void stomp_parser_take(stomp_parser *p, stomp_span *in,
                                     size_t len) {
  in->bytes += len;
  in->len -= len;
  p->offset += len;
}

/* The states COMMAND and HEADER: STOMP_OK to go on, STOMP_MORE, or < 0. */
STOMP_CHECKED stomp_status stomp_parser_command(stomp_parser *p,
                                                stomp_span *in);
STOMP_CHECKED stomp_status stomp_parser_header(stomp_parser *p, stomp_span *in);

#endif
