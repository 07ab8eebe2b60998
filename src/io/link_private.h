/* SPDX-License-Identifier: MIT
 *
 * The inside of a link, for link.c (the caller's side), link_io.c (the I/O
 * thread's) and listener.c. */
#ifndef STOMPIO_LINK_PRIVATE_H
#define STOMPIO_LINK_PRIVATE_H

#include "dial.h"
#include "event.h"
#include "link.h"
#include "os/entropy.h"
#include "service.h"
#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>

/* What is left to write when a link ends may take so many ms. */
#define STOMPIO_CLOSE_MS 2000

struct stompio_link {
  stompio_owner owner; /* first: what the socket's callbacks get */

  /* fixed after open */
  atomic_int refs; /* the caller's and the I/O thread's */
  unsigned generation;
  char *host; /* NULL: accepted by a listener */
  unsigned port;
  size_t inbox_limit, inbox_hard, outbox_limit; /* bytes */
  stomp_entropy *entropy;
  stomp_random random;

  pthread_mutex_t lock;
  /* under lock */
  stomp_connection *connection;
  stompio_event event;
  stomp_frame *first, *last; /* published, not taken */
  bool ended;                /* `end` and `clean` are final */
  bool clean;
  stompio_end end;
  bool paused;         /* reading is stopped */
  bool awaiting;       /* reading goes on up to inbox_hard */
  bool stalled;        /* it stopped there */
  stomp_error warning; /* an invalid frame was ignored; status OK: none */
  bool want_room;      /* a send found the outbox full */
  bool abandoned;      /* nobody will take frames any more */
  bool muted;          /* nothing more is taken from the connection */
  bool cut;            /* the socket is closed with no more ado */
  uint64_t give_up; /* ms: close was asked for and has time until; 0: was not */
  size_t in_flight; /* bytes taken from the connection, not yet written */
  uint64_t paused_since, paused_ms;

  /* both, atomic: bytes of frames published and not given back */
  atomic_size_t inbox;

  /* I/O thread only */
  stompio_job wake;
  stomp_tls *tls;
  stompio_dial *dial;
  stomp_buffer output; /* taken from the connection */
  stomp_buffer cipher; /* of it, encrypted */
  bool tunnelling;     /* TLS begins when the proxy has opened its tunnel */
  bool said_goodbye;   /* close_notify is in `cipher`, or was */
  lws_sorted_usec_list_t timer;
  uint64_t timer_at; /* ms, STOMP_NEVER: not set */
  bool started;      /* the dial was, or the socket was accepted */
  bool gone;         /* on_closed was here: its reference is given up */
  uint64_t close_by; /* ms: a peer that does not read is not waited for */
  bool rx_stopped;
  bool closing; /* the socket is to be closed once all is written */

  /* caller's thread only */
  stomp_frame *ready; /* taken, not handed out */
  size_t handed;      /* bytes of the frame handed out last */
  size_t owed;        /* bytes to give back to `inbox` */
};

/* A link without a socket, for open and for the listener; NULL: *error. One
 * reference is the caller's, one the I/O thread's. */
stompio_link *stompio_link_new(const stompio_link_options *options,
                               stomp_error *error);
void stompio_link_unref(stompio_link *link);
/* Any thread: have the I/O thread look at the link. false: it is not running. */
bool stompio_link_wake(stompio_link *link);

/* I/O thread: the socket is the link's. */
void stompio_link_adopt(stompio_link *link, int fd);

/* I/O thread: look at everything and do what is due. */
void stompio_link_update(stompio_link *link);
/* I/O thread: the job behind `wake`, and the socket's callbacks. */
void stompio_link_woken(stompio_job *job);
extern const stompio_handler stompio_link_handler;

/* Under lock: raise the event / keep the end when the connection has one. */
void stompio_link_publish_locked(stompio_link *link);

#endif
