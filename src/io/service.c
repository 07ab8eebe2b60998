/* SPDX-License-Identifier: MIT
 *
 * See service.h. The context is made, serviced and destroyed in the thread. A
 * job goes into the list first, then the thread is woken: in that order none
 * is lost. Jobs run after lws_service has returned, because a vhost must not be
 * destroyed inside a callback. */
#include "service.h"
#include "tls/tls.h"
#include "frames.h"
#include <libwebsockets.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* One read takes at most this much, one write as much. */
#define READ_SIZE  ((size_t)64 << 10)
#define WRITE_SIZE ((size_t)256 << 10)

/* libwebsockets allocates some 16 bytes for each descriptor allowed. */
#define MOST_DESCRIPTORS 65536

typedef enum phase { STOPPED, STARTING, RUNNING, STOPPING } phase;

/* The I/O thread's globals: the only ones of the project. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  phase phase;                 /* under lock */
  unsigned users;              /* under lock */
  stompio_job *first;          /* under lock: jobs in order */
  stompio_job **last;          /* under lock */
  struct lws_context *context; /* under lock; set while RUNNING */
  struct lws_vhost *vhost;     /* I/O thread only */
  pthread_t thread;            /* under lock */
  bool watched;                /* under lock: fork and exit */
  unsigned generation;         /* fixed in each process */
} service = { .lock = PTHREAD_MUTEX_INITIALIZER,
              .changed = PTHREAD_COND_INITIALIZER,
              .last = &service.first,
              .generation = 1 };

/* ---- libwebsockets' callback ---- */

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *user, void *in, size_t len) {
  stompio_owner *owner;
  (void)user;
  switch ((int)reason) {
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_ADOPT_FILE:
      owner = lws_get_opaque_user_data(wsi);
      if (owner)
        owner->wsi = wsi;
      return owner ? 0 : -1;
    case LWS_CALLBACK_RAW_RX:
    case LWS_CALLBACK_RAW_RX_FILE:
      owner = lws_get_opaque_user_data(wsi);
      if (owner)
        owner->handler->on_bytes(owner, in, len);
      return 0;
    case LWS_CALLBACK_RAW_WRITEABLE:
      owner = lws_get_opaque_user_data(wsi);
      return owner && owner->handler->on_writable(owner) ? 0 : -1;
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_RAW_CLOSE_FILE:
      owner = lws_get_opaque_user_data(wsi);
      lws_set_opaque_user_data(wsi, NULL);
      if (owner) {
        owner->wsi = NULL;
        owner->handler->on_closed(owner);
      }
      return 0;
    default: return 0; /* later versions have more reasons */
  }
}

/* Whatever libwebsockets calls `file` is a listening socket here. */
bool stompio_service_adopt(stompio_owner *owner, int fd, bool listening) {
  lws_adopt_desc_t how = { 0 };
  if (!service.context) { /* it is a last job, after the end */
    close(fd);
    return false;
  }
  how.vh = service.vhost;
  how.type = listening ? LWS_ADOPT_RAW_FILE_DESC : LWS_ADOPT_SOCKET;
  if (listening)
    how.fd.filefd = fd;
  else
    how.fd.sockfd = fd;
  how.vh_prot_name = "stomp";
  how.opaque = owner;
  return lws_adopt_descriptor_vhost_via_info(&how) != NULL;
}

/* ---- The thread ---- */

static struct lws_context *make_context(void) {
  struct lws_context_creation_info info;
  struct rlimit files;
  memset(&info, 0, sizeof info);
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  info.gid = -1;
  info.uid = -1;
  info.pt_serv_buf_size = (unsigned)READ_SIZE;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0)
    info.fd_limit_per_thread =
      (unsigned)(files.rlim_cur < MOST_DESCRIPTORS ? files.rlim_cur
                                                   : MOST_DESCRIPTORS);
  return lws_create_context(&info);
}

static struct lws_vhost *make_vhost(struct lws_context *context) {
  static const struct lws_protocols protocols[] = {
    { .name = "stomp",
      .callback = on_event,
      .rx_buffer_size = READ_SIZE,
      .tx_packet_size = WRITE_SIZE },
    { 0 }
  };
  struct lws_context_creation_info info;
  memset(&info, 0, sizeof info);
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.protocols = protocols;
  info.vhost_name = "stomp";
  return lws_create_vhost(context, &info);
}

/* Take all jobs at once and run them without the lock. Others may be queued
 * meanwhile, by jobs too: they run in the next round. */
static void run_jobs(void) {
  stompio_job *job, *next;
  pthread_mutex_lock(&service.lock);
  job = service.first;
  service.first = NULL;
  service.last = &service.first;
  pthread_mutex_unlock(&service.lock);
  for (; job; job = next) {
    pthread_mutex_lock(&service.lock);
    next = job->next;
    job->queued = false; /* it may be queued again from here on */
    pthread_mutex_unlock(&service.lock);
    job->run(job);
  }
}

