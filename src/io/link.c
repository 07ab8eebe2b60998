/* SPDX-License-Identifier: MIT
 *
 * A link as its user sees it; see link.h. Nothing here waits for the network,
 * and no lock is held when a function returns. */
#include "link.h"
#include "frames.h"
#include "link_private.h"
#include "os/clock.h"
#include "os/memory.h"
#include <stdlib.h>
#include <string.h>

/* Bytes that are given back to the inbox at once. */
#define BATCH ((size_t)64 << 10)

/* ---- Life ---- */

static void free_frames(stomp_frame *frame) {
  while (frame) {
    stomp_frame *next = frame->next;
    stomp_frame_free(frame);
    frame = next;
  }
}

static void free_link(stompio_link *l) {
  stomp_connection_free(l->connection);
  stomp_tls_free(l->tls);
  free_frames(l->first);
  free_frames(l->ready);
  stomp_buffer_clear(&l->output);
  stomp_buffer_clear(&l->cipher);
  stompio_event_close(&l->event);
  stomp_entropy_free(l->entropy);
  pthread_mutex_destroy(&l->lock);
  free(l->host);
  free(l);
}

void stompio_link_unref(stompio_link *l) {
  if (atomic_fetch_sub(&l->refs, 1) == 1)
    free_link(l);
}

static stomp_status prepare(stompio_link *l, const stompio_link_options *o,
                            stomp_error *error) {
  stomp_connection_options options = o->connection;
  if (o->host && !(l->host = strdup(o->host)))
    return stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
  if (!stompio_event_init(&l->event)) {
    stomp_error_set(error, STOMP_CCONNECT, STOMP_NO_OFFSET);
    stomp_error_add(error, "too many open files (no eventfd)");
    return error->status;
  }
  l->entropy = stomp_entropy_new();
  if (!l->entropy)
    return stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
  l->random = stomp_entropy_random(l->entropy);
  options.session.memory = &stompio_frame_memory;
  options.session.random = &l->random;
  l->connection = stomp_connection_new(&options, error);
  if (!l->connection)
    return error->status;
  if (o->tls && !(l->tls = stomp_tls_new(o->tls, error)))
    return error->status;
  l->tunnelling = o->tls && options.websocket && options.proxy_target;
  return STOMP_OK;
}

stompio_link *stompio_link_new(const stompio_link_options *o,
                               stomp_error *error) {
  stompio_link *l = calloc(1, sizeof *l);
  stomp_error_clear(error);
  if (!l) {
    stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
    return NULL;
  }
  atomic_init(&l->refs, 2);
  atomic_init(&l->inbox, 0);
  pthread_mutex_init(&l->lock, NULL);
  l->owner.handler = &stompio_link_handler;
  l->generation = stompio_service_generation();
  l->event.fd = -1;
  l->port = o->port;
  l->inbox_limit = o->inbox;
  l->inbox_hard = o->inbox_hard;
  l->outbox_limit = o->connection.session.limits.outbox;
  l->wake.run = stompio_link_woken;
  l->timer_at = STOMP_NEVER;
  stomp_buffer_init(&l->output, &stompio_frame_memory, SIZE_MAX / 2);
  stomp_buffer_init(&l->cipher, &stomp_libc_memory, SIZE_MAX / 2);
  if (prepare(l, o, error) != STOMP_OK) {
    free_link(l);
    return NULL;
  }
  return l;
}

/* Opened by the parent of this process: its socket and event are the
 * parent's too, so neither is touched. */
static bool is_foreign(const stompio_link *l) {
  return l->generation != stompio_service_generation();
}

/* The queued job holds a reference. */
bool stompio_link_wake(stompio_link *l) {
  stompio_posted posted;
  if (is_foreign(l))
    return false;
  atomic_fetch_add(&l->refs, 1);
  posted = stompio_service_post(&l->wake);
  if (posted != STOMPIO_QUEUED)
    stompio_link_unref(l);
  return posted != STOMPIO_REFUSED;
}

stompio_link *stompio_link_open(const stompio_link_options *options,
                                stomp_error *error) {
  stompio_link *l = stompio_link_new(options, error);
  stomp_status status;
  if (!l)
    return NULL;
  status = stomp_connection_connect(l->connection, stomp_clock_ms());
  if (status == STOMP_OK && !stompio_link_wake(l))
    status = STOMP_CTHREAD;
  if (status != STOMP_OK) {
    stomp_error_set(error, status, STOMP_NO_OFFSET);
    free_link(l);
    return NULL;
  }
  return l;
}

static stomp_status foreign(stomp_error *error) {
  return stomp_error_set(error, STOMP_CFORK, STOMP_NO_OFFSET);
}

