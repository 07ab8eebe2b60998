/* SPDX-License-Identifier: MIT
 *
 * The connection, where its parts meet: text or binary, pings, the ways down and
 * how long each may take, frames that are passed over. Room is
 * connection_room_test.c's, memory that fails oom_test.c's, whole conversations
 * are dialogue_test.c's. */
#include "connection_bench.h"

/* The first frame of the server's output: its first octet, its payload; it is
 * taken. */
static unsigned server_frame(bench *b, uint8_t *payload, size_t *len) {
  stomp_span out = stomp_connection_output(b->p.server);
  unsigned first;
  size_t head = 2;
  CHECK(out.len >= 2);
  if (out.len < 2)
    return 0;
  first = out.bytes[0];
  *len = out.bytes[1];
  if (*len == 126) {
    *len = (size_t)(out.bytes[2] << 8 | out.bytes[3]);
    head = 4;
  }
  CHECK(head + *len <= out.len && *len <= 2048);
  memcpy(payload, out.bytes + head, *len);
  stomp_connection_consume(b->p.server, head + *len);
  return first;
}

/* ---- Text or binary ---- */

static unsigned kind_of(stomp_binary binary, const char *body) {
  uint8_t payload[2048];
  size_t len;
  unsigned first;
  bench b;
  bench_init(&b, true);
  bench_1_0(&b);
  b.p.options.binary = binary;
  pair_open(&b.p);
  CHECK(message(&b, span(body)) == STOMP_OK);
  first = server_frame(&b, payload, &len);
  CHECK(memcmp(payload, "MESSAGE\n", 8) == 0);
  bench_close(&b);
  return first;
}

static void test_text_or_binary(void) {
  CHECK(kind_of(STOMP_BINARY_AUTO, "caf\xc3\xa9") == 0x81);
  CHECK(kind_of(STOMP_BINARY_AUTO, "caf\xe9") == 0x82);
  CHECK(kind_of(STOMP_BINARY_ALWAYS, "abc") == 0x82);
  CHECK(kind_of(STOMP_BINARY_NEVER, "\xff") == 0x81);
}

/* ---- Frames that are passed over ---- */

static void test_ignoring(void) {
  stomp_error what;
  stomp_frame *frame;
  bench b;
  bench_init(&b, true);
  b.p.options.ignore_invalid = true;
  pair_open(&b.p);
  CHECK(!stomp_connection_take_warning(b.p.client, &what));
  /* the rest of its message is skipped, in whichever pieces it comes */
  CHECK(PAIR_FEED(&b.p, b.p.client, "\x01\x07NOSUCH\n") == STOMP_OK);
  CHECK(PAIR_FEED(&b.p, b.p.client, "\x80\x17RECEIPT\nreceipt-id:1\n\n\0") ==
        STOMP_OK);
  CHECK(stomp_connection_take_warning(b.p.client, &what));
  CHECK(what.status == STOMP_ECOMMAND && strcmp(what.detail, "NOSUCH") == 0);
  CHECK(!stomp_connection_take_warning(b.p.client, &what));
  CHECK(stomp_connection_next(b.p.client) == NULL);
  CHECK(PAIR_FEED(&b.p, b.p.client, "\x82\x17RECEIPT\nreceipt-id:2\n\n\0") ==
        STOMP_OK);
  frame = stomp_connection_next(b.p.client);
  CHECK(frame && stomp_span_is(STOMP_HEADER(frame, "receipt-id"), "2"));
  stomp_frame_free(frame);
  /* what is out of turn is not forgiven: it could be read */
  CHECK(PAIR_FEED(&b.p, b.p.client,
                  "\x82\x0c"
                  "CONNECTED\n\n\0") == STOMP_EUNEXPECTED);
  bench_close(&b);
  bench_init(&b, false); /* over TCP nobody knows where a frame begins */
  b.p.options.ignore_invalid = true;
  pair_open(&b.p);
  CHECK(PAIR_FEED(&b.p, b.p.client, "NOSUCH\n") == STOMP_ECOMMAND);
  CHECK(PAIR_FEED(&b.p, b.p.client, "\n") == STOMP_ECOMMAND);
  CHECK(stomp_connection_wants_end(b.p.client));
  bench_close(&b);
}

/* ---- Pings ---- */

