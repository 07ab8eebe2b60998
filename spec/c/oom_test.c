/* SPDX-License-Identifier: MIT
 *
 * A whole conversation, over TCP, over WebSocket and through a proxy, in which
 * each request for memory fails once, n = 1, 2, 3 …, until none does. What a
 * caller asks for says ENOMEM, has changed nothing, and works when it is asked
 * again; a connection that cannot take what came ends, says so, and says so
 * again. Either way nothing is left allocated. (The machines by themselves are
 * run so by the tests of their vectors.) */
#include "pair.h"

#define LOG_SIZE 8192

typedef struct talk {
  check_memory m;
  uint64_t seed;
  stomp_random random;
  pair p;
  stomp_version version;
  bool websocket, proxy, compression;
  stomp_frame *messages[8];
  size_t n_messages;
  bool starved;       /* a connection could not go on */
  char log[LOG_SIZE]; /* the frames that came, to both */
} talk;

static bool fill(void *user, void *bytes, size_t len) {
  uint8_t *to = bytes;
  while (len--)
    *to++ = (uint8_t)check_random(user, 256);
  return true;
}

/* What fails for want of memory is done again. */
#define TRY(t, call)                                                           \
  do {                                                                         \
    stomp_status status_ = (call);                                             \
    if (status_ == STOMP_ENOMEM)                                               \
      status_ = (call);                                                        \
    CHECK(status_ == STOMP_OK);                                                \
  } while (0)

/* ---- Bytes to and fro ---- */

static void note(talk *t, const char *who, const stomp_frame *f) {
  char *end = t->log + strlen(t->log);
  snprintf(end, LOG_SIZE - strlen(t->log), "%s %s %u %zu\n", who,
           stomp_command_name(f->command), (unsigned)f->n_headers, f->body_len);
}

static void take_frames(talk *t, stomp_connection *c) {
  stomp_frame *f;
  while ((f = stomp_connection_next(c)) != NULL) {
    note(t, c == t->p.client ? "to client" : "to server", f);
    if (f->command == STOMP_MESSAGE_COMMAND && t->n_messages < 8)
      t->messages[t->n_messages++] = f;
    else
      stomp_frame_free(f);
  }
}

/* It ended for want of memory: that is what it says, now and later. */
static void check_starved(talk *t, stomp_connection *c) {
  bool no_receipt;
  t->starved = true;
  CHECK(stomp_connection_error(c)->status == STOMP_ENOMEM);
  CHECK(stomp_connection_wants_end(c));
  CHECK(PAIR_FEED(&t->p, c, "\n") == STOMP_ENOMEM);
  CHECK(stomp_connection_closed(c, 0, (stomp_span){ NULL, 0 }, &no_receipt) ==
        STOMP_ENOMEM);
  CHECK(PAIR_SAY(&t->p, c, SEND, "a", "b", "c", "d") == STOMP_CCLOSED);
}

static void give(talk *t, stomp_connection *to, const void *bytes, size_t len) {
  stomp_status status;
  if (t->starved)
    return;
  status = pair_feed(&t->p, to, bytes, len);
  take_frames(t, to);
  if (status == STOMP_ENOMEM)
    check_starved(t, to);
  else
    CHECK(status == STOMP_OK);
}

/* Half a piece at a time, so that something is always unfinished. */
static bool carry(talk *t, stomp_connection *from, stomp_connection *to) {
  stomp_span out = stomp_connection_output(from);
  size_t half = (out.len + 1) / 2;
  if (t->starved || out.len == 0)
    return false;
  give(t, to, out.bytes, half);
  give(t, to, out.bytes + half, out.len - half);
  stomp_connection_consume(from, out.len);
  return true;
}

static void settle(talk *t) {
  bool more = true;
  while (more) {
    more = carry(t, t->p.client, t->p.server);
    more = carry(t, t->p.server, t->p.client) || more;
  }
}

/* ---- The conversation ---- */

static stomp_connection *open_one(talk *t, stomp_role role) {
  stomp_connection *c = pair_new(&t->p, role);
  if (!c) {
    CHECK(t->p.error.status == STOMP_ENOMEM);
    c = pair_new(&t->p, role);
  }
  if (!c)
    abort();
  return c;
}

static void open_both(talk *t) {
  static const stomp_field login = { "login", 5, "guest", 5 };
  static const stomp_field cookie = { "Cookie", 6, "a=b", 3 };
  stomp_connection_options *o = &t->p.options;
  t->random = (stomp_random){ fill, &t->seed };
  pair_init(&t->p, &t->m.memory, &t->random, t->version, t->websocket);
  o->session.connect = &login;
  o->session.n_connect = 1;
  o->session.heartbeat[0] = 1000;
  o->upgrade_headers = &cookie;
  o->n_upgrade_headers = 1;
  o->compression = t->compression;
  o->proxy_target = t->proxy ? "broker:80" : NULL;
  o->proxy_authorization = t->proxy ? "Basic x" : NULL;
  t->p.client = open_one(t, STOMP_CLIENT);
  t->p.server = open_one(t, STOMP_SERVER);
}

