/* SPDX-License-Identifier: MIT
 *
 * Reads the vectors of spec/vectors: headings, and under each two fenced
 * blocks. spec/vectors/parser.md says how octets are written. */
#ifndef STOMP_VECTORS_H
#define STOMP_VECTORS_H

#include "check.h"

typedef struct vector_block {
  char info[128]; /* what stands behind the fence */
  char *text;     /* its lines joined by LF; points into the file's text */
  size_t len;
} vector_block;

typedef struct vector {
  const char *title;
  vector_block block[2];
  int n_blocks;
} vector;

typedef struct vector_file {
  char *text; /* owned; cut into strings */
  vector *list;
  size_t n;
} vector_file;

static inline char *vector_read_all(const char *path) {
  FILE *f = fopen(path, "rb");
  char *text = calloc(1, (size_t)1 << 20);
  if (!f || !text) {
    fprintf(stderr, "%s: cannot be read (run this from the checkout)\n", path);
    exit(2);
  }
  if (fread(text, 1, ((size_t)1 << 20) - 1, f) == 0)
    abort();
  fclose(f);
  return text;
}

/* Read a file of vectors; `path` is relative to the checkout. */
static inline vector_file vector_open(const char *path) {
  vector_file file = { vector_read_all(path), NULL, 0 };
  vector_block *open = NULL;
  char *line = file.text, *end;
  file.list = calloc(1000, sizeof *file.list);
  for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    vector *v = file.n ? &file.list[file.n - 1] : NULL;
    bool fence = strncmp(line, "```", 3) == 0;
    *end = '\0';
    if (open && fence) {
      open->len = line > open->text ? (size_t)(line - 1 - open->text) : 0;
      open->text[open->len] = '\0';
      open = NULL;
    } else if (open) {
      *end = '\n'; /* a part of the block */
    } else if (fence && v && v->n_blocks < 2) {
      open = &v->block[v->n_blocks++];
      snprintf(open->info, sizeof open->info, "%s", line + 3);
      open->text = end + 1;
    } else if (strncmp(line, "## ", 3) == 0 && file.n < 1000) {
      file.list[file.n++].title = line + 3;
    }
  }
  return file;
}

static inline void vector_close(vector_file *file) {
  free(file->list);
  free(file->text);
}

/* Undo the notation of `len` characters in `to`; returns how many octets. */
static inline size_t vector_decode(uint8_t *to, const char *text, size_t len) {
  size_t i, n = 0;
  for (i = 0; i < len; i++) {
    if (text[i] != '^') {
      to[n++] = (uint8_t)text[i];
    } else if (text[i + 1] == 'x') {
      char hex[3] = { text[i + 2], text[i + 3], '\0' };
      to[n++] = (uint8_t)strtoul(hex, NULL, 16);
      i += 3;
    } else {
      i++;
      to[n++] = (uint8_t)(text[i] == '^' ? '^' : text[i] - '@');
    }
  }
  return n;
}

/* Append octets to a string in the one way in which they are written. */
static inline void vector_encode(char *to, const void *bytes, size_t len) {
  const uint8_t *from = bytes;
  char *at = to + strlen(to);
  size_t i;
  for (i = 0; i < len; i++) {
    if (from[i] == '^')
      at += sprintf(at, "^^");
    else if (from[i] < 0x20)
      at += sprintf(at, "^%c", from[i] + '@');
    else if (from[i] >= 0x7f)
      at += sprintf(at, "^x%02x", from[i]);
    else
      *at++ = (char)from[i];
  }
  *at = '\0';
}

/* Lines of a block in the one way; `to` has room for four times as many. */
static inline void vector_canonical(char *to, const vector_block *b) {
  uint8_t octets[4096];
  const char *line = b->text, *stop = b->text + b->len, *end;
  to[0] = '\0';
  for (; line < stop; line = end + 1) {
    end = memchr(line, '\n', (size_t)(stop - line));
    if (!end)
      end = stop;
    vector_encode(to, octets,
                  vector_decode(octets, line, (size_t)(end - line)));
    strcat(to, "\n");
  }
}

/* Whether the info line has that word; a number behind `word`= if there is. */
static inline bool vector_says(const vector_block *b, const char *word,
                               size_t *number) {
  size_t len = strlen(word);
  const char *at = b->info;
  while ((at = strstr(at, word)) != NULL) {
    char after = at[len];
    if (at > b->info && at[-1] == ' ' &&
        (number ? after == '=' : after == ' ' || after == '\0')) {
      if (number)
        *number = strtoul(at + len + 1, NULL, 10);
      return true;
    }
    at += len;
  }
  return false;
}

/* Whether the vector holds for version `i` of unsettled, 1.0, 1.1, 1.2. */
static inline bool vector_holds(const vector_block *b, int i) {
  static const char *const names[] = { "unsettled", "1.0", "1.1", "1.2" };
  int k;
  for (k = 0; k < 4; k++)
    if (vector_says(b, names[k], NULL))
      return vector_says(b, names[i], NULL);
  return true; /* none is named: all */
}

#endif
