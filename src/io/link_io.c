/* SPDX-License-Identifier: MIT
 *
 * A link on the I/O thread: socket -> TLS -> connection -> inbox, and back. What
 * is due is decided in one place, `stompio_link_update`. The lock is held while
 * the connection is used and never across a call into libwebsockets. */
#include "frames.h"
#include "link_private.h"
#include "os/clock.h"
#include "os/memory.h"
#include <string.h>

/* Plaintext that is handled at once. */
#define PLAIN_SIZE ((size_t)64 << 10)
/* One write: more would be copied by libwebsockets without a bound. */
#define WRITE_MOST ((size_t)256 << 10)

/* ---- Telling the other side (under lock) ---- */

static void keep_end(stompio_link *l) {
  stomp_span reason = stomp_connection_close_reason(l->connection);
  const stomp_error *error = stomp_connection_error(l->connection);
  l->ended = true;
  l->clean = error->status == STOMP_OK;
  l->end.error = *error;
  l->end.reason_len = reason.len;
  if (reason.len)
    memcpy(l->end.reason, reason.bytes, reason.len);
  l->end.no_receipt =
    stomp_session_no_receipt(stomp_connection_session(l->connection));
}

static void append_frames(stompio_link *l, stomp_frame *first,
                          stomp_frame *last) {
  if (l->last)
    l->last->next = first;
  else
    l->first = first;
  l->last = last;
}

/* Publish what the connection has for the user: frames, then its end. */
void stompio_link_publish_locked(stompio_link *l) {
  stomp_frame *last, *first;
  size_t size;
  bool news = false;
  first = stomp_connection_take_frames(l->connection, &last, &size);
  if (first && l->abandoned) {
    for (; first; first = last) {
      last = first->next;
      stomp_frame_free(first);
    }
  } else if (first) {
    append_frames(l, first, last);
    atomic_fetch_add(&l->inbox, size);
    news = true;
  }
  if (!l->ended &&
      stomp_connection_state(l->connection) == STOMP_STATE_CLOSED) {
    keep_end(l);
    news = true;
  }
  if (stomp_connection_take_warning(l->connection, &l->warning))
    news = true;
  if (news)
    stompio_event_raise(&l->event);
}

/* Fail the connection with an error from outside of it. */
static void fail(stompio_link *l, const stomp_error *error) {
  pthread_mutex_lock(&l->lock);
  stomp_connection_fail(l->connection, error);
  stompio_link_publish_locked(l);
  pthread_mutex_unlock(&l->lock);
}

/* Fail it with a status of TLS's, whose own error says more, or of memory's,
 * which has none: an error that is none would read as a clean end. */
static void fail_tls(stompio_link *l, stomp_status status) {
  const stomp_error *told = stomp_tls_error(l->tls);
  stomp_error error;
  if (told->status == STOMP_OK) {
    stomp_error_set(&error, status, STOMP_NO_OFFSET);
    told = &error;
  }
  fail(l, told);
}

/* ---- Bytes in ---- */

/* Stop or go on reading, by what the user has not taken yet. */
static void decide_reading_locked(stompio_link *l, uint64_t now) {
  size_t inbox = atomic_load(&l->inbox);
  size_t limit = l->awaiting ? l->inbox_hard : l->inbox_limit;
  bool drop = l->abandoned || l->ended;
  if (!l->paused && inbox >= limit && !drop) {
    l->paused = true;
    l->paused_since = now;
    stomp_connection_pause(l->connection, now);
  } else if (l->paused && (drop || inbox <= l->inbox_limit / 2 ||
                           (l->awaiting && inbox < limit))) {
    l->paused = false;
    l->stalled = false;
    l->paused_ms += now - l->paused_since;
    stomp_connection_resume(l->connection, now);
  }
  if (l->paused && l->awaiting && !l->stalled) {
    l->stalled = true;
    stompio_event_raise(&l->event);
  }
}

static void feed(stompio_link *l, const void *bytes, size_t len) {
  stompio_frames_reap();
  pthread_mutex_lock(&l->lock);
  /* a failure is kept by the connection and published with its frames */
  (void)!stomp_connection_feed(l->connection, bytes, len, stomp_clock_ms());
  pthread_mutex_unlock(&l->lock);
}

