/* SPDX-License-Identifier: MIT
 *
 * Frame -> bytes; see encoder.h. `check` refuses everything that would change
 * the shape of the frame, so `encode` only copies. */
#include "encoder.h"
#include "escape.h"
#include <string.h>

#define CONTENT_LENGTH "content-length"

/* Commands that may have a body (STOMP 1.2, "Body"). */
static bool may_have_body(stomp_command command) {
  return command == STOMP_SEND_COMMAND || command == STOMP_MESSAGE_COMMAND ||
         command == STOMP_ERROR_COMMAND;
}

/* CONNECT and CONNECTED have no escapes (STOMP 1.2, "Value Encoding"), 1.0 has
 * none at all. */
static bool escapes(stomp_command command, stomp_encoding encoding) {
  switch (command) {
    case STOMP_CONNECT_COMMAND:
    case STOMP_STOMP_COMMAND: return encoding.escape_connect;
    case STOMP_CONNECTED_COMMAND: return false;
    default: return encoding.version >= STOMP_1_1;
  }
}

static size_t digits_of(size_t number) {
  size_t n = 1;
  while (number >= 10)
    number /= 10, n++;
  return n;
}

static bool adds_length(const stomp_outgoing *frame) {
  return frame->body_len && !frame->no_content_length &&
         !stomp_outgoing_header(frame, CONTENT_LENGTH).bytes;
}

static stomp_status refuse(stomp_error *error, const stomp_field *field,
                           const char *why) {
  stomp_error_set(error, STOMP_IHEADER, STOMP_NO_OFFSET);
  stomp_error_add_bytes(error, field->name, field->name_len);
  stomp_error_add(error, why);
  return error->status;
}

static stomp_status refuse_cr(stomp_error *error, const stomp_field *field,
                              stomp_command command) {
  bool raw = command == STOMP_CONNECT_COMMAND ||
             command == STOMP_STOMP_COMMAND ||
             command == STOMP_CONNECTED_COMMAND;
  if (!raw)
    return refuse(error, field, ": a carriage return needs STOMP 1.2");
  refuse(error, field, ": a carriage return cannot be sent in ");
  stomp_error_add(error, stomp_command_name(command));
  return error->status;
}

/* Blanks round names and values are padding at 1.0: a name that has some would
 * arrive as another one, a value of blanks alone as none. */
static stomp_status check_blanks(const stomp_field *f, stomp_error *error) {
  size_t i = 0;
  if (stomp_is_blank((uint8_t)f->name[0]) ||
      stomp_is_blank((uint8_t)f->name[f->name_len - 1]))
    return refuse(error, f, ": STOMP 1.0 strips blanks round a name");
  while (i < f->value_len && stomp_is_blank((uint8_t)f->value[i]))
    i++;
  return i < f->value_len ? STOMP_OK
                          : refuse(error, f, ": STOMP 1.0 has no empty values");
}

/* One header: refuse what this version cannot carry. */
static stomp_status check_field(const stomp_field *f, stomp_command command,
                                stomp_encoding encoding, stomp_error *error) {
  bool escaped = escapes(command, encoding), has_cr;
  if (f->name_len == 0)
    return refuse(error, f, "a header has an empty name");
  if (memchr(f->name, '\0', f->name_len) ||
      (f->value_len && memchr(f->value, '\0', f->value_len)))
    return refuse(error, f, ": it has a NUL");
  has_cr = memchr(f->name, '\r', f->name_len) ||
           (f->value_len && memchr(f->value, '\r', f->value_len));
  if (has_cr && (!escaped || encoding.version < STOMP_1_2))
    return refuse_cr(error, f, command);
  if (escaped)
    return STOMP_OK;
  if (memchr(f->name, '\n', f->name_len) || memchr(f->name, ':', f->name_len) ||
      (f->value_len && memchr(f->value, '\n', f->value_len)))
    return refuse(error, f, ": a line feed or colon here has no escape");
  return encoding.version == STOMP_1_0 ? check_blanks(f, error) : STOMP_OK;
}

static bool is_number(const char *text, size_t len, uint64_t number) {
  uint64_t n = 0;
  size_t i;
  if (len == 0 || len > 18)
    return false;
  for (i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9')
      return false;
    n = n * 10 + (uint64_t)(text[i] - '0');
  }
  return n == number;
}

