/* SPDX-License-Identifier: MIT
 *
 * STOMP bytes -> frames, resumable at any byte: every way to cut the stream
 * gives the same frames, heart-beats and errors. The parser keeps no input: it
 * takes bytes off the front of a span until one thing is complete, so the
 * version may change between two frames of one chunk. One function a state;
 * line ends and bodies are found by memchr. Work is linear in the input.
 *
 * It knows the grammar (STOMP 1.2, "Augmented BNF"), not the conversation:
 * which command may come when is the session's. Knows frame and escape. */
#ifndef STOMP_PARSER_H
#define STOMP_PARSER_H

#include "frame.h"
#include "limits.h"

typedef struct stomp_parser stomp_parser;

/* A new parser, owned by the caller, for the version (STOMP_UNSETTLED before
 * CONNECTED). Limits are copied, memory is borrowed. NULL: no memory. */
stomp_parser *stomp_parser_new(const stomp_limits *limits,
                               stomp_version version,
                               const stomp_memory *memory);
void stomp_parser_free(stomp_parser *p); /* NULL is fine */

/* From the next frame on; never call it inside one. */
void stomp_parser_version(stomp_parser *p, stomp_version version);

/* Take bytes off the front of `in` until something is complete.
 *   STOMP_FRAME      *frame is the caller's (owned)
 *   STOMP_HEARTBEAT  an end of line between frames (one result for each)
 *   STOMP_MORE       `in` is empty and nothing is complete
 *   < 0              failed for good (see stomp_parser_error); a failure of
 *                    memory alone may be tried again with what is left in `in`
 * What is in `in` after STOMP_FRAME or STOMP_HEARTBEAT comes next. */
STOMP_CHECKED stomp_status stomp_parser_next(stomp_parser *p, stomp_span *in,
                                             stomp_frame **frame);

/* The error that ended the parser (status STOMP_OK: none). Borrowed until the
 * parser is freed. Offsets count from the first byte ever taken. */
const stomp_error *stomp_parser_error(const stomp_parser *p);

/* Whether the stream is between two frames. */
bool stomp_parser_is_idle(const stomp_parser *p);

/* Bytes taken since birth. */
uint64_t stomp_parser_offset(const stomp_parser *p);

/* Forget a half-read frame and an error, keep the offset: the owner knows that
 * the next byte begins a frame (a new WebSocket message, say). */
void stomp_parser_reset(stomp_parser *p);

/* So many bytes of the stream were thrown away: they count, so that offsets
 * stay those of the stream. */
void stomp_parser_skip(stomp_parser *p, size_t len);

#endif
