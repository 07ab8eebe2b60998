/* SPDX-License-Identifier: MIT
 *
 * Listeners for Lua, for the embedded broker. */
#include "io/listener.h"
#include "lua_link.h"
#include "lua_options.h"
#include <string.h>

#define TYPE "stomp.listener"

static stompio_listener *check_listener(lua_State *L) {
  stompio_listener **box = luaL_checkudata(L, 1, TYPE);
  if (!*box)
    luaL_error(L, "attempt to use a closed listener");
  return *box;
}

/* lws.listen{host =, port =, …} -> listener, or nil, message, err */
int listener_open(lua_State *L) {
  stompio_link_options options;
  stompio_listener **box;
  stomp_error error;
  const char *host;
  unsigned port;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  memset(&options, 0, sizeof options);
  check_options(L, 1, &options.connection);
  check_inbox(L, 1, &options);
  /* the links of a server have no headers of their own to send */
  options.connection.session.role = STOMP_SERVER;
  options.connection.session.connect = NULL;
  options.connection.session.n_connect = 0;
  options.connection.upgrade_headers = NULL;
  options.connection.n_upgrade_headers = 0;
  options.connection.host = "";
  options.connection.path = "";
  host = opt_text(L, 1, "connect_host", "127.0.0.1");
  port = (unsigned)opt_number(L, 1, "connect_port", 0);
  retain_service(L);
  box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  compat_setmetatable(L, TYPE);
  *box = stompio_listener_open(host, port, &options, &error);
  return *box ? 1 : push_error(L, &error);
}

static int listener_gc(lua_State *L) {
  stompio_listener **box = luaL_checkudata(L, 1, TYPE);
  stompio_listener *listener = *box;
  *box = NULL;
  stompio_listener_release(listener);
  return 0;
}

/* listener:next() -> link, or nil */
static int listener_next(lua_State *L) {
  stompio_listener *listener = check_listener(L);
  stompio_link **box = new_link_box(L);
  *box = stompio_listener_next(listener);
  if (!*box)
    lua_pushnil(L);
  return 1;
}

/* listener:close(): the port is free, and whoever waits looks. What is left of
 * it, the descriptor that somebody may be waiting for, goes with the collector. */
static int listener_close(lua_State *L) {
  stompio_listener_close(check_listener(L));
  return 0;
}

static int listener_port(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)stompio_listener_port(check_listener(L)));
  return 1;
}

static int listener_pollfd(lua_State *L) {
  lua_pushinteger(L, stompio_listener_fd(check_listener(L)));
  return 1;
}

static int listener_events(lua_State *L) {
  lua_pushliteral(L, "r");
  return 1;
}

static int listener_timeout(lua_State *L) {
  lua_pushnil(L);
  return 1;
}

void open_listeners(lua_State *L) {
  static const luaL_Reg methods[] = { { "next", listener_next },
                                      { "port", listener_port },
                                      { "pollfd", listener_pollfd },
                                      { "events", listener_events },
                                      { "timeout", listener_timeout },
                                      { "close", listener_close },
                                      { NULL, NULL } };
  luaL_newmetatable(L, TYPE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, listener_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
