/* SPDX-License-Identifier: MIT
 *
 * The cases of linear_test.c, which includes this, above the framing: the
 * upgrade, and client and server connections joined in memory. */

/* ---- The upgrade: of few lines (STOMP_HANDSHAKE_LINES), which may be long ---- */

static stomp_handshake *handshake_new(bool server, stomp_buffer *out) {
  static const char *const protocols[] = { "v12.stomp", "v11.stomp" };
  stomp_handshake_options o = { .server = server,
                                .host = "h",
                                .path = "/",
                                .protocols = protocols,
                                .n_protocols = 2,
                                .limit = (size_t)64 << 20,
                                .memory = &memory,
                                .random = &source };
  stomp_error error;
  stomp_handshake *h;
  stomp_buffer_init(out, &memory, (size_t)64 << 20);
  h = stomp_handshake_new(&o, out, &error);
  if (!h)
    abort();
  return h;
}

/* What a client sends, without its blank line. */
static input request(void) {
  stomp_buffer out;
  stomp_handshake *h = handshake_new(false, &out);
  input in = { 0 };
  CHECK(stomp_handshake_start(h) == STOMP_OK);
  add(&in, stomp_buffer_span(&out).bytes, stomp_buffer_len(&out) - 2);
  stomp_handshake_free(h);
  stomp_buffer_clear(&out);
  return in;
}

/* What a server answers to it, without its blank line. */
static input answer(void) {
  stomp_buffer out;
  stomp_handshake *h = handshake_new(true, &out);
  input asked = request(), in = { 0 };
  stomp_span span;
  ADD(&asked, "\r\n");
  span = (stomp_span){ asked.at, asked.len };
  CHECK(stomp_handshake_next(h, &span) == STOMP_OK);
  add(&in, stomp_buffer_span(&out).bytes, stomp_buffer_len(&out) - 2);
  stomp_handshake_free(h);
  stomp_buffer_clear(&out);
  free(asked.at);
  return in;
}

/* Give it in pieces of `step`, and read its headers; how it ends. */
static stomp_status upgrade(input *in, size_t step, bool server) {
  stomp_buffer out;
  stomp_handshake *h = handshake_new(server, &out);
  stomp_status status = STOMP_MORE;
  stomp_span name, value;
  size_t at = 0, header = 0;
  if (!server)
    CHECK(stomp_handshake_start(h) == STOMP_OK);
  for (; at < in->len && status == STOMP_MORE; at += step) {
    stomp_span piece = { in->at + at,
                         step < in->len - at ? step : in->len - at };
    status = stomp_handshake_next(h, &piece);
  }
  while (stomp_handshake_header(h, &header, &name, &value))
    ;
  stomp_handshake_free(h);
  stomp_buffer_clear(&out);
  free(in->at);
  return status;
}

static void answer_headers(size_t n) {
  input in = answer();
  ADD_N(&in, n, "a: b\r\n");
  ADD(&in, "\r\n");
  CHECK(upgrade(&in, SIZE_MAX / 2, false) == STOMP_OK);
}

static void answer_line_by_octet(size_t n) {
  input in = answer();
  ADD(&in, "a: ");
  ADD_N(&in, n, "x");
  ADD(&in, "\r\n\r\n");
  CHECK(upgrade(&in, 1, false) == STOMP_OK);
}

static void answer_extensions(size_t n) {
  input in = answer();
  ADD_N(&in, n, "Sec-WebSocket-Extensions:\r\nA:\r\n");
  ADD(&in, "\r\n");
  CHECK(upgrade(&in, SIZE_MAX / 2, false) == STOMP_OK);
}

static void answers_1xx(size_t n) {
  input in = { 0 }, last = answer();
  ADD_N(&in, n, "HTTP/1.1 100 Continue\r\n\r\n");
  add(&in, last.at, last.len);
  ADD(&in, "\r\n");
  free(last.at);
  CHECK(upgrade(&in, 5, false) == STOMP_OK);
}