static void test_pings(void) {
  bench b;
  const stomp_connection_counts *counts;
  bench_init(&b, true);
  b.p.options.ping = 1000;
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  CHECK(stomp_connection_deadline(b.p.client) == STOMP_NEVER);
  CHECK(stomp_connection_tick(b.p.client, 5000) == STOMP_OK);
  CHECK(stomp_connection_output(b.p.client).len == 0); /* not upgraded yet */
  stomp_connection_free(b.p.client);
  pair_open(&b.p);
  counts = stomp_connection_counts_of(b.p.client);
  CHECK(stomp_connection_deadline(b.p.client) == 1000);
  CHECK(stomp_connection_tick(b.p.client, 999) == STOMP_OK);
  CHECK(stomp_connection_output(b.p.client).len == 0);
  CHECK(stomp_connection_tick(b.p.client, 1000) == STOMP_OK);
  CHECK(stomp_connection_output(b.p.client).bytes[0] == 0x89);
  CHECK(stomp_connection_deadline(b.p.client) == 2000);
  CHECK(stomp_connection_tick(b.p.client, 2000) == STOMP_OK); /* another */
  CHECK(stomp_connection_output(b.p.client).len == 2 * (6 + 8));
  b.p.now = 2500;
  pair_settle(&b.p);
  CHECK(counts->round_trip == 1500); /* of the one that waited first */
  b.p.now = 2600;
  CHECK(PAIR_FEED(&b.p, b.p.client, "\x8a\x00") == STOMP_OK);
  CHECK(counts->round_trip == 1500); /* nobody asked for that pong */
  CHECK(counts->bytes_received > 0 && counts->bytes_sent > 0);
  stomp_connection_close(b.p.client, 3000);
  CHECK(stomp_connection_deadline(b.p.client) == 3000 + 2000); /* linger */
  CHECK(stomp_connection_tick(b.p.client, 4500) == STOMP_OK);
  CHECK(stomp_connection_output(b.p.client).len == 6 + 2); /* the close alone */
  bench_close(&b);
}

/* A ping that does not fit is not needed: what waits shows that we live. */
static void test_a_ping_without_room(void) {
  size_t len;
  bench b;
  bench_init(&b, true);
  b.p.options.ping = 1000;
  pair_open(&b.p);
  b.fails = true;
  CHECK(stomp_connection_tick(b.p.client, 1000) == STOMP_OK);
  b.fails = false;
  len = stomp_connection_output(b.p.client).len;
  CHECK(len == 0 && stomp_connection_deadline(b.p.client) == 2000);
  b.p.now = 1500;
  CHECK(PAIR_FEED(&b.p, b.p.client, "\x8a\x00") == STOMP_OK);
  CHECK(stomp_connection_counts_of(b.p.client)->round_trip == 0);
  bench_close(&b);
}

/* ---- Beats ---- */

static void test_beats(bool websocket) {
  bool no_receipt;
  bench b;
  bench_init(&b, websocket);
  b.p.options.session.heartbeat[0] = b.p.options.session.heartbeat[1] = 1000;
  b.p.options.ping = 0;
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  CHECK(stomp_connection_tick(b.p.client, 9000) == STOMP_OK); /* not yet */
  stomp_connection_free(b.p.client);
  pair_open(&b.p);
  CHECK(stomp_connection_deadline(b.p.client) == 800);
  CHECK(stomp_connection_tick(b.p.client, 800) == STOMP_OK);
  CHECK(stomp_connection_output(b.p.client).len == (websocket ? 7 : 1));
  CHECK(stomp_connection_tick(b.p.client, 1600) == STOMP_OK);
  CHECK(stomp_connection_output(b.p.client).len == (websocket ? 7 : 1));
  stomp_connection_consume(b.p.client, websocket ? 7 : 1);
  stomp_connection_pause(b.p.client, 1700);
  CHECK(stomp_connection_tick(b.p.client, 2000) == STOMP_OK);
  stomp_connection_resume(b.p.client, 2000);
  b.fails = true; /* a beat needs a mask */
  CHECK(stomp_connection_tick(b.p.client, 2400) ==
        (websocket ? STOMP_ERANDOM : STOMP_OK));
  b.fails = false;
  CHECK(stomp_connection_wants_end(b.p.client) == websocket);
  if (websocket) {
    CHECK(PAIR_FEED(&b.p, b.p.client, "\x89\x00") == STOMP_ERANDOM);
    CHECK(closed(b.p.client, &no_receipt) == STOMP_ERANDOM);
  } else

    CHECK(stomp_connection_tick(b.p.client, 4000) == STOMP_HLOST);
  CHECK(stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_tick(b.p.client, 5000) == STOMP_OK);
  CHECK(stomp_connection_deadline(b.p.client) == STOMP_NEVER);
  bench_close(&b);
}

