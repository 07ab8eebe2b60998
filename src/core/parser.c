/* SPDX-License-Identifier: MIT
 *
 * The parser's states, one function each:
 *
 *   BETWEEN -> COMMAND -> HEADER (a line at a time) -> COUNTED -> BODY_END
 *      ^                                            \-> SEARCHED   |
 *      +------------------------ frame complete <--------+---------+
 *
 * A line is gathered in `head`, decoded there in place, and remembered as
 * offsets; when the blank line comes the frame's one block is made and the body
 * goes straight into it. A state takes all it can from the input, so the cut
 * does not matter: an error is raised at the same octet however it arrived. */
#include "parser.h"
#include "parser_private.h"
#include <string.h>

/* ---- Life ---- */

stomp_parser *stomp_parser_new(const stomp_limits *limits,
                               stomp_version version,
                               const stomp_memory *memory) {
  stomp_parser *p = stomp_memory_new(memory, sizeof *p);
  if (!p)
    return NULL;
  memset(p, 0, sizeof *p);
  p->memory = memory;
  p->limits = *limits;
  p->limits.frame = stomp_limit(limits->frame);
  p->block = STOMP_LHEADERS;
  if (p->limits.headers > p->limits.frame) {
    p->limits.headers = p->limits.frame;
    p->block = STOMP_LFRAME;
  }
  p->version = version;
  stomp_error_clear(&p->error);
  return p;
}

void stomp_parser_free(stomp_parser *p) {
  if (!p)
    return;
  stomp_frame_free(p->frame);
  stomp_memory_free(p->memory, p->head, p->head_capacity);
  stomp_memory_free(p->memory, p->headers,
                    p->headers_capacity * sizeof *p->headers);
  stomp_memory_free(p->memory, p, sizeof *p);
}

void stomp_parser_version(stomp_parser *p, stomp_version version) {
  p->version = version;
}

const stomp_error *stomp_parser_error(const stomp_parser *p) {
  return &p->error;
}

bool stomp_parser_is_idle(const stomp_parser *p) {
  return p->state == BETWEEN;
}

uint64_t stomp_parser_offset(const stomp_parser *p) {
  return p->offset;
}

void stomp_parser_reset(stomp_parser *p) {
  stomp_frame_free(p->frame);
  p->frame = NULL;
  p->state = BETWEEN;
  stomp_error_clear(&p->error);
}

void stomp_parser_skip(stomp_parser *p, size_t len) {
  p->offset += len;
}

/* ---- Between two frames ---- */

static void begin_frame(stomp_parser *p) {
  p->state = COMMAND;
  p->frame_offset = p->line_offset = p->offset;
  p->head_len = p->line_start = p->n_headers = 0;
  p->crlf = p->has_length = false;
}

static stomp_status between(stomp_parser *p, stomp_span *in) {
  switch (in->bytes[0]) {
    case '\n': stomp_parser_take(p, in, 1); return STOMP_HEARTBEAT;
    case '\0':
      stomp_parser_take(p, in, 1);
      return STOMP_OK; /* RabbitMQ skips them too */
    case '\r':
      stomp_parser_take(p, in, 1);
      p->state = AFTER_CR;
      return STOMP_OK;
    default: begin_frame(p); return STOMP_OK;
  }
}

static stomp_status after_cr(stomp_parser *p, stomp_span *in) {
  if (in->bytes[0] != '\n')
    return stomp_parser_fail(p, STOMP_ECR, p->offset - 1);
  stomp_parser_take(p, in, 1);
  p->state = BETWEEN;
  return STOMP_HEARTBEAT;
}

/* ---- The body ---- */

static size_t block_size(const stomp_parser *p, size_t body) {
  return sizeof(stomp_frame) + p->n_headers * sizeof(stomp_header) +
         p->head_len + body + 1;
}

/* Make the frame's block with room for `body` octets; false: no memory. */
static bool make_frame(stomp_parser *p, size_t body) {
  stomp_frame *f = stomp_memory_new(p->memory, block_size(p, body));
  if (!f)
    return false;
  memset(f, 0, sizeof *f);
  f->memory = p->memory;
  f->size = block_size(p, body);
  f->command = p->command;
  f->n_headers = (uint32_t)p->n_headers;
  f->body_at = p->head_len;
  f->bytes = (uint8_t *)&f->headers[p->n_headers];
  f->offset = p->frame_offset;
  if (p->n_headers)
    memcpy(f->headers, p->headers, p->n_headers * sizeof *p->headers);
  if (p->head_len)
    memcpy(f->bytes, p->head, p->head_len);
  p->frame = f;
  p->body_capacity = body;
  return true;
}

