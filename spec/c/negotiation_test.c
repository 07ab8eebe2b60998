/* SPDX-License-Identifier: MIT
 *
 * What two sides agree on for permessage-deflate (RFC 7692, 7.1), as tables: the
 * answers that a client takes, the offers that a server takes and how it answers
 * them. Each whole, octet by octet, cut at each place, and with each allocation
 * failing once. */
#include "check.h"
#include "core/handshake.h"
#include "core/http.h"

#define OFFER                                                                  \
  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

/* ---- What each run needs ---- */

static bool draw(void *user, void *bytes, size_t len) {
  (void)user;
  memset(bytes, 7, len);
  return true;
}

static const stomp_random dice = { draw, NULL };

typedef struct run {
  check_memory m;
  stomp_buffer out;
  stomp_handshake *h;
  stomp_status status;
} run;

static bool run_open(run *r, bool server, bool compression, size_t fail_at) {
  stomp_handshake_options options = { .server = server,
                                      .host = "a",
                                      .path = "/",
                                      .compression = compression,
                                      .limit = 65536,
                                      .random = &dice };
  stomp_error error;
  memset(r, 0, sizeof *r);
  check_memory_init(&r->m, fail_at);
  options.memory = &r->m.memory;
  stomp_buffer_init(&r->out, &r->m.memory, 65536);
  r->h = stomp_handshake_new(&options, &r->out, &error);
  if (!r->h) {
    CHECK(error.status == STOMP_ENOMEM);
    return false;
  }
  return true;
}

static void run_close(run *r) {
  stomp_handshake_free(r->h);
  stomp_buffer_clear(&r->out);
  CHECK(r->m.live == 0);
}

/* In two pieces, the first of `cut` octets, or in pieces of one (cut 0). */
static void give(run *r, const char *text, size_t cut) {
  size_t len = strlen(text), at = 0;
  r->status = STOMP_MORE;
  while (at < len && r->status == STOMP_MORE) {
    size_t n = cut == 0 ? 1 : at == 0 ? cut : len - at;
    stomp_span in = { check_guarded(text + at, n), n };
    r->status = stomp_handshake_next(r->h, &in);
    CHECK(r->status != STOMP_MORE || in.len == 0);
    at += n;
  }
}

static const char *terms_text(const stomp_handshake *h) {
  static char text[80];
  const stomp_deflate_terms *t = stomp_handshake_deflate(h);
  if (!t)
    return "none";
  snprintf(
    text, sizeof text, "server %u%s client %u%s", t->server_max_window_bits,
    t->server_no_context_takeover ? " resets" : "", t->client_max_window_bits,
    t->client_no_context_takeover ? " resets" : "");
  return text;
}

static void expect(const char *what, const char *wanted, const char *got) {
  check_count++;
  if (strcmp(wanted, got) == 0)
    return;
  check_failures++;
  fprintf(stderr, "%s\nexpected: %s\ngot:      %s\n", what, wanted, got);
}

/* ---- The client ---- */

#define D "Sec-WebSocket-Extensions: permessage-deflate"
#define X "Sec-WebSocket-Extensions: "

typedef struct row {
  const char
    *headers; /* of the answer or of the request, without its last end */
  const char *result; /* terms, or "NAME detail" */
  const char *answer; /* of the server: its header line */
} row;

