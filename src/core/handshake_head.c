/* SPDX-License-Identifier: MIT
 *
 * The head of a request or an answer (RFC 9112, 2 to 5), for both roles: a first
 * line and header lines are read into one buffer, which is looked into when the
 * blank line has come. What is wrong with a line is said as soon as it is there,
 * and the same however the bytes were cut. */
#include "handshake_private.h"
#include <string.h>

/* ---- Looking into it ---- */

/* Take the next line off `text`, without its LF; false: there is none. */
static bool next_line(stomp_span *text, stomp_span *line) {
  const uint8_t *lf = text->len ? memchr(text->bytes, '\n', text->len) : NULL;
  if (!lf)
    return false;
  *line = (stomp_span){ text->bytes, (size_t)(lf - text->bytes) };
  text->bytes += line->len + 1;
  text->len -= line->len + 1;
  return true;
}

/* What stands behind the first line; before that is whole no header is. */
static stomp_span header_lines(const stomp_handshake *h) {
  stomp_span text = stomp_buffer_span(&h->head), line;
  (void)next_line(&text, &line);
  return text;
}

static bool next_header(stomp_span *text, stomp_span *name, stomp_span *value) {
  stomp_span line;
  const uint8_t *colon;
  if (!next_line(text, &line) || line.len == 0)
    return false;
  colon = memchr(line.bytes, ':', line.len);
  if (!colon)
    return false;
  *name = (stomp_span){ line.bytes, (size_t)(colon - line.bytes) };
  *value =
    stomp_http_trimmed((stomp_span){ colon + 1, line.len - name->len - 1 });
  return true;
}

bool stomp_handshake_header(const stomp_handshake *h, size_t *at,
                            stomp_span *name, stomp_span *value) {
  stomp_span text = stomp_buffer_span(&h->head);
  size_t len = text.len;
  if (*at > len)
    return false;
  if (*at == 0)
    text = header_lines(h);
  else
    text = (stomp_span){ text.bytes + *at, len - *at };
  if (!next_header(&text, name, value))
    return false;
  *at = len - text.len;
  return true;
}

stomp_span stomp_handshake_find(const stomp_handshake *h, const char *wanted,
                                size_t *count) {
  stomp_span text = header_lines(h), name, value, found = { NULL, 0 };
  *count = 0;
  while (next_header(&text, &name, &value))
    if (stomp_http_is_like(name, wanted) && (*count)++ == 0)
      found = value;
  return found;
}

bool stomp_handshake_lists(const stomp_handshake *h, const char *wanted,
                           stomp_span item, bool any_case) {
  stomp_span text = header_lines(h), name, list, one;
  while (next_header(&text, &name, &list))
    while (stomp_http_is_like(name, wanted) &&
           stomp_http_next_item(&list, &one))
      if (any_case ? stomp_http_is_same(one, item)
                   : one.len == item.len &&
                       memcmp(one.bytes, item.bytes, one.len) == 0)
        return true;
  return false;
}

stomp_span stomp_handshake_first_line(const stomp_handshake *h) {
  stomp_span text = stomp_buffer_span(&h->head), line;
  return next_line(&text, &line) ? line : (stomp_span){ NULL, 0 };
}

/* ---- Checking a line ---- */

/* The offending octet is number `at` of the line that is read. */
static stomp_status fail_at(stomp_handshake *h, stomp_status status,
                            const char *detail, size_t at) {
  stomp_handshake_fail(h, status, detail);
  h->error.offset = h->line_offset + at;
  return status;
}

/* Index of the first octet that is not of "HTTP/1.x NNN" (RFC 9112, 4), alone
 * or with a reason; the length where more is missing; SIZE_MAX: fine. */
static size_t status_fault(stomp_span s) {
  static const char shape[] = "HTTP/1.# N## ";
  size_t i;
  for (i = 0; i < s.len && i < sizeof shape - 1; i++) {
    uint8_t c = s.bytes[i];
    bool digit = c >= '0' && c <= '9';
    bool right = shape[i] == '#'   ? digit
                 : shape[i] == 'N' ? digit && c != '0'
                                   : c == (uint8_t)shape[i];
    if (!right)
      return i;
  }
  return i >= 12 ? SIZE_MAX : i;
}

#define START 7 /* octets of "HTTP/1." */

/* Of what is no HTTP from its start only so much is told as was waited for. */
static stomp_status fail_garbage(stomp_handshake *h, stomp_span line,
                                 size_t at) {
  size_t told = at < START ? START : 60;
  fail_at(h, STOMP_UGARBAGE, "", at);
  stomp_error_add_bytes(&h->error, line.bytes,
                        line.len < told ? line.len : told);
  return STOMP_UGARBAGE;
}

