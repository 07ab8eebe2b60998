/* SPDX-License-Identifier: MIT
 *
 * STOMP over a plain TCP socket with src/core alone, without Lua: memory, random
 * bytes and the socket are this program's, the protocol is the core's. It
 * subscribes, sends TEXT, acknowledges it when it comes, and leaves. (Heart-beats
 * are off, so time may stand still; docs/core.md has the loop with a clock.)
 *   embed HOST PORT DESTINATION TEXT          (`make embed` builds it) */
#include "core/connection.h"
#include <err.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define FIELD(name, value)                                                     \
  { name, sizeof(name) - 1, value, strlen(value) }

static void *resize(void *user, void *block, size_t old_size, size_t new_size) {
  void *moved = new_size ? realloc(block, new_size) : (free(block), NULL);
  (void)user;
  return moved || !new_size || new_size > old_size ? moved : block;
}

static bool fill(void *user, void *bytes, size_t len) {
  (void)user;
  return getrandom(bytes, len, 0) == (ssize_t)len;
}

static int dial(const char *host, const char *port) {
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *a;
  int fd, why = getaddrinfo(host, port, &hints, &a);
  if (why)
    errx(1, "%s: %s", host, gai_strerror(why));
  fd = socket(a->ai_family, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, a->ai_addr, a->ai_addrlen) != 0)
    err(1, "%s:%s", host, port);
  freeaddrinfo(a);
  return fd;
}

static void check(stomp_status status, const stomp_error *error) {
  if (status != STOMP_OK)
    errx(1, "%s %s", stomp_status_sentence(status), error->detail);
}

static void handle(stomp_connection *c, stomp_frame *f, char **argv) {
  const stomp_field fields[] = { FIELD("destination", argv[3]),
                                 FIELD("id", "1"), FIELD("ack", "client") };
  stomp_outgoing out = { STOMP_SUBSCRIBE_COMMAND, fields, 3, "", 0, false };
  stomp_error error;
  const char *receipt;
  printf("%s %.*s\n", stomp_command_name(f->command), (int)f->body_len,
         (const char *)stomp_frame_body(f).bytes);
  if (f->command == STOMP_CONNECTED_COMMAND) {
    check(stomp_connection_send(c, &out, &error), &error);
    out = (stomp_outgoing){ STOMP_SEND_COMMAND, fields, 1, argv[4],
                            strlen(argv[4]),    false };
    check(stomp_connection_send(c, &out, &error), &error);
  } else if (f->command == STOMP_MESSAGE_COMMAND) {
    check(stomp_connection_ack(c, f, false, NULL, 0, &error), &error);
    check(stomp_connection_disconnect(c, 0, &receipt, &error), &error);
  }
  stomp_frame_free(f);
}

int main(int argc, char **argv) {
  const stomp_memory memory = { resize, NULL };
  const stomp_random random = { fill, NULL };
  const stomp_field connect[] = { FIELD("host", "/") };
  stomp_connection_options options;
  stomp_connection *c;
  stomp_frame *f;
  stomp_error error;
  bool no_receipt;
  char input[65536];
  ssize_t n = 1;
  int fd;
  if (argc != 5)
    errx(2, "usage: embed HOST PORT DESTINATION TEXT");
  stomp_connection_defaults(&options);
  options.websocket = false;
  options.session.memory = &memory;
  options.session.random = &random;
  options.session.connect = connect;
  options.session.n_connect = 1;
  options.session.heartbeat[0] = options.session.heartbeat[1] = 0;
  if (!(c = stomp_connection_new(&options, &error)))
    check(error.status, &error);
  fd = dial(argv[1], argv[2]);
  check(stomp_connection_connect(c, 0), stomp_connection_error(c));
  while (n > 0 && !stomp_connection_wants_end(c)) {
    stomp_span out = stomp_connection_output(c);
    if (out.len) {
      n = send(fd, out.bytes, out.len, MSG_NOSIGNAL);
      stomp_connection_consume(c, n > 0 ? (size_t)n : 0);
    } else if ((n = read(fd, input, sizeof input)) > 0) {
      if (stomp_connection_feed(c, input, (size_t)n, 0) != STOMP_OK)
        n = 0; /* why is told below, after the frames before it */
      while ((f = stomp_connection_next(c)))
        handle(c, f, argv);
    }
  }
  close(fd);
  check(stomp_connection_closed(c, 0, (stomp_span){ NULL, 0 }, &no_receipt),
        stomp_connection_error(c));
  printf("done%s\n", no_receipt ? ", no receipt" : "");
  stomp_connection_free(c);
  return 0;
}
