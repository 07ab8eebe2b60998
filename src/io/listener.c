/* SPDX-License-Identifier: MIT
 *
 * See listener.h. The socket is ours and libwebsockets only watches it: two of
 * its own listeners on one port share a socket in silence, it does not say why
 * it cannot listen, and without descriptors left it spins. */
#include "listener.h"
#include "dial.h"
#include "link_private.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 256 /* accepted links that nobody took yet: then refused */
#define ROUND   64  /* accepted in one round, so that others get their turn */

struct stompio_listener {
  stompio_owner owner; /* first: what the socket's callbacks get */
  stompio_job job;
  unsigned generation;
  unsigned port;
  stompio_link_options options;

  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* under lock */
  bool done; /* the job has run */
  bool watched;
  stompio_event event;
  stompio_link *queue[BACKLOG];
  size_t n_queue;

  bool closed; /* caller's thread */
  int fd;      /* the caller's until the I/O thread watches it */
  int spare;   /* I/O thread, while it runs: given up when none is left */
};

/* ---- I/O thread ---- */

/* A link for the socket, which is taken in any case. */
static void take(stompio_listener *s, int fd) {
  stomp_error error;
  stompio_link *link;
  bool full;
  pthread_mutex_lock(&s->lock);
  full = s->n_queue == BACKLOG;
  pthread_mutex_unlock(&s->lock);
  link = full ? NULL : stompio_link_new(&s->options, &error);
  if (!link) {
    close(fd);
    return;
  }
  stompio_prepare_socket(fd);
  stompio_link_adopt(link, fd);
  pthread_mutex_lock(&s->lock);
  s->queue[s->n_queue++] = link;
  stompio_event_raise(&s->event);
  pthread_mutex_unlock(&s->lock);
}

/* No descriptor is left: the socket would stay readable for ever. With the
 * spare one the peer is let in and sent away. */
static void send_away(stompio_listener *s) {
  int fd;
  close(s->spare);
  fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd >= 0)
    close(fd);
  s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_readable(void *owner, unsigned char *none, size_t len) {
  stompio_listener *s = owner;
  int i;
  (void)none;
  (void)len;
  for (i = 0; i < ROUND; i++) {
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
      take(s, fd);
    else if ((errno == EMFILE || errno == ENFILE) && s->spare >= 0)
      send_away(s);
    else
      return; /* none is left, or it went again: poll says when to look */
  }
}

static bool on_writable(void *owner) {
  (void)owner;
  return true;
}

static void on_closed(void *owner) {
  (void)owner;
}

static const stompio_handler handler = { on_readable, on_writable, on_closed };

