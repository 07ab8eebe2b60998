/* SPDX-License-Identifier: MIT
 *
 * Prints the tables of docs/protocol.md, as the core has them: what may be sent
 * when and with which headers, from session_rules.c; how an end is read, by
 * ending a session in each state with each code; the limits; and the tables of
 * protocol_codec.c. tools/protocol.lua puts them
 * into the page. */
#include "core/session_rules.h"
#include "os/memory.h"
#include "protocol_tables.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Frames ---- */

static void print_states(stomp_role role, stomp_command command) {
  const char *before = "";
  stomp_state state;
  for (state = STOMP_STATE_IDLE; state < STOMP_STATE_COUNT; state++)
    if (stomp_rules_may_send(role, state, command)) {
      printf("%s%s", before, stomp_state_name(state));
      before = ", ";
    }
}

static void print_headers(stomp_version version, stomp_command command) {
  const char *name, *before = "", *sent;
  size_t i;
  printf(" | ");
  if (!stomp_rules_has_command(version, command)) {
    printf("—");
    return;
  }
  for (i = 0; (name = stomp_rules_required(version, command, i)); i++) {
    printf("%s%s", before, name);
    if (i == 0 && stomp_rules_instead(version, command))
      printf(" or %s", stomp_rules_instead(version, command));
    before = ", ";
  }
  sent = stomp_rules_required_sent(version, command);
  if (sent)
    printf("%s(%s)", before, sent);
}

static void print_frames(void) {
  stomp_command command;
  stomp_version version;
  puts("| frame | sent by | while | 1.0 | 1.1 | 1.2 |");
  puts("| --- | --- | --- | --- | --- | --- |");
  for (command = 0; command < STOMP_COMMAND_COUNT; command++) {
    stomp_role role = STOMP_SERVER;
    stomp_state state;
    for (state = STOMP_STATE_IDLE; state < STOMP_STATE_COUNT; state++)
      if (stomp_rules_may_send(STOMP_CLIENT, state, command))
        role = STOMP_CLIENT;
    printf("| %s | %s | ", stomp_command_name(command),
           role == STOMP_CLIENT ? "client" : "server");
    print_states(role, command);
    for (version = STOMP_1_0; version <= STOMP_1_2; version++)
      print_headers(version, command);
    puts(" |");
  }
}

/* ---- Ends ---- */

static bool fill(void *user, void *bytes, size_t len) {
  (void)user;
  memset(bytes, 7, len);
  return true;
}

static stomp_status swallow(void *user, size_t size, bool urgent,
                            uint8_t **at) {
  static uint8_t room[4096];
  (void)user;
  (void)urgent;
  *at = room;
  return size <= sizeof room ? STOMP_OK : STOMP_FULL;
}

static stomp_status swallowed(void *user) {
  (void)user;
  return STOMP_OK;
}

static void must(stomp_status status, stomp_status wanted) {
  if (status != wanted)
    abort();
}

static void hear(stomp_session *s, const char *bytes, size_t len) {
  stomp_span in = { (const uint8_t *)bytes, len };
  stomp_frame *frame;
  must(stomp_session_next(s, &in, 0, &frame), STOMP_FRAME);
  stomp_frame_free(frame);
}

static stomp_session *client_in(stomp_state state) {
  static const stomp_random random = { fill, NULL };
  static const char connected[] = "CONNECTED\nversion:1.2\n\n";
  stomp_sink sink = { swallow, swallowed, NULL };
  stomp_session_options o;
  stomp_session *s;
  stomp_error error;
  const char *receipt;
  stomp_session_defaults(&o);
  o.memory = &stomp_libc_memory;
  o.random = &random;
  s = stomp_session_new(&o, sink, &error);
  if (!s)
    abort();
  if (state > STOMP_STATE_IDLE)
    must(stomp_session_connect(s, 0), STOMP_OK);
  if (state > STOMP_STATE_CONNECTING)
    hear(s, connected, sizeof connected);
  if (state > STOMP_STATE_CONNECTED)
    must(stomp_session_disconnect(s, 0, &receipt, &error), STOMP_OK);
  if (state > STOMP_STATE_DISCONNECTING)
    stomp_session_end(s);
  return s;
}

