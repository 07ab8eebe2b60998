/* SPDX-License-Identifier: MIT
 *
 * require "stomp.core": the protocol machines for Lua, without I/O and without
 * libwebsockets. */
#include "lua_core.h"

STOMP_EXPORT int luaopen_stomp_core(lua_State *L);

int luaopen_stomp_core(lua_State *L) {
  lua_newtable(L);
  push_frame_methods(L);
  lua_setfield(L, -2, "frame_methods");
  open_errors(L);
  lua_setfield(L, -2, "error_metatable");
  open_parser(L);
  open_connection(L);
  open_websocket(L);
  lua_pushliteral(L, "lua-stomp 0.1.0");
  lua_setfield(L, -2, "_VERSION");
  return 1;
}