static void finished(stompio_listener *s, bool watched) {
  pthread_mutex_lock(&s->lock);
  s->done = true;
  s->watched = watched;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static void listen_job(stompio_job *job) {
  stompio_listener *s = lws_container_of(job, stompio_listener, job);
  finished(s, stompio_service_adopt(&s->owner, s->fd, true));
}

static void close_job(stompio_job *job) {
  stompio_listener *s = lws_container_of(job, stompio_listener, job);
  if (s->owner.wsi) /* else it went with the context */
    lws_set_timeout(s->owner.wsi, 1, LWS_TO_KILL_SYNC);
  finished(s, false);
}

/* ---- Caller's thread ---- */

/* Have the I/O thread run the job and wait for it. false: it is not running. */
static bool run(stompio_listener *s, void (*job)(stompio_job *)) {
  s->job.run = job;
  s->done = false;
  if (stompio_service_post(&s->job) == STOMPIO_REFUSED)
    return false;
  pthread_mutex_lock(&s->lock);
  while (!s->done)
    pthread_cond_wait(&s->changed, &s->lock);
  pthread_mutex_unlock(&s->lock);
  return true;
}

/* Links that nobody took. */
static void release_queue(stompio_listener *s) {
  stompio_link *queue[BACKLOG];
  size_t n, i;
  pthread_mutex_lock(&s->lock);
  n = s->n_queue;
  memcpy(queue, s->queue, n * sizeof *queue);
  s->n_queue = 0;
  pthread_mutex_unlock(&s->lock);
  for (i = 0; i < n; i++)
    stompio_link_release(queue[i]);
}

static void close_sockets(stompio_listener *s) {
  if (s->fd >= 0)
    close(s->fd);
  if (s->spare >= 0)
    close(s->spare);
  s->fd = s->spare = -1;
}

static void free_listener(stompio_listener *s) {
  release_queue(s);
  close_sockets(s);
  stompio_event_close(&s->event);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

static unsigned port_of(int fd) {
  struct sockaddr_storage at = { 0 };
  socklen_t len = sizeof at;
  in_port_t port = 0;
  if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
    return 0;
  if (at.ss_family == AF_INET)
    port = ((struct sockaddr_in *)&at)->sin_port;
  else if (at.ss_family == AF_INET6)
    port = ((struct sockaddr_in6 *)&at)->sin6_port;
  return ntohs(port);
}

/* A listening socket, or -1 with errno. */
static int listen_at(const struct addrinfo *a) {
  int one = 1, number;
  int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  /* a port whose connections are in TIME_WAIT can be had again */
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
    return fd;
  number = errno;
  close(fd);
  errno = number;
  return -1;
}

/* NULL, or why it cannot listen there. */
static const char *open_socket(stompio_listener *s, const char *host,
                               unsigned port) {
  struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                            .ai_socktype = SOCK_STREAM };
  struct addrinfo *list = NULL;
  char text[8];
  int status;
  snprintf(text, sizeof text, "%u", port);
  status = getaddrinfo(host, text, &hints, &list);
  if (status != 0)
    return "not an address";
  s->fd = listen_at(list);
  freeaddrinfo(list);
  if (s->fd < 0)
    return strerror(errno);
  s->port = port_of(s->fd);
  s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return NULL;
}

static stompio_listener *fail(stompio_listener *s, const char *why,
                              stomp_error *error) {
  stomp_error_set(error, STOMP_CLISTEN, STOMP_NO_OFFSET);
  stomp_error_add(error, why);
  free_listener(s);
  return NULL;
}

/* An empty one, on no socket yet; NULL: no memory. */
static stompio_listener *new_listener(const stompio_link_options *options) {
  stompio_listener *s = calloc(1, sizeof *s);
  if (!s)
    return NULL;
  s->owner.handler = &handler;
  s->generation = stompio_service_generation();
  s->options = *options;
  s->fd = s->spare = s->event.fd = -1;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  return s;
}

stompio_listener *stompio_listener_open(const char *host, unsigned port,
                                        const stompio_link_options *options,
                                        stomp_error *error) {
  stompio_listener *s = new_listener(options);
  const char *why;
  stomp_error_clear(error);
  if (!s) {
    stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
    return NULL;
  }
  why = open_socket(s, host, port);
  if (!why && !stompio_event_init(&s->event))
    why = strerror(errno);
  if (!why && !run(s, listen_job))
    why = "the I/O thread is not running";
  if (!why && !s->watched) {
    s->fd = -1; /* libwebsockets has closed it */
    why = "too many open files";
  }
  if (!why)
    return s;
  fail(s, why, error);
  stomp_error_add(error, ": ");
  stomp_error_add(error, host);
  stomp_error_add(error, ":");
  stomp_error_add_number(error, port);
  return NULL;
}

static bool is_foreign(const stompio_listener *s) {
  return s->generation != stompio_service_generation();
}

void stompio_listener_close(stompio_listener *s) {
  if (is_foreign(s) || s->closed)
    return;
  s->closed = true;
  run(s, close_job);
  s->fd = -1; /* closed with its wsi */
  close_sockets(s);
  release_queue(s);
  pthread_mutex_lock(&s->lock);
  stompio_event_raise(&s->event);
  pthread_mutex_unlock(&s->lock);
}

void stompio_listener_release(stompio_listener *s) {
  if (!s || is_foreign(s))
    return;
  stompio_listener_close(s);
  free_listener(s);
}

unsigned stompio_listener_port(const stompio_listener *s) {
  return s->port;
}

int stompio_listener_fd(const stompio_listener *s) {
  return s->event.fd;
}

stompio_link *stompio_listener_next(stompio_listener *s) {
  stompio_link *link = NULL;
  if (is_foreign(s))
    return NULL;
  pthread_mutex_lock(&s->lock);
  if (s->n_queue) {
    link = s->queue[0];
    s->n_queue--;
    memmove(s->queue, s->queue + 1, s->n_queue * sizeof *s->queue);
  }
  if (s->n_queue == 0)
    stompio_event_lower(&s->event);
  pthread_mutex_unlock(&s->lock);
  return link;
}
