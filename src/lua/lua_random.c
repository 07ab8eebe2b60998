/* SPDX-License-Identifier: MIT
 *
 * See lua_random.h. */
#include "lua_random.h"
#include "lua_options.h"
#include <string.h>

/* A Lua error must not jump through the core: it becomes a failed draw. */
static bool fill_from_lua(void *user, void *bytes, size_t len) {
  lua_random *r = user;
  lua_State *L = r->caller;
  size_t got = 0;
  const char *text;
  bool ok;
  if (!lua_checkstack(L, 4))
    return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, r->ref);
  compat_pushcount(L, len);
  ok = lua_pcall(L, 1, 1, 0) == 0 && lua_type(L, -1) == LUA_TSTRING;
  text = ok ? lua_tolstring(L, -1, &got) : NULL;
  ok = ok && got == len;
  if (ok)
    memcpy(bytes, text, len);
  lua_pop(L, 1);
  return ok;
}

void random_init(lua_random *r) {
  memset(r, 0, sizeof *r);
  r->ref = LUA_NOREF;
}

void random_open(lua_State *L, int t, lua_random *r) {
  r->caller = L;
  if (opt_field(L, t, "random")) {
    if (!lua_isfunction(L, -1))
      luaL_error(L, "option 'random': function expected, got %s",
                 luaL_typename(L, -1));
    r->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    r->seam = (stomp_random){ fill_from_lua, r };
    return;
  }
  r->entropy = stomp_entropy_new();
  if (!r->entropy)
    luaL_error(L, "not enough memory");
  r->seam = stomp_entropy_random(r->entropy);
}

void random_close(lua_State *L, lua_random *r) {
  stomp_entropy_free(r->entropy);
  r->entropy = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, r->ref);
  r->ref = LUA_NOREF;
}
