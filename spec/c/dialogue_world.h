/* SPDX-License-Identifier: MIT
 *
 * Two connections joined in memory beside the model of dialogue_test.c, which
 * includes this: makes a move on both, and compares them. */

typedef struct world {
  model model;
  check_memory memory;
  stomp_random random;
  uint64_t seed, now;
  stomp_connection *client, *server;
  stomp_frame *messages[2];
  size_t n_messages;
  bool client_told, server_told; /* that the bytes have ended */
} world;

static bool world_fill(void *user, void *bytes, size_t len) {
  uint8_t *to = bytes;
  size_t i;
  for (i = 0; i < len; i++)
    to[i] = (uint8_t)check_random(user, 256);
  return true;
}

static stomp_connection *world_connection(world *w, stomp_role role) {
  stomp_connection_options o;
  stomp_connection *c;
  stomp_error error;
  stomp_version v;
  stomp_connection_defaults(&o);
  o.session.role = role;
  o.session.memory = &w->memory.memory;
  o.session.random = &w->random;
  o.session.heartbeat[0] = o.session.heartbeat[1] = 0;
  o.session.limits.outbox = 4096;
  for (v = STOMP_1_0; v <= STOMP_1_2; v++)
    o.session.versions[v] = v == w->model.version;
  o.websocket = w->model.websocket;
  o.host = "h";
  c = stomp_connection_new(&o, &error);
  if (!c)
    abort();
  return c;
}

static void world_open(world *w, const model *start) {
  memset(w, 0, sizeof *w);
  w->model = *start;
  check_memory_init(&w->memory, 0);
  w->random = (stomp_random){ world_fill, &w->seed };
  w->client = world_connection(w, STOMP_CLIENT);
  w->server = world_connection(w, STOMP_SERVER);
}

static void world_close(world *w) {
  size_t i;
  for (i = 0; i < w->n_messages; i++)
    stomp_frame_free(w->messages[i]);
  stomp_connection_free(w->client);
  stomp_connection_free(w->server);
  CHECK(w->memory.live == 0);
}

/* ---- Transport ---- */

/* The frames that came out are those that the model says. */
static void world_check_frame(world *w, stomp_connection *to, int what) {
  stomp_frame *frame = stomp_connection_next(to);
  int command = what == LAST ? STOMP_RECEIPT_COMMAND : what;
  CHECK(frame != NULL);
  if (!frame)
    return;
  CHECK((int)frame->command == command);
  if (frame->command == STOMP_MESSAGE_COMMAND && w->n_messages < 2)
    w->messages[w->n_messages++] = frame;
  else
    stomp_frame_free(frame);
}

static bool world_carry(world *w, stomp_connection *from,
                        stomp_connection *to) {
  stomp_span out = stomp_connection_output(from);
  uint8_t bytes[8192];
  size_t len = out.len;
  if (len == 0 || len > sizeof bytes)
    return false;
  memcpy(bytes, out.bytes, len);
  stomp_connection_consume(from, len);
  (void)!stomp_connection_feed(to, bytes, len, w->now);
  return true;
}

static void world_end(stomp_connection *c, bool *told) {
  bool no_receipt;
  if (!*told)
    (void)!stomp_connection_closed(c, 0, (stomp_span){ NULL, 0 }, &no_receipt);
  *told = true;
}

/* Everything of one direction arrives; over WebSocket the closing handshake
 * goes to and fro. */
