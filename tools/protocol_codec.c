/* SPDX-License-Identifier: MIT
 *
 * More tables of docs/protocol.md, each cell made by the codec or the arithmetic
 * itself: what becomes of octets that need an escape, of content-length in its
 * forms, of two sides' heart-beats. Part of protocol.c. */
#include "core/encoder.h"
#include "core/heartbeat.h"
#include "core/parser.h"
#include "os/memory.h"
#include "protocol_tables.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct kind {
  const char *name;
  stomp_command command;
  bool escape_connect;
} kind;

static const kind kinds[] = {
  { "CONNECT, STOMP", STOMP_CONNECT_COMMAND, false },
  { "the same, option `escape_connect`", STOMP_CONNECT_COMMAND, true },
  { "CONNECTED", STOMP_CONNECTED_COMMAND, false },
  { "all others", STOMP_MESSAGE_COMMAND, false },
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- Rows of three versions, one where they say the same ---- */

static FILE *row; /* the cells of the one being made */

static void print_kind(const kind *k,
                       void (*cells)(const kind *k, stomp_version version)) {
  char *rows[STOMP_1_2 + 1];
  size_t len;
  stomp_version v;
  for (v = STOMP_1_0; v <= STOMP_1_2; v++) {
    row = open_memstream(&rows[v], &len);
    if (!row)
      abort();
    cells(k, v);
    fclose(row);
  }
  if (strcmp(rows[STOMP_1_0], rows[STOMP_1_1]) == 0 &&
      strcmp(rows[STOMP_1_1], rows[STOMP_1_2]) == 0)
    printf("| %s | all%s |\n", k->name, rows[STOMP_1_0]);
  else
    for (v = STOMP_1_0; v <= STOMP_1_2; v++)
      printf("| %s | %s%s |\n", k->name, stomp_version_name(v), rows[v]);
  for (v = STOMP_1_0; v <= STOMP_1_2; v++)
    free(rows[v]);
}

/* ---- Escapes ---- */

/* A header value `a` octet `b` on the wire: raw, escaped, or refused. */
static void print_written(const kind *k, stomp_version version, char octet) {
  const char value[3] = { 'a', octet, 'b' };
  const stomp_field field = { "h", 1, value, sizeof value };
  stomp_outgoing out = {
    .command = k->command, .headers = &field, .n_headers = 1, .body = ""
  };
  stomp_encoding encoding = { version, k->escape_connect };
  stomp_error error;
  size_t size;
  uint8_t *to;
  char *from;
  stomp_status status = stomp_encode_check(&out, encoding, &size, &error);
  if (status != STOMP_OK) {
    fprintf(row, " | %s", stomp_status_name(status));
    return;
  }
  to = malloc(size);
  if (!to)
    abort();
  stomp_encode(&out, encoding, to);
  from = strstr((char *)to, "h:a") + 3;
  if (*from == octet && from[1] == 'b')
    fprintf(row, " | raw");
  else
    fprintf(row, " | `%.2s`", from);
  free(to);
}

static void print_octet(char c) {
  if (c == '\n')
    fprintf(row, " | LF");
  else if (c == '\r')
    fprintf(row, " | CR");
  else
    fprintf(row, " | `%c`", c);
}

/* One frame with this header block at this version; NULL: *status says why. */
static stomp_frame *parse(stomp_version version, const char *text, size_t len,
                          stomp_status *status) {
  const stomp_limits limits = STOMP_LIMITS_DEFAULT;
  stomp_parser *p = stomp_parser_new(&limits, version, &stomp_libc_memory);
  stomp_span in = { (const uint8_t *)text, len };
  stomp_frame *frame = NULL;
  if (!p)
    abort();
  *status = stomp_parser_next(p, &in, &frame);
  stomp_parser_free(p);
  return *status == STOMP_FRAME ? frame : NULL;
}

/* What the header value `a` escape means. */
static void print_read(const kind *k, stomp_version version,
                       const char *escape) {
  char text[64];
  int len =
    sprintf(text, "%s\nh:a%s\n\n", stomp_command_name(k->command), escape);
  stomp_status status;
  stomp_frame *f = parse(version, text, (size_t)len + 1, &status);
  stomp_span value;
  if (!f) {
    fprintf(row, " | %s", stomp_status_name(status));
    return;
  }
  value = stomp_frame_value(f, 0);
  if (value.len == 1 + strlen(escape))
    fprintf(row, " | raw");
  else
    print_octet((char)value.bytes[1]);
  stomp_frame_free(f);
}

static void write_cells(const kind *k, stomp_version version) {
  static const char octets[] = { '\n', '\r', ':', '\\', '\0' };
  size_t i;
  for (i = 0; i < sizeof octets; i++)
    print_written(k, version, octets[i]);
}

static void read_cells(const kind *k, stomp_version version) {
  static const char *const escapes[] = { "\\n",  "\\r", "\\c",
                                         "\\\\", "\\t", "\\" };
  size_t i;
  for (i = 0; i < sizeof escapes / sizeof *escapes; i++)
    print_read(k, version, escapes[i]);
}

void print_escapes(void) {
  size_t k;
  puts("| written in a value of | version | LF | CR | `:` | `\\` | NUL |\n"
       "| --- | --- | --- | --- | --- | --- | --- |");
  for (k = 0; k < KINDS; k++)
    print_kind(&kinds[k], write_cells);
}

void print_unescapes(void) {
  size_t k;
  puts("| read in a value of | version | `\\n` | `\\r` | `\\c` | `\\\\` | "
       "`\\t` | `\\` at the end |\n"
       "| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (k = 0; k < KINDS; k++)
    if (!kinds[k].escape_connect) /* that is writing only */
      print_kind(&kinds[k], read_cells);
}

/* ---- content-length ---- */

static void print_length(const char *what, const char *headers) {
  char text[128];
  int len = sprintf(text, "SEND\n%s\nbody", headers);
  stomp_version version;
  printf("| %s", what);
  for (version = STOMP_1_0; version <= STOMP_1_2; version += 2) {
    stomp_status status;
    stomp_frame *f = parse(version, text, (size_t)len + 1, &status);
    if (f)
      printf(" | a body of %zu", f->body_len);
    else
      printf(" | %s", status == STOMP_MORE ? "more octets are awaited"
                                           : stomp_status_name(status));
    stomp_frame_free(f);
  }
  puts(" |");
}

void print_lengths(void) {
#define LENGTH(value) "content-length:" value "\n"
  puts("| content-length before `body` and NUL | 1.0 | 1.1, 1.2 |\n"
       "| --- | --- | --- |");
  print_length("none", "");
  print_length("`4`", LENGTH("4"));
  print_length("`004`", LENGTH("004"));
  print_length("`4` twice", LENGTH("4") LENGTH("4"));
  print_length("`4` and `5`", LENGTH("4") LENGTH("5"));
  print_length("`3`", LENGTH("3"));
  print_length("`5`", LENGTH("5"));
  print_length("nothing", LENGTH(""));
  print_length("`4` with a blank before or behind", LENGTH(" 4"));
  print_length("`+4`", LENGTH("+4"));
  print_length("`-4`", LENGTH("-4"));
  print_length("`0x4`", LENGTH("0x4"));
  print_length("`16777216`, with the headers over `limits.frame`",
               LENGTH("16777216"));
  print_length("`99999999999999999999`", LENGTH("99999999999999999999"));
#undef LENGTH
}

/* ---- Heart-beats ---- */

static void print_ms(uint64_t ms, uint64_t every) {
  if (every)
    printf(" | %llu", (unsigned long long)ms);
  else
    printf(" | never");
}

void print_beats(void) {
  static const uint64_t pairs[][2][2] = {
    { { 10000, 10000 }, { 10000, 10000 } }, { { 1500, 2500 }, { 2000, 1000 } },
    { { 100, 100 }, { 1000, 1000 } },       { { 5000, 0 }, { 0, 5000 } },
    { { 0, 5000 }, { 5000, 0 } },           { { 500, 500 }, { 0, 1000 } },
    { { 10000, 10000 }, { 0, 0 } },         { { 0, 0 }, { 10000, 10000 } },
  };
  static const uint32_t slack[2] = { 200, 1000 };
  size_t i;
  puts("| we say | the peer says | agreed: we send every | we send after | "
       "agreed: it sends every | it is lost after |\n"
       "| --- | --- | --- | --- | --- | --- |");
  for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    stomp_heartbeat h;
    stomp_heartbeat_agree(&h, pairs[i][0], pairs[i][1], slack, 0);
    printf("| `%u,%u` | `%u,%u`", (unsigned)pairs[i][0][0],
           (unsigned)pairs[i][0][1], (unsigned)pairs[i][1][0],
           (unsigned)pairs[i][1][1]);
    print_ms(h.send, h.send);
    print_ms(h.send_every, h.send);
    print_ms(h.receive, h.receive);
    print_ms(h.late_after, h.receive);
    puts(" |");
  }
}