/* Move what TLS has to say (the handshake's part too) into `cipher`. */
static stomp_status pull_cipher(stompio_link *l) {
  size_t got;
  do {
    uint8_t *to = stomp_buffer_reserve(&l->cipher, PLAIN_SIZE);
    if (!to)
      return STOMP_ENOMEM;
    got = stomp_tls_output(l->tls, to, PLAIN_SIZE);
    stomp_buffer_commit(&l->cipher, got);
  } while (got == PLAIN_SIZE);
  return STOMP_OK;
}

static void feed_tls(stompio_link *l, const void *bytes, size_t len) {
  unsigned char *plain;
  size_t got;
  stomp_status status = stomp_tls_feed(l->tls, bytes, len);
  plain = stomp_memory_new(&stomp_libc_memory, PLAIN_SIZE);
  if (!plain || status != STOMP_OK) {
    fail_tls(l, STOMP_ENOMEM);
  } else {
    while ((status = stomp_tls_next(l->tls, plain, PLAIN_SIZE, &got)) ==
           STOMP_OK)
      feed(l, plain, got);
    if (status < 0)
      fail_tls(l, status);
    if (status == STOMP_FULL || pull_cipher(l) != STOMP_OK)
      l->closing = true;
  }
  stomp_memory_free(&stomp_libc_memory, plain, PLAIN_SIZE);
}

/* TLS has its say first: what the connection wants to write waits for it. */
static void start_tls(stompio_link *l) {
  stomp_status status = stomp_tls_start(l->tls);
  if (status != STOMP_OK)
    fail_tls(l, status);
  if (pull_cipher(l) != STOMP_OK)
    l->closing = true;
}

/* Bytes of the proxy, which are plain. Behind the tunnel TLS begins, and the
 * client speaks first there: no byte of this chunk can be of it. */
static void feed_proxy(stompio_link *l, const void *bytes, size_t len) {
  bool opened;
  feed(l, bytes, len);
  pthread_mutex_lock(&l->lock);
  opened = !stomp_handshake_in_proxy(stomp_connection_handshake(l->connection));
  pthread_mutex_unlock(&l->lock);
  if (opened) {
    l->tunnelling = false;
    start_tls(l);
  }
}

static bool is_secure(const stompio_link *l) {
  return l->tls && !l->tunnelling;
}

static void on_bytes(void *owner, unsigned char *bytes, size_t len) {
  stompio_link *l = owner;
  if (is_secure(l))
    feed_tls(l, bytes, len);
  else if (l->tunnelling)
    feed_proxy(l, bytes, len);
  else
    feed(l, bytes, len);
  pthread_mutex_lock(&l->lock);
  stompio_link_publish_locked(l);
  pthread_mutex_unlock(&l->lock);
  stompio_link_update(l);
}

/* ---- Bytes out ---- */

/* Take what the connection has to say, when the last of it was written. */
static void take_output(stompio_link *l) {
  if (stomp_buffer_len(&l->output))
    return;
  stomp_buffer_clear(&l->output);
  pthread_mutex_lock(&l->lock);
  if (!l->muted)
    stomp_connection_take_output(l->connection, &l->output);
  l->in_flight = stomp_buffer_len(&l->output);
  pthread_mutex_unlock(&l->lock);
}

/* So many bytes of the output are on their way: there may be room again. */
static void sent(stompio_link *l, size_t len) {
  stomp_buffer_consume(&l->output, len);
  pthread_mutex_lock(&l->lock);
  l->in_flight -= len;
  if (l->want_room &&
      l->in_flight + stomp_connection_output(l->connection).len <=
        l->outbox_limit / 2) {
    l->want_room = false;
    stompio_event_raise(&l->event);
  }
  pthread_mutex_unlock(&l->lock);
}

