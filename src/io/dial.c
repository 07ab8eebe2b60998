/* SPDX-License-Identifier: MIT
 *
 * See dial.h. The thread owns the dial until it posts it as a job; from then on
 * it is the I/O thread's. `owner` is read and written by the I/O thread only. */
#include "dial.h"
#include "os/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RACE_MS    250  /* RFC 8305, 5: Connection Attempt Delay */
#define LOOK_MS    1000 /* whether it was given up */
#define MOST       16   /* addresses that are tried */
#define ATTEMPT_MS 120000

struct stompio_dial {
  stompio_job job; /* first: the job is the dial */
  char host[256];
  char port[8];
  stompio_dialed *done;
  void *owner;           /* NULL: abandoned */
  atomic_bool abandoned; /* both threads: nobody wants it any more */
  int fd;
  stomp_error error;
};

typedef struct race {
  struct pollfd fds[MOST];
  int n; /* started */
  int alive;
} race;

/* ---- Errors ---- */

static void fail(stompio_dial *d, stomp_status status, const char *why) {
  stomp_error_set(&d->error, status, STOMP_NO_OFFSET);
  stomp_error_add(&d->error, why);
  stomp_error_add(&d->error, ": ");
  stomp_error_add(&d->error, d->host);
  if (status != STOMP_CNAME) {
    stomp_error_add(&d->error, ":");
    stomp_error_add(&d->error, d->port);
  }
}

static void fail_errno(stompio_dial *d, int number) {
  char text[96];
  /* GNU's strerror_r, which may not use the buffer */
  fail(d, STOMP_CCONNECT, strerror_r(number, text, sizeof text));
}

/* ---- One attempt ---- */

static void set_int(int fd, int level, int name, int value) {
  /* a socket that does not know an option works without it */
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

/* Neither libwebsockets nor anybody else sets these. A peer that died is found
 * after about a minute also while we send nothing or do not read. */
void stompio_prepare_socket(int fd) {
  set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 20);
  set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
  set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60000);
}

/* A socket that is connected or connecting, or -1 with errno. */
static int start(const struct addrinfo *a) {
  int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                  a->ai_protocol);
  if (fd < 0)
    return -1;
  stompio_prepare_socket(fd);
  if (connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS) {
    int number = errno;
    close(fd);
    errno = number;
    return -1;
  }
  return fd;
}

/* ---- The race ---- */

static void close_others(race *r, int winner) {
  int i;
  for (i = 0; i < r->n; i++)
    if (r->fds[i].fd >= 0 && r->fds[i].fd != winner)
      close(r->fds[i].fd);
}

static const struct addrinfo *enter(race *r, const struct addrinfo *a,
                                    stompio_dial *d) {
  int fd = start(a);
  if (fd < 0) {
    fail_errno(d, errno);
  } else {
    r->fds[r->n++] = (struct pollfd){ .fd = fd, .events = POLLOUT };
    r->alive++;
  }
  return a->ai_next;
}

/* The socket that made it, -1: none yet. */
static int look(race *r, stompio_dial *d) {
  int i;
  for (i = 0; i < r->n; i++) {
    int number = 0;
    socklen_t len = sizeof number;
    if (r->fds[i].fd < 0 || !r->fds[i].revents)
      continue;
    if (getsockopt(r->fds[i].fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
      number = errno;
    if (number == 0)
      return r->fds[i].fd;
    fail_errno(d, number);
    close(r->fds[i].fd);
    r->fds[i].fd = -1;
    r->alive--;
  }
  return -1;
}

static int run_race(stompio_dial *d, const struct addrinfo *next) {
  race r = { .n = 0 };
  uint64_t end = stomp_clock_ms() + ATTEMPT_MS;
  int winner = -1;
  while (winner < 0 && stomp_clock_ms() < end && !atomic_load(&d->abandoned)) {
    bool more = next && r.n < MOST;
    if (!r.alive && !more)
      break;
    if (more)
      next = enter(&r, next, d);
    if (!r.alive)
      continue;
    if (poll(r.fds, (nfds_t)r.n, next && r.n < MOST ? RACE_MS : LOOK_MS) > 0)
      winner = look(&r, d);
  }
  close_others(&r, winner);
  if (winner < 0 && d->error.status == STOMP_OK)
    fail_errno(d, ETIMEDOUT);
  return winner;
}

static void dial(stompio_dial *d) {
  struct addrinfo hints, *list = NULL;
  int status;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  status = getaddrinfo(d->host, d->port, &hints, &list);
  if (status != 0) {
    fail(d, STOMP_CNAME,
         status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status));
    return;
  }
  d->fd = run_race(d, list);
  freeaddrinfo(list);
}

/* ---- The thread ---- */

static void free_dial(stompio_dial *d) {
  if (d->fd >= 0)
    close(d->fd);
  free(d);
}

static void deliver(stompio_job *job) {
  stompio_dial *d = (stompio_dial *)job;
  if (d->owner) {
    int fd = d->fd;
    d->fd = -1;
    d->done(d->owner, fd, &d->error);
  }
  free_dial(d);
}

static void *run(void *arg) {
  stompio_dial *d = arg;
  dial(d);
  if (stompio_service_post(&d->job) == STOMPIO_REFUSED)
    free_dial(d); /* the I/O thread is gone, and with it the owner's interest */
  return NULL;
}

stompio_dial *stompio_dial_start(const char *host, unsigned port,
                                 stompio_dialed *done, void *owner,
                                 stomp_error *error) {
  stompio_dial *d = calloc(1, sizeof *d);
  pthread_attr_t attributes;
  pthread_t thread;
  int status;
  stomp_error_clear(error);
  if (!d) {
    stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
    return NULL;
  }
  d->job.run = deliver;
  d->fd = -1;
  d->done = done;
  d->owner = owner;
  atomic_init(&d->abandoned, false);
  stomp_error_clear(&d->error);
  snprintf(d->host, sizeof d->host, "%s", host);
  snprintf(d->port, sizeof d->port, "%u", port);
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  /* signals are blocked in the I/O thread, and a thread inherits that */
  status = pthread_create(&thread, &attributes, run, d);
  pthread_attr_destroy(&attributes);
  if (status != 0) {
    stomp_error_set(error, STOMP_CTHREAD, STOMP_NO_OFFSET);
    free(d);
    return NULL;
  }
  return d;
}

void stompio_dial_abandon(stompio_dial *dial) {
  dial->owner = NULL;
  atomic_store(&dial->abandoned, true);
}