static void world_deliver(world *w, bool to_client) {
  side *s = to_client ? &w->model.client : &w->model.server;
  stomp_connection *to = to_client ? w->client : w->server;
  stomp_connection *from = to_client ? w->server : w->client;
  size_t i, n = s->n_queue;
  bool lost = s->state == STOMP_STATE_CLOSED;
  world_carry(w, from, to);
  if (w->model.websocket) /* the upgrade and pings go to and fro */
    while (world_carry(w, to, from) || world_carry(w, from, to))
      ;
  s->n_queue = 0;
  for (i = 0; i < n; i++) {
    int what = s->queue[i];
    if (what == END) {
      if (!w->model.websocket)
        world_end(to, to_client ? &w->client_told : &w->server_told);
    } else if (!lost && !(to_client && s->state == STOMP_STATE_IDLE)) {
      world_check_frame(w, to, what);
    }
    if (lost)
      continue;
    if (to_client)
      client_takes(&w->model, what);
    else
      server_takes(&w->model, what);
    lost = s->state == STOMP_STATE_CLOSED;
  }
  CHECK(stomp_connection_next(to) == NULL);
}

/* A side that is over ends its bytes, once. */
static void world_post_ends(model *m) {
  if (m->client.state == STOMP_STATE_CLOSED && !m->client.end_sent) {
    m->client.end_sent = true;
    post(&m->server, END);
  }
  if (m->server.state == STOMP_STATE_CLOSED && !m->server.end_sent) {
    m->server.end_sent = true;
    post(&m->client, END);
  }
}

/* The closing handshake goes to and fro; then whoever wants the bytes to end
 * ends them. */
static void world_close_both(world *w) {
  while (world_carry(w, w->client, w->server) ||
         world_carry(w, w->server, w->client))
    ;
  if (stomp_connection_wants_end(w->client))
    world_end(w->server, &w->server_told);
  if (stomp_connection_wants_end(w->server))
    world_end(w->client, &w->client_told);
}

static void world_settle(world *w) {
  world_post_ends(&w->model);
  if (w->model.delayed)
    return;
  while (w->model.client.n_queue || w->model.server.n_queue) {
    world_deliver(w, false);
    world_post_ends(&w->model);
    world_deliver(w, true);
    world_post_ends(&w->model);
  }
  if (w->model.websocket)
    world_close_both(w);
}

/* ---- Comparing ---- */

static void world_check_side(const side *s, const stomp_connection *c) {
  const stomp_session *session = stomp_connection_session(c);
  stomp_state state = stomp_session_state(session);
  CHECK(state == s->state);
  if (state == STOMP_STATE_CLOSED)
    CHECK((stomp_session_error(session)->status == STOMP_OK) == s->clean);
}

static void world_check(world *w) {
  const model *m = &w->model;
  const stomp_session *client = stomp_connection_session(w->client);
  size_t receipts = (m->receipt ? 1u : 0u) +
                    (m->client.state == STOMP_STATE_DISCONNECTING ? 1u : 0u);
  world_check_side(&m->client, w->client);
  world_check_side(&m->server, w->server);
  if (m->client.state != STOMP_STATE_CLOSED)
    CHECK(stomp_session_receipts(client) == receipts);
}

/* ---- Moves ---- */

static stomp_status world_send(stomp_connection *c, stomp_command command,
                               const char *headers[][2], size_t n) {
  stomp_field fields[6];
  stomp_outgoing frame = { .command = command,
                           .headers = fields,
                           .n_headers = n };
  stomp_error error;
  size_t i;
  for (i = 0; i < n; i++)
    fields[i] = (stomp_field){ headers[i][0], strlen(headers[i][0]),
                               headers[i][1], strlen(headers[i][1]) };
  return stomp_connection_send(c, &frame, &error);
}

#define WORLD_SEND(c, command, ...)                                            \
  world_send((c), STOMP_##command##_COMMAND, (const char *[][2])__VA_ARGS__,   \
             sizeof((const char *[][2])__VA_ARGS__) / sizeof(const char *[2]))

static stomp_status world_ack(world *w, size_t i, bool nack, bool in_t) {
  stomp_field t = { "transaction", 11, "t", 1 };
  stomp_error error;
  return stomp_connection_ack(w->client, w->messages[i], nack, &t, in_t ? 1 : 0,
                              &error);
}