/* Encrypt the next piece of the output into `cipher`. */
static stomp_status encrypt(stompio_link *l) {
  stomp_span plain = stomp_buffer_span(&l->output);
  stomp_status status = STOMP_OK;
  if (plain.len > PLAIN_SIZE)
    plain.len = PLAIN_SIZE;
  if (plain.len && stomp_tls_is_ready(l->tls)) {
    status = stomp_tls_write(l->tls, plain.bytes, plain.len);
    if (status == STOMP_OK)
      sent(l, plain.len);
  }
  return status < 0 ? status : pull_cipher(l);
}

/* Write one piece; false: the socket is broken. */
static bool write_piece(stompio_link *l) {
  bool secure = is_secure(l);
  stomp_buffer *from = secure ? &l->cipher : &l->output;
  stomp_status status = STOMP_OK;
  stomp_span piece;
  take_output(l);
  if (secure && stomp_buffer_len(&l->cipher) == 0)
    status = encrypt(l);
  if (status != STOMP_OK) {
    fail_tls(l, status);
    return false;
  }
  piece = stomp_buffer_span(from);
  if (piece.len > WRITE_MOST)
    piece.len = WRITE_MOST;
  if (piece.len == 0)
    return true;
  if (lws_write(l->owner.wsi, from->block + from->start, piece.len,
                LWS_WRITE_RAW) < 0)
    return false;
  if (secure)
    stomp_buffer_consume(&l->cipher, piece.len);
  else
    sent(l, piece.len);
  return true;
}

static bool has_more(stompio_link *l) {
  bool more;
  if (stomp_buffer_len(&l->cipher))
    return true;
  if (is_secure(l) && !stomp_tls_is_ready(l->tls))
    return false;
  if (stomp_buffer_len(&l->output))
    return true;
  pthread_mutex_lock(&l->lock);
  more = !l->muted && stomp_connection_output(l->connection).len != 0;
  pthread_mutex_unlock(&l->lock);
  return more;
}

/* All is written: whether the socket may be closed now. TLS takes its leave
 * first, so that the peer knows that nothing was cut off. */
static bool may_close(stompio_link *l) {
  if (has_more(l) || lws_partial_buffered(l->owner.wsi))
    return false;
  if (!is_secure(l) || l->said_goodbye || !stomp_tls_is_ready(l->tls))
    return true;
  l->said_goodbye = true;
  stomp_tls_close(l->tls);
  return pull_cipher(l) != STOMP_OK || stomp_buffer_len(&l->cipher) == 0;
}

static bool on_writable(void *owner) {
  stompio_link *l = owner;
  struct lws *wsi = l->owner.wsi;
  if (!lws_partial_buffered(wsi) && !lws_send_pipe_choked(wsi)) {
    if (!write_piece(l))
      return false;
    /* pending output would be dropped by closing: it goes first */
    if (l->closing && may_close(l))
      return false;
  }
  stompio_link_update(l);
  return true;
}

/* ---- The end of the socket ---- */

/* Cut while TLS shakes hands: the upgrade, which would be blamed, has not even
 * begun. */
static void blame_tls(stompio_link *l) {
  stomp_error error;
  if (l->ended || l->closing || !is_secure(l) || stomp_tls_is_ready(l->tls))
    return;
  stomp_error_set(&error, STOMP_SFAIL, STOMP_NO_OFFSET);
  stomp_error_add(&error, "the connection ended during the handshake");
  fail(l, &error);
}

static void on_closed(void *owner) {
  stompio_link *l = owner;
  stomp_span none = { NULL, 0 };
  bool no_receipt;
  blame_tls(l);
  pthread_mutex_lock(&l->lock);
  /* how it is to be read is kept and published */
  (void)!stomp_connection_closed(l->connection, 0, none, &no_receipt);
  stompio_link_publish_locked(l);
  pthread_mutex_unlock(&l->lock);
  lws_sul_cancel(&l->timer);
  l->timer_at = STOMP_NEVER;
  if (!l->gone) {
    l->gone = true;
    stompio_link_unref(l); /* may be the last: `l` is not used again */
  }
}

const stompio_handler stompio_link_handler = { on_bytes, on_writable,
                                               on_closed };

/* ---- Connecting ---- */

/* The end of a link that has no socket. */
static void end(stompio_link *l, const stomp_error *error) {
  fail(l, error);
  on_closed(l);
}

