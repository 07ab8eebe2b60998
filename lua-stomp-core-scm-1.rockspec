rockspec_format = "3.0"
package = "lua-stomp-core"
version = "scm-1"
source = { url = "git+https://github.com/lua-stomp/lua-stomp.git" }
description = {
  summary = "STOMP over WebSocket without I/O: codec and connection machine",
  detailed = [[
    stomp.core of lua-stomp alone, for hosts that bring their own sockets. It
    needs neither libwebsockets nor OpenSSL, and zlib for compression only:
    built with ZLIB=no in the environment it needs none.]],
  license = "MIT",
}
dependencies = { "lua >= 5.1, < 5.5" }
build = {
  type = "make",
  build_target = "rock-build",
  install_target = "rock-install",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    ROCK = "core",
  },
  install_variables = {
    LUA_LIBDIR = "$(LIBDIR)",
    LUA_SHAREDIR = "$(LUADIR)",
    ROCK = "core",
  },
}
test = { type = "command", command = "make test" }