void stompio_link_release(stompio_link *l) {
  if (!l)
    return;
  if (is_foreign(l))
    return; /* the lock may have been held when the fork copied it */
  pthread_mutex_lock(&l->lock);
  l->abandoned = true;
  pthread_mutex_unlock(&l->lock);
  stompio_link_close(l);
  stompio_link_unref(l);
}

void stompio_link_close(stompio_link *l) {
  if (is_foreign(l))
    return;
  pthread_mutex_lock(&l->lock);
  if (!l->give_up)
    l->give_up = stomp_clock_ms() + STOMPIO_CLOSE_MS;
  stomp_connection_close(l->connection, stomp_clock_ms());
  stompio_link_publish_locked(l);
  pthread_mutex_unlock(&l->lock);
  (void)stompio_link_wake(l);
}

void stompio_link_cut(stompio_link *l) {
  stomp_span none = { NULL, 0 };
  bool no_receipt;
  if (is_foreign(l))
    return;
  pthread_mutex_lock(&l->lock);
  l->cut = true;
  /* how it is to be read is kept and published */
  (void)!stomp_connection_closed(l->connection, 0, none, &no_receipt);
  stompio_link_publish_locked(l);
  pthread_mutex_unlock(&l->lock);
  (void)stompio_link_wake(l);
}

void stompio_link_mute(stompio_link *l, bool yes) {
  if (is_foreign(l))
    return;
  pthread_mutex_lock(&l->lock);
  l->muted = yes;
  pthread_mutex_unlock(&l->lock);
  (void)stompio_link_wake(l);
}

int stompio_link_fd(const stompio_link *l) {
  return l->event.fd;
}

/* ---- Frames that came ---- */

/* Give back what was handed out; the I/O thread reads on when there is room
 * again. */
static void pay(stompio_link *l) {
  size_t before;
  if (l->owed == 0)
    return;
  before = atomic_fetch_sub(&l->inbox, l->owed);
  if (before > l->inbox_limit / 2 && before - l->owed <= l->inbox_limit / 2)
    (void)stompio_link_wake(l);
  l->owed = 0;
}

static stompio_news fetch(stompio_link *l, stompio_end *end) {
  stompio_news news = STOMPIO_NOTHING;
  pthread_mutex_lock(&l->lock);
  l->ready = l->first;
  l->first = l->last = NULL;
  if (l->ready) {
    news = STOMPIO_FRAME;
  } else if (l->ended) {
    news = l->clean ? STOMPIO_CLEAN : STOMPIO_BROKEN;
    *end = l->end;
  }
  if (!l->ended) /* an end stays visible */
    stompio_event_lower(&l->event);
  pthread_mutex_unlock(&l->lock);
  return news;
}

bool stompio_link_ready(stompio_link *l) {
  l->owed += l->handed;
  l->handed = 0;
  if (l->owed >= BATCH)
    pay(l);
  return l->ready != NULL;
}

stompio_news stompio_link_fetch(stompio_link *l, stompio_end *end) {
  if (is_foreign(l)) {
    end->no_receipt = false;
    foreign(&end->error);
    return STOMPIO_BROKEN;
  }
  pay(l);
  return fetch(l, end);
}

stomp_frame *stompio_link_take(stompio_link *l) {
  stomp_frame *frame = l->ready;
  l->ready = frame->next;
  frame->next = NULL;
  l->handed = frame->size;
  return frame;
}

void stompio_link_hold(stompio_link *l, const stomp_frame *frame) {
  if (l->handed == frame->size)
    l->handed = 0;
}

void stompio_link_unhold(stompio_link *l, size_t size) {
  l->owed += size;
  if (l->owed >= BATCH || !l->ready)
    pay(l);
}

void stompio_link_adopt_frame(stompio_link *l, const stomp_frame *frame) {
  atomic_fetch_add(&l->inbox, frame->size);
}

/* ---- Frames to go ---- */

/* Whether the outbox, what is being written included, has room. */
static bool has_room_locked(stompio_link *l) {
  return l->in_flight + stomp_connection_output(l->connection).len <
         l->outbox_limit;
}

/* After something was asked of the connection: wake the I/O thread where it
 * has something to do. */
static void finish(stompio_link *l, stomp_status status) {
  if (status == STOMP_FULL)
    l->want_room = true;
  if (stomp_connection_state(l->connection) == STOMP_STATE_CLOSED)
    stompio_link_publish_locked(l);
  pthread_mutex_unlock(&l->lock);
  if (status == STOMP_OK)
    (void)stompio_link_wake(l);
}

stomp_status stompio_link_send(stompio_link *l, const stomp_outgoing *frame,
                               stomp_error *error) {
  stomp_status status = STOMP_FULL;
  if (is_foreign(l))
    return foreign(error);
  pthread_mutex_lock(&l->lock);
  if (has_room_locked(l))
    status = stomp_connection_send(l->connection, frame, error);
  finish(l, status);
  return status;
}