/* Each content-length of the caller's must be the body's; a frame that may not
 * have a body has none. */
static bool has_wrong_length(const stomp_outgoing *frame) {
  size_t i;
  for (i = 0; i < frame->n_headers; i++) {
    const stomp_field *f = &frame->headers[i];
    if (f->name_len == sizeof CONTENT_LENGTH - 1 &&
        memcmp(f->name, CONTENT_LENGTH, f->name_len) == 0 &&
        (!may_have_body(frame->command) ||
         !is_number(f->value, f->value_len, frame->body_len)))
      return true;
  }
  return false;
}

static stomp_status refuse_length(stomp_error *error, const char *why) {
  stomp_error_set(error, STOMP_ILENGTH, STOMP_NO_OFFSET);
  stomp_error_add(error, why);
  return error->status;
}

static stomp_status check_body(const stomp_outgoing *frame,
                               stomp_error *error) {
  if (frame->body_len && !may_have_body(frame->command)) {
    stomp_error_set(error, STOMP_IBODY, STOMP_NO_OFFSET);
    stomp_error_add(error, stomp_command_name(frame->command));
    return error->status;
  }
  if (has_wrong_length(frame))
    return refuse_length(error, "content-length is not the body's length");
  if (frame->no_content_length && frame->body_len &&
      memchr(frame->body, '\0', frame->body_len) &&
      !stomp_outgoing_header(frame, CONTENT_LENGTH).bytes)
    return refuse_length(error, "the body has a NUL");
  return STOMP_OK;
}

stomp_status stomp_encode_check(const stomp_outgoing *frame,
                                stomp_encoding encoding, size_t *size,
                                stomp_error *error) {
  bool escaped = escapes(frame->command, encoding);
  size_t n = strlen(stomp_command_name(frame->command)) + 1, i;
  stomp_status status;
  if (frame->command >= STOMP_COMMAND_COUNT)
    return stomp_error_set(error, STOMP_ICOMMAND, STOMP_NO_OFFSET);
  for (i = 0; i < frame->n_headers; i++) {
    const stomp_field *f = &frame->headers[i];
    status = check_field(f, frame->command, encoding, error);
    if (status != STOMP_OK)
      return status;
    n += 2; /* colon and line feed */
    n += escaped ? stomp_escaped_len(f->name, f->name_len) +
                     stomp_escaped_len(f->value, f->value_len)
                 : f->name_len + f->value_len;
  }
  status = check_body(frame, error);
  if (status != STOMP_OK)
    return status;
  if (adds_length(frame))
    n += sizeof CONTENT_LENGTH + digits_of(frame->body_len) + 1;
  *size = n + 1 + frame->body_len + 1; /* blank line, body, NUL */
  return STOMP_OK;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t len) {
  if (len)
    memcpy(to, bytes, len);
  return to + len;
}

static uint8_t *put_text(uint8_t *to, const char *bytes, size_t len,
                         bool escaped) {
  return escaped ? to + stomp_escape(to, bytes, len) : put(to, bytes, len);
}

static uint8_t *put_length(uint8_t *to, size_t length) {
  size_t n = digits_of(length), i;
  to = put(to, CONTENT_LENGTH ":", sizeof CONTENT_LENGTH);
  for (i = n; i-- > 0; length /= 10)
    to[i] = (uint8_t)('0' + length % 10);
  to[n] = '\n';
  return to + n + 1;
}

void stomp_encode(const stomp_outgoing *frame, stomp_encoding encoding,
                  uint8_t *to) {
  bool escaped = escapes(frame->command, encoding);
  const char *command = stomp_command_name(frame->command);
  size_t i;
  to = put(to, command, strlen(command));
  *to++ = '\n';
  for (i = 0; i < frame->n_headers; i++) {
    const stomp_field *f = &frame->headers[i];
    to = put_text(to, f->name, f->name_len, escaped);
    *to++ = ':';
    to = put_text(to, f->value, f->value_len, escaped);
    *to++ = '\n';
  }
  if (adds_length(frame))
    to = put_length(to, frame->body_len);
  *to++ = '\n';
  to = put(to, frame->body, frame->body_len);
  *to = '\0';
}
