/* SPDX-License-Identifier: MIT
 *
 * Runs the scripts of spec/vectors/session.md on a session: reads a line, does
 * it, compares. How a script is cut and which allocation fails is the caller's;
 * spec/vectors/session.md says what the lines mean. */
#ifndef STOMP_SESSION_SCRIPT_H
#define STOMP_SESSION_SCRIPT_H

#include "core/session.h"
#include "vectors.h"
#include "core/buffer.h"

#define SCRIPT_LINE     2048
#define SCRIPT_MESSAGES 16

typedef struct script {
  /* given */
  const char *title;
  const vector_block *block;
  size_t first;   /* input octets before the cut; SIZE_MAX: none */
  size_t step;    /* octets at a time; 0: all */
  bool trailing;  /* more octets follow each input */
  size_t fail_at; /* allocation that fails, 0: none */

  /* the machine */
  check_memory memory;
  stomp_random random;
  uint64_t seed, now;
  stomp_session *session;
  stomp_buffer out;
  size_t begun;

  /* what came */
  size_t fed; /* input octets so far */
  stomp_frame *events[SCRIPT_MESSAGES], *messages[SCRIPT_MESSAGES];
  size_t n_events, n_claimed, n_messages;
  stomp_status status; /* of the last action, until a line claims it */
  stomp_error error;
  bool starved; /* an allocation failed in input that failed: the end */
  bool broken;  /* a line did not hold: one complaint is enough */
  size_t line;
} script;

static inline void script_complain(script *s, const char *text,
                                   const char *got) {
  check_count++;
  if (s->broken)
    return;
  s->broken = true;
  check_failures++;
  fprintf(stderr,
          "session vector \"%s\", line %zu (first=%zu step=%zu fail=%zu): "
          "%s\n  but got: %s\n",
          s->title, s->line, s->first, s->step, s->fail_at, text, got);
}

static inline void script_expect(script *s, bool holds, const char *text,
                                 const char *got) {
  if (holds)
    check_count++;
  else
    script_complain(s, text, got);
}

/* ---- Seams ---- */

static inline bool script_fill(void *user, void *bytes, size_t len) {
  uint8_t *to = bytes;
  size_t i;
  for (i = 0; i < len; i++)
    to[i] = (uint8_t)check_random(user, 256);
  return true;
}

static inline stomp_status script_begin(void *user, size_t size, bool urgent,
                                        uint8_t **at) {
  script *s = user;
  (void)urgent;
  if (stomp_buffer_room(&s->out) < size)
    return STOMP_FULL;
  *at = stomp_buffer_reserve(&s->out, size);
  s->begun = size;
  return *at ? STOMP_OK : STOMP_ENOMEM;
}

static inline stomp_status script_end(void *user) {
  script *s = user;
  stomp_buffer_commit(&s->out, s->begun);
  return STOMP_OK;
}

/* ---- Frames in one line: COMMAND name=value … | body ---- */

typedef struct short_frame {
  char text[SCRIPT_LINE]; /* decoded pieces, each ended by NUL */
  const char *command;
  stomp_field fields[32];
  size_t n_fields;
  const char *body;
  size_t body_len;
} short_frame;

static inline char *short_piece(short_frame *f, char *to, const char *from,
                                size_t len, size_t *decoded) {
  *decoded = vector_decode((uint8_t *)to, from, len);
  to[*decoded] = '\0';
  (void)f;
  return to + *decoded + 1;
}

static inline void short_parse(short_frame *f, const char *line) {
  char *to = f->text;
  const char *bar = strstr(line, " | "), *stop;
  size_t len;
  memset(f, 0, sizeof *f);
  stop = bar ? bar : line + strlen(line);
  while (line < stop) {
    const char *end = memchr(line, ' ', (size_t)(stop - line)), *equals;
    if (!end)
      end = stop;
    equals = memchr(line, '=', (size_t)(end - line));
    if (!f->command) {
      f->command = to;
      to = short_piece(f, to, line, (size_t)(end - line), &len);
    } else if (equals && f->n_fields < 32) {
      stomp_field *field = &f->fields[f->n_fields++];
      field->name = to;
      to = short_piece(f, to, line, (size_t)(equals - line), &field->name_len);
      field->value = to;
      to = short_piece(f, to, equals + 1, (size_t)(end - equals - 1),
                       &field->value_len);
    }
    line = end < stop ? end + 1 : stop;
  }
  if (bar) {
    f->body = to;
    short_piece(f, to, bar + 3, strlen(bar + 3), &f->body_len);
  }
}