/* ---- The ways down ---- */

static void test_closing(void) {
  bool no_receipt;
  bench b;
  bench_init(&b, true);
  pair_open(&b.p);
  stomp_connection_close(b.p.client, 100);
  stomp_connection_close(b.p.client, 200); /* once is enough */
  CHECK(!stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_deadline(b.p.client) == 2100);
  CHECK(stomp_connection_tick(b.p.client, 2099) == STOMP_OK);
  CHECK(!stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_tick(b.p.client, 2100) == STOMP_OK);
  CHECK(stomp_connection_wants_end(b.p.client)); /* nobody answered */
  CHECK(closed(b.p.client, &no_receipt) == STOMP_OK && !no_receipt);
  CHECK(stomp_connection_tick(b.p.client, 9999) == STOMP_OK);
  bench_close(&b);
  bench_init(&b, true); /* the peer answers */
  pair_open(&b.p);
  stomp_connection_close(b.p.client, 0);
  pair_settle(&b.p);
  CHECK(stomp_connection_wants_end(b.p.client) &&
        stomp_connection_wants_end(b.p.server));
  CHECK(closed(b.p.server, &no_receipt) == STOMP_CPEER);
  CHECK(stomp_connection_error(b.p.server)->close_code == 1000);
  bench_close(&b);
  bench_init(&b, true); /* the close frame cannot be made: the end it is */
  pair_open(&b.p);
  b.fails = true;
  stomp_connection_close(b.p.client, 0);
  CHECK(stomp_connection_wants_end(b.p.client));
  bench_close(&b);
  bench_init(&b, false);
  pair_open(&b.p);
  stomp_connection_close(b.p.client, 0);
  CHECK(stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_ISTATE);
  bench_close(&b);
}

static void test_disconnect_before_connected(bool websocket, bool connects) {
  const char *receipt = "";
  bool no_receipt;
  bench b;
  bench_init(&b, websocket);
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  if (connects)
    CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_OK);
  CHECK(stomp_connection_state(b.p.client) ==
        (connects ? STOMP_STATE_CONNECTING : STOMP_STATE_IDLE));
  CHECK(stomp_connection_disconnect(b.p.client, 0, &receipt, &b.p.error) ==
        STOMP_OK);
  CHECK(!receipt && stomp_connection_wants_end(b.p.client));
  CHECK(closed(b.p.client, &no_receipt) == STOMP_OK && !no_receipt);
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_ISTATE);
  bench_close(&b);
}

static void test_connecting_once(void) {
  bench b;
  bench_init(&b, true);
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  b.p.server = pair_new(&b.p, STOMP_SERVER);
  CHECK(stomp_connection_connect(b.p.server, 0) == STOMP_ISTATE);
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_OK);
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_ISTATE);
  bench_close(&b);
}

static void test_the_peers_reason(void) {
  stomp_span reason;
  bool no_receipt;
  bench b;
  bench_init(&b, true);
  pair_open(&b.p);
  CHECK(stomp_connection_close_reason(b.p.client).len == 0);
  CHECK(PAIR_FEED(&b.p, b.p.client, "\x88\x05\x03\xf0no!") == STOMP_OK);
  reason = stomp_connection_close_reason(b.p.client);
  CHECK(reason.len == 3 && memcmp(reason.bytes, "no!", 3) == 0);
  CHECK(closed(b.p.client, &no_receipt) == STOMP_CPEER);
  CHECK(stomp_connection_error(b.p.client)->close_code == 1008);
  bench_close(&b);
}

/* What breaks a limit is 1009, the protocol 1002; what is our own fault 1011.
 * The sentence is the reason. */
