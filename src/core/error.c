/* SPDX-License-Identifier: MIT
 *
 * The texts of error.h's one list, and errors as plain values. */
#include "error.h"
#include <string.h>

typedef struct failure {
  const char *name, *kind, *sentence;
} failure;

static const failure failures[] = {
#define STOMP_X(name, kind, sentence) { #name, kind, sentence },
  STOMP_FAILURES(STOMP_X)
#undef STOMP_X
};

static const failure none = { "OK", "", "" };

static const failure *find(stomp_status status) {
  int i = -1 - (int)status;
  return i >= 0 && i < (int)STOMP_FAILURE_COUNT ? &failures[i] : &none;
}

const char *stomp_status_name(stomp_status status) {
  return find(status)->name;
}

const char *stomp_status_kind(stomp_status status) {
  return find(status)->kind;
}

const char *stomp_status_sentence(stomp_status status) {
  return find(status)->sentence;
}

void stomp_error_clear(stomp_error *error) {
  error->status = STOMP_OK;
  error->offset = STOMP_NO_OFFSET;
  error->close_code = 0;
  error->http_status = 0;
  error->detail[0] = '\0';
}

stomp_status stomp_error_set(stomp_error *error, stomp_status status,
                             uint64_t offset) {
  stomp_error_clear(error);
  error->status = status;
  error->offset = offset;
  return status;
}

void stomp_error_add_bytes(stomp_error *error, const void *bytes, size_t len) {
  const unsigned char *from = bytes;
  size_t at = strlen(error->detail), i;
  for (i = 0; i < len && at + 1 < sizeof error->detail; i++) {
    unsigned char c = from[i];
    error->detail[at++] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
  }
  error->detail[at] = '\0';
}

void stomp_error_add(stomp_error *error, const char *text) {
  stomp_error_add_bytes(error, text, strlen(text));
}

void stomp_error_add_number(stomp_error *error, uint64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  do
    digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  stomp_error_add_bytes(error, digits + at, sizeof digits - at);
}
