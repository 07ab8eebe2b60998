/* SPDX-License-Identifier: MIT
 *
 * The output of a session or a connection, read back by the opposite roles: what
 * the targets that hold a conversation check in the end. */
#ifndef STOMP_FUZZ_OUTPUT_H
#define STOMP_FUZZ_OUTPUT_H

#include "core/parser.h"
#include "core/session.h"
#include "core/websocket.h"
#include "support.h"

/* ---- STOMP ---- */

/* What stands in the output of a session is STOMP: frames that its role may
 * send, whole, one of which settles the version; nothing behind a server's
 * ERROR. */
typedef struct talk_reader {
  stomp_role role;       /* of the session that wrote it */
  stomp_version version; /* that it settled in the end */
  stomp_parser *parser;
  fuzz_memory memory;
  size_t n_frames, n_beats;
  bool over; /* ERROR came */
} talk_reader;

static inline void talk_reader_init(talk_reader *r, stomp_role role,
                                    stomp_version version) {
  static const stomp_limits limits = STOMP_LIMITS_DEFAULT;
  memset(r, 0, sizeof *r);
  r->role = role;
  r->version = version;
  fuzz_memory_init(&r->memory, SIZE_MAX, 0);
  r->parser = stomp_parser_new(&limits, STOMP_UNSETTLED, &r->memory.memory);
  FUZZ_CHECK(r->parser != NULL);
}

static inline void talk_reader_frame(talk_reader *r, stomp_frame *frame) {
  bool first = frame->command == STOMP_CONNECT_COMMAND ||
               frame->command == STOMP_CONNECTED_COMMAND;
  bool of_server = frame->command >= STOMP_CONNECTED_COMMAND;
  FUZZ_CHECK(of_server == (r->role == STOMP_SERVER));
  FUZZ_CHECK(r->n_frames == 0 ? first || frame->command == STOMP_ERROR_COMMAND
                              : !first);
  FUZZ_CHECK(!r->over);
  r->over = frame->command == STOMP_ERROR_COMMAND;
  r->n_frames++;
  stomp_parser_version(r->parser, r->version);
  stomp_frame_free(frame);
}

/* Read what is there; true: it ends with a whole frame or beat. */
static inline bool talk_reader_read(talk_reader *r, stomp_span in) {
  stomp_frame *frame;
  stomp_status status;
  while ((status = stomp_parser_next(r->parser, &in, &frame)) != STOMP_MORE) {
    FUZZ_CHECK(status > 0);
    if (status == STOMP_FRAME)
      talk_reader_frame(r, frame);
    else
      r->n_beats++;
  }
  return stomp_parser_is_idle(r->parser);
}

static inline void talk_reader_clear(talk_reader *r) {
  stomp_parser_free(r->parser);
  FUZZ_CHECK(r->memory.live == 0);
}

/* ---- WebSocket, and HTTP before it ---- */

/* What a connection over WebSocket wrote. */
typedef struct wire_kind {
  bool server;   /* who wrote it */
  bool binary;   /* what is no UTF-8 is sent as text, too */
  bool proxy;    /* CONNECT comes first */
  bool tunnel;   /* and was granted, or there is no proxy */
  bool refused;  /* server: the upgrade */
  bool may_fail; /* memory: the request behind the tunnel may be missing */
  const stomp_deflate_terms *deflate; /* NULL: without compression */
} wire_kind;

/* Behind the next head. */
static inline stomp_span wire_behind_head(stomp_span out, const char *begins) {
  FUZZ_CHECK(out.len > strlen(begins) &&
             memcmp(out.bytes, begins, strlen(begins)) == 0);
  while (memcmp(out.bytes, "\r\n\r\n", 4) != 0) {
    out.bytes++;
    out.len--;
    FUZZ_CHECK(out.len >= 4);
  }
  return (stomp_span){ out.bytes + 4, out.len - 4 };
}

/* A whole message is one frame or one beat. */
static inline void wire_message(talk_reader *reader, stomp_span message) {
  size_t n = reader->n_frames + reader->n_beats;
  FUZZ_CHECK(talk_reader_read(reader, message));
  FUZZ_CHECK(reader->n_frames + reader->n_beats == n + 1);
}

static inline void wire_frames(wire_kind kind, talk_reader *reader,
                               stomp_span in) {
  stomp_websocket_options o = { .server = !kind.server,
                                .strict_utf8 = !kind.binary };
  stomp_websocket_event e;
  stomp_websocket *w;
  stomp_buffer out;
  fuzz_dice dice;
  fuzz_memory memory;
  fuzz_log message = { NULL, 0, 0 };
  bool closed = false;
  fuzz_memory_init(&memory, SIZE_MAX, 0);
  fuzz_dice_init(&dice, 1, 0);
  o.memory = &memory.memory;
  o.random = &dice.random;
  stomp_buffer_init(&out, &memory.memory, (size_t)64 << 10);
  w = stomp_websocket_new(&o, &out);
  FUZZ_CHECK(w != NULL);
  FUZZ_CHECK(!kind.deflate ||
             stomp_websocket_compress(w, kind.deflate) == STOMP_OK);
  for (;;) {
    stomp_status status = stomp_websocket_next(w, &in, &e);
    if (status == STOMP_MORE)
      break;
    FUZZ_CHECK(status == STOMP_FRAME && !closed);
    closed = e.kind == STOMP_WEBSOCKET_CLOSE;
    if (e.kind != STOMP_WEBSOCKET_TEXT && e.kind != STOMP_WEBSOCKET_BINARY)
      continue;
    fuzz_log_add(&message, e.data.bytes, e.data.len);
    if (e.last) {
      wire_message(reader, (stomp_span){ message.at, message.len });
      fuzz_log_clear(&message);
    }
  }
  FUZZ_CHECK(message.len == 0);
  free(message.at);
  stomp_websocket_free(w);
  stomp_buffer_clear(&out);
}

/* Heads of HTTP, then frames that the opposite role takes, each message one
 * STOMP frame or beat. */
static inline void wire_read(wire_kind kind, talk_reader *reader,
                             stomp_span out) {
  if (out.len == 0)
    return;
  if (kind.server) {
    out = wire_behind_head(out, kind.refused ? "HTTP/1.1 " : "HTTP/1.1 101 ");
    FUZZ_CHECK(!kind.refused || out.len == 0);
  } else {
    if (kind.proxy)
      out = wire_behind_head(out, "CONNECT h:80 HTTP/1.1\r\n");
    if (kind.tunnel && (out.len || !kind.may_fail))
      out = wire_behind_head(out, "GET / HTTP/1.1\r\n");
  }
  wire_frames(kind, reader, out);
}

#endif
