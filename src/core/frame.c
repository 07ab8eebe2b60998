/* SPDX-License-Identifier: MIT
 *
 * One frame; see frame.h. */
#include "frame.h"
#include <string.h>

static const char *const command_names[] = {
#define STOMP_X(name) #name,
  STOMP_COMMANDS(STOMP_X)
#undef STOMP_X
};

static const char *const version_names[] = { "", "1.0", "1.1", "1.2" };

void stomp_frame_free(stomp_frame *frame) {
  if (frame)
    stomp_memory_free(frame->memory, frame, frame->size);
}

stomp_span stomp_frame_header(const stomp_frame *frame, const char *name,
                              size_t name_len) {
  uint32_t i;
  for (i = 0; i < frame->n_headers; i++) {
    const stomp_header *h = &frame->headers[i];
    if (h->name_len == name_len &&
        memcmp(frame->bytes + h->name, name, name_len) == 0)
      return stomp_frame_value(frame, i);
  }
  return (stomp_span){ NULL, 0 };
}

stomp_span stomp_outgoing_header(const stomp_outgoing *out, const char *name) {
  size_t i, len = strlen(name);
  for (i = 0; i < out->n_headers; i++) {
    const stomp_field *f = &out->headers[i];
    if (f->name_len == len && memcmp(f->name, name, len) == 0)
      return (stomp_span){ (const uint8_t *)f->value, f->value_len };
  }
  return (stomp_span){ NULL, 0 };
}

bool stomp_span_is(stomp_span span, const char *text) {
  size_t len = strlen(text);
  return span.bytes && span.len == len && memcmp(span.bytes, text, len) == 0;
}

bool stomp_span_begins(stomp_span span, const char *text) {
  size_t len = strlen(text);
  return span.len >= len && memcmp(span.bytes, text, len) == 0;
}

const char *stomp_command_name(stomp_command command) {
  return command < STOMP_COMMAND_COUNT ? command_names[command] : "";
}

static const uint8_t command_lens[] = {
#define STOMP_X(name) sizeof(#name) - 1,
  STOMP_COMMANDS(STOMP_X)
#undef STOMP_X
};

stomp_command stomp_command_find(const void *bytes, size_t len) {
  int i;
  for (i = 0; i < (int)STOMP_COMMAND_COUNT; i++)
    if (command_lens[i] == len && memcmp(command_names[i], bytes, len) == 0)
      return (stomp_command)i;
  return STOMP_COMMAND_COUNT;
}

const char *stomp_version_name(stomp_version version) {
  return version_names[version];
}

stomp_version stomp_version_find(const void *bytes, size_t len) {
  int i;
  for (i = STOMP_1_0; i <= STOMP_1_2; i++)
    if (len == 3 && memcmp(version_names[i], bytes, 3) == 0)
      return (stomp_version)i;
  return STOMP_UNSETTLED;
}