static void connect_both(talk *t) {
  static const stomp_field name = { "server", 6, "test/1", 6 };
  static const char tunnel[] = "HTTP/1.1 200 Go on\r\nVia: us\r\n\r\n";
  TRY(t, stomp_connection_connect(t->p.client, 0));
  if (t->proxy) {
    stomp_connection_consume(t->p.client,
                             stomp_connection_output(t->p.client).len);
    give(t, t->p.client, tunnel, sizeof tunnel - 1);
  }
  settle(t);
  if (t->starved)
    return;
  TRY(t, stomp_connection_accept(t->p.server, &name, 1, 0));
  settle(t);
}

static void say(talk *t, stomp_connection *from, stomp_command command,
                const char *name, const char *value, const char *more,
                const char *what) {
  const char *const headers[2][2] = { { name, value }, { more, what } };
  if (t->starved)
    return;
  TRY(t, pair_say(&t->p, from, command, headers, (stomp_span){ NULL, 0 }));
  settle(t);
}

/* At 1.0 ids are not told: destinations do. */
static void subscribe(talk *t, const char *id, const char *mode) {
  stomp_field fields[] = { { "id", 2, id, 1 },
                           { "destination", 11, id, 1 },
                           { "ack", 3, mode, strlen(mode) },
                           { "receipt", 7, id, 1 } };
  stomp_outgoing frame = { .command = STOMP_SUBSCRIBE_COMMAND,
                           .headers = fields,
                           .n_headers = 4 };
  if (t->version == STOMP_1_0) {
    frame.headers++;
    frame.n_headers--;
  }
  if (t->starved)
    return;
  TRY(t, stomp_connection_send(t->p.client, &frame, &t->p.error));
  settle(t);
  say(t, t->p.server, STOMP_RECEIPT_COMMAND, "receipt-id", id, "a", "b");
}

static void message(talk *t, const char *id, size_t len) {
  static const char body[3000];
  stomp_field fields[] = { { "subscription", 12, id, 1 },
                           { "destination", 11, id, 1 },
                           { "message-id", 10, "m:1", 3 },
                           { "ack", 3, "a:1", 3 } };
  stomp_outgoing frame = { .command = STOMP_MESSAGE_COMMAND,
                           .headers = fields,
                           .n_headers = 4,
                           .body = body,
                           .body_len = len };
  if (t->version == STOMP_1_0) {
    frame.headers++;
    frame.n_headers--;
  }
  if (t->starved)
    return;
  TRY(t, stomp_connection_send(t->p.server, &frame, &t->p.error));
  settle(t);
}

static void ack(talk *t, size_t i, const char *transaction) {
  stomp_field field = { "transaction", 11, transaction, 1 };
  if (t->starved)
    return;
  CHECK(i < t->n_messages);
  TRY(t, stomp_connection_ack(t->p.client, t->messages[i], false, &field,
                              transaction ? 1 : 0, &t->p.error));
  settle(t);
}

static void work(talk *t) {
  subscribe(t, "1", "client");
  subscribe(t, "2", t->version == STOMP_1_0 ? "client" : "client-individual");
  message(t, "1", 3000);
  message(t, "1", 0);
  message(t, "2", 1);
  say(t, t->p.client, STOMP_BEGIN_COMMAND, "transaction", "t", "a", "b");
  say(t, t->p.client, STOMP_BEGIN_COMMAND, "transaction", "u", "a", "b");
  ack(t, 0, "t");
  ack(t, 2, "u");
  say(t, t->p.client, STOMP_COMMIT_COMMAND, "transaction", "t", "a", "b");
  say(t, t->p.client, STOMP_ABORT_COMMAND, "transaction", "u", "a", "b");
  ack(t, 1, NULL);
  ack(t, 2, NULL);
  say(t, t->p.client, STOMP_SEND_COMMAND, "destination", "/a", "receipt", "r");
  say(t, t->p.server, STOMP_RECEIPT_COMMAND, "receipt-id", "r", "a", "b");
  say(t, t->p.client, STOMP_UNSUBSCRIBE_COMMAND,
      t->version == STOMP_1_0 ? "destination" : "id", "1", "a", "b");
}

