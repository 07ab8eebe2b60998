/* SPDX-License-Identifier: MIT
 *
 * The one I/O thread of the process. It runs libwebsockets for every link of
 * every Lua state; other threads hand it jobs, and lws_cancel_service is the
 * only libwebsockets call they cause. It takes no signals. After a fork the
 * child has no thread; its copies of links are dead (see generation). */
#ifndef STOMPIO_SERVICE_H
#define STOMPIO_SERVICE_H

#include "core/error.h"
#include <stdbool.h>

struct lws_context;

/* Work for the I/O thread, embedded in its owner's struct, which must live
 * until it has run. */
typedef struct stompio_job stompio_job;
struct stompio_job {
  stompio_job *next;
  bool queued;
  void (*run)(stompio_job *job); /* on the I/O thread, no lock held */
};

/* One more user: starts the thread when it is the first. STOMP_OK, or *error
 * of kind connect. Blocks until the thread is ready. */
STOMP_CHECKED stomp_status stompio_service_retain(stomp_error *error);
/* One less: the last one stops the thread and waits for its end; every socket
 * that is still open is closed by it. */
void stompio_service_release(void);

typedef enum stompio_posted {
  STOMPIO_QUEUED,  /* it will run */
  STOMPIO_ALREADY, /* it was queued before and will run once */
  STOMPIO_REFUSED  /* the thread is not running: it will not run */
} stompio_posted;

/* Queue a job and wake the thread. Any thread. */
stompio_posted stompio_service_post(stompio_job *job);

/* Which process this is: changes in the child of a fork. What was opened in
 * another generation is dead. */
unsigned stompio_service_generation(void);

/* I/O thread only. */
struct lws_context *stompio_service_context(void);

/* What a socket's owner does; the opaque user data of a wsi begins with a
 * pointer to one. All on the I/O thread. */
struct lws;
typedef struct stompio_handler {
  /* a listening socket gets no bytes: there is somebody to accept */
  void (*on_bytes)(void *owner, unsigned char *bytes, size_t len);
  /* false: close the socket now */
  bool (*on_writable)(void *owner);
  void (*on_closed)(void *owner);
} stompio_handler;

typedef struct stompio_owner {
  const stompio_handler *handler;
  struct lws *wsi; /* NULL: no socket */
} stompio_owner;

/* I/O thread only. Watch a connected socket, or a listening one, which its owner
 * must not close any more: that is done here after on_closed. false: not taken,
 * and closed. */
bool stompio_service_adopt(stompio_owner *owner, int fd, bool listening);

#endif