static stomp_status world_subscribe(world *w, const char *mode) {
  return WORLD_SEND(
    w->client, SUBSCRIBE,
    { { "id", "1" }, { "destination", "/a" }, { "ack", mode } });
}

static stomp_status world_disconnect(world *w) {
  const char *receipt;
  stomp_error error;
  return stomp_connection_disconnect(w->client, w->now, &receipt, &error);
}

static stomp_status world_client(world *w, action move) {
  switch (move) {
    case DO_CONNECT: return stomp_connection_connect(w->client, w->now);
    case DO_SUBSCRIBE_AUTO: return world_subscribe(w, "auto");
    case DO_SUBSCRIBE_CLIENT: return world_subscribe(w, "client");
    case DO_SUBSCRIBE_EACH: return world_subscribe(w, "client-individual");
    case DO_UNSUBSCRIBE:
      return WORLD_SEND(w->client, UNSUBSCRIBE, { { "id", "1" } });
    case DO_SEND:
      return WORLD_SEND(w->client, SEND, { { "destination", "/a" } });
    case DO_SEND_RECEIPT:
      return WORLD_SEND(w->client, SEND,
                        { { "destination", "/a" }, { "receipt", "r" } });
    case DO_BEGIN:
      return WORLD_SEND(w->client, BEGIN, { { "transaction", "t" } });
    case DO_COMMIT:
      return WORLD_SEND(w->client, COMMIT, { { "transaction", "t" } });
    case DO_ABORT:
      return WORLD_SEND(w->client, ABORT, { { "transaction", "t" } });
    case DO_SEND_IN_T:
      return WORLD_SEND(w->client, SEND,
                        { { "destination", "/a" }, { "transaction", "t" } });
    case DO_ACK_1: return world_ack(w, 0, false, false);
    case DO_NACK_1: return world_ack(w, 0, true, false);
    case DO_ACK_2: return world_ack(w, 1, false, false);
    case DO_ACK_1_IN_T: return world_ack(w, 0, false, true);
    case DO_DISCONNECT: return world_disconnect(w);
    default: stomp_connection_close(w->client, w->now); return STOMP_OK;
  }
}

static stomp_status world_message(world *w) {
  const char *id = w->model.n_sent ? "m2" : "m1";
  return WORLD_SEND(w->server, MESSAGE,
                    { { "destination", "/a" },
                      { "message-id", id },
                      { "subscription", "1" },
                      { "ack", id } });
}

static stomp_status world_server(world *w, action move) {
  switch (move) {
    case DO_ACCEPT: return stomp_connection_accept(w->server, NULL, 0, w->now);
    case DO_REFUSE:
      return stomp_connection_refuse(w->server,
                                     (stomp_span){ (const uint8_t *)"no", 2 },
                                     (stomp_span){ NULL, 0 });
    case DO_MESSAGE: return world_message(w);
    case DO_RECEIPT:
      return WORLD_SEND(w->server, RECEIPT, { { "receipt-id", "r" } });
    case DO_LAST_RECEIPT:
      return WORLD_SEND(w->server, RECEIPT,
                        { { "receipt-id", "stomp-disconnect" } });
    case DO_ERROR: return WORLD_SEND(w->server, ERROR, { { "message", "no" } });
    default: stomp_connection_close(w->server, w->now); return STOMP_OK;
  }
}

static bool is_client_move(action move) {
  switch (move) {
    case DO_ACCEPT:
    case DO_REFUSE:
    case DO_MESSAGE:
    case DO_RECEIPT:
    case DO_LAST_RECEIPT:
    case DO_ERROR:
    case DO_SERVER_CLOSE: return false;
    default: return true;
  }
}

static stomp_status world_expects(const model *m, action move) {
  if (move == DO_CLIENT_CLOSE || move == DO_SERVER_CLOSE ||
      move == DO_TO_SERVER || move == DO_TO_CLIENT)
    return STOMP_OK;
  return is_client_move(move) ? expect_client(m, move) : expect_server(m, move);
}

