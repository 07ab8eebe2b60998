/* SPDX-License-Identifier: MIT
 *
 * The parser's lines: the command and the headers. A line is gathered in `head`
 * whatever the cut, then decoded there in place. */
#include "escape.h"
#include "parser_private.h"
#include "scan.h"
#include <string.h>

/* ---- Lines ---- */

/* Append to head; false: no memory, nothing changed. */
static bool gather(stomp_parser *p, const uint8_t *bytes, size_t len) {
  if (len > p->head_capacity - p->head_len) {
    size_t capacity = p->head_capacity ? p->head_capacity : 512;
    uint8_t *head;
    while (capacity < p->head_len + len)
      capacity *= 2;
    head =
      p->memory->resize(p->memory->user, p->head, p->head_capacity, capacity);
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
  *which = line < block ? STOMP_LLINE : p->block;
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
      return stomp_parser_fail(p, STOMP_EHEADNUL,
                               p->offset + (size_t)(nul - in->bytes));
  }
  if (len > left)
    return stomp_parser_fail(p, which, p->offset + left);
  if (len && !gather(p, in->bytes, len))
    return STOMP_ENOMEM;
  stomp_parser_take(p, in, len + (lf != NULL));
  return lf ? STOMP_OK : STOMP_MORE;
}

/* STOMP 1.2: a line ends in LF or CR LF. Before and at 1.0 and 1.1 only LF is
 * an end, but some servers always write CR LF: then the command line has told,
 * and a CR elsewhere stays data. */
static stomp_status strip_cr(stomp_parser *p) {
  const uint8_t *line = p->head + p->line_start, *cr;
  size_t len = p->head_len - p->line_start;
  if (len && line[len - 1] == '\r' &&
      (p->version == STOMP_1_2 || p->crlf || p->state == COMMAND)) {
    p->crlf = p->crlf || p->state == COMMAND;
    p->head_len--;
    len--;
  }
  if (p->version != STOMP_1_2)
    return STOMP_OK;
  cr = memchr(line, '\r', len);
  return cr ? stomp_parser_fail(p, STOMP_ECR,
                                p->line_offset + (size_t)(cr - line))
            : STOMP_OK;
}

static void next_line(stomp_parser *p) {
  p->line_start = p->head_len;
  p->line_offset = p->offset;
  p->line_has = 0;
}

/* ---- The command ---- */

static stomp_status unknown_command(stomp_parser *p, size_t len) {
  stomp_parser_fail(p, STOMP_ECOMMAND, p->frame_offset);
  stomp_error_add_bytes(&p->error, p->head, len);
  return STOMP_ECOMMAND;
}

/* At most the longest command and a CR are gathered, whatever comes. */
stomp_status stomp_parser_command(stomp_parser *p, stomp_span *in) {
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
  stomp_parser_take(p, in, len);
  if (nul || p->head_len > STOMP_COMMAND_MAX + 1)
    return unknown_command(p, p->head_len);
  if (!lf)
    return STOMP_MORE;
  stomp_parser_take(p, in, 1);
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

/* STOMP 1.0's examples pad names and values; later versions forbid it. */
static void trim(const stomp_parser *p, uint32_t *at, uint32_t *len) {
  if (p->version != STOMP_1_0)
    return;
  while (*len && stomp_is_blank(p->head[*at]))
    (*at)++, (*len)--;
  while (*len && stomp_is_blank(p->head[*at + *len - 1]))
    (*len)--;
}

static stomp_status decode(stomp_parser *p, uint32_t at, uint32_t *len) {
  size_t bad_at = 0, n;
  if (p->version == STOMP_1_0 || p->command == STOMP_CONNECT_COMMAND ||
      p->command == STOMP_STOMP_COMMAND ||
      p->command == STOMP_CONNECTED_COMMAND)
    return STOMP_OK;
  n = stomp_unescape(p->head + at, *len, p->version, &bad_at);
  if (n == SIZE_MAX) {
    stomp_parser_fail(p, STOMP_EESCAPE,
                      p->line_offset + (at - p->line_start) + bad_at);
    stomp_error_add_bytes(&p->error, p->head + at + bad_at,
                          *len - bad_at < 2 ? 1 : 2);
    return STOMP_EESCAPE;
  }
  *len = (uint32_t)n;
  return STOMP_OK;
}

static stomp_status decode_both(stomp_parser *p, stomp_header *h) {
  stomp_status status = decode(p, h->name, &h->name_len);
  return status == STOMP_OK ? decode(p, h->value, &h->value_len) : status;
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
    large = large || length > p->limits.frame; /* before it can overflow */
  }
  if (i < h->value_len || i == 0) {
    stomp_parser_fail(p, STOMP_ELENGTH, offset);
    stomp_error_add_bytes(&p->error, v, h->value_len);
    return STOMP_ELENGTH;
  }
  if (p->has_length)
    return length == p->length && !large
             ? STOMP_OK
             : stomp_parser_fail(p, STOMP_ELENGTHS, offset);
  if (large) {
    stomp_parser_fail(p, STOMP_LFRAME, offset);
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
    stomp_parser_fail(p, STOMP_EHEADER, p->line_offset);
    stomp_error_add_bytes(&p->error, line, len < 40 ? len : 40);
    return STOMP_EHEADER;
  }
  if (p->n_headers >= p->limits.header_count)
    return stomp_parser_fail(p, STOMP_LCOUNT, p->line_offset);
  h.name = (uint32_t)p->line_start;
  h.name_len = (uint32_t)(colon - line);
  h.value = h.name + h.name_len + 1;
  h.value_len = (uint32_t)(len - h.name_len - 1);
  trim(p, &h.name, &h.name_len);
  trim(p, &h.value, &h.value_len);
  if (h.name_len == 0)
    return stomp_parser_fail(p, STOMP_ENAME, p->line_offset);
  value_offset = p->line_offset + (h.value - p->line_start);
  status = STOMP_OK;
  if (p->line_has & STOMP_HAS_BACKSLASH)
    status = decode_both(p, &h);
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

static stomp_status end_headers(stomp_parser *p) {
  uint64_t octets = p->offset - p->frame_offset;
  if (p->has_length && octets + p->length > p->limits.frame) {
    stomp_parser_fail(p, STOMP_LFRAME, p->offset);
    stomp_error_add(&p->error, "content-length ");
    stomp_error_add_number(&p->error, p->length);
    return STOMP_LFRAME;
  }
  p->state = p->has_length ? COUNTED : SEARCHED;
  return STOMP_OK;
}

stomp_status stomp_parser_header(stomp_parser *p, stomp_span *in) {
  stomp_status status;
  if (p->n_headers == p->headers_capacity && !grow_headers(p))
    return STOMP_ENOMEM; /* before anything is taken */
  status = take_line(p, in);
  if (status == STOMP_OK && (p->line_has & STOMP_HAS_CR))
    status = strip_cr(p);
  if (status != STOMP_OK)
    return status;
  return p->head_len == p->line_start ? end_headers(p) : add_header(p);
}
