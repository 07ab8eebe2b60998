/* SPDX-License-Identifier: MIT
 *
 * Sec-WebSocket-Extensions, both roles (RFC 6455, 9.1), of which we know
 * permessage-deflate (RFC 7692, 7.1). The client offers it and is exact about
 * the answer; the server takes the first offer that it can keep to. */
#include "handshake_private.h"
#include <string.h>

#define HEADER "Sec-WebSocket-Extensions"
#define NAME   "permessage-deflate"

enum { SERVER_RESETS, CLIENT_RESETS, SERVER_BITS, CLIENT_BITS, N_PARAMETERS };

static const char *const names[N_PARAMETERS] = { "server_no_context_takeover",
                                                 "client_no_context_takeover",
                                                 "server_max_window_bits",
                                                 "client_max_window_bits" };

static const char *const numbers[] = { "8",  "9",  "10", "11",
                                       "12", "13", "14", "15" };

/* One extension of a list, as it was read. */
typedef struct extension {
  stomp_span name;
  stomp_span wrong; /* the parameter that cannot be; no bytes: none */
  bool said[N_PARAMETERS];
  stomp_deflate_terms terms;
} extension;

/* ---- Its grammar ---- */

static void skip_blanks(stomp_span *s) {
  while (s->len && (*s->bytes == ' ' || *s->bytes == '\t'))
    s->bytes++, s->len--;
}

/* Take that octet, and blanks round it, where it is next. */
static bool take(stomp_span *s, uint8_t c) {
  skip_blanks(s);
  if (s->len == 0 || *s->bytes != c)
    return false;
  s->bytes++, s->len--;
  skip_blanks(s);
  return true;
}

static bool take_token(stomp_span *s, stomp_span *token) {
  *token = (stomp_span){ s->bytes, 0 };
  while (s->len && stomp_http_is_token(*s->bytes))
    s->bytes++, s->len--, token->len++;
  return token->len != 0;
}

/* A token, or one in quotes: what is between them has to be a token, too. */
static bool take_value(stomp_span *s, stomp_span *value) {
  if (s->len == 0 || *s->bytes != '"')
    return take_token(s, value);
  s->bytes++, s->len--;
  return take_token(s, value) && take(s, '"');
}

/* ---- Its parameters ---- */

static bool is(stomp_span s, const char *text) {
  return s.len == strlen(text) && memcmp(s.bytes, text, s.len) == 0;
}

