/* SPDX-License-Identifier: MIT
 *
 * The inside of a handshake, for its own files: handshake.c (life, the head),
 * handshake_answer.c (client) and handshake_request.c (server). */
#ifndef STOMP_HANDSHAKE_PRIVATE_H
#define STOMP_HANDSHAKE_PRIVATE_H

#include "handshake.h"
#include "http.h"

#define STOMP_BODY_MAX 1024 /* what is kept of a refusal's body */

typedef enum step { FIRST_LINE, HEADER_LINES, BODY, DONE, FAILED } step;

struct stomp_handshake {
  const stomp_memory *memory;
  const stomp_random *random;
  bool server;
  bool in_proxy; /* the answer that comes is the proxy's */
  bool started;  /* the request is in the output */
  stomp_buffer *out;
  stomp_buffer request;       /* client: what start sends */
  stomp_buffer proxy_request; /* client: empty without a proxy */
  stomp_buffer offered;       /* "v12.stomp, v11.stomp", our order */
  char accept[28];            /* client: the right answer to our key */

  step step;
  size_t limit, taken; /* bytes of heads and body, all together */
  uint64_t offset;     /* octets taken since birth */
  stomp_buffer head;   /* lines without their ends, each ended by LF */
  size_t line_start;   /* index in head's bytes */
  unsigned status;
  stomp_buffer body;
  size_t body_want; /* bytes of body to wait for */
  char protocol[64];
  stomp_error error;
};

/* Fail for good; returns `status`. */
stomp_status stomp_handshake_fail(stomp_handshake *h, stomp_status status,
                                  const char *detail);
/* The value of the first header of that name; bytes == NULL: none. One pass
 * over the head. */
stomp_span stomp_handshake_find(const stomp_handshake *h, const char *wanted);
/* Queue a request that was prepared. */
STOMP_CHECKED stomp_status stomp_handshake_send(stomp_handshake *h,
                                                stomp_buffer *request);
/* A new head begins. */
void stomp_handshake_forget(stomp_handshake *h);

/* Client: the head is complete; then the body of a refusal; then the refusal. */
STOMP_CHECKED stomp_status stomp_handshake_end_answer(stomp_handshake *h);
STOMP_CHECKED stomp_status stomp_handshake_read_body(stomp_handshake *h,
                                                     stomp_span *in);
stomp_status stomp_handshake_refused(stomp_handshake *h);

/* Server: the head is complete; answer with a refusal. */
STOMP_CHECKED stomp_status stomp_handshake_end_request(stomp_handshake *h);
stomp_status stomp_handshake_refuse_request(stomp_handshake *h,
                                            const char *answer,
                                            const char *why);

#endif
