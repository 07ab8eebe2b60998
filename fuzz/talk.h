/* SPDX-License-Identifier: MIT
 *
 * What the targets share that hold a STOMP conversation (session, connection):
 * frames to send made of the input, frames that came written into a log. */
#ifndef STOMP_FUZZ_TALK_H
#define STOMP_FUZZ_TALK_H

#include "core/session.h"
#include "support.h"

/* ---- Frames to send ---- */

#define TALK_HEADERS 4

typedef struct talk_frame {
  stomp_field fields[TALK_HEADERS];
  stomp_outgoing frame;
} talk_frame;

static inline stomp_span talk_word(fuzz_input *in) {
  static const char *const words[] = { "destination",
                                       "id",
                                       "ack",
                                       "transaction",
                                       "receipt",
                                       "message-id",
                                       "receipt-id",
                                       "subscription",
                                       "content-type",
                                       "message",
                                       "version",
                                       "content-length",
                                       "client",
                                       "auto",
                                       "/topic/a",
                                       "client-individual",
                                       "1",
                                       "2",
                                       "stomp-disconnect" };
  unsigned which = fuzz_octet(in), n = sizeof words / sizeof *words;
  if (which % (n + 1) == n) /* any octets */
    return fuzz_take(in, fuzz_octet(in) % 32);
  return (stomp_span){ (const uint8_t *)words[which % (n + 1)],
                       strlen(words[which % (n + 1)]) };
}

static inline stomp_field talk_field(stomp_span name, stomp_span value) {
  return (stomp_field){ (const char *)name.bytes, name.len,
                        (const char *)value.bytes, value.len };
}

/* Command (one of each eight is none), headers in names and values, body. */
static inline void talk_read(fuzz_input *in, talk_frame *f) {
  unsigned shape = fuzz_octet(in);
  stomp_span body;
  size_t i;
  memset(f, 0, sizeof *f);
  f->frame.command = (stomp_command)fuzz_below(in, STOMP_COMMAND_COUNT + 1);
  f->frame.n_headers = shape % (TALK_HEADERS + 1);
  f->frame.headers = f->fields;
  f->frame.no_content_length = (shape & 0x40) != 0;
  for (i = 0; i < f->frame.n_headers; i++) {
    stomp_span name = talk_word(in);
    f->fields[i] = talk_field(name, talk_word(in));
  }
  if (shape & 0x80) {
    body = fuzz_take(in, fuzz_octet(in) % 64);
    f->frame.body = (const char *)body.bytes;
    f->frame.body_len = body.len;
  }
}

/* ---- Frames that came ---- */

static inline void talk_log_frame(fuzz_log *log, const stomp_frame *f) {
  uint32_t i;
  fuzz_log_text(log, stomp_command_name(f->command));
  fuzz_log_text(log, " at ");
  fuzz_log_number(log, f->offset);
  for (i = 0; i < f->n_headers; i++) {
    fuzz_log_span(log, stomp_frame_name(f, i));
    fuzz_log_span(log, stomp_frame_value(f, i));
  }
  fuzz_log_text(log, "body ");
  fuzz_log_span(log, stomp_frame_body(f));
  fuzz_log_number(log, f->delivery.sequence);
  fuzz_log_number(log, f->delivery.ack_mode);
}

/* The last MESSAGEs that came, kept to be acknowledged. */
#define TALK_KEPT 4
typedef struct talk_kept {
  stomp_frame *frames[TALK_KEPT];
  size_t n;
} talk_kept;

static inline void talk_keep(talk_kept *kept, stomp_frame *frame) {
  size_t slot = kept->n++ % TALK_KEPT;
  stomp_frame_free(kept->frames[slot]);
  kept->frames[slot] = frame;
}

static inline void talk_kept_clear(talk_kept *kept) {
  size_t i;
  for (i = 0; i < TALK_KEPT; i++)
    stomp_frame_free(kept->frames[i]);
}

/* ---- What a peer says first, to a client and to a server ---- */

/* The answer to a key of "the sample nonce" (RFC 6455, 1.3), and a request; how
 * they end without and with compression. */
static const char *const talk_upgrade[2][3] = {
  { "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    "\r\n", "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" },
  { "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "\r\n", "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" }
};

static const char *const talk_hello[2][3] = {
  { "CONNECTED\nversion:1.2\nheart-beat:200,300\n\n",
    "CONNECTED\nversion:1.1\n\n", "CONNECTED\n\n" },
  { "CONNECT\naccept-version:1.0,1.1,1.2\nhost:/\nheart-beat:300,0\n\n",
    "STOMP\naccept-version:1.1\nhost:/\n\n", "CONNECT\n\n" }
};

#endif