/* A beat or ping that cannot be made: what waits for it would be in vain. */
static void tick(talk *t, stomp_connection *c, uint64_t now) {
  stomp_status status;
  if (t->starved)
    return;
  t->p.now = now;
  status = stomp_connection_tick(c, now);
  if (status == STOMP_ENOMEM)
    check_starved(t, c);
  else
    CHECK(status == STOMP_OK);
  settle(t);
}

static void part(talk *t) {
  const char *receipt;
  bool no_receipt;
  if (t->starved)
    return;
  TRY(t, stomp_connection_disconnect(t->p.client, t->p.now, &receipt,
                                     &t->p.error));
  settle(t);
  say(t, t->p.server, STOMP_RECEIPT_COMMAND, "receipt-id", receipt, "a", "b");
  if (t->starved)
    return;
  CHECK(stomp_connection_closed(t->p.client, 0, (stomp_span){ NULL, 0 },
                                &no_receipt) == STOMP_OK);
  CHECK(!no_receipt);
}

static void run(talk *t, size_t fail_at) {
  stomp_version version = t->version;
  bool websocket = t->websocket, proxy = t->proxy;
  bool compression = t->compression;
  size_t i;
  memset(t, 0, sizeof *t);
  t->version = version;
  t->websocket = websocket;
  t->proxy = proxy;
  t->compression = compression;
  check_memory_init(&t->m, fail_at);
  open_both(t);
  connect_both(t);
  work(t);
  tick(t, t->p.client, 1000);
  tick(t, t->p.client, 30000);
  part(t);
  for (i = 0; i < t->n_messages; i++)
    stomp_frame_free(t->messages[i]);
  pair_close(&t->p);
  CHECK(t->m.live == 0);
}

static void run_all(stomp_version version, bool websocket, bool proxy,
                    bool compression) {
  static talk t;
  static char expected[LOG_SIZE];
  size_t n = 0, starved = 0, unhurt = 0;
  t = (talk){ .version = version,
              .websocket = websocket,
              .proxy = proxy,
              .compression = compression };
  run(&t, 0);
  strcpy(expected, t.log);
  CHECK(!t.starved && strstr(t.log, "to server DISCONNECT"));
  do {
    run(&t, ++n);
    starved += t.starved;
    unhurt += !t.starved;
    CHECK(strncmp(expected, t.log, strlen(t.log)) == 0); /* up to there */
    CHECK(t.starved || strcmp(expected, t.log) == 0);
  } while (t.m.n >= n);
  CHECK(starved > 3 && unhurt > 10);
  printf("%s%s%s%s: %zu requests, %zu ended it, %zu did not\n",
         stomp_version_name(version), websocket ? " over WebSocket" : "",
         proxy ? " through a proxy" : "", compression ? ", compressed" : "",
         n - 1, starved, unhurt - 1);
}

/* ---- The request of an upgrade ---- */

/* Prepared before anything is sent; its buffer grows at each of its parts. */
static void test_requests_of_every_length(void) {
  static char path[1100] = "/", secret[1100];
  static char protocol[64];
  const char *protocols[12];
  const stomp_field more = { "Cookie", 6, "a=b", 3 };
  stomp_handshake_options o = { .host = "broker.test",
                                .path = path,
                                .proxy_target = secret,
                                .proxy_authorization = secret,
                                .headers = &more,
                                .n_headers = 1,
                                .protocols = protocols,
                                .n_protocols = 12,
                                .compression = true,
                                .limit = 4096 };
  uint64_t seed = 1;
  stomp_random random = { fill, &seed };
  size_t len, n;
  for (n = 0; n < 12; n++)
    protocols[n] = protocol;
  for (len = 1; len < sizeof path - 1; len++) {
    check_memory m;
    memset(path + 1, 'p', len - 1);
    memset(secret, 's', len);
    memset(protocol, 'x', 1 + len % 60);
    protocol[1 + len % 60] = '\0';
    n = 0;
    do {
      stomp_handshake *h;
      stomp_buffer out;
      stomp_error error;
      check_memory_init(&m, ++n);
      o.memory = &m.memory;
      o.random = &random;
      stomp_buffer_init(&out, &m.memory, 4096);
      h = stomp_handshake_new(&o, &out, &error);
      CHECK((h == NULL) == (m.n >= n));
      CHECK(h || error.status == STOMP_ENOMEM);
      stomp_handshake_free(h);
      CHECK(m.live == 0);
    } while (m.n >= n);
  }
}

int main(void) {
  stomp_version v;
  for (v = STOMP_1_0; v <= STOMP_1_2; v++)
    run_all(v, false, false, false);
  run_all(STOMP_1_2, true, false, false);
  run_all(STOMP_1_2, true, true, false);
  if (stomp_deflate_is_built_in())
    run_all(STOMP_1_2, true, false, true);
  test_requests_of_every_length();
  return check_result("oom");
}