stomp_status stomp_handshake_check_start(stomp_handshake *h, bool ended) {
  stomp_span text = stomp_buffer_span(&h->head);
  size_t fault;
  if (h->step != FIRST_LINE || text.len == 0)
    return STOMP_OK;
  if (h->server) {
    if (stomp_http_is_token(text.bytes[0]))
      return STOMP_OK;
    stomp_handshake_refuse_request(h, "400 Bad Request", "request line");
    h->error.offset = h->line_offset;
    return STOMP_UREQUEST;
  }
  fault = status_fault(text);
  text.len -= text.bytes[text.len - 1] == '\r'; /* of the line's end, may be */
  if (fault >= START || fault >= text.len || (text.len < START && !ended))
    return STOMP_OK;
  return fail_garbage(h, text, fault);
}

static stomp_status check_status_line(stomp_handshake *h, stomp_span line) {
  const uint8_t *s = line.bytes;
  size_t fault = status_fault(line);
  if (fault != SIZE_MAX)
    return fail_garbage(h, line, fault);
  fault = stomp_http_clean(line, true);
  if (fault < line.len)
    return fail_at(h, STOMP_UGARBAGE, "control character", fault);
  h->status = (unsigned)((s[9] - '0') * 100 + (s[10] - '0') * 10 + s[11] - '0');
  return STOMP_OK;
}

static stomp_status check_header_line(stomp_handshake *h, stomp_span line) {
  const uint8_t *colon = memchr(line.bytes, ':', line.len);
  size_t fault = stomp_http_clean(line, true);
  if (++h->n_lines > STOMP_HANDSHAKE_LINES)
    return fail_at(h, STOMP_ULIMIT, "header lines", 0);
  if (fault < line.len)
    return fail_at(h, STOMP_UHEADER, "control character", fault);
  if (line.bytes[0] == ' ' || line.bytes[0] == '\t')
    return fail_at(h, STOMP_UHEADER, "folded line", 0);
  if (!colon || colon == line.bytes) {
    fail_at(h, STOMP_UHEADER, colon ? "no name: " : "no colon: ", 0);
    stomp_error_add_bytes(&h->error, line.bytes, line.len < 60 ? line.len : 60);
    return STOMP_UHEADER;
  }
  for (fault = 0; line.bytes + fault < colon; fault++)
    if (!stomp_http_is_token(line.bytes[fault]))
      return fail_at(h, STOMP_UHEADER, "header name", fault);
  return STOMP_OK;
}

static stomp_status check_line(stomp_handshake *h, stomp_span line) {
  stomp_status status;
  if (h->step != FIRST_LINE)
    return line.len ? check_header_line(h, line) : STOMP_OK;
  if (!h->server)
    return check_status_line(h, line);
  status = stomp_handshake_check_request_line(h, line);
  if (status != STOMP_OK)
    h->error.offset = h->line_offset;
  return status;
}

/* ---- Reading ---- */

/* The lines are kept without their CR. */
static void drop_cr(stomp_handshake *h, stomp_span *line) {
  if (line->len == 0 || line->bytes[line->len - 1] != '\r')
    return;
  h->head.end--;
  h->line_start--;
  line->len--;
  h->head.block[h->head.end - 1] = '\n';
}

/* Take the rest of a line. STOMP_OK: *line is whole, without its end. */
static stomp_status take_line(stomp_handshake *h, stomp_span *in,
                              stomp_span *line) {
  const uint8_t *lf = memchr(in->bytes, '\n', in->len);
  size_t len = lf ? (size_t)(lf - in->bytes) + 1 : in->len;
  size_t room = h->limit - h->taken, fits = len < room ? len : room;
  if (stomp_buffer_append(&h->head, in->bytes, fits) != STOMP_OK)
    return stomp_handshake_fail(h, STOMP_ENOMEM, "");
  in->bytes += fits;
  in->len -= fits;
  h->taken += fits;
  h->offset += fits;
  if (fits == len && lf) {
    *line = stomp_buffer_span(&h->head);
    line->bytes += h->line_start;
    line->len -= h->line_start + 1;
    h->line_start += line->len + 1;
    drop_cr(h, line);
    return STOMP_OK;
  }
  if (stomp_handshake_check_start(h, false) != STOMP_OK)
    return h->error.status;
  return fits == len ? STOMP_MORE : stomp_handshake_fail(h, STOMP_ULIMIT, "");
}

void stomp_handshake_forget(stomp_handshake *h) {
  stomp_buffer_consume(&h->head, stomp_buffer_len(&h->head));
  h->line_start = 0;
  h->n_lines = 0;
  h->step = FIRST_LINE;
}

stomp_status stomp_handshake_read_head(stomp_handshake *h, stomp_span *in) {
  stomp_span line = { NULL, 0 };
  stomp_status status = take_line(h, in, &line);
  if (status == STOMP_OK)
    status = check_line(h, line);
  if (status != STOMP_OK)
    return status;
  h->line_offset = h->offset;
  if (h->step == FIRST_LINE) {
    h->step = HEADER_LINES;
    return STOMP_MORE;
  }
  if (line.len)
    return STOMP_MORE;
  return h->server ? stomp_handshake_end_request(h)
                   : stomp_handshake_end_answer(h, in);
}
