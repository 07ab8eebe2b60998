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
#include "escape.h"
#include "scan.h"
#include <string.h>

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
  size_t length;   /* its value */

  stomp_frame *frame;   /* its block, once the body begins */
  size_t body_capacity; /* bytes of it that are for the body */
};

/* ---- Life ---- */

static size_t clamp(size_t limit) {
  return limit < STOMP_LIMIT_MAX ? limit : STOMP_LIMIT_MAX;
}

stomp_parser *stomp_parser_new(const stomp_limits *limits,
                               stomp_version version,
                               const stomp_memory *memory) {
  stomp_parser *p = stomp_memory_new(memory, sizeof *p);
  if (!p)
    return NULL;
  memset(p, 0, sizeof *p);
  p->memory = memory;
  p->limits = *limits;
  p->limits.frame = clamp(limits->frame);
  p->limits.headers = clamp(limits->headers);
  if (p->limits.headers > p->limits.frame)
    p->limits.headers = p->limits.frame;
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

static stomp_status fail(stomp_parser *p, stomp_status status,
                         uint64_t offset) {
  p->state = FAILED;
  return stomp_error_set(&p->error, status, offset);
}

static void take(stomp_parser *p, stomp_span *in, size_t len) {
  in->bytes += len;
  in->len -= len;
  p->offset += len;
}

/* ---- Between two frames ---- */

static void begin_frame(stomp_parser *p) {
  p->state = COMMAND;
  p->frame_offset = p->line_offset = p->offset;
  p->head_len = p->line_start = p->n_headers = 0;
  p->crlf = p->has_length = false;
  p->length = 0;
}

static stomp_status between(stomp_parser *p, stomp_span *in) {
  switch (in->bytes[0]) {
    case '\n': take(p, in, 1); return STOMP_HEARTBEAT;
    case '\0': take(p, in, 1); return STOMP_OK; /* RabbitMQ skips them too */
    case '\r':
      take(p, in, 1);
      p->state = AFTER_CR;
      return STOMP_OK;
    default: begin_frame(p); return STOMP_OK;
  }
}

static stomp_status after_cr(stomp_parser *p, stomp_span *in) {
  if (in->bytes[0] != '\n')
    return fail(p, STOMP_ECR, p->offset - 1);
  take(p, in, 1);
  p->state = BETWEEN;
  return STOMP_HEARTBEAT;
}

/* ---- Lines ---- */

/* Append to head; false: no memory, nothing changed. */
static bool gather(stomp_parser *p, const uint8_t *bytes, size_t len) {
  if (len > p->head_capacity - p->head_len) {
    size_t capacity = p->head_capacity ? p->head_capacity : 512;
    uint8_t *head;
    while (capacity < p->head_len + len)
      capacity *= 2;
    head = p->memory->resize(p->memory->user, p->head, p->head_capacity,
                             capacity);
    if (!head)
      return false;
    p->head = head;
    p->head_capacity = capacity;
  }
  memcpy(p->head + p->head_len, bytes, len);
  p->head_len += len;
  return true;
}

/* How many more octets the block and the line may have; *which limit ends
 * first. The line feed is counted in neither. */
static size_t octets_left(const stomp_parser *p, stomp_status *which) {
  size_t block = p->limits.headers - (size_t)(p->offset - p->frame_offset);
  size_t line = p->limits.header_line - (size_t)(p->offset - p->line_offset);
  if (p->offset - p->frame_offset > p->limits.headers)
    block = 0;
  *which = line < block ? STOMP_LLINE : STOMP_LHEADERS;
  return line < block ? line : block;
}

/* Take the rest of a line, its LF too, into head (without the LF).
 * STOMP_OK: a whole line stands at head[line_start..head_len). */
static stomp_status take_line(stomp_parser *p, stomp_span *in) {
  const uint8_t *lf = memchr(in->bytes, '\n', in->len);
  size_t len = lf ? (size_t)(lf - in->bytes) : in->len, left;
  stomp_status which;
  left = octets_left(p, &which);
  p->line_has |= stomp_scan(in->bytes, len);
  if (p->line_has & STOMP_HAS_NUL) {
    const uint8_t *nul = memchr(in->bytes, '\0', len);
    if ((size_t)(nul - in->bytes) < left)
      return fail(p, STOMP_EHEADNUL, p->offset + (size_t)(nul - in->bytes));
  }
  if (len > left)
    return fail(p, which, p->offset + left);
  if (len && !gather(p, in->bytes, len))
    return STOMP_ENOMEM;
  take(p, in, len + (lf != NULL));
  return lf ? STOMP_OK : STOMP_MORE;
}

/* STOMP 1.2: a line ends in LF or CR LF. Before and at 1.0 and 1.1 only LF is
 * an end, but some servers always write CR LF: then the command line has told,
 * and a CR elsewhere stays data. */
static stomp_status strip_cr(stomp_parser *p) {
  const uint8_t *line = p->head + p->line_start, *cr;
  size_t len = p->head_len - p->line_start;
  if (p->state != COMMAND && !(p->line_has & STOMP_HAS_CR))
    return STOMP_OK;
  if (len && line[len - 1] == '\r' &&
      (p->version == STOMP_1_2 || p->crlf || p->state == COMMAND)) {
    p->crlf = p->crlf || p->state == COMMAND;
    p->head_len--;
    len--;
  }
  if (p->version != STOMP_1_2 || len == 0)
    return STOMP_OK;
  cr = memchr(line, '\r', len);
  return cr ? fail(p, STOMP_ECR, p->line_offset + (size_t)(cr - line))
            : STOMP_OK;
}

static void next_line(stomp_parser *p) {
  p->line_start = p->head_len;
  p->line_offset = p->offset;
  p->line_has = 0;
}

/* ---- The command ---- */

static stomp_status unknown_command(stomp_parser *p, size_t len) {
  fail(p, STOMP_ECOMMAND, p->frame_offset);
  stomp_error_add_bytes(&p->error, p->head, len);
  return STOMP_ECOMMAND;
}

/* At most the longest command and a CR are gathered, whatever comes. */
static stomp_status read_command(stomp_parser *p, stomp_span *in) {
  size_t most = STOMP_COMMAND_MAX + 1 - p->head_len;
  size_t len = in->len < most + 1 ? in->len : most + 1;
  const uint8_t *lf = memchr(in->bytes, '\n', len);
  const uint8_t *nul = memchr(in->bytes, '\0', len);
  if (lf)
    len = (size_t)(lf - in->bytes);
  if (nul && (!lf || nul < lf))
    len = (size_t)(nul - in->bytes);
  else
    nul = NULL;
  if (len && !gather(p, in->bytes, len))
    return STOMP_ENOMEM;
  take(p, in, len);
  if (nul || p->head_len > STOMP_COMMAND_MAX + 1)
    return unknown_command(p, p->head_len);
  if (!lf)
    return STOMP_MORE;
  take(p, in, 1);
  if (strip_cr(p) != STOMP_OK)
    return unknown_command(p, p->head_len);
  p->command = stomp_command_find(p->head, p->head_len);
  if (p->command == STOMP_COMMAND_COUNT)
    return unknown_command(p, p->head_len);
  p->head_len = 0; /* headers only from here on */
  next_line(p);
  p->state = HEADER;
  return STOMP_OK;
}

/* ---- One header line ---- */

static bool is_blank(uint8_t c) {
  return c == ' ' || c == '\t';
}

/* STOMP 1.0's examples pad names and values; later versions forbid it. */
static void trim(const stomp_parser *p, uint32_t *at, uint32_t *len) {
  if (p->version != STOMP_1_0)
    return;
  while (*len && is_blank(p->head[*at]))
    (*at)++, (*len)--;
  while (*len && is_blank(p->head[*at + *len - 1]))
    (*len)--;
}

static stomp_status decode(stomp_parser *p, uint32_t at, uint32_t *len) {
  size_t bad_at = 0, n;
  if (!(p->line_has & STOMP_HAS_BACKSLASH) || p->version == STOMP_1_0 || p->command == STOMP_CONNECT_COMMAND ||
      p->command == STOMP_STOMP_COMMAND ||
      p->command == STOMP_CONNECTED_COMMAND)
    return STOMP_OK;
  n = stomp_unescape(p->head + at, *len, p->version, &bad_at);
  if (n == SIZE_MAX) {
    fail(p, STOMP_EESCAPE, p->line_offset + (at - p->line_start) + bad_at);
    stomp_error_add_bytes(&p->error, p->head + at + bad_at,
                          *len - bad_at < 2 ? 1 : 2);
    return STOMP_EESCAPE;
  }
  *len = (uint32_t)n;
  return STOMP_OK;
}

/* 1*DIGIT, at most the limit: refused before any octet of the body. */
static stomp_status read_length(stomp_parser *p, const stomp_header *h,
                                uint64_t offset) {
  const uint8_t *v = p->head + h->value;
  uint64_t length = 0;
  uint32_t i;
  bool large = false;
  for (i = 0; i < h->value_len && v[i] >= '0' && v[i] <= '9'; i++) {
    length = length * 10 + (uint64_t)(v[i] - '0');
    large = large || length > p->limits.frame;
    if (large)
      length = p->limits.frame; /* cannot overflow */
  }
  if (i < h->value_len || i == 0) {
    fail(p, STOMP_ELENGTH, offset);
    stomp_error_add_bytes(&p->error, v, h->value_len);
    return STOMP_ELENGTH;
  }
  if (p->has_length)
    return length == p->length && !large ? STOMP_OK
                                         : fail(p, STOMP_ELENGTHS, offset);
  if (large) {
    fail(p, STOMP_LFRAME, offset);
    stomp_error_add(&p->error, "content-length ");
    stomp_error_add_bytes(&p->error, v, h->value_len);
    return STOMP_LFRAME;
  }
  p->has_length = true;
  p->length = (size_t)length;
  return STOMP_OK;
}

static bool grow_headers(stomp_parser *p) {
  size_t capacity = p->headers_capacity ? p->headers_capacity * 2 : 16;
  stomp_header *headers = p->memory->resize(
      p->memory->user, p->headers, p->headers_capacity * sizeof *headers,
      capacity * sizeof *headers);
  if (!headers)
    return false;
  p->headers = headers;
  p->headers_capacity = capacity;
  return true;
}

/* The line at head[line_start..head_len) becomes a header. */
static stomp_status add_header(stomp_parser *p) {
  const uint8_t *line = p->head + p->line_start;
  size_t len = p->head_len - p->line_start;
  const uint8_t *colon = memchr(line, ':', len);
  stomp_header h;
  uint64_t value_offset;
  stomp_status status;
  if (!colon) {
    fail(p, STOMP_EHEADER, p->line_offset);
    stomp_error_add_bytes(&p->error, line, len < 40 ? len : 40);
    return STOMP_EHEADER;
  }
  if (p->n_headers >= p->limits.header_count)
    return fail(p, STOMP_LCOUNT, p->line_offset);
  h.name = (uint32_t)p->line_start;
  h.name_len = (uint32_t)(colon - line);
  h.value = h.name + h.name_len + 1;
  h.value_len = (uint32_t)(len - h.name_len - 1);
  trim(p, &h.name, &h.name_len);
  trim(p, &h.value, &h.value_len);
  if (h.name_len == 0)
    return fail(p, STOMP_ENAME, p->line_offset);
  value_offset = p->line_offset + (h.value - p->line_start);
  status = decode(p, h.name, &h.name_len);
  if (status == STOMP_OK)
    status = decode(p, h.value, &h.value_len);
  if (status == STOMP_OK && h.name_len == 14 &&
      memcmp(p->head + h.name, "content-length", 14) == 0)
    status = read_length(p, &h, value_offset);
  if (status != STOMP_OK)
    return status;
  p->headers[p->n_headers++] = h;
  p->head_len = h.value + h.value_len;
  next_line(p);
  return STOMP_OK;
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

static stomp_status end_headers(stomp_parser *p) {
  uint64_t octets = p->offset - p->frame_offset;
  p->head_len = p->line_start; /* without the CR of a blank line */
  if (p->has_length && octets + p->length > p->limits.frame) {
    fail(p, STOMP_LFRAME, p->offset);
    stomp_error_add(&p->error, "content-length ");
    stomp_error_add_number(&p->error, p->length);
    return STOMP_LFRAME;
  }
  p->state = p->has_length ? COUNTED : SEARCHED;
  return STOMP_OK;
}

static stomp_status read_header(stomp_parser *p, stomp_span *in) {
  stomp_status status;
  if (p->n_headers == p->headers_capacity && !grow_headers(p))
    return STOMP_ENOMEM; /* before anything is taken */
  status = take_line(p, in);
  if (status == STOMP_OK)
    status = strip_cr(p);
  if (status != STOMP_OK)
    return status;
  return p->head_len == p->line_start ? end_headers(p) : add_header(p);
}

static void put_body(stomp_parser *p, stomp_span *in, size_t len) {
  stomp_frame *f = p->frame;
  if (len)
    memcpy(f->bytes + f->body_at + f->body_len, in->bytes, len);
  f->body_len += len;
  take(p, in, len);
}

static stomp_status read_counted(stomp_parser *p, stomp_span *in) {
  size_t left;
  if (!p->frame && !make_frame(p, p->length))
    return STOMP_ENOMEM;
  left = p->length - p->frame->body_len;
  put_body(p, in, in->len < left ? in->len : left);
  if (p->frame->body_len == p->length)
    p->state = BODY_END;
  return in->len || p->state == BODY_END ? STOMP_OK : STOMP_MORE;
}

static stomp_status read_end(stomp_parser *p, stomp_span *in,
                             stomp_frame **frame) {
  if (in->bytes[0] != '\0') {
    stomp_frame_free(p->frame);
    p->frame = NULL;
    return fail(p, STOMP_EBODYEND, p->offset);
  }
  take(p, in, 1);
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
    return fail(p, STOMP_LFRAME, p->offset + left);
  }
  if (!body_room(p, len, nul != NULL))
    return STOMP_ENOMEM;
  put_body(p, in, len);
  if (!nul)
    return STOMP_MORE;
  take(p, in, 1);
  if (p->frame->body_len < p->body_capacity)
    (void)!resize_body(p, p->frame->body_len); /* shrinking never fails */
  return finish(p, frame);
}

/* ---- All states ---- */

static stomp_status step(stomp_parser *p, stomp_span *in, stomp_frame **frame) {
  switch (p->state) {
    case BETWEEN: return between(p, in);
    case AFTER_CR: return after_cr(p, in);
    case COMMAND: return read_command(p, in);
    case HEADER: return read_header(p, in);
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
