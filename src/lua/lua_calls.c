/* SPDX-License-Identifier: MIT
 *
 * See lua_core.h: what core.connection and the links do alike. */
#include "lua_core.h"
#include "lua_options.h"

stomp_outgoing check_outgoing(lua_State *L, int i) {
  stomp_outgoing frame = { .command = check_command(L, i) };
  fields f;
  if (frame.command == STOMP_COMMAND_COUNT)
    luaL_error(L, "no STOMP command: '%s'", lua_tostring(L, i));
  frame.body = luaL_optlstring(L, i + 2, "", &frame.body_len);
  if (lua_istable(L, i + 3))
    frame.no_content_length = !opt_flag(L, i + 3, "content_length", 1);
  f = check_fields(L, i + 1, 0);
  frame.headers = f.list;
  frame.n_headers = f.n;
  return frame;
}

int push_sent(lua_State *L, stomp_status status, const stomp_error *error) {
  if (status < 0)
    return push_error(L, error);
  lua_pushboolean(L, status == STOMP_OK);
  return 1;
}

static void push_beats(lua_State *L, const stomp_heartbeat *h) {
  lua_createtable(L, 0, 2);
  lua_pushnumber(L, (lua_Number)h->send / 1000);
  lua_setfield(L, -2, "send");
  lua_pushnumber(L, (lua_Number)h->receive / 1000);
  lua_setfield(L, -2, "receive");
}

void push_info(lua_State *L, stomp_state state, stomp_version version,
               const stomp_heartbeat *heartbeat, size_t receipts,
               bool compression) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, stomp_state_name(state));
  lua_setfield(L, -2, "state");
  if (version != STOMP_UNSETTLED) {
    lua_pushstring(L, stomp_version_name(version));
    lua_setfield(L, -2, "version");
  }
  push_beats(L, heartbeat);
  lua_setfield(L, -2, "heartbeat");
  compat_pushcount(L, receipts);
  lua_setfield(L, -2, "receipts");
  lua_pushboolean(L, compression);
  lua_setfield(L, -2, "compression");
}

void push_state(lua_State *L, const char *type, stomp_state state,
                stomp_version version) {
  lua_pushfstring(L, "%s %s", type, stomp_state_name(state));
  if (version != STOMP_UNSETTLED) {
    lua_pushfstring(L, " STOMP %s", stomp_version_name(version));
    lua_concat(L, 2);
  }
}

void set_counts(lua_State *L, const stomp_session_counts *s,
                const stomp_connection_counts *b) {
  struct {
    const char *name;
    uint64_t value;
  } list[] = {
    { "frames_sent", s->frames_sent },
    { "frames_received", s->frames_received },
    { "messages", s->messages },
    { "heartbeats_sent", s->heartbeats_sent },
    { "heartbeats_received", s->heartbeats_received },
    { "unknown_receipts", s->unknown_receipts },
    { "bytes_sent", b->bytes_sent },
    { "bytes_received", b->bytes_received },
  };
  size_t i;
  for (i = 0; i < sizeof list / sizeof *list; i++) {
    compat_pushcount(L, list[i].value);
    lua_setfield(L, -2, list[i].name);
  }
  lua_pushnumber(L, (lua_Number)b->round_trip / 1000);
  lua_setfield(L, -2, "round_trip");
}