static void refusal_by_octet(size_t n) {
  input in = { 0 };
  ADD(&in, "HTTP/1.1 404 Not Found\r\n");
  ADD_N(&in, n, "a: b\r\n");
  ADD(&in, "\r\n");
  ADD_N(&in, 1024, "x"); /* no more is kept, nor waited for */
  CHECK(upgrade(&in, 1, false) == STOMP_UREFUSED);
}

static void request_headers(size_t n) {
  input in = request();
  ADD_N(&in, n, "a: b\r\n");
  ADD(&in, "\r\n");
  CHECK(upgrade(&in, 1, true) == STOMP_OK);
}

static void request_lists(size_t n) {
  input in = request();
  ADD_N(&in, n, "Sec-WebSocket-Protocol: a,b,c\r\n");
  ADD(&in, "Connection: ");
  ADD_N(&in, n, "keep-alive, ");
  ADD(&in, "x\r\n\r\n");
  CHECK(upgrade(&in, SIZE_MAX / 2, true) == STOMP_OK);
}

/* ---- Connections ---- */

static pair opened(stomp_version version, bool websocket) {
  pair p;
  pair_init(&p, &memory, &source, version, websocket);
  p.options.session.limits = no_limits();
  p.options.ignore_invalid = true;
  pair_open(&p);
  return p;
}

/* A client is given these octets at once; the frames that came of it. */
static size_t client_takes(input *in, size_t step) {
  pair p = opened(STOMP_1_2, true);
  size_t at = 0, n;
  for (; at < in->len; at += step)
    CHECK(stomp_connection_feed(p.client, in->at + at,
                                step < in->len - at ? step : in->len - at,
                                0) == STOMP_OK);
  n = pair_drop(p.client);
  pair_close(&p);
  free(in->at);
  return n;
}

/* One binary message of this content, its length in eight octets. */
static input message_of(const input *content) {
  uint8_t head[10] = { 0x82, 127 };
  input in = { 0 };
  size_t i;
  for (i = 0; i < 8; i++)
    head[2 + i] = (uint8_t)((uint64_t)content->len >> (56 - 8 * i));
  add(&in, head, sizeof head);
  add(&in, content->at, content->len);
  free(content->at);
  return in;
}

static void frames_of_a_message(size_t n) {
  input content = { 0 }, in;
  ADD_N(&content, n, "RECEIPT\nreceipt-id:1\n\n\0\n");
  in = message_of(&content);
  CHECK(client_takes(&in, SIZE_MAX / 2) == n);
}

static void messages_of_a_frame(size_t n) {
  input in = { 0 };
  ADD(&in, "\x82\x17RECEIPT\nreceipt-id:1\na:");
  ADD_N(&in, n, "\x82\x01x");
  ADD(&in, "\x82\x03\n\n\0");
  CHECK(client_takes(&in, 2) == 1);
}

static void heartbeat_messages(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "\x81\x01\n");
  CHECK(client_takes(&in, SIZE_MAX / 2) == 0);
}

static void ignored_messages(size_t n) {
  input in = { 0 };
  ADD_N(&in, n, "\x81\x08NOSUCH\n\n");
  ADD(&in, "\x81\x17RECEIPT\nreceipt-id:1\n\n\0");
  CHECK(client_takes(&in, 100) == 1);
}

/* ---- Tables ---- */

/* The server tells each n times: asked for, and not. */
static void receipts(size_t n) {
  pair p = opened(STOMP_1_2, false);
  char id[32];
  size_t i;
  for (i = 0; i < n; i++) {
    sprintf(id, "r%zu", i);
    CHECK(PAIR_SAY(&p, p.client, SEND, "destination", "/a", "receipt", id) ==
          STOMP_OK);
    pair_carry(&p, p.client, p.server);
    pair_drop(p.server);
  }
  for (i = 0; i < 2 * n; i++) {
    sprintf(id, "r%zu", i);
    CHECK(PAIR_SAY(&p, p.server, RECEIPT, "receipt-id", id, "a", "b") ==
          STOMP_OK);
    pair_carry(&p, p.server, p.client);
  }
  CHECK(pair_drop(p.client) == 2 * n);
  CHECK(stomp_session_receipts(stomp_connection_session(p.client)) == 0);
  pair_close(&p);
}