static stomp_status world_do(world *w, action move) {
  return is_client_move(move) ? world_client(w, move) : world_server(w, move);
}

/* A legal move: both sides and the model make it, and agree. */
static void world_move(world *w, action move) {
  if (move == DO_TO_SERVER || move == DO_TO_CLIENT) {
    world_deliver(w, move == DO_TO_CLIENT);
  } else {
    CHECK(world_do(w, move) == STOMP_OK);
    if (is_client_move(move))
      change_client(&w->model, move);
    else
      change_server(&w->model, move);
  }
  world_settle(w);
  world_check(w);
}

/* An illegal one: refused by its name, and nothing has happened. */
static void world_refuses(world *w, action move) {
  stomp_status wanted = world_expects(&w->model, move), got;
  size_t client = stomp_connection_output(w->client).len;
  size_t server = stomp_connection_output(w->server).len;
  got = world_do(w, move);
  CHECK(got == wanted);
  CHECK(stomp_connection_output(w->client).len == client);
  CHECK(stomp_connection_output(w->server).len == server);
  world_check(w);
}

/* ---- What the peer says out of turn ---- */

/* Whether that may come to this side now. */
static bool world_may_come(const model *m, bool to_client,
                           stomp_command command) {
  stomp_state s = to_client ? m->client.state : m->server.state;
  switch (command) {
    case STOMP_CONNECT_COMMAND:
    case STOMP_STOMP_COMMAND: return !to_client && s == STOMP_STATE_IDLE;
    case STOMP_CONNECTED_COMMAND:
      return to_client && s == STOMP_STATE_CONNECTING;
    case STOMP_MESSAGE_COMMAND:
    case STOMP_RECEIPT_COMMAND: return to_client && s >= STOMP_STATE_CONNECTED;
    case STOMP_ERROR_COMMAND: return to_client && s != STOMP_STATE_IDLE;
    case STOMP_NACK_COMMAND:
      return !to_client && s == STOMP_STATE_CONNECTED &&
             m->version >= STOMP_1_1;
    default: return !to_client && s == STOMP_STATE_CONNECTED;
  }
}

/* A frame with all headers that any needs; its octets, the NUL included. */
static size_t world_frame(char *to, stomp_version version,
                          stomp_command command) {
  const char *v = stomp_version_name(version);
  return (size_t)sprintf(to,
                         "%s\nversion:%s\naccept-version:%s\nid:1\n"
                         "destination:/a\nmessage-id:m\nsubscription:1\n"
                         "transaction:t\nreceipt-id:r\n\n",
                         stomp_command_name(command), v, v) +
         1;
}

/* It ends the connection, with its offset, now and later; a client is told. What
 * comes after the end is not looked at. */
static void world_intrudes(world *w, bool to_client, stomp_command command) {
  stomp_connection *c = to_client ? w->client : w->server;
  const stomp_error *error = stomp_connection_error(c);
  uint64_t at = stomp_connection_counts_of(c)->bytes_received;
  size_t said = stomp_connection_output(c).len;
  bool over = stomp_connection_state(c) == STOMP_STATE_CLOSED;
  stomp_status first = error->status;
  stomp_status told = !over                   ? STOMP_EUNEXPECTED
                      : first == STOMP_BERROR ? STOMP_OK
                                              : first;
  char text[256];
  size_t len = world_frame(text, w->model.version, command);
  CHECK(stomp_connection_feed(c, check_guarded(text, len), len, 0) == told);
  CHECK(stomp_connection_next(c) == NULL);
  CHECK(stomp_connection_feed(c, text, len, 0) == told);
  CHECK(stomp_connection_next(c) == NULL);
  CHECK(error->status == (over ? first : STOMP_EUNEXPECTED));
  CHECK(over || error->offset == at);
  CHECK(stomp_connection_state(c) == STOMP_STATE_CLOSED);
  CHECK((stomp_connection_output(c).len > said) == (!over && !to_client));
}