/* The octets of a frame whose values are raw; how many. */
static inline size_t short_octets(const short_frame *f, char *to) {
  char *at = to;
  size_t i;
  at += sprintf(at, "%s\n", f->command);
  for (i = 0; i < f->n_fields; i++) {
    memcpy(at, f->fields[i].name, f->fields[i].name_len);
    at += f->fields[i].name_len;
    *at++ = ':';
    memcpy(at, f->fields[i].value, f->fields[i].value_len);
    at += f->fields[i].value_len;
    *at++ = '\n';
  }
  *at++ = '\n';
  if (f->body_len)
    memcpy(at, f->body, f->body_len);
  at += f->body_len;
  *at++ = '\0';
  return (size_t)(at - to);
}

static inline stomp_outgoing short_outgoing(const short_frame *f) {
  stomp_outgoing out = { .command =
                           stomp_command_find(f->command, strlen(f->command)),
                         .headers = f->fields,
                         .n_headers = f->n_fields,
                         .body = f->body,
                         .body_len = f->body_len };
  return out;
}

/* ---- Input ---- */

static inline void script_take(script *s, const uint8_t *bytes, size_t len) {
  stomp_span in = { check_guarded(bytes, len), len };
  stomp_frame *frame = NULL;
  size_t requests = s->memory.n;
  stomp_status status;
  while ((status = stomp_session_next(s->session, &in, s->now, &frame)) ==
         STOMP_FRAME) {
    if (s->n_events < SCRIPT_MESSAGES)
      s->events[s->n_events++] = frame;
    if (frame->command == STOMP_MESSAGE_COMMAND &&
        s->n_messages < SCRIPT_MESSAGES)
      s->messages[s->n_messages++] = frame;
  }
  if (status < 0) {
    s->status = status;
    s->error = *stomp_session_error(s->session);
    s->starved = s->fail_at > requests && s->fail_at <= s->memory.n;
  }
}

/* Feed, cut as the caller of the script wants it. */
static inline void script_feed(script *s, const uint8_t *bytes, size_t len) {
  size_t at = 0, piece;
  for (; at < len; at += piece, s->fed += piece) {
    piece = len - at;
    if (s->fed < s->first && s->first - s->fed < piece)
      piece = s->first - s->fed;
    if (s->step && piece > s->step)
      piece = s->step;
    script_take(s, bytes + at, piece);
  }
  if (s->trailing)
    script_take(s, (const uint8_t *)"\n", 1);
}

/* ---- Output ---- */

/* Append octets, blanks written as ^x20. */
static inline void script_value(char *to, const char *bytes, size_t len) {
  for (; len; bytes++, len--)
    if (*bytes == ' ')
      strcat(to, "^x20");
    else
      vector_encode(to, bytes, 1);
}

/* The first frame or beat of the output in one line; octets it takes. */
static inline size_t script_render(script *s, char *to) {
  stomp_span out = stomp_buffer_span(&s->out);
  const char *at = (const char *)out.bytes, *end, *line;
  to[0] = '\0';
  if (out.len == 0)
    return 0;
  if (*at == '\n') {
    strcpy(to, "beat");
    return 1;
  }
  end = memchr(at, '\0', out.len);
  if (!end) {
    strcpy(to, "no frame");
    return out.len;
  }
  for (line = at; *line != '\n'; line = strchr(line, '\n') + 1) {
    const char *stop = strchr(line, '\n');
    const char *colon = memchr(line, ':', (size_t)(stop - line));
    if (line == at || !colon) {
      vector_encode(to, line, (size_t)(stop - line));
    } else {
      strcat(to, " ");
      vector_encode(to, line, (size_t)(colon - line));
      strcat(to, "=");
      script_value(to, colon + 1, (size_t)(stop - colon - 1));
    }
  }
  if (line + 1 < end) {
    strcat(to, " | ");
    vector_encode(to, line + 1, (size_t)(end - line - 1));
  }
  return (size_t)(end + 1 - at);
}

static inline void script_output(script *s, const char *text) {
  char got[SCRIPT_LINE * 4];
  size_t len = script_render(s, got);
  script_expect(s, strcmp(got, text) == 0, text, got);
  stomp_buffer_consume(&s->out, len);
}

/* ---- Events ---- */

static inline void script_event(script *s, const char *text) {
  short_frame want;
  const stomp_frame *frame;
  const char *name;
  size_t i;
  if (s->n_claimed >= s->n_events) {
    script_complain(s, text, "no frame");
    return;
  }
  frame = s->events[s->n_claimed++];
  short_parse(&want, text);
  name = stomp_command_name(frame->command);
  script_expect(s, strcmp(name, want.command) == 0, text, name);
  for (i = 0; i < want.n_fields; i++) {
    const stomp_field *f = &want.fields[i];
    stomp_span value = stomp_frame_header(frame, f->name, f->name_len);
    script_expect(s,
                  value.bytes && value.len == f->value_len &&
                    memcmp(value.bytes, f->value, value.len) == 0,
                  text, f->name);
  }
  script_expect(s,
                !want.body || (frame->body_len == want.body_len &&
                               memcmp(stomp_frame_body(frame).bytes, want.body,
                                      want.body_len) == 0),
                text, "another body");
}

#endif
