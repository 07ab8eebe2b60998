/* SPDX-License-Identifier: MIT
 *
 * require "stomp.lws": links and listeners on libwebsockets' I/O thread, and
 * what the built-in loop needs of the system: poll, a clock, random bytes. */
#include "io/service.h"
#include "lua_link.h"
#include "os/clock.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>

#define HOLDER "stomp.service"

STOMP_EXPORT int luaopen_stomp_lws(lua_State *L);

/* ---- The I/O thread's user ---- */

typedef struct holder {
  unsigned generation; /* 0: does not hold it */
} holder;

/* Collected last of all that uses it: it is made first. */
static int holder_gc(lua_State *L) {
  holder *h = lua_touserdata(L, 1);
  if (h->generation == stompio_service_generation())
    stompio_service_release();
  h->generation = 0;
  return 0;
}

void retain_service(lua_State *L) {
  stomp_error error;
  holder *h;
  lua_getfield(L, LUA_REGISTRYINDEX, HOLDER);
  h = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (h->generation == stompio_service_generation())
    return;
  if (stompio_service_retain(&error) != STOMP_OK)
    luaL_error(L, "%s", stomp_status_sentence(error.status));
  h->generation = stompio_service_generation();
}

static void open_holder(lua_State *L) {
  holder *h = lua_newuserdatauv(L, sizeof *h, 0);
  h->generation = 0;
  lua_newtable(L);
  lua_pushcfunction(L, holder_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_setfield(L, LUA_REGISTRYINDEX, HOLDER);
}

/* ---- poll ---- */

static short events_of(lua_State *L, int i) {
  const char *text = lua_type(L, i) == LUA_TSTRING ? lua_tostring(L, i) : "r";
  return (short)((strchr(text, 'r') ? POLLIN : 0) |
                 (strchr(text, 'w') ? POLLOUT : 0));
}

/* seconds or nil (for ever) -> ms, rounded up so that nobody spins */
static int timeout_of(lua_State *L, int i) {
  lua_Number seconds = luaL_optnumber(L, i, -1);
  if (seconds < 0 || seconds != seconds)
    return -1;
  if (seconds > 2e6)
    return 2000000000;
  return (int)((double)seconds * 1000 + 0.999);
}

/* lws.poll(fds, events, timeout, ready) -> how many of them are ready.
 * fds and events are lists of the same length `n`; the indices that are ready
 * are put into the list `ready`. An interrupted wait returns 0, so that a
 * signal's hook (Ctrl-C) runs. */
static int lws_poll(lua_State *L) {
  int n, i, got, count = 0;
  struct pollfd *set;
  struct pollfd few[16];
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TTABLE);
  n = (int)lua_rawlen(L, 1);
  set = n <= 16 ? few : lua_newuserdatauv(L, (size_t)n * sizeof *set, 0);
  for (i = 0; i < n; i++) {
    lua_rawgeti(L, 1, i + 1);
    lua_rawgeti(L, 2, i + 1);
    set[i].fd = (int)lua_tointeger(L, -2);
    set[i].events = events_of(L, -1);
    set[i].revents = 0;
    lua_pop(L, 2);
  }
  got = poll(set, (nfds_t)n, timeout_of(L, 3));
  if (got < 0 && errno != EINTR)
    return luaL_error(L, "poll: %s", strerror(errno));
  for (i = 0; got > 0 && i < n; i++)
    if (set[i].revents) {
      lua_pushinteger(L, i + 1);
      lua_rawseti(L, 4, ++count);
    }
  lua_pushinteger(L, count);
  return 1;
}

/* lws.now() -> seconds of the monotonic clock */
static int lws_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)stomp_clock_seconds());
  return 1;
}

/* lws.random(n) -> n bytes, n <= 256 */
static int lws_random(lua_State *L) {
  char bytes[256];
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= (lua_Integer)sizeof bytes, 1, "0 to 256");
  if (getrandom(bytes, (size_t)n, 0) != (ssize_t)n)
    return luaL_error(L, "no random bytes: %s", strerror(errno));
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

int luaopen_stomp_lws(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "open", link_open }, { "listen", listener_open }, { "poll", lws_poll },
    { "now", lws_now },    { "random", lws_random },    { NULL, NULL }
  };
  /* the frames' metatable and methods are the core's */
  lua_getglobal(L, "require");
  lua_pushliteral(L, "stomp.core");
  lua_call(L, 1, 0);
  open_holder(L);
  open_links(L);
  open_listeners(L);
  luaL_newlib(L, functions);
  return 1;
}
