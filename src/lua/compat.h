/* SPDX-License-Identifier: MIT
 *
 * One Lua C API for 5.1, LuaJIT, 5.2, 5.3 and 5.4: 5.4's names where they exist,
 * own `compat_` names where LuaJIT's headers define half of them (a module built
 * against those would not load in PUC 5.1). */
#ifndef STOMP_COMPAT_H
#define STOMP_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#define STOMP_EXPORT __attribute__((visibility("default")))

#if LUA_VERSION_NUM < 502

#define lua_rawlen lua_objlen
#undef luaL_newlib
#undef luaL_setfuncs
#define luaL_setfuncs        compat_setfuncs
#define luaL_newlib(L, list) (lua_newtable(L), luaL_setfuncs((L), (list), 0))
#undef luaL_testudata
#define luaL_testudata compat_testudata

/* Set the functions with the `n` upvalues on the top, which are popped. */
static inline void compat_setfuncs(lua_State *L, const luaL_Reg *list, int n) {
  int i;
  for (; list->name; list++) {
    for (i = 0; i < n; i++)
      lua_pushvalue(L, -n);
    lua_pushcclosure(L, list->func, n);
    lua_setfield(L, -n - 2, list->name);
  }
  lua_pop(L, n);
}

static inline void *compat_testudata(lua_State *L, int i, const char *name) {
  void *p = lua_touserdata(L, i);
  if (!p || !lua_getmetatable(L, i))
    return NULL;
  luaL_getmetatable(L, name);
  if (!lua_rawequal(L, -1, -2))
    p = NULL;
  lua_pop(L, 2);
  return p;
}

static inline int compat_absindex(lua_State *L, int i) {
  return i > 0 || i <= LUA_REGISTRYINDEX ? i : lua_gettop(L) + i + 1;
}
#define lua_absindex compat_absindex
#endif

#if LUA_VERSION_NUM < 504
#define lua_newuserdatauv(L, size, n) ((void)(n), lua_newuserdata((L), (size)))
#endif

#if LUA_VERSION_NUM < 503
#define compat_isinteger(L, i) 0
#define compat_pushcount(L, n) lua_pushnumber((L), (lua_Number)(n))
#else
#define compat_isinteger       lua_isinteger
#define compat_pushcount(L, n) lua_pushinteger((L), (lua_Integer)(n))
#endif

/* The metatable of that name for the userdata on the top. */
static inline void compat_setmetatable(lua_State *L, const char *name) {
  luaL_getmetatable(L, name);
  lua_setmetatable(L, -2);
}

#endif