/* Give the body room for `body` octets; false: no memory, nothing changed. */
static bool resize_body(stomp_parser *p, size_t body) {
  size_t size = block_size(p, body);
  stomp_frame *f =
    p->memory->resize(p->memory->user, p->frame, p->frame->size, size);
  if (!f)
    return false;
  f->size = size;
  f->bytes = (uint8_t *)&f->headers[p->n_headers];
  p->frame = f;
  p->body_capacity = body;
  return true;
}

static stomp_status finish(stomp_parser *p, stomp_frame **frame) {
  stomp_frame *f = p->frame;
  f->bytes[f->body_at + f->body_len] = '\0';
  *frame = f;
  p->frame = NULL;
  p->state = BETWEEN;
  return STOMP_FRAME;
}

static void put_body(stomp_parser *p, stomp_span *in, size_t len) {
  stomp_frame *f = p->frame;
  if (len)
    memcpy(f->bytes + f->body_at + f->body_len, in->bytes, len);
  f->body_len += len;
  stomp_parser_take(p, in, len);
}

static stomp_status read_counted(stomp_parser *p, stomp_span *in) {
  size_t left;
  if (!p->frame && !make_frame(p, p->length))
    return STOMP_ENOMEM;
  left = p->length - p->frame->body_len;
  put_body(p, in, in->len < left ? in->len : left);
  if (p->frame->body_len == p->length)
    p->state = BODY_END;
  return STOMP_OK;
}

static stomp_status read_end(stomp_parser *p, stomp_span *in,
                             stomp_frame **frame) {
  if (in->bytes[0] != '\0') {
    stomp_frame_free(p->frame);
    p->frame = NULL;
    return stomp_parser_fail(p, STOMP_EBODYEND, p->offset);
  }
  stomp_parser_take(p, in, 1);
  return finish(p, frame);
}

/* Room for `len` more octets: exactly when the end is in sight, else doubled,
 * so that the work stays linear. */
static bool body_room(stomp_parser *p, size_t len, bool exactly) {
  size_t want = p->frame ? p->frame->body_len + len : len;
  if (!p->frame)
    return make_frame(p, exactly ? want : want + want / 2 + 256);
  if (want <= p->body_capacity)
    return true;
  return resize_body(p, exactly ? want : want * 2);
}

static stomp_status read_searched(stomp_parser *p, stomp_span *in,
                                  stomp_frame **frame) {
  const uint8_t *nul = memchr(in->bytes, '\0', in->len);
  size_t len = nul ? (size_t)(nul - in->bytes) : in->len;
  uint64_t octets = p->offset - p->frame_offset;
  size_t left = octets < p->limits.frame ? p->limits.frame - (size_t)octets : 0;
  if (len > left) {
    stomp_frame_free(p->frame);
    p->frame = NULL;
    return stomp_parser_fail(p, STOMP_LFRAME, p->offset + left);
  }
  if (!body_room(p, len, nul != NULL))
    return STOMP_ENOMEM;
  put_body(p, in, len);
  if (!nul)
    return STOMP_MORE;
  stomp_parser_take(p, in, 1);
  if (p->frame->body_len < p->body_capacity)
    (void)!resize_body(p, p->frame->body_len); /* shrinking never fails */
  return finish(p, frame);
}

/* ---- All states ---- */

static stomp_status step(stomp_parser *p, stomp_span *in, stomp_frame **frame) {
  switch (p->state) {
    case BETWEEN: return between(p, in);
    case AFTER_CR: return after_cr(p, in);
    case COMMAND: return stomp_parser_command(p, in);
    case HEADER: return stomp_parser_header(p, in);
    case COUNTED: return read_counted(p, in);
    case SEARCHED: return read_searched(p, in, frame);
    case BODY_END: return read_end(p, in, frame);
    case FAILED: break;
  }
  return p->error.status;
}

stomp_status stomp_parser_next(stomp_parser *p, stomp_span *in,
                               stomp_frame **frame) {
  stomp_status status = STOMP_OK;
  if (p->state == FAILED)
    return p->error.status;
  while (status == STOMP_OK && in->len)
    status = step(p, in, frame);
  return status == STOMP_OK ? STOMP_MORE : status;
}
