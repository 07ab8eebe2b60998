/* SPDX-License-Identifier: MIT
 *
 * The notation of spec/vectors/websocket.md: frames in words -> octets of a
 * stream, for one role; expected events -> the text that a run writes down. It
 * has framing of its own, deliberately simple, so that it shares no mistake with
 * src/core. */
#ifndef STOMP_WEBSOCKET_VECTORS_H
#define STOMP_WEBSOCKET_VECTORS_H

#include "core/websocket.h"
#include "vectors.h"

/* ---- Octets that grow ---- */

typedef struct octets {
  uint8_t *at; /* owned; a NUL stands behind the last one */
  size_t len, room;
} octets;

static inline void octets_add(octets *o, const void *bytes, size_t len) {
  if (o->len + len + 1 > o->room) {
    o->room = 2 * (o->len + len) + 256;
    o->at = realloc(o->at, o->room);
    if (!o->at)
      abort();
  }
  if (len)
    memcpy(o->at + o->len, bytes, len);
  o->len += len;
  o->at[o->len] = '\0';
}

static inline void octets_say(octets *o, const char *text) {
  octets_add(o, text, strlen(text));
}

static inline void octets_empty(octets *o) {
  o->len = 0;
  octets_add(o, "", 0);
}

/* XOR with a mask (RFC 6455, 5.3), eight octets at a time for the 16 MiB. */
static inline void octets_mask(uint8_t *at, size_t len, const uint8_t *key) {
  uint64_t twice, word;
  size_t i;
  memcpy(&twice, key, 4);
  memcpy((uint8_t *)&twice + 4, key, 4);
  for (i = 0; i + sizeof word <= len; i += sizeof word) {
    memcpy(&word, at + i, sizeof word);
    word ^= twice;
    memcpy(at + i, &word, sizeof word);
  }
  for (; i < len; i++)
    at[i] ^= key[i % 4];
}

/* ---- A line of the notation ---- */

typedef struct frame_line {
  char kind[16];
  bool send, nofin, masked, unmasked, has_len;
  unsigned rsv;
  int code;       /* -1: none */
  int len_octets; /* of the length's form; 0: the shortest */
  uint8_t key[4];
  size_t len, fragment, repeat;
  octets payload; /* owned */
} frame_line;

static inline void line_payload(frame_line *l, const char *text, size_t len,
                                size_t fill) {
  octets *p = &l->payload;
  uint8_t *plain = malloc(len + 1);
  size_t n;
  if (!plain)
    abort();
  n = vector_decode(plain, text, len);
  octets_add(p, plain, fill && fill < n ? fill : n);
  while (n && p->len < fill) { /* doubled, so that 16 MiB are a few copies */
    size_t more = p->len - p->len % n;
    octets copy = { NULL, 0, 0 };
    octets_add(&copy, p->at, more < fill - p->len ? more : fill - p->len);
    octets_add(p, copy.at, copy.len);
    free(copy.at);
  }
  free(plain);
}

static inline void line_word(frame_line *l, const char *word, size_t *fill) {
  const char *value = strchr(word, '=');
  unsigned key;
  if (value)
    value++;
  if (word[0] >= '0' && word[0] <= '9')
    l->code = atoi(word);
  else if (strcmp(word, "nofin") == 0)
    l->nofin = true;
  else if (strncmp(word, "rsv", 3) == 0)
    l->rsv |= 0x80u >> (word[3] - '0');
  else if (strcmp(word, "masked") == 0)
    l->masked = true;
  else if (strcmp(word, "unmasked") == 0)
    l->unmasked = true;
  else if (strcmp(word, "len16") == 0)
    l->len_octets = 2;
  else if (strcmp(word, "len64") == 0)
    l->len_octets = 8;
  else if (value && strncmp(word, "len=", 4) == 0)
    l->len = strtoul(value, NULL, 0), l->has_len = true;
  else if (value && strncmp(word, "frag=", 5) == 0)
    l->fragment = strtoul(value, NULL, 10);
  else if (value && strncmp(word, "repeat=", 7) == 0)
    l->repeat = strtoul(value, NULL, 10);
  else if (value && strncmp(word, "fill=", 5) == 0)
    *fill = strtoul(value, NULL, 10);
  else if (value && sscanf(word, "key=%8x", &key) == 1)
    for (int i = 0; i < 4; i++)
      l->key[i] = (uint8_t)(key >> (24 - 8 * i));
  else
    CHECK(!word); /* a word that the notation does not have */
}