static const row answers[] = {
  { "Server: x", "none", NULL },
  { D, "server 15 client 15", NULL },
  { "sec-websocket-extensions:permessage-deflate", "server 15 client 15",
    NULL },
  { D "; client_max_window_bits=15", "server 15 client 15", NULL },
  { D "; client_max_window_bits=8", "server 15 client 8", NULL },
  { D ";client_max_window_bits=9;server_max_window_bits=10",
    "server 10 client 9", NULL },
  { D " ; \tclient_max_window_bits = 12 ", "server 15 client 12", NULL },
  { D "; client_max_window_bits=\"13\"", "server 15 client 13", NULL },
  { D "; server_no_context_takeover; client_no_context_takeover",
    "server 15 resets client 15 resets", NULL },
  { D "; client_no_context_takeover; server_max_window_bits=8",
    "server 8 client 15 resets", NULL },
  { X, "none", NULL },
  { X ", ,", "none", NULL },
  { X ", permessage-deflate,", "server 15 client 15", NULL },
  { X "\r\n" D, "server 15 client 15", NULL },
  /* no such value */
  { D "; client_max_window_bits", "UDEFLATE client_max_window_bits", NULL },
  { D "; client_max_window_bits=7", "UDEFLATE client_max_window_bits", NULL },
  { D "; client_max_window_bits=16", "UDEFLATE client_max_window_bits", NULL },
  { D "; client_max_window_bits=08", "UDEFLATE client_max_window_bits", NULL },
  { D "; client_max_window_bits=1", "UDEFLATE client_max_window_bits", NULL },
  { D "; client_max_window_bits=150", "UDEFLATE client_max_window_bits", NULL },
  { D "; client_max_window_bits=x", "UDEFLATE client_max_window_bits", NULL },
  { D "; server_max_window_bits", "UDEFLATE server_max_window_bits", NULL },
  { D "; server_max_window_bits=7", "UDEFLATE server_max_window_bits", NULL },
  { D "; server_no_context_takeover=1", "UDEFLATE server_no_context_takeover",
    NULL },
  { D "; client_no_context_takeover=true",
    "UDEFLATE client_no_context_takeover", NULL },
  /* unknown, or twice */
  { D "; level=9", "UDEFLATE level", NULL },
  { D "; level=9; depth=2; level=9", "UDEFLATE level", NULL },
  { D "; Server_No_Context_Takeover", "UDEFLATE Server_No_Context_Takeover",
    NULL },
  { D "; server_no_context_takeover; server_no_context_takeover",
    "UDEFLATE server_no_context_takeover", NULL },
  { D "; server_max_window_bits=9; server_max_window_bits=9",
    "UDEFLATE server_max_window_bits", NULL },
  { D ", permessage-deflate", "UDEFLATE permessage-deflate, permessage-deflate",
    NULL },
  { D "\r\n" D, "UDEFLATE permessage-deflate", NULL },
  /* malformed */
  { D ";", "UDEFLATE permessage-deflate;", NULL },
  { D "; =1", "UDEFLATE permessage-deflate; =1", NULL },
  { D "; client_max_window_bits=",
    "UDEFLATE permessage-deflate; client_max_window_bits=", NULL },
  { D "; client_max_window_bits=\"9",
    "UDEFLATE permessage-deflate; client_max_window_bits=\"9", NULL },
  { D "; client_max_window_bits=\"\"",
    "UDEFLATE permessage-deflate; client_max_window_bits=\"\"", NULL },
  { D " client_max_window_bits=9",
    "UDEFLATE permessage-deflate client_max_window_bits=9", NULL },
  { X "=", "UDEFLATE =", NULL },
  { X "; permessage-deflate", "UDEFLATE ; permessage-deflate", NULL },
  /* not what was offered */
  { X "x-webkit-deflate-frame", "UEXTENSION x-webkit-deflate-frame", NULL },
  { X "permessage-bzip2; level=\"9\"", "UEXTENSION permessage-bzip2", NULL },
  { X "Permessage-Deflate", "UEXTENSION Permessage-Deflate", NULL },
  { D ", mux; max-channels=4", "UEXTENSION mux", NULL },
};

static const char *client_result(const run *r) {
  static char text[256];
  const stomp_error *e = stomp_handshake_error(r->h);
  if (r->status == STOMP_OK)
    return terms_text(r->h);
  CHECK(r->status == e->status && e->offset != STOMP_NO_OFFSET);
  snprintf(text, sizeof text, "%s %s", stomp_status_name(r->status), e->detail);
  return text;
}

static void write_answer(char *text, size_t room, const char *headers) {
  uint8_t nonce[16];
  char key[25] = "BwcHBwcHBwcHBwcHBwcHBw==", accept[29] = "";
  memset(nonce, 7, sizeof nonce);
  stomp_http_accept((const uint8_t *)key, accept);
  snprintf(text, room,
           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n\r\n",
           accept, headers);
}

static void check_request_says(const run *r, bool offered) {
  stomp_span out = stomp_buffer_span(&r->out);
  char text[512] = "";
  memcpy(text, out.bytes, out.len < sizeof text ? out.len : sizeof text - 1);
  CHECK((strstr(text, "\r\n" OFFER) != NULL) == offered);
  CHECK((strstr(text, "permessage") != NULL) == offered);
}

static void run_answer(const char *headers, const char *result, bool offered,
                       size_t cut, size_t fail_at) {
  char text[512];
  run r;
  write_answer(text, sizeof text, headers);
  if (run_open(&r, false, offered, fail_at)) {
    if (stomp_handshake_start(r.h) == STOMP_OK) {
      check_request_says(&r, offered);
      give(&r, text, cut);
      if (!fail_at || r.status != STOMP_ENOMEM)
        expect(headers, result, client_result(&r));
    }
  }
  run_close(&r);
}

static void test_answers(void) {
  char text[512];
  size_t i, cut, n;
  for (i = 0; i < sizeof answers / sizeof *answers; i++) {
    write_answer(text, sizeof text, answers[i].headers);
    for (cut = 0; cut <= strlen(text); cut++)
      run_answer(answers[i].headers, answers[i].result, true, cut, 0);
    for (n = 1; n < 12; n++)
      run_answer(answers[i].headers, answers[i].result, true, 0, n);
  }
  run_answer("Server: x", "none", false, 0, 0);
  run_answer(X, "none", false, 0, 0);
  run_answer(D, "UEXTENSION permessage-deflate", false, 0, 0);
  run_answer(X "\r\n" D "; level=1", "UEXTENSION permessage-deflate; level=1",
             false, 0, 0);
}

/* ---- The server ---- */