/* MESSAGEs of n subscriptions, then their end. */
static void subscribe_all(size_t n, stomp_version version, const char *name) {
  pair p = opened(version, false);
  char id[32];
  size_t i;
  for (i = 0; i < n; i++) {
    sprintf(id, "s%zu", i);
    CHECK(PAIR_SAY(&p, p.client, SUBSCRIBE, name, id,
                   version == STOMP_1_0 ? "id" : "destination",
                   id) == STOMP_OK);
    pair_carry(&p, p.client, p.server);
    pair_drop(p.server);
  }
  for (i = 0; i < n; i++) {
    input in = { 0 };
    char text[160];
    sprintf(text, "MESSAGE\nmessage-id:1\n%s:s%zu\n%s:s%zu\n\n", name, i,
            version == STOMP_1_0 ? "a" : "destination", i);
    add(&in, text, strlen(text) + 1);
    CHECK(stomp_connection_feed(p.client, in.at, in.len, 0) == STOMP_OK);
    free(in.at);
  }
  CHECK(pair_drop(p.client) == n);
  for (i = 0; i < n; i++) {
    sprintf(id, "s%zu", i);
    CHECK(PAIR_SAY(&p, p.client, UNSUBSCRIBE,
                   version == STOMP_1_0 ? "destination" : "id", id, "a",
                   "b") == STOMP_OK);
    pair_carry(&p, p.client, p.server);
    pair_drop(p.server);
  }
  pair_close(&p);
}

static void subscriptions(size_t n) {
  subscribe_all(n, STOMP_1_2, "id");
}

static void destinations(size_t n) {
  subscribe_all(n, STOMP_1_0, "destination");
}

static void transactions(size_t n) {
  pair p = opened(STOMP_1_1, false);
  char id[32];
  size_t i;
  for (i = 0; i < n; i++) {
    sprintf(id, "t%zu", i);
    CHECK(PAIR_SAY(&p, p.client, BEGIN, "transaction", id, "a", "b") ==
          STOMP_OK);
  }
  for (i = 0; i < n; i++) {
    sprintf(id, "t%zu", i);
    CHECK((i % 2 ? PAIR_SAY(&p, p.client, ABORT, "transaction", id, "a", "b")
                 : PAIR_SAY(&p, p.client, COMMIT, "transaction", id, "a",
                            "b")) == STOMP_OK);
  }
  pair_close(&p);
}

/* A slow peer takes octet by octet what is long. */
static void sends_written_by_octet(size_t n) {
  pair p = opened(STOMP_1_2, true);
  size_t i;
  for (i = 0; i < n; i++) {
    size_t left = 20;
    CHECK(PAIR_SAY(&p, p.client, SEND, "destination", "/a", "a", "b") ==
          STOMP_OK);
    while (left--)
      stomp_connection_consume(p.client, 1);
  }
  while (stomp_connection_output(p.client).len)
    stomp_connection_consume(p.client, 1);
  pair_close(&p);
}

/* So much waits that the block, which doubles, is all but full; then the oldest
 * goes for each new one. */
static void sends_behind_a_backlog(size_t n) {
  pair p = opened(STOMP_1_2, false);
  size_t size = 0, most = SIZE_MAX, i;
  for (i = 0; i < most + n / 16; i++) {
    CHECK(PAIR_SAY(&p, p.client, SEND, "destination", "/a", "a", "b") ==
          STOMP_OK);
    if (i == 0) {
      size = stomp_connection_output(p.client).len;
      most = 2 * n / size; /* n is a power of two */
    }
    if (i >= most - 1)
      stomp_connection_consume(p.client, size);
  }
  CHECK(stomp_connection_output(p.client).len == (most - 1) * size);
  pair_close(&p);
}
