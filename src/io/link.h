/* SPDX-License-Identifier: MIT
 *
 * One connection to a peer: its socket, TLS and stomp_connection, driven by the
 * I/O thread; used by one Lua state's thread. The connection is shared under a
 * lock, so what is asked of it is answered at once (a frame that cannot be sent
 * is refused by `send` itself), and frames are encoded on the thread that sends
 * them. Frames that came are published once per service round, with one event
 * on empty -> not empty. Both ways are bounded in bytes: a full inbox stops
 * reading from the socket, a full outbox makes `send` say so. */
#ifndef STOMPIO_LINK_H
#define STOMPIO_LINK_H

#include "core/connection.h"
#include "tls/tls.h"

typedef struct stompio_link stompio_link;

typedef struct stompio_link_options {
  stomp_connection_options connection; /* memory and random are the link's */
  const char *host; /* where to connect (the proxy, where there is one) */
  unsigned port;
  const stomp_tls_options *tls; /* NULL: plain */
  size_t inbox, inbox_hard;     /* bytes of frames not handed out yet */
} stompio_link_options;

/* Lua thread, as all of this file. Begin to connect; everything is copied. The
 * link is the caller's until stompio_link_release. NULL with *error. */
stompio_link *stompio_link_open(const stompio_link_options *options,
                                stomp_error *error);

/* Give it up: closes in the background whatever is open. NULL is fine. */
void stompio_link_release(stompio_link *link);

/* Readable while there may be news. */
int stompio_link_fd(const stompio_link *link);

typedef enum stompio_news {
  STOMPIO_NOTHING, /* wait for the descriptor */
  STOMPIO_FRAME,   /* at least one is ready */
  STOMPIO_CLEAN,   /* the end, in order; see no_receipt */
  STOMPIO_BROKEN   /* the end, otherwise; see error */
} stompio_news;

typedef struct stompio_end {
  bool no_receipt;
  stomp_error error;
  char reason[124]; /* text of the peer's close frame; bytes */
  size_t reason_len;
} stompio_end;

/* Whether a frame can be taken at once. Frees the share of the inbox that the
 * frame taken last had, unless `hold` was called for it. */
bool stompio_link_ready(stompio_link *link);
/* None is ready: fetch what was published since, or say how things are. */
stompio_news stompio_link_fetch(stompio_link *link, stompio_end *end);
/* The next of the frames that are ready; the caller's. */
stomp_frame *stompio_link_take(stompio_link *link);
/* The frame that came last stays in a queue of the caller's / has left it. */
void stompio_link_hold(stompio_link *link, const stomp_frame *frame);
void stompio_link_unhold(stompio_link *link, size_t size);
/* A frame of an earlier link is in a queue of the caller's: it counts towards
 * this link's inbox until it has left it. */
void stompio_link_adopt_frame(stompio_link *link, const stomp_frame *frame);

/* As stomp_connection_send and _ack; STOMP_FULL: wait for the descriptor. */
STOMP_CHECKED stomp_status stompio_link_send(stompio_link *link,
                                             const stomp_outgoing *frame,
                                             stomp_error *error);
STOMP_CHECKED stomp_status stompio_link_ack(stompio_link *link,
                                            stomp_frame *message, bool nack,
                                            const stomp_field *headers,
                                            size_t n_headers,
                                            stomp_error *error);
STOMP_CHECKED stomp_status stompio_link_disconnect(stompio_link *link,
                                                   const char **receipt,
                                                   stomp_error *error);
/* Server links. */
STOMP_CHECKED stomp_status stompio_link_accept(stompio_link *link,
                                               const stomp_field *headers,
                                               size_t n_headers,
                                               stomp_error *error);
STOMP_CHECKED stomp_status stompio_link_refuse(stompio_link *link,
                                               stomp_span message,
                                               stomp_span body,
                                               stomp_error *error);

/* Begin an orderly end; may be called in any state and twice. */
void stompio_link_close(stompio_link *link);
/* End it as a network would: no close frame, and what waits to be written is
 * lost. */
void stompio_link_cut(stompio_link *link);
/* Nothing is written any more, heart-beats included / all that waited is: for
 * the embedded broker, to be a peer that hangs. */
void stompio_link_mute(stompio_link *link, bool yes);

/* Somebody waits for a control frame: reading goes on up to inbox_hard. */
void stompio_link_awaiting(stompio_link *link, bool yes);
/* Whether reading stopped there. */
bool stompio_link_stalled(stompio_link *link);

/* An invalid frame was ignored since the last call (ignore_invalid): which, the
 * last one where there were several. */
bool stompio_link_take_warning(stompio_link *link, stomp_error *what);

/* Whether a send that got STOMP_FULL has to wait on. */
bool stompio_link_wants_room(stompio_link *link);

/* The descriptor becomes readable once, without news: whoever waits for it
 * looks round at what else it waits for. */
void stompio_link_nudge(stompio_link *link);

/* Look into the connection under the lock: `look` must not call Lua. */
typedef void stompio_look(const stomp_connection *c, void *user);
void stompio_link_look(stompio_link *link, stompio_look *look, void *user);

typedef struct stompio_link_stats {
  size_t inbox, outbox; /* bytes */
  uint64_t paused_ms;   /* for how long reading was stopped, in all */
} stompio_link_stats;
stompio_link_stats stompio_link_stats_of(stompio_link *link);

/* The connection, for questions that need no lock because they are fixed once
 * the link has ended: after, handshake, close reason. NULL before the end. */
const stomp_connection *stompio_link_ended(stompio_link *link);

#endif