static void print_end(stomp_state state, uint16_t code) {
  stomp_session *s = client_in(state);
  bool no_receipt;
  stomp_status status =
    stomp_session_closed(s, code, (stomp_span){ NULL, 0 }, &no_receipt);
  if (status == STOMP_OK)
    printf(" | %s", no_receipt ? "clean, no receipt" : "clean");
  else
    printf(" | %s", stomp_status_name(status));
  stomp_session_free(s);
}

static void print_ends(void) {
  static const struct {
    uint16_t code;
    const char *text;
  } ends[] = {
    { 0, "the socket's end, STOMP over TCP (0)" },
    { 1006, "the socket's end without a close frame (1006)" },
    { 1005, "a close frame without a code (1005)" },
    { 1000, "1000 normal" },
    { 1001, "1001 going away" },
    { 1002, "1002 protocol error" },
    { 1007, "1007 bad data" },
    { 1008, "1008 policy" },
    { 1009, "1009 too big" },
    { 1011, "1011 internal error" },
    { 4000, "3000 to 4999, the application's" },
  };
  stomp_state state;
  size_t i;
  printf("| it ended by");
  for (state = STOMP_STATE_IDLE; state < STOMP_STATE_COUNT; state++)
    printf(" | %s", stomp_state_name(state));
  puts(" |\n| --- | --- | --- | --- | --- | --- |");
  for (i = 0; i < sizeof ends / sizeof *ends; i++) {
    printf("| %s", ends[i].text);
    for (state = STOMP_STATE_IDLE; state < STOMP_STATE_COUNT; state++)
      print_end(state, ends[i].code);
    puts(" |");
  }
}

/* ---- Limits ---- */

static void print_limits(void) {
  const stomp_limits l = STOMP_LIMITS_DEFAULT;
  const struct {
    const char *name, *what;
    size_t value;
    stomp_status status;
  } list[] = {
    { "frame", "bytes of a frame", l.frame, STOMP_LFRAME },
    { "headers", "bytes of command and headers", l.headers, STOMP_LHEADERS },
    { "header_line", "bytes of a header line", l.header_line, STOMP_LLINE },
    { "header_count", "headers of a frame", l.header_count, STOMP_LCOUNT },
    { "receipts", "receipts outstanding", l.receipts, STOMP_LRECEIPTS },
    { "table",
      "subscriptions; transactions; cumulative acknowledgements in "
      "open transactions",
      l.table, STOMP_LTABLE },
    { "outbox", "bytes waiting to be written", l.outbox, STOMP_LOUTBOX },
    { "upgrade", "bytes of the answer to the upgrade, or of the request",
      l.upgrade, STOMP_ULIMIT },
    { "inflate_ratio",
      "octets that one compressed octet may become, in messages of more than a "
      "MiB; 0: any number",
      l.inflate_ratio, STOMP_WRATIO },
  };
  size_t i;
  puts("| option | of | default | error |\n| --- | --- | --- | --- |");
  for (i = 0; i < sizeof list / sizeof *list; i++)
    printf("| `limits.%s` | %s | %zu | %s |\n", list[i].name, list[i].what,
           list[i].value, stomp_status_name(list[i].status));
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*print)(void);
  } tables[] = {
    { "frames", print_frames },       { "ends", print_ends },
    { "limits", print_limits },       { "escapes", print_escapes },
    { "unescapes", print_unescapes }, { "lengths", print_lengths },
    { "beats", print_beats },
  };
  size_t i;
  for (i = 0; argc == 2 && i < sizeof tables / sizeof *tables; i++)
    if (strcmp(argv[1], tables[i].name) == 0) {
      tables[i].print();
      return 0;
    }
  return 2;
}
