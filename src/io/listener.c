/* SPDX-License-Identifier: MIT
 *
 * See listener.h. The vhost is made and destroyed by jobs on the I/O thread. */
#include "listener.h"
#include "dial.h"
#include "link_private.h"
#include <stdlib.h>
#include <string.h>

#define BACKLOG 256 /* accepted links that nobody took yet: then refused */

struct stompio_listener {
  stompio_acceptor acceptor; /* first: what a protocol's user points to */
  stompio_job job;
  char host[64];
  unsigned generation;
  stompio_link_options options;

  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* under lock */
  bool done; /* the job has run */
  bool closing;
  unsigned port;
  stompio_event event;
  stompio_link *queue[BACKLOG];
  size_t n_queue;

  struct lws_vhost *vhost;         /* I/O thread only */
  struct lws_protocols *protocols; /* I/O thread only, lent */
};

/* ---- I/O thread ---- */

static stompio_owner *on_accept(stompio_acceptor *acceptor, struct lws *wsi) {
  stompio_listener *s = (stompio_listener *)acceptor;
  stomp_error error;
  stompio_link *link = NULL;
  bool full;
  pthread_mutex_lock(&s->lock);
  full = s->closing || s->n_queue == BACKLOG;
  pthread_mutex_unlock(&s->lock);
  if (!full)
    link = stompio_link_new(&s->options, &error);
  if (!link)
    return NULL;
  link->started = true;
  link->owner.wsi = wsi;
  stompio_prepare_socket(lws_get_socket_fd(wsi));
  pthread_mutex_lock(&s->lock);
  s->queue[s->n_queue++] = link;
  stompio_event_raise(&s->event);
  pthread_mutex_unlock(&s->lock);
  return &link->owner;
}

static void finished(stompio_listener *s) {
  pthread_mutex_lock(&s->lock);
  s->done = true;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static void listen_job(stompio_job *job) {
  stompio_listener *s = lws_container_of(job, stompio_listener, job);
  struct lws_context_creation_info info;
  int port;
  memset(&info, 0, sizeof info);
  s->protocols = stompio_service_lend(&s->acceptor);
  if (!s->protocols) {
    finished(s);
    return;
  }
  info.port = (int)s->port;
  info.iface = s->host;
  info.protocols = s->protocols;
  info.listen_accept_role = "raw-skt";
  info.listen_accept_protocol = "stomp";
  info.vhost_name = "stomp-listener";
  info.options = LWS_SERVER_OPTION_ADOPT_APPLY_LISTEN_ACCEPT_CONFIG |
                 LWS_SERVER_OPTION_ONLY_RAW;
  s->vhost = lws_create_vhost(stompio_service_context(), &info);
  if (s->vhost) {
    port = lws_get_vhost_listen_port(s->vhost);
    pthread_mutex_lock(&s->lock);
    s->port = port > 0 ? (unsigned)port : 0;
    pthread_mutex_unlock(&s->lock);
  }
  finished(s);
}

/* Links that were accepted keep their vhost until they end: libwebsockets 4.1
 * leaves them running, later ones close them. */
static void close_job(stompio_job *job) {
  stompio_listener *s = lws_container_of(job, stompio_listener, job);
  if (stompio_service_context()) { /* else both went with the context */
    if (s->vhost)
      lws_vhost_destroy(s->vhost);
    if (s->protocols)
      stompio_service_give_back(s->protocols);
  }
  finished(s);
}

/* ---- Caller's thread ---- */

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

static void free_listener(stompio_listener *s) {
  size_t i;
  for (i = 0; i < s->n_queue; i++)
    stompio_link_release(s->queue[i]);
  stompio_event_close(&s->event);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

stompio_listener *stompio_listener_open(const char *host, unsigned port,
                                        const stompio_link_options *options,
                                        stomp_error *error) {
  stompio_listener *s = calloc(1, sizeof *s);
  stomp_error_clear(error);
  if (!s || strlen(host) >= sizeof s->host) {
    stomp_error_set(error, s ? STOMP_CLISTEN : STOMP_ENOMEM, STOMP_NO_OFFSET);
    free(s);
    return NULL;
  }
  strcpy(s->host, host);
  s->acceptor.on_accept = on_accept;
  s->generation = stompio_service_generation();
  s->options = *options;
  s->port = port;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  if (stompio_event_init(&s->event) && run(s, listen_job)) {
    if (s->vhost)
      return s;
    run(s, close_job);
  }
  stomp_error_set(error, STOMP_CLISTEN, STOMP_NO_OFFSET);
  stomp_error_add(error, host);
  stomp_error_add(error, ":");
  stomp_error_add_number(error, port);
  free_listener(s);
  return NULL;
}

void stompio_listener_release(stompio_listener *s) {
  if (!s || s->generation != stompio_service_generation())
    return;
  pthread_mutex_lock(&s->lock);
  s->closing = true;
  pthread_mutex_unlock(&s->lock);
  run(s, close_job);
  free_listener(s);
}

void stompio_listener_wake(stompio_listener *s) {
  if (s->generation != stompio_service_generation())
    return;
  pthread_mutex_lock(&s->lock);
  stompio_event_raise(&s->event);
  pthread_mutex_unlock(&s->lock);
}

unsigned stompio_listener_port(const stompio_listener *s) {
  return s->port;
}

int stompio_listener_fd(const stompio_listener *s) {
  return s->event.fd;
}

stompio_link *stompio_listener_next(stompio_listener *s) {
  stompio_link *link = NULL;
  if (s->generation != stompio_service_generation())
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