stomp_status stompio_link_ack(stompio_link *l, stomp_frame *message, bool nack,
                              const stomp_field *headers, size_t n_headers,
                              stomp_error *error) {
  stomp_status status = STOMP_FULL;
  if (is_foreign(l))
    return foreign(error);
  pthread_mutex_lock(&l->lock);
  if (has_room_locked(l))
    status = stomp_connection_ack(l->connection, message, nack, headers,
                                  n_headers, error);
  finish(l, status);
  return status;
}

stomp_status stompio_link_disconnect(stompio_link *l, const char **receipt,
                                     stomp_error *error) {
  stomp_status status;
  if (is_foreign(l))
    return foreign(error);
  pthread_mutex_lock(&l->lock);
  status = stomp_connection_disconnect(l->connection, stomp_clock_ms(), receipt,
                                       error);
  finish(l, status);
  return status;
}

stomp_status stompio_link_accept(stompio_link *l, const stomp_field *headers,
                                 size_t n_headers, stomp_error *error) {
  stomp_status status;
  if (is_foreign(l))
    return foreign(error);
  pthread_mutex_lock(&l->lock);
  status = stomp_connection_accept(l->connection, headers, n_headers,
                                   stomp_clock_ms());
  finish(l, status);
  return status < 0 ? stomp_error_set(error, status, STOMP_NO_OFFSET) : status;
}

stomp_status stompio_link_refuse(stompio_link *l, stomp_span message,
                                 stomp_span body, stomp_error *error) {
  stomp_status status;
  if (is_foreign(l))
    return foreign(error);
  pthread_mutex_lock(&l->lock);
  status = stomp_connection_refuse(l->connection, message, body);
  finish(l, status);
  return status < 0 ? stomp_error_set(error, status, STOMP_NO_OFFSET) : status;
}

/* ---- The rest ---- */

void stompio_link_awaiting(stompio_link *l, bool yes) {
  bool look;
  if (is_foreign(l))
    return;
  pthread_mutex_lock(&l->lock);
  look = yes && !l->awaiting && l->paused;
  l->awaiting = yes;
  if (!yes)
    l->stalled = false;
  pthread_mutex_unlock(&l->lock);
  if (look)
    (void)stompio_link_wake(l);
}

bool stompio_link_stalled(stompio_link *l) {
  bool stalled;
  if (is_foreign(l))
    return false;
  pthread_mutex_lock(&l->lock);
  stalled = l->stalled;
  pthread_mutex_unlock(&l->lock);
  return stalled;
}

bool stompio_link_take_warning(stompio_link *l, stomp_error *what) {
  bool warned;
  if (is_foreign(l))
    return false;
  pthread_mutex_lock(&l->lock);
  warned = l->warning.status != STOMP_OK;
  if (warned)
    *what = l->warning;
  stomp_error_clear(&l->warning);
  pthread_mutex_unlock(&l->lock);
  return warned;
}

bool stompio_link_wants_room(stompio_link *l) {
  bool wants;
  if (is_foreign(l))
    return false;
  pthread_mutex_lock(&l->lock);
  wants = l->want_room && !l->ended;
  pthread_mutex_unlock(&l->lock);
  return wants;
}

void stompio_link_nudge(stompio_link *l) {
  if (is_foreign(l))
    return;
  pthread_mutex_lock(&l->lock);
  stompio_event_raise(&l->event);
  pthread_mutex_unlock(&l->lock);
}

const stomp_connection *stompio_link_ended(stompio_link *l) {
  bool ended;
  if (is_foreign(l))
    return NULL;
  pthread_mutex_lock(&l->lock);
  ended = l->ended;
  pthread_mutex_unlock(&l->lock);
  return ended ? l->connection : NULL;
}

void stompio_link_look(stompio_link *l, stompio_look *look, void *user) {
  bool lock = !is_foreign(l);
  if (lock)
    pthread_mutex_lock(&l->lock);
  look(l->connection, user);
  if (lock)
    pthread_mutex_unlock(&l->lock);
}

stompio_link_stats stompio_link_stats_of(stompio_link *l) {
  stompio_link_stats stats = { .inbox = atomic_load(&l->inbox) };
  if (is_foreign(l))
    return stats;
  pthread_mutex_lock(&l->lock);
  stats.outbox = l->in_flight + stomp_connection_output(l->connection).len;
  stats.paused_ms = l->paused_ms;
  if (l->paused)
    stats.paused_ms += stomp_clock_ms() - l->paused_since;
  pthread_mutex_unlock(&l->lock);
  return stats;
}
