/* SPDX-License-Identifier: MIT
 *
 * One STOMP frame that was received: command, headers and body in one block of
 * memory. Headers are kept in the order they came, repeated ones too; the first
 * one counts (STOMP 1.2, "Repeated Header Entries"). Knows buffer. */
#ifndef STOMP_FRAME_H
#define STOMP_FRAME_H

#include "buffer.h"
#include <stdbool.h>

/* All commands of STOMP 1.0 to 1.2; X(NAME). If you add one: also the tables in
 * session_rules.c and encoder.c. */
#define STOMP_COMMANDS(X)                                                      \
  X(CONNECT)                                                                   \
  X(STOMP)                                                                     \
  X(SEND)                                                                      \
  X(SUBSCRIBE)                                                                 \
  X(UNSUBSCRIBE)                                                               \
  X(ACK)                                                                       \
  X(NACK)                                                                      \
  X(BEGIN)                                                                     \
  X(COMMIT)                                                                    \
  X(ABORT)                                                                     \
  X(DISCONNECT)                                                                \
  X(CONNECTED)                                                                 \
  X(MESSAGE)                                                                   \
  X(RECEIPT)                                                                   \
  X(ERROR)

typedef enum stomp_command {
#define STOMP_X(name) STOMP_##name##_COMMAND,
  STOMP_COMMANDS(STOMP_X)
#undef STOMP_X
    STOMP_COMMAND_COUNT /* also: no command */
} stomp_command;

/* The longest command is "UNSUBSCRIBE". */
#define STOMP_COMMAND_MAX 11

typedef enum stomp_version {
  STOMP_UNSETTLED = 0, /* before CONNECTED: escapes are read where defined */
  STOMP_1_0 = 1,
  STOMP_1_1 = 2,
  STOMP_1_2 = 3
} stomp_version;

typedef enum stomp_ack_mode {
  STOMP_ACK_NONE = 0, /* not of a subscription that this session knows */
  STOMP_ACK_AUTO = 1,
  STOMP_ACK_CLIENT = 2,    /* cumulative */
  STOMP_ACK_INDIVIDUAL = 3 /* client-individual */
} stomp_ack_mode;

typedef struct stomp_header { /* offsets into the frame's bytes */
  uint32_t name, name_len;    /* bytes */
  uint32_t value, value_len;  /* bytes */
} stomp_header;

/* What the session that received a MESSAGE wrote on it. */
typedef struct stomp_delivery {
  uint64_t session;  /* that session's serial number, 0: none */
  uint64_t sequence; /* 1, 2, 3 … within its session */
  stomp_ack_mode ack_mode;
  bool settled;         /* individual mode: an ACK or NACK of ours names it */
  uint64_t transaction; /* … in that transaction (serial number), 0: in none */
} stomp_delivery;

typedef struct stomp_frame stomp_frame;
struct stomp_frame {
  stomp_frame *next; /* for the owner's queue; NULL when it comes out */
  const stomp_memory *memory;
  size_t size; /* bytes of the whole block: what it counts in an inbox */
  stomp_command command;
  uint32_t n_headers;
  size_t body_at;  /* offset of the body in `bytes` */
  size_t body_len; /* bytes; a NUL follows them in memory */
  uint8_t *bytes;  /* header bytes, body, NUL: inside this block */
  uint64_t offset; /* of its first byte in the stream */
  stomp_delivery delivery;
  stomp_header headers[];
};

/* Free a frame and all that points into it; NULL is fine. */
void stomp_frame_free(stomp_frame *frame);

/* The value of the first header called `name` (`name_len` bytes), borrowed
 * until the frame is freed; bytes == NULL when there is none. O(headers). */
stomp_span stomp_frame_header(const stomp_frame *frame, const char *name,
                              size_t name_len);

/* The same for a name written as a literal. */
#define STOMP_HEADER(frame, literal)                                           \
  stomp_frame_header((frame), "" literal, sizeof(literal) - 1)

static inline stomp_span stomp_frame_name(const stomp_frame *f, size_t i) {
  return (stomp_span){ f->bytes + f->headers[i].name, f->headers[i].name_len };
}
static inline stomp_span stomp_frame_value(const stomp_frame *f, size_t i) {
  return (stomp_span){ f->bytes + f->headers[i].value,
                       f->headers[i].value_len };
}
static inline stomp_span stomp_frame_body(const stomp_frame *f) {
  return (stomp_span){ f->bytes + f->body_at, f->body_len };
}

/* "CONNECT" and so on; a constant. */
const char *stomp_command_name(stomp_command command);
/* The command spelled by these bytes, STOMP_COMMAND_COUNT when none is. */
stomp_command stomp_command_find(const void *bytes, size_t len);
/* "1.0", "1.1", "1.2"; "" for STOMP_UNSETTLED. */
const char *stomp_version_name(stomp_version version);
/* The version spelled by these bytes, STOMP_UNSETTLED when none is. */
stomp_version stomp_version_find(const void *bytes, size_t len);

/* Whether a span holds exactly this literal, or begins with it. */
bool stomp_span_is(stomp_span span, const char *text);
bool stomp_span_begins(stomp_span span, const char *text);

/* ---- Frames to be sent: borrowed from the caller ---- */

typedef struct stomp_field {
  const char *name;
  size_t name_len;
  const char *value;
  size_t value_len;
} stomp_field;

typedef struct stomp_outgoing {
  stomp_command command;
  const stomp_field *headers; /* borrowed during the call */
  size_t n_headers;
  const char *body; /* borrowed during the call */
  size_t body_len;
  bool no_content_length; /* leave the header out (JMS: TextMessage) */
} stomp_outgoing;

/* The value of the first header of that name; bytes == NULL: none. */
stomp_span stomp_outgoing_header(const stomp_outgoing *out, const char *name);

#endif