/* 8 to 15, 0: it is no such number */
static unsigned bits_of(stomp_span value) {
  unsigned i;
  for (i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (is(value, numbers[i]))
      return 8 + i;
  return 0;
}

/* Whether a parameter can be; `answer`: a server says it. */
static bool take_parameter(extension *e, stomp_span name, stomp_span value,
                           bool answer) {
  unsigned bits = value.bytes ? bits_of(value) : 0;
  int i = 0;
  while (i < N_PARAMETERS && !is(name, names[i]))
    i++;
  if (i == N_PARAMETERS || e->said[i])
    return false;
  e->said[i] = true;
  if (i == SERVER_RESETS)
    e->terms.server_no_context_takeover = true;
  else if (i == CLIENT_RESETS)
    e->terms.client_no_context_takeover = true;
  else if (i == SERVER_BITS && bits)
    e->terms.server_max_window_bits = bits;
  else if (i == CLIENT_BITS && bits)
    e->terms.client_max_window_bits = bits;
  else /* an offer may leave the number of the client's bits to the server */
    return i == CLIENT_BITS && !value.bytes && !answer;
  return i >= SERVER_BITS || !value.bytes;
}

/* The next extension of a list; false: that is none. */
static bool take_extension(stomp_span *list, extension *e, bool answer) {
  stomp_span name, value;
  memset(e, 0, sizeof *e);
  e->terms = (stomp_deflate_terms)STOMP_DEFLATE_TERMS;
  if (!take_token(list, &e->name))
    return false;
  while (take(list, ';')) {
    value = (stomp_span){ NULL, 0 };
    if (!take_token(list, &name) ||
        (take(list, '=') && !take_value(list, &value)))
      return false;
    if (is(e->name, NAME) && !take_parameter(e, name, value, answer) &&
        !e->wrong.bytes)
      e->wrong = name;
  }
  return list->len == 0 || *list->bytes == ',';
}

/* Lists may have empty items (RFC 9110, 5.6.1). */
static void skip_commas(stomp_span *list) {
  skip_blanks(list);
  while (take(list, ','))
    ;
}

/* The value of the next such header. */
static bool next_list(const stomp_handshake *h, size_t *at, stomp_span *list) {
  stomp_span name;
  while (stomp_handshake_header(h, at, &name, list))
    if (stomp_http_is_like(name, HEADER))
      return true;
  return false;
}

/* ---- The client ---- */

bool stomp_handshake_put_offer(stomp_handshake *h, stomp_buffer *b) {
  return !h->compression ||
         stomp_http_put(b, HEADER ": " NAME "; client_max_window_bits\r\n");
}

static stomp_status disagree(stomp_handshake *h, stomp_status status,
                             stomp_span what) {
  stomp_handshake_fail(h, status, "");
  stomp_error_add_bytes(&h->error, what.bytes, what.len < 60 ? what.len : 60);
  return status;
}

/* What the server says of one list. */
static stomp_status check_answer(stomp_handshake *h, stomp_span list) {
  const stomp_span all = list;
  extension e;
  for (skip_commas(&list); list.len; skip_commas(&list)) {
    bool whole = h->compression && take_extension(&list, &e, true);
    if (!h->compression || (e.name.len && !is(e.name, NAME)))
      return disagree(h, STOMP_UEXTENSION, h->compression ? e.name : all);
    if (!whole || e.wrong.bytes || h->deflate)
      return disagree(h, STOMP_UDEFLATE,
                      whole && e.wrong.bytes ? e.wrong : all);
    h->deflate = true;
    h->terms = e.terms;
  }
  return STOMP_OK;
}

stomp_status stomp_handshake_check_extensions(stomp_handshake *h) {
  size_t at = 0;
  stomp_span list;
  stomp_status status = STOMP_OK;
  while (status == STOMP_OK && next_list(h, &at, &list))
    status = check_answer(h, list);
  return status;
}

/* ---- The server ---- */

stomp_status stomp_handshake_choose_extensions(stomp_handshake *h) {
  size_t at = 0;
  stomp_span list;
  extension e;
  while (h->compression && next_list(h, &at, &list))
    for (skip_commas(&list); list.len; skip_commas(&list)) {
      if (!take_extension(&list, &e, false))
        return STOMP_UREQUEST;
      if (h->deflate || !is(e.name, NAME) || e.wrong.bytes)
        continue;
      h->deflate = true;
      h->terms = e.terms;
      h->wants_bits = e.said[SERVER_BITS];
    }
  return STOMP_OK;
}

static bool put_bits(stomp_buffer *b, int which, unsigned bits, bool said) {
  return !said ||
         (stomp_http_put(b, "; ") && stomp_http_put(b, names[which]) &&
          stomp_http_put(b, "=") && stomp_http_put(b, numbers[bits - 8]));
}

static bool put_flag(stomp_buffer *b, int which, bool said) {
  return !said || (stomp_http_put(b, "; ") && stomp_http_put(b, names[which]));
}

bool stomp_handshake_put_choice(stomp_handshake *h, stomp_buffer *b) {
  const stomp_deflate_terms *t = &h->terms;
  return !h->deflate ||
         (stomp_http_put(b, HEADER ": " NAME) &&
          put_flag(b, SERVER_RESETS, t->server_no_context_takeover) &&
          put_flag(b, CLIENT_RESETS, t->client_no_context_takeover) &&
          put_bits(b, SERVER_BITS, t->server_max_window_bits, h->wants_bits) &&
          put_bits(b, CLIENT_BITS, t->client_max_window_bits,
                   t->client_max_window_bits < 15) &&
          stomp_http_put(b, "\r\n"));
}