static bool is_stopping(void) {
  bool stopping;
  pthread_mutex_lock(&service.lock);
  stopping = service.phase == STOPPING;
  pthread_mutex_unlock(&service.lock);
  return stopping;
}

static void enter(phase next, struct lws_context *context) {
  pthread_mutex_lock(&service.lock);
  service.phase = next;
  service.context = context;
  pthread_cond_broadcast(&service.changed);
  pthread_mutex_unlock(&service.lock);
}

static void *run(void *unused) {
  struct lws_context *context = make_context();
  (void)unused;
  service.vhost = context ? make_vhost(context) : NULL;
  if (!service.vhost) {
    if (context)
      lws_context_destroy(context);
    enter(STOPPED, NULL);
    return NULL;
  }
  enter(RUNNING, context);
  while (!is_stopping()) {
    lws_service(context, 0);
    run_jobs();
    stompio_frames_reap();
  }
  /* nobody wakes a context that is going: the flag is down already */
  lws_context_destroy(context);
  pthread_mutex_lock(&service.lock);
  service.context = NULL;
  pthread_mutex_unlock(&service.lock);
  run_jobs(); /* what was queued is told, so that it can free itself */
  stompio_frames_reap();
  enter(STOPPED, NULL);
  return NULL;
}

/* ---- Starting and stopping ---- */

/* The child of a fork: no thread, no users, a lock that nobody holds. What
 * libwebsockets had open belongs to the parent and is forgotten. */
static void in_child(void) {
  pthread_mutex_init(&service.lock, NULL);
  pthread_cond_init(&service.changed, NULL);
  service.phase = STOPPED;
  service.users = 0;
  service.first = NULL;
  service.last = &service.first;
  service.context = NULL;
  service.generation++;
}

/* Stop the thread and wait for its end: one user less and it was the last, or
 * the process ends. */
static void stop(bool exiting) {
  pthread_t thread;
  bool running;
  pthread_mutex_lock(&service.lock);
  if (service.users && !exiting)
    service.users--;
  running = service.phase == RUNNING && (exiting || service.users == 0);
  if (running) {
    service.phase = STOPPING;
    thread = service.thread;
    lws_cancel_service(service.context);
  }
  pthread_mutex_unlock(&service.lock);
  if (running)
    pthread_join(thread, NULL);
}

/* exit() without lua_close: the thread must not run on while the libraries it
 * uses (OpenSSL above all) take themselves down. */
static void at_exit(void) {
  stop(true);
}

/* Start the thread with all signals blocked in it and libwebsockets' grip on
 * SIGPIPE undone. */
static bool start_locked(void) {
  sigset_t all, before;
  struct sigaction pipe_action;
  bool ok;
  if (!service.watched) {
    stomp_tls_init(); /* its atexit handler first, so that ours runs before */
    service.watched =
      pthread_atfork(NULL, NULL, in_child) == 0 && atexit(at_exit) == 0;
  }
  lws_set_log_level(0, NULL);
  service.phase = STARTING;
  sigaction(SIGPIPE, NULL, &pipe_action);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  ok = pthread_create(&service.thread, NULL, run, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!ok) {
    service.phase = STOPPED;
    return false;
  }
  while (service.phase == STARTING)
    pthread_cond_wait(&service.changed, &service.lock);
  sigaction(SIGPIPE, &pipe_action, NULL);
  if (service.phase == RUNNING)
    return true;
  pthread_join(service.thread, NULL);
  return false;
}

stomp_status stompio_service_retain(stomp_error *error) {
  bool ok = true;
  stomp_error_clear(error);
  pthread_mutex_lock(&service.lock);
  while (service.phase == STARTING || service.phase == STOPPING)
    pthread_cond_wait(&service.changed, &service.lock);
  if (service.phase == STOPPED)
    ok = start_locked();
  if (ok)
    service.users++;
  pthread_mutex_unlock(&service.lock);
  return ok ? STOMP_OK : stomp_error_set(error, STOMP_CTHREAD, STOMP_NO_OFFSET);
}

void stompio_service_release(void) {
  stop(false);
}

stompio_posted stompio_service_post(stompio_job *job) {
  stompio_posted posted = STOMPIO_ALREADY;
  pthread_mutex_lock(&service.lock);
  if (service.phase != RUNNING) {
    posted = STOMPIO_REFUSED;
  } else if (!job->queued) {
    bool wake = service.first == NULL;
    posted = STOMPIO_QUEUED;
    job->queued = true;
    job->next = NULL;
    *service.last = job;
    service.last = &job->next;
    if (wake) /* else the thread has been woken for the first of them */
      lws_cancel_service(service.context);
  }
  pthread_mutex_unlock(&service.lock);
  return posted;
}

unsigned stompio_service_generation(void) {
  return service.generation;
}

struct lws_context *stompio_service_context(void) {
  return service.context;
}