/* Read "kind words | payload"; free payload afterwards. */
static inline frame_line line_read(const char *text, size_t len) {
  frame_line l = { .code = -1, .repeat = 1, .key = { 0x37, 0xfa, 0x21, 0x3d } };
  char words[256], *word, *rest = words;
  size_t head = 0, fill = 0;
  while (head < len && strncmp(text + head, "| ", 2) != 0)
    head++;
  snprintf(words, sizeof words, "%.*s", (int)head, text);
  while ((word = strtok_r(rest, " ", &rest)) != NULL) {
    if (strcmp(word, "send") == 0 && !l.kind[0])
      l.send = true;
    else if (!l.kind[0])
      snprintf(l.kind, sizeof l.kind, "%s", word);
    else
      line_word(&l, word, &fill);
  }
  head = head + 2 < len ? head + 2 : len;
  line_payload(&l, text + head, len - head, fill);
  return l;
}

/* ---- The stream ---- */

typedef struct stream_frame {
  size_t at, head; /* first octet, octets of the header */
} stream_frame;

typedef struct stream {
  bool server; /* what we are: the frames are masked */
  octets bytes;
  stream_frame *frames;
  size_t n_frames;
  struct {
    size_t at; /* when so many octets were given */
    const char *text;
    size_t len;
  } sends[8];
  size_t n_sends;
} stream;

static inline void stream_mark(stream *s, size_t head) {
  if ((s->n_frames & (s->n_frames - 1)) == 0)
    s->frames = realloc(s->frames, (2 * s->n_frames + 1) * sizeof *s->frames);
  if (!s->frames)
    abort();
  s->frames[s->n_frames++] = (stream_frame){ s->bytes.len, head };
}

static inline int stream_opcode(const char *kind) {
  static const char *const names[] = { "continue", "text", "binary" };
  static const char *const control[] = { "close", "ping", "pong" };
  int i;
  for (i = 0; i < 3; i++) {
    if (strcmp(kind, names[i]) == 0)
      return i;
    if (strcmp(kind, control[i]) == 0)
      return 8 + i;
  }
  CHECK(strncmp(kind, "opcode", 6) == 0);
  return atoi(kind + 6) & 15;
}

/* One frame as RFC 6455, 5.2 draws it, octet by octet. */
static inline void stream_frame_add(stream *s, const frame_line *l,
                                    unsigned first, const uint8_t *payload,
                                    size_t len) {
  bool masked = (s->server || l->masked) && !l->unmasked;
  size_t told = l->has_len ? l->len : len;
  int n = l->len_octets   ? l->len_octets
          : told > 0xffff ? 8
          : told > 125    ? 2
                          : 0;
  uint8_t head[14] = { (uint8_t)first }, *to = head + 2;
  size_t i, at;
  head[1] = (uint8_t)(n == 8 ? 127 : n == 2 ? 126 : told);
  if (masked)
    head[1] |= 0x80;
  while (n--)
    *to++ = (uint8_t)((uint64_t)told >> (8 * n));
  for (i = 0; masked && i < 4; i++)
    *to++ = l->key[i];
  stream_mark(s, (size_t)(to - head));
  octets_add(&s->bytes, head, (size_t)(to - head));
  at = s->bytes.len;
  octets_add(&s->bytes, payload, len);
  if (masked)
    octets_mask(s->bytes.at + at, len, l->key);
}

static inline void stream_message_add(stream *s, const frame_line *l) {
  unsigned opcode = (unsigned)stream_opcode(l->kind);
  size_t at = 0, most = l->fragment ? l->fragment : SIZE_MAX;
  octets all = { NULL, 0, 0 };
  uint8_t code[2] = { (uint8_t)(l->code >> 8), (uint8_t)l->code };
  octets_add(&all, code, l->code < 0 ? 0 : sizeof code);
  octets_add(&all, l->payload.at, l->payload.len);
  do {
    size_t len = all.len - at < most ? all.len - at : most;
    bool fin = at + len == all.len && !l->nofin;
    stream_frame_add(s, l, (fin ? 0x80 : 0) | l->rsv | (at ? 0 : opcode),
                     all.at + at, len);
    at += len;
  } while (at < all.len);
  free(all.at);
}

