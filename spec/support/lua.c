/* SPDX-License-Identifier: MIT
 *
 * lua5.4 for `make asan tsan`, linked with the sanitizer's runtime: preloaded into
 * Debian's, it would be in each shell that a spec starts, too, and those crash. lua SCRIPT [ARGUMENTS] */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>

static lua_State *interrupted_state;

static void stop(lua_State *L, lua_Debug *at) {
  (void)at;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

/* Ctrl-C raises an error, as Lua's own program does it. */
static void on_interrupt(int number) {
  signal(number, SIG_DFL);
  lua_sethook(interrupted_state, stop,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static int say(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* arg[0] is the script, arg[-1] the interpreter */
static void set_arguments(lua_State *L, int argc, char **argv) {
  int i;
  lua_newtable(L);
  for (i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  int status, i;
  if (!L || argc < 2)
    return 2;
  luaL_openlibs(L);
  interrupted_state = L;
  signal(SIGINT, on_interrupt);
  set_arguments(L, argc, argv);
  lua_pushcfunction(L, say);
  status = luaL_loadfile(L, argv[1]);
  for (i = 2; i < argc; i++)
    lua_pushstring(L, argv[i]);
  if (status == LUA_OK)
    status = lua_pcall(L, argc - 2, 0, 1);
  if (status != LUA_OK)
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return status == LUA_OK ? 0 : 1;
}
