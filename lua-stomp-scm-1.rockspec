rockspec_format = "3.0"
package = "lua-stomp"
version = "scm-1"
source = { url = "git+https://github.com/lua-stomp/lua-stomp.git" }
description = {
  summary = "STOMP 1.0, 1.1 and 1.2 over WebSocket, on a C core",
  detailed = [[
    A STOMP client over WebSocket: receipts, acknowledgement, heart-beats on a
    thread of their own, bounded memory, one API for plain scripts and event
    loops. The protocol is a sans-I/O machine in C.]],
  license = "MIT",
}
dependencies = { "lua >= 5.1, < 5.5", "lua-cjson >= 2.1.0" }
external_dependencies = {
  LIBWEBSOCKETS = { header = "libwebsockets.h", library = "websockets" },
  OPENSSL = { header = "openssl/ssl.h", library = "ssl" },
  ZLIB = { header = "zlib.h", library = "z" },
}
build = {
  type = "make",
  build_target = "rock-build",
  install_target = "rock-install",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    LWS_INCDIR = "$(LIBWEBSOCKETS_INCDIR)",
    LWS_LIBDIR = "$(LIBWEBSOCKETS_LIBDIR)",
    OPENSSL_INCDIR = "$(OPENSSL_INCDIR)",
    OPENSSL_LIBDIR = "$(OPENSSL_LIBDIR)",
    ZLIB_INCDIR = "$(ZLIB_INCDIR)",
    ZLIB_LIBDIR = "$(ZLIB_LIBDIR)",
  },
  install_variables = {
    LUA_LIBDIR = "$(LIBDIR)",
    LUA_SHAREDIR = "$(LUADIR)",
    LUA_BINDIR = "$(BINDIR)",
  },
}
test = { type = "command", command = "make test" }