static inline void stream_line_add(stream *s, const char *text, size_t len) {
  frame_line l = line_read(text, len);
  size_t i;
  if (l.send) {
    s->sends[s->n_sends].at = s->bytes.len;
    s->sends[s->n_sends].text = text;
    s->sends[s->n_sends++].len = len;
  } else if (strcmp(l.kind, "raw") == 0) {
    stream_mark(s, l.payload.len);
    octets_add(&s->bytes, l.payload.at, l.payload.len);
  } else {
    for (i = 0; i < l.repeat; i++)
      stream_message_add(s, &l);
  }
  free(l.payload.at);
}

/* The octets of a `frames` block; free it with stream_clear. */
static inline stream stream_read(const vector_block *b, bool server) {
  stream s = { .server = server };
  const char *line = b->text, *stop = b->text + b->len, *end;
  octets_empty(&s.bytes);
  for (; line < stop; line = end + 1) {
    end = memchr(line, '\n', (size_t)(stop - line));
    if (!end)
      end = stop;
    stream_line_add(&s, line, (size_t)(end - line));
  }
  return s;
}

static inline void stream_clear(stream *s) {
  free(s->bytes.at);
  free(s->frames);
}

/* ---- The log ---- */

#define LOG_PLAIN 160 /* octets of a payload that are written out */

/* One event or answer: "kind [code] | octets", long ones by size and sum. */
static inline void log_say(octets *log, const char *kind, int code,
                           const uint8_t *payload, size_t len) {
  char text[4 * LOG_PLAIN + 64];
  uint64_t sum = len, word;
  size_t i;
  int n = snprintf(text, sizeof text, code < 0 ? "%s" : "%s %d", kind, code);
  if (len > LOG_PLAIN) {
    for (i = 0; i + sizeof word <= len; i += sizeof word) {
      memcpy(&word, payload + i, sizeof word);
      sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
      sum ^= sum >> 29;
    }
    for (; i < len; i++)
      sum = (sum ^ payload[i]) * UINT64_C(0x100000001b3);
    snprintf(text + n, sizeof text - (size_t)n, " | %zu octets, sum %llx", len,
             (unsigned long long)sum);
  } else if (len) {
    strcat(text, " | ");
    vector_encode(text, payload, len);
  }
  octets_say(log, text);
  octets_say(log, "\n");
}

/* "error NAME frame F head|payload N" -> "error NAME byte B" */
static inline void log_error_line(octets *log, const stream *s,
                                  const char *text) {
  char name[32], part[16], line[80];
  size_t f, n;
  CHECK(sscanf(text, "error %31s frame %zu %15s %zu", name, &f, part, &n) == 4);
  CHECK(f >= 1 && f <= s->n_frames);
  if (f < 1 || f > s->n_frames)
    return;
  n +=
    s->frames[f - 1].at + (strcmp(part, "payload") ? 0 : s->frames[f - 1].head);
  snprintf(line, sizeof line, "error %s byte %zu\n", name, n);
  octets_say(log, line);
}

static inline void log_line(octets *log, const stream *s, const char *line,
                            size_t len) {
  char kind[24];
  frame_line l;
  if (strncmp(line, "error ", 6) == 0) {
    log_error_line(log, s, line);
    return;
  }
  if (strncmp(line, "refused ", 8) == 0) {
    octets_add(log, line, len);
    octets_say(log, "\n");
    return;
  }
  if (strncmp(line, "  sends ", 8) == 0) {
    octets_say(log, "  sends ");
    line += 8;
    len -= 8;
  }
  l = line_read(line, len);
  snprintf(kind, sizeof kind, "%s%s", l.kind, l.rsv ? " rsv1" : "");
  log_say(log, kind, l.code, l.payload.at, l.payload.len);
  free(l.payload.at);
}

static inline const char *line_end(const char *line, const char *stop) {
  const char *end = memchr(line, '\n', (size_t)(stop - line));
  return end ? end : stop;
}

/* An `events` block as a run writes it: an event with its answers, and again as
 * often as `repeat=` says. */
static inline void log_expected(octets *log, const stream *s,
                                const vector_block *b) {
  const char *line = b->text, *stop = b->text + b->len, *next, *one;
  octets_empty(log);
  for (; line < stop; line = next) {
    const char *end = line_end(line, stop);
    const char *often = strstr(line, " repeat=");
    size_t n = often && often < end ? strtoul(often + 8, NULL, 10) : 1;
    for (next = end + 1; next < stop && *next == ' ';)
      next = line_end(next, stop) + 1;
    while (n--)
      for (one = line; one < next && one < stop; one = line_end(one, stop) + 1)
        log_line(log, s, one, (size_t)(line_end(one, stop) - one));
  }
}

#endif
