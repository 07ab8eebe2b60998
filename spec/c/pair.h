/* SPDX-License-Identifier: MIT
 *
 * A client and a server connection joined in memory, for the tests that need
 * both. Every input ends at a page that cannot be read. */
#ifndef STOMP_PAIR_H
#define STOMP_PAIR_H

#include "check.h"
#include "core/connection.h"

typedef struct pair {
  stomp_connection_options options; /* of both; the role is set by pair_new */
  stomp_connection *client, *server;
  uint64_t now;
  stomp_error error; /* of the last call that has one */
} pair;

/* Of this version alone, no heart-beats. */
static inline void pair_init(pair *p, const stomp_memory *memory,
                             const stomp_random *random, stomp_version version,
                             bool websocket) {
  stomp_version v;
  memset(p, 0, sizeof *p);
  stomp_connection_defaults(&p->options);
  p->options.websocket = websocket;
  p->options.session.memory = memory;
  p->options.session.random = random;
  p->options.session.heartbeat[0] = p->options.session.heartbeat[1] = 0;
  for (v = STOMP_1_0; v <= STOMP_1_2; v++)
    p->options.session.versions[v] = v == version;
}

static inline stomp_connection *pair_new(pair *p, stomp_role role) {
  p->options.session.role = role;
  return stomp_connection_new(&p->options, &p->error);
}

static inline stomp_status pair_feed(pair *p, stomp_connection *to,
                                     const void *bytes, size_t len) {
  return stomp_connection_feed(to, check_guarded(bytes, len), len, p->now);
}

/* A literal with all of its NULs. */
#define PAIR_FEED(p, to, text) pair_feed((p), (to), (text), sizeof(text) - 1)

/* All that `from` has to say goes over; false: it had nothing to say. A failure
 * is kept by the connection that has it. */
static inline bool pair_carry(pair *p, stomp_connection *from,
                              stomp_connection *to) {
  stomp_span out = stomp_connection_output(from);
  if (out.len == 0)
    return false;
  (void)!pair_feed(p, to, out.bytes, out.len);
  stomp_connection_consume(from, out.len);
  return true;
}

/* … and to and fro, until both are silent. */
static inline void pair_settle(pair *p) {
  bool more = true;
  while (more) {
    more = pair_carry(p, p->client, p->server);
    more = pair_carry(p, p->server, p->client) || more;
  }
}

/* Drop the frames that came; how many. */
static inline size_t pair_drop(stomp_connection *c) {
  stomp_frame *frame;
  size_t n = 0;
  for (; (frame = stomp_connection_next(c)) != NULL; n++)
    stomp_frame_free(frame);
  return n;
}

/* Both are connected, and silent. */
static inline void pair_open(pair *p) {
  p->client = pair_new(p, STOMP_CLIENT);
  p->server = pair_new(p, STOMP_SERVER);
  if (!p->client || !p->server)
    abort();
  CHECK(stomp_connection_connect(p->client, p->now) == STOMP_OK);
  pair_settle(p);
  CHECK(stomp_connection_accept(p->server, NULL, 0, p->now) == STOMP_OK);
  pair_settle(p);
  CHECK(pair_drop(p->server) == 1 && pair_drop(p->client) == 1);
  CHECK(stomp_connection_state(p->client) == STOMP_STATE_CONNECTED);
}

static inline void pair_close(pair *p) {
  stomp_connection_free(p->client);
  stomp_connection_free(p->server);
  p->client = p->server = NULL;
}

/* Send a frame with two headers and a body. */
static inline stomp_status pair_say(pair *p, stomp_connection *from,
                                    stomp_command command,
                                    const char *const headers[2][2],
                                    stomp_span body) {
  stomp_field fields[2];
  stomp_outgoing frame = { .command = command,
                           .headers = fields,
                           .n_headers = 2,
                           .body = (const char *)body.bytes,
                           .body_len = body.len };
  size_t i;
  for (i = 0; i < 2; i++)
    fields[i] = (stomp_field){ headers[i][0], strlen(headers[i][0]),
                               headers[i][1], strlen(headers[i][1]) };
  return stomp_connection_send(from, &frame, &p->error);
}

#define PAIR_SAY(p, from, command, name, value, more, what)                    \
  pair_say(                                                                    \
    (p), (from), STOMP_##command##_COMMAND,                                    \
    (const char *const[2][2]){ { (name), (value) }, { (more), (what) } },      \
    (stomp_span){ NULL, 0 })

#endif