void stompio_link_adopt(stompio_link *l, int fd) {
  l->started = true;
  if (!stompio_service_adopt(&l->owner, fd, false)) {
    stomp_error refused;
    stomp_error_set(&refused, STOMP_CCONNECT, STOMP_NO_OFFSET);
    stomp_error_add(&refused, "too many open files");
    end(l, &refused);
    return;
  }
  if (is_secure(l))
    start_tls(l);
  stompio_link_update(l);
}

static void dialed(void *owner, int fd, const stomp_error *error) {
  stompio_link *l = owner;
  l->dial = NULL;
  atomic_fetch_add(&l->refs, 1); /* an adoption that fails late closes, too */
  if (fd < 0)
    end(l, error);
  else
    stompio_link_adopt(l, fd);
  stompio_link_unref(l);
}

/* The link's own first job: nothing is open yet. */
static void start_dial(stompio_link *l) {
  stomp_error error;
  bool wanted;
  l->started = true;
  pthread_mutex_lock(&l->lock);
  wanted = !l->give_up;
  pthread_mutex_unlock(&l->lock);
  if (!wanted || !stompio_service_context()) { /* over before it began */
    on_closed(l);
    return;
  }
  l->dial = stompio_dial_start(l->host, l->port, dialed, l, &error);
  if (!l->dial)
    end(l, &error);
}

/* ---- What is due ---- */

static void on_timer(lws_sorted_usec_list_t *timer) {
  stompio_link *l = lws_container_of(timer, stompio_link, timer);
  l->timer_at = STOMP_NEVER;
  pthread_mutex_lock(&l->lock);
  /* a failure is kept by the connection and published */
  (void)!stomp_connection_tick(l->connection, stomp_clock_ms());
  stompio_link_publish_locked(l);
  pthread_mutex_unlock(&l->lock);
  stompio_link_update(l);
}

/* A deadline that moved on is left alone: the timer fires, finds nothing due and
 * is set anew. So traffic, which moves it all the time, costs nothing. */
static void set_timer(stompio_link *l, uint64_t deadline, uint64_t now) {
  uint64_t ms = deadline > now ? deadline - now : 0;
  if (deadline >= l->timer_at)
    return;
  /* a millisecond more than needed: the poll below rounds down */
  lws_sul_schedule(stompio_service_context(), 0, &l->timer, on_timer,
                   (lws_usec_t)(ms + 1) * LWS_US_PER_MS);
  l->timer_at = deadline;
}

void stompio_link_update(stompio_link *l) {
  uint64_t now = stomp_clock_ms(), deadline;
  bool stop;
  pthread_mutex_lock(&l->lock);
  decide_reading_locked(l, now);
  stop = l->paused;
  deadline = stomp_connection_deadline(l->connection);
  if (stomp_connection_wants_end(l->connection))
    l->closing = true;
  if (l->closing && !l->close_by)
    l->close_by = l->give_up ? l->give_up : now + STOMPIO_CLOSE_MS;
  if (l->cut)
    l->close_by = now;
  pthread_mutex_unlock(&l->lock);
  if (!l->owner.wsi) {
    if (l->closing && l->dial) {
      stompio_dial_abandon(l->dial);
      l->dial = NULL;
      on_closed(l);
    }
    return;
  }
  if (l->closing && now >= l->close_by) {
    lws_set_timeout(l->owner.wsi, 1, LWS_TO_KILL_ASYNC);
    return;
  }
  if (l->closing && l->close_by < deadline)
    deadline = l->close_by;
  set_timer(l, deadline, now);
  if (stop != l->rx_stopped) {
    l->rx_stopped = stop;
    lws_rx_flow_control(l->owner.wsi, stop ? 0 : 1);
  }
  if (l->closing || has_more(l))
    lws_callback_on_writable(l->owner.wsi);
}

void stompio_link_woken(stompio_job *job) {
  stompio_link *l = lws_container_of(job, stompio_link, wake);
  if (!l->started)
    start_dial(l);
  else if (!l->gone)
    stompio_link_update(l);
  stompio_link_unref(l); /* the job's */
}
