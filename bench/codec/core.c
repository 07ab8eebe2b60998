/* SPDX-License-Identifier: MIT
 *
 * The core alone, without Lua: large bodies and the mask, in bytes a second of
 * CPU, the best of many short slices.
 *
 *   core               prints "NAME GB/s" lines
 *   core NAME COUNT    does one thing COUNT times, for callgrind to count */
#include "core/parser.h"
#include "core/websocket.h"
#include "os/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY   65536
#define FRAMES 8 /* of one feed */

static const char head[] =
  "MESSAGE\nsubscription:17\ndestination:/topic/prices.europe\n"
  "message-id:T_17@@session-q0Gm7C8cBx1Qx@@1024\nredelivered:false\n"
  "content-type:application/octet-stream\n";

static uint8_t *input;
static size_t input_len;
static stomp_parser *parser;
static stomp_websocket *websocket;
static stomp_buffer out;

static void must(bool good, const char *what) {
  if (good)
    return;
  fprintf(stderr, "bench: %s\n", what);
  exit(1);
}

/* ---- What is measured: the bytes that one round handles ---- */

static size_t parse(void) {
  stomp_span in = { input, input_len };
  stomp_frame *frame;
  int n = 0;
  while (stomp_parser_next(parser, &in, &frame) == STOMP_FRAME) {
    n += frame->body_len == BODY;
    stomp_frame_free(frame);
  }
  must(n == FRAMES && in.len == 0, "a body is missing");
  return input_len;
}

static size_t mask(void) {
  static const uint8_t key[4] = { 0x12, 0x34, 0x56, 0x78 };
  must(stomp_websocket_mask(input, BODY, key, 0) == 0, "the mask's phase");
  return BODY;
}

/* A server takes a masked message of 64 KiB: unmasked piece by piece. */
static size_t unmask(void) {
  stomp_span in = { input, input_len };
  stomp_websocket_event event;
  size_t len = 0;
  while (stomp_websocket_next(websocket, &in, &event) == STOMP_FRAME)
    len += event.data.len;
  must(len == BODY, "a payload is missing");
  return BODY;
}

/* A client writes one: masked where it stands in the output. */
static size_t send_masked(void) {
  stomp_status status;
  uint8_t *to = stomp_websocket_begin(websocket, BODY, &status);
  must(to, "no room");
  memcpy(to, input, BODY);
  stomp_websocket_end(websocket, STOMP_WEBSOCKET_BINARY);
  stomp_buffer_consume(&out, stomp_buffer_len(&out));
  return BODY;
}

/* ---- Setting up ---- */

static bool fill(void *user, void *bytes, size_t len) {
  (void)user;
  memset(bytes, 0x5a, len);
  return true;
}

static void open_websocket(bool server) {
  static const stomp_random random = { fill, NULL };
  stomp_websocket_options options = { .server = server,
                                      .memory = &stomp_libc_memory,
                                      .random = &random };
  stomp_buffer_init(&out, &stomp_libc_memory, 4 * BODY);
  websocket = stomp_websocket_new(&options, &out);
  must(websocket, "no memory");
}

static void put_frames(bool counted) {
  int i, n;
  parser = stomp_parser_new(&(stomp_limits)STOMP_LIMITS_DEFAULT, STOMP_1_2,
                            &stomp_libc_memory);
  must(parser, "no memory");
  input_len = 0;
  for (i = 0; i < FRAMES; i++) {
    n = sprintf((char *)input + input_len,
                counted ? "%scontent-length:%d\n\n" : "%s\n", head, BODY);
    memset(input + input_len + n, 'x', BODY);
    input_len += (size_t)n + BODY;
    input[input_len++] = '\0';
  }
}

static void put_masked(void) {
  static const uint8_t header[] = { 0x82, 0xff, 0, 0,    0,    0,    0,
                                    1,    0,    0, 0x12, 0x34, 0x56, 0x78 };
  open_websocket(true);
  memcpy(input, header, sizeof header);
  memset(input + sizeof header, 'x', BODY);
  input_len = sizeof header + BODY;
}

static const struct {
  const char *name;
  size_t (*round)(void);
} list[] = {
  { "parse-counted", parse },
  { "parse-searched", parse },
  { "mask", mask },
  { "websocket-receive", unmask },
  { "websocket-send", send_masked },
};

static void set_up(size_t i) {
  if (i < 2)
    put_frames(i == 0);
  else if (i == 3)
    put_masked();
  else
    open_websocket(false);
}

static void tear_down(void) {
  stomp_parser_free(parser);
  stomp_websocket_free(websocket);
  if (websocket)
    stomp_buffer_clear(&out);
  parser = NULL;
  websocket = NULL;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void measure(size_t i) {
  double best = 0, stop = seconds() + 0.5;
  while (seconds() < stop) {
    double start = seconds(), rate;
    size_t bytes = 0;
    int n;
    for (n = 0; n < 20; n++)
      bytes += list[i].round();
    rate = (double)bytes / (seconds() - start);
    best = rate > best ? rate : best;
  }
  printf("%s %.1f\n", list[i].name, best / 1e9);
}

int main(int argc, char **argv) {
  size_t i;
  long n;
  input = malloc((sizeof head + 40 + BODY) * FRAMES);
  must(input, "no memory");
  memset(input, 'x', BODY);
  for (i = 0; i < sizeof list / sizeof *list; i++) {
    if (argc > 1 && strcmp(argv[1], list[i].name) != 0)
      continue;
    set_up(i);
    if (argc > 2)
      for (n = atol(argv[2]); n > 0; n--)
        list[i].round();
    else
      measure(i);
    tear_down();
  }
  free(input);
  return 0;
}