static void test_codes(void) {
  static const struct {
    const char *frame;
    size_t size;
    bool fails; /* the next request for memory */
    stomp_status status;
    unsigned code;
  } rows[] = {
    { "\x82\x88\0\0\0\0NOSUCH\n\n", 14, false, STOMP_ECOMMAND, 1002 },
    { "\x82\xa0\0\0\0\0SEND\ncontent-length:99999999999\n\n", 38, false,
      STOMP_LFRAME, 1009 },
    { "\x82\x88\0\0\0\0SEND\n\nx\0", 14, true, STOMP_ENOMEM, 1011 },
  };
  size_t i;
  for (i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *sentence = stomp_status_sentence(rows[i].status);
    uint8_t payload[2048];
    size_t len;
    bench b;
    bench_init(&b, true);
    pair_open(&b.p);
    b.m.fail_at = rows[i].fails ? b.m.n + 1 : 0;
    CHECK(pair_feed(&b.p, b.p.server, rows[i].frame, rows[i].size) ==
          rows[i].status);
    CHECK(server_frame(&b, payload, &len) == 0x81); /* its ERROR */
    CHECK(memcmp(payload, "ERROR\n", 6) == 0);
    CHECK(server_frame(&b, payload, &len) == 0x88);
    CHECK((unsigned)(payload[0] << 8 | payload[1]) == rows[i].code);
    CHECK(len - 2 == strlen(sentence));
    CHECK(memcmp(payload + 2, sentence, len - 2) == 0);
    bench_close(&b);
  }
}

/* A failure from outside is as if feed had failed with it; the first one stays. */
static void test_failing_from_outside(void) {
  stomp_error error;
  bool no_receipt;
  bench b;
  bench_init(&b, true);
  pair_open(&b.p);
  stomp_error_set(&error, STOMP_SFAIL, STOMP_NO_OFFSET);
  stomp_connection_fail(b.p.client, &error);
  stomp_error_set(&error, STOMP_CCONNECT, STOMP_NO_OFFSET);
  stomp_connection_fail(b.p.client, &error);
  CHECK(PAIR_FEED(&b.p, b.p.client, "\x89\x00") == STOMP_SFAIL);
  CHECK(closed(b.p.client, &no_receipt) == STOMP_SFAIL);
  CHECK(stomp_connection_state(b.p.client) == STOMP_STATE_CLOSED);
  bench_close(&b);
}

/* After ERROR what still comes is no failure of its own. */
static void test_after_error(void) {
  bool no_receipt;
  bench b;
  bench_init(&b, false);
  pair_open(&b.p);
  CHECK(PAIR_FEED(&b.p, b.p.client, "ERROR\nmessage:no\n\n\0") == STOMP_OK);
  CHECK(pair_drop(b.p.client) == 1 && stomp_connection_wants_end(b.p.client));
  CHECK(PAIR_FEED(&b.p, b.p.client, "MESSAGE\n\n\0") == STOMP_OK);
  CHECK(pair_feed(&b.p, b.p.client, "", 0) == STOMP_OK);
  CHECK(closed(b.p.client, &no_receipt) == STOMP_BERROR);
  bench_close(&b);
}

/* When there is no way to say goodbye, what follows is of no interest. */
static void test_an_end_inside_the_input(void) {
  bench b;
  bench_init(&b, true);
  pair_open(&b.p);
  b.fails = true;
  CHECK(PAIR_FEED(&b.p, b.p.client,
                  "\x82\x09"
                  "ERROR\n\n\0\n"
                  "\x89\x00\xff\xff") == STOMP_OK);
  CHECK(pair_drop(b.p.client) == 1 && stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_output(b.p.client).len == 0);
  CHECK(stomp_connection_error(b.p.client)->status == STOMP_BERROR);
  bench_close(&b);
}

/* ---- The upgrade's end ---- */

static void test_ends_in_the_upgrade(void) {
  bool no_receipt;
  bench b;
  bench_init(&b, true);
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_OK);
  CHECK(PAIR_FEED(&b.p, b.p.client, "HTTP/1.1 1") == STOMP_OK);
  CHECK(closed(b.p.client, &no_receipt) == STOMP_UEOF);
  CHECK(closed(b.p.client, &no_receipt) == STOMP_UEOF);
  CHECK(PAIR_FEED(&b.p, b.p.client, "01 ") == STOMP_UEOF);
  bench_close(&b);
  bench_init(&b, true);
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_OK);
  CHECK(PAIR_FEED(&b.p, b.p.client, "SSH-2.0\r\n") == STOMP_UGARBAGE);
  CHECK(stomp_connection_wants_end(b.p.client));
  CHECK(PAIR_FEED(&b.p, b.p.client, "x") == STOMP_UGARBAGE);
  CHECK(closed(b.p.client, &no_receipt) == STOMP_UGARBAGE);
  bench_close(&b);
}

