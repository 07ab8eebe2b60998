/* SPDX-License-Identifier: MIT
 *
 * The inside of a handshake, for its own files: handshake.c (life, the
 * client's request), handshake_head.c (lines), handshake_answer.c and
 * handshake_body.c (client), handshake_request.c (server) and
 * handshake_extensions.c (both). */
#ifndef STOMP_HANDSHAKE_PRIVATE_H
#define STOMP_HANDSHAKE_PRIVATE_H

#include "handshake.h"
#include "http.h"

#define STOMP_BODY_MAX 1024 /* what is kept of a refusal's body */

typedef enum step { FIRST_LINE, HEADER_LINES, BODY, DONE, FAILED } step;

/* Where a body is that comes in chunks. */
typedef enum chunk {
  NO_CHUNKS,
  CHUNK_BEGIN, /* no digit of its size was there yet */
  CHUNK_SIZE,
  CHUNK_EXTENSION, /* behind the size, to the line's end */
  CHUNK_DATA,
  CHUNK_END
} chunk;

struct stomp_handshake {
  const stomp_memory *memory;
  const stomp_random *random;
  bool server;
  bool in_proxy; /* the answer that comes is the proxy's */
  bool started;  /* the request is in the output */
  bool answered; /* server: the refusal is in the output */
  stomp_buffer *out;
  stomp_buffer request;       /* client: what start sends; server: the answer */
  stomp_buffer proxy_request; /* client: empty without a proxy */
  stomp_buffer offered;       /* "v12.stomp, v11.stomp", our order */
  char accept[28];            /* client: the right answer to our key */

  step step;
  size_t limit, taken;  /* bytes of heads and between chunks, all together */
  uint64_t offset;      /* octets taken since birth */
  uint64_t line_offset; /* of them when the line began */
  stomp_buffer head;    /* lines without their ends, each ended by LF */
  size_t line_start;    /* index in head's bytes */
  size_t n_lines;       /* header lines of this head */
  unsigned status;
  stomp_buffer body;
  size_t body_want; /* more bytes of body to wait for */
  chunk chunk;
  size_t chunk_left; /* bytes of this chunk to come */
  char protocol[STOMP_HANDSHAKE_PROTOCOL];
  bool compression; /* offered, or would be accepted */
  bool deflate;     /* agreed on: */
  stomp_deflate_terms terms;
  bool wants_bits; /* server: the offer limits our window, so we answer it */
  stomp_error error;
};

/* Fail for good; returns `status`. */
stomp_status stomp_handshake_fail(stomp_handshake *h, stomp_status status,
                                  const char *detail);
/* Queue a request or answer that was prepared, whole or not at all. */
STOMP_CHECKED stomp_status stomp_handshake_send(stomp_handshake *h,
                                                stomp_buffer *request);

/* ---- The head (handshake_head.c) ---- */

STOMP_CHECKED stomp_status stomp_handshake_read_head(stomp_handshake *h,
                                                     stomp_span *in);
/* What cannot become a first line is said before its end is there; `ended`:
 * no more will come. */
STOMP_CHECKED stomp_status stomp_handshake_check_start(stomp_handshake *h,
                                                       bool ended);
stomp_span stomp_handshake_first_line(const stomp_handshake *h);
/* The value of the first header of that name, bytes == NULL: none; and how many
 * there are. One pass over the head. */
stomp_span stomp_handshake_find(const stomp_handshake *h, const char *wanted,
                                size_t *count);
/* Whether that item is in the comma list of any header of that name. */
bool stomp_handshake_lists(const stomp_handshake *h, const char *wanted,
                           stomp_span item, bool any_case);
#define STOMP_HANDSHAKE_LISTS(h, wanted, text)                                 \
  stomp_handshake_lists(                                                       \
    h, wanted, (stomp_span){ (const uint8_t *)(text), sizeof(text) - 1 },      \
    true)
/* A new head begins. */
void stomp_handshake_forget(stomp_handshake *h);

/* ---- The client's (handshake_answer.c, handshake_body.c) ---- */

/* The head is complete; then the body of a refusal; then the refusal. */
STOMP_CHECKED stomp_status stomp_handshake_end_answer(stomp_handshake *h,
                                                      stomp_span *in);
STOMP_CHECKED stomp_status stomp_handshake_expect_body(stomp_handshake *h,
                                                       stomp_span *in);
STOMP_CHECKED stomp_status stomp_handshake_read_body(stomp_handshake *h,
                                                     stomp_span *in);
stomp_status stomp_handshake_refused(stomp_handshake *h);

/* ---- The server's (handshake_request.c) ---- */

STOMP_CHECKED stomp_status
stomp_handshake_check_request_line(stomp_handshake *h, stomp_span line);
STOMP_CHECKED stomp_status stomp_handshake_end_request(stomp_handshake *h);
/* Fail with UREQUEST and answer so: status, reason, CRLF and further headers. */
stomp_status stomp_handshake_refuse_request(stomp_handshake *h,
                                            const char *answer,
                                            const char *why);
/* It has failed: answer that, unless it is answered. */
void stomp_handshake_answer_failure(stomp_handshake *h);

/* The extensions: what the client offers (a header line, or nothing); what the
 * server answered, checked; what a client offered, the first acceptable offer
 * chosen; the header line that says so. */
bool stomp_handshake_put_offer(stomp_handshake *h, stomp_buffer *b);
STOMP_CHECKED stomp_status stomp_handshake_check_extensions(stomp_handshake *h);
STOMP_CHECKED stomp_status
stomp_handshake_choose_extensions(stomp_handshake *h);
bool stomp_handshake_put_choice(stomp_handshake *h, stomp_buffer *b);

#endif
