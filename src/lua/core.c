/* SPDX-License-Identifier: MIT */

/*** The protocol machines for Lua, without I/O and without libwebsockets: any Lua,
 * any host.
 * @module stomp.core
 */
#include "lua_core.h"

STOMP_EXPORT int luaopen_stomp_core(lua_State *L);

/*** `"lua-stomp 0.1.0"`
 * @field _VERSION
 */

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