/* A refusal's body is waited for half a second, and no longer for more of it. */
static void test_a_refusal_that_does_not_end(void) {
  stomp_span body;
  bench b;
  bench_init(&b, true);
  b.p.client = pair_new(&b.p, STOMP_CLIENT);
  CHECK(stomp_connection_connect(b.p.client, 0) == STOMP_OK);
  b.p.now = 100;
  CHECK(PAIR_FEED(&b.p, b.p.client,
                  "HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nab") ==
        STOMP_OK);
  b.p.now = 300;
  CHECK(PAIR_FEED(&b.p, b.p.client, "c") == STOMP_OK);
  CHECK(stomp_connection_deadline(b.p.client) == 600);
  CHECK(stomp_connection_tick(b.p.client, 599) == STOMP_OK);
  CHECK(!stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_tick(b.p.client, 600) == STOMP_UREFUSED);
  CHECK(stomp_connection_wants_end(b.p.client));
  CHECK(stomp_connection_error(b.p.client)->http_status == 403);
  body = stomp_handshake_body(stomp_connection_handshake(b.p.client));
  CHECK(body.len == 3 && memcmp(body.bytes, "abc", 3) == 0);
  CHECK(stomp_connection_tick(b.p.client, 700) == STOMP_OK);
  bench_close(&b);
}

/* ---- Handing over ---- */

static void test_handing_over(void) {
  stomp_frame *first, *last;
  stomp_buffer taken;
  size_t size, sum = 0, n = 0;
  bench b;
  bench_init(&b, true);
  bench_1_0(&b);
  pair_open(&b.p);
  CHECK(message(&b, span("one")) == STOMP_OK);
  CHECK(message(&b, span("two")) == STOMP_OK);
  stomp_buffer_init(&taken, &b.m.memory, 0);
  stomp_connection_take_output(b.p.server, &taken);
  CHECK(stomp_connection_output(b.p.server).len == 0);
  CHECK(pair_feed(&b.p, b.p.client, stomp_buffer_span(&taken).bytes,
                  stomp_buffer_len(&taken)) == STOMP_OK);
  stomp_buffer_clear(&taken);
  first = stomp_connection_take_frames(b.p.client, &last, &size);
  CHECK(stomp_connection_next(b.p.client) == NULL);
  CHECK(first && first->next == last && !last->next);
  while (first) {
    stomp_frame *next = first->next;
    sum += first->size;
    stomp_frame_free(first);
    first = next;
    n++;
  }
  CHECK(n == 2 && sum == size);
  first = stomp_connection_take_frames(b.p.client, &last, &size);
  CHECK(!first && !last && size == 0);
  /* bare, too */
  bench_close(&b);
  bench_init(&b, false);
  pair_open(&b.p);
  CHECK(PAIR_SAY(&b.p, b.p.client, SEND, "destination", "/a", "b", "c") ==
        STOMP_OK);
  stomp_buffer_init(&taken, &b.m.memory, 0);
  stomp_connection_take_output(b.p.client, &taken);
  CHECK(stomp_buffer_len(&taken) == sizeof "SEND\ndestination:/a\nb:c\n\n");
  stomp_buffer_clear(&taken);
  bench_close(&b);
}

/* Compression that is not built in is told before anything is opened (make
 * portable has builds without zlib). */
static void test_compression_is_built_in_or_told(void) {
  stomp_role role;
  bench b;
  for (role = STOMP_CLIENT; role <= STOMP_SERVER; role++) {
    stomp_connection *c;
    bench_init(&b, true);
    b.p.options.compression = true;
    c = pair_new(&b.p, role);
    CHECK((c != NULL) == stomp_deflate_is_built_in());
    CHECK(c || b.p.error.status == STOMP_WNOZLIB);
    stomp_connection_free(c);
    bench_close(&b);
  }
}

int main(void) {
  int i;
  test_text_or_binary();
  test_ignoring();
  test_pings();
  test_a_ping_without_room();
  test_beats(false);
  test_beats(true);
  test_closing();
  for (i = 0; i < 4; i++)
    test_disconnect_before_connected(i & 1, i & 2);
  test_connecting_once();
  test_the_peers_reason();
  test_codes();
  test_failing_from_outside();
  test_after_error();
  test_an_end_inside_the_input();
  test_ends_in_the_upgrade();
  test_a_refusal_that_does_not_end();
  test_handing_over();
  test_compression_is_built_in_or_told();
  return check_result("connection");
}