static const row offers[] = {
  { "Origin: x", "none", NULL },
  { D, "server 15 client 15", D },
  { D "; client_max_window_bits", "server 15 client 15", D },
  { D "; client_max_window_bits=15", "server 15 client 15", D },
  { D "; client_max_window_bits=10", "server 15 client 10",
    D "; client_max_window_bits=10" },
  { D "; client_max_window_bits=8", "server 15 client 8",
    D "; client_max_window_bits=8" },
  { D "; server_max_window_bits=8", "server 8 client 15",
    D "; server_max_window_bits=8" },
  { D "; server_max_window_bits=15", "server 15 client 15",
    D "; server_max_window_bits=15" },
  { D "; server_no_context_takeover", "server 15 resets client 15",
    D "; server_no_context_takeover" },
  { D "; client_no_context_takeover", "server 15 client 15 resets",
    D "; client_no_context_takeover" },
  { D "; client_no_context_takeover; server_max_window_bits=\"9\"; "
      "server_no_context_takeover; client_max_window_bits=11",
    "server 9 resets client 11 resets",
    D "; server_no_context_takeover; client_no_context_takeover; "
      "server_max_window_bits=9; client_max_window_bits=11" },
  /* declined, which is no failure */
  { D "; server_max_window_bits", "none", NULL },
  { D "; server_max_window_bits=7", "none", NULL },
  { D "; server_max_window_bits=16", "none", NULL },
  { D "; client_max_window_bits=16", "none", NULL },
  { D "; client_max_window_bits; client_max_window_bits=10", "none", NULL },
  { D "; server_no_context_takeover=1", "none", NULL },
  { D "; level=4", "none", NULL },
  { X "permessage-bzip2; blocks=9, x-webkit-deflate-frame", "none", NULL },
  /* the first that can be */
  { D "; level=4, permessage-deflate; server_max_window_bits=10, "
      "permessage-deflate",
    "server 10 client 15", D "; server_max_window_bits=10" },
  { D "; server_max_window_bits=17\r\n" D, "server 15 client 15", D },
  { X "mux; a=\"b\"; c\r\n" D "\r\n" D "; client_no_context_takeover",
    "server 15 client 15", D },
  /* malformed, wherever it stands */
  { D ";", "refused", NULL },
  { D "; a=", "refused", NULL },
  { D "; a=\"b", "refused", NULL },
  { D "; a=\"b c\"", "refused", NULL },
  { X "=", "refused", NULL },
  { D ", ;", "refused", NULL },
  { D "\r\n" X "mux a", "refused", NULL },
};

static void check_response(run *r, const row *o) {
  stomp_span out = stomp_buffer_span(&r->out);
  char text[512] = "", wanted[256];
  if (out.len)
    memcpy(text, out.bytes, out.len < sizeof text ? out.len : sizeof text - 1);
  if (strcmp(o->result, "refused") == 0) {
    CHECK(r->status == STOMP_UREQUEST);
    CHECK(strncmp(text, "HTTP/1.1 400 ", 13) == 0 ||
          (out.len == 0 && r->m.fail_at));
    CHECK(strcmp(stomp_handshake_error(r->h)->detail,
                 "Sec-WebSocket-Extensions") == 0);
    return;
  }
  CHECK(r->status == STOMP_OK);
  expect(o->headers, o->result, terms_text(r->h));
  snprintf(wanted, sizeof wanted, "\r\n%s\r\n\r\n", o->answer ? o->answer : "");
  if (o->answer)
    CHECK(strstr(text, wanted) != NULL);
  else
    CHECK(strstr(text, "Extensions") == NULL && strstr(text, "\r\n\r\n"));
}

static void run_offer(const row *o, bool takes, size_t cut, size_t fail_at) {
  char text[512];
  run r;
  snprintf(text, sizeof text,
           "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n\r\n",
           o->headers);
  if (run_open(&r, true, takes, fail_at)) {
    give(&r, text, cut);
    if (!fail_at || r.status != STOMP_ENOMEM)
      check_response(&r, o);
  }
  run_close(&r);
}

static void test_offers(void) {
  size_t i, cut, n;
  for (i = 0; i < sizeof offers / sizeof *offers; i++) {
    row without = { offers[i].headers, "none", NULL };
    for (cut = 0; cut <= 175 + strlen(offers[i].headers); cut++)
      run_offer(&offers[i], true, cut, 0);
    for (n = 1; n < 12; n++)
      run_offer(&offers[i], true, 0, n);
    run_offer(&without, false, 0, 0); /* it does not even read it */
  }
}

/* Thousands of offers, of which the last one can be. */
static void test_many_offers(void) {
  static char text[65000];
  size_t len;
  run r;
  len =
    (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: "
                          "13\r\nSec-WebSocket-Key: "
                          "dGhlIHNhbXBsZSBub25jZQ==\r\n");
  len += (size_t)sprintf(text + len, X);
  while (len < 60000)
    len += (size_t)sprintf(text + len, "permessage-deflate; a,");
  sprintf(text + len, "\r\n" D "; client_max_window_bits=9\r\n\r\n");
  CHECK(run_open(&r, true, true, 0));
  give(&r, text, strlen(text));
  expect("many", "server 15 client 9", terms_text(r.h));
  run_close(&r);
}

int main(void) {
  test_answers();
  test_offers();
  test_many_offers();
  return check_result("negotiation");
}
