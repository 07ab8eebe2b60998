/* SPDX-License-Identifier: MIT
 *
 * core.parser and core.encode: the codec alone. The C parser keeps no input, so
 * the userdata has a buffer for what `feed` brought and `next` has not read. */

/*** @module stomp.core */
#include "core/encoder.h"
#include "core/parser.h"
#include "lua_core.h"
#include "lua_options.h"
#include "os/memory.h"
#include <string.h>

#define TYPE "stomp.parser"

typedef struct parser_box {
  stomp_parser *parser;
  stomp_buffer input;
  size_t owed; /* bytes that the collector was not told of */
} parser_box;

/* Methods have two upvalues: the metatables of parsers and of frames. */
static parser_box *check_parser(lua_State *L) {
  parser_box *box = check_fast(L, 1, lua_upvalueindex(1), TYPE);
  if (!box->parser)
    luaL_error(L, "attempt to use a closed parser");
  return box;
}

static stomp_version check_version(lua_State *L, int i, stomp_version other) {
  size_t len;
  const char *text = luaL_optlstring(L, i, NULL, &len);
  stomp_version v = text ? stomp_version_find(text, len) : other;
  luaL_argcheck(L, v != STOMP_UNSETTLED, i,
                "\"1.0\", \"1.1\" or \"1.2\" expected");
  return v;
}

static void read_limits(lua_State *L, stomp_limits *limits) {
  static const char *const known[] = { "frame", "headers", "header_line",
                                       "header_count", NULL };
  if (lua_isnoneornil(L, 1))
    return;
  luaL_checktype(L, 1, LUA_TTABLE);
  check_known(L, 1, known);
  limits->frame = (size_t)opt_number(L, 1, "frame", (double)limits->frame);
  limits->headers =
    (size_t)opt_number(L, 1, "headers", (double)limits->headers);
  limits->header_line =
    (size_t)opt_number(L, 1, "header_line", (double)limits->header_line);
  limits->header_count =
    (size_t)opt_number(L, 1, "header_count", (double)limits->header_count);
}

/*** A parser of STOMP frames.
 * @function parser
 * @tparam[opt] table limits `frame`, `headers`, `header_line` (bytes),
 *   `header_count`
 * @tparam[opt="1.2"] string version how escapes and line ends are read
 * @treturn parser
 * @standard STOMP 1.2, "Augmented BNF"
 */
static int parser_new(lua_State *L) {
  stomp_limits limits = STOMP_LIMITS_DEFAULT;
  stomp_version version = check_version(L, 2, STOMP_1_2);
  parser_box *box;
  read_limits(L, &limits);
  box = lua_newuserdatauv(L, sizeof *box, 0);
  memset(box, 0, sizeof *box);
  stomp_buffer_init(&box->input, &stomp_libc_memory, SIZE_MAX / 2);
  compat_setmetatable(L, TYPE);
  box->parser = stomp_parser_new(&limits, version, &stomp_libc_memory);
  return box->parser ? 1 : luaL_error(L, "not enough memory");
}

static int parser_gc(lua_State *L) {
  parser_box *box = luaL_checkudata(L, 1, TYPE);
  stomp_parser_free(box->parser);
  box->parser = NULL;
  if (box->input.memory)
    stomp_buffer_clear(&box->input);
  return 0;
}

/*** Read frames as this version writes them, from the next one on.
 * @function parser:version
 * @tparam string version
 */
static int parser_version(lua_State *L) {
  stomp_parser_version(check_parser(L)->parser,
                       check_version(L, 2, STOMP_UNSETTLED));
  return 0;
}

/*** Take the next bytes of the stream, cut anywhere.
 * @function parser:feed
 * @tparam string bytes they are copied
 * @treturn[1] boolean true
 * @treturn[2] nil, message, err the failure that `next` told
 */
static int parser_feed(lua_State *L) {
  parser_box *box = check_parser(L);
  size_t len;
  const char *bytes = luaL_checklstring(L, 2, &len);
  const stomp_error *error = stomp_parser_error(box->parser);
  if (error->status != STOMP_OK)
    return push_error(L, error);
  if (stomp_buffer_append(&box->input, bytes, len) != STOMP_OK)
    return luaL_error(L, "not enough memory");
  lua_pushboolean(L, 1);
  return 1;
}

/*** The next frame.
 * @function parser:next
 * @treturn[1] frame see message
 * @treturn[2] string `"heartbeat"`: a line end between two frames
 * @treturn[3] nil alone: it needs more bytes
 * @treturn[4] nil, message, err kinds `protocol`, `limit`; err.offset counts from
 *   the first byte that was fed; final
 */
static int parser_next(lua_State *L) {
  parser_box *box = check_parser(L);
  stomp_frame **frame = new_frame_box(L, lua_upvalueindex(2));
  stomp_span in = stomp_buffer_span(&box->input);
  size_t len = in.len;
  stomp_status status = stomp_parser_next(box->parser, &in, frame);
  stomp_buffer_consume(&box->input, len - in.len);
  switch (status) {
    case STOMP_FRAME: account(L, &box->owed, (*frame)->size); return 1;
    case STOMP_HEARTBEAT: lua_pushliteral(L, "heartbeat"); return 1;
    case STOMP_MORE: lua_pushnil(L); return 1;
    case STOMP_ENOMEM: return luaL_error(L, "not enough memory");
    default: return push_error(L, stomp_parser_error(box->parser));
  }
}

/*** The bytes of a frame, with content-length where it has a body.
 * @function encode
 * @tparam string command
 * @tparam table headers name = value, or a list of `{name, value}` where order or
 *   repetition matters; values are strings, numbers or booleans
 * @tparam[opt=""] string body
 * @tparam[opt="1.2"] string version
 * @treturn[1] string
 * @treturn[2] nil, message, err kind `invalid`: it cannot be sent
 * @standard STOMP 1.2, "Value Encoding"
 */
static int encode(lua_State *L) {
  stomp_outgoing frame = { .command = check_command(L, 1) };
  stomp_encoding encoding = { check_version(L, 4, STOMP_1_2), false };
  stomp_error error;
  fields f;
  size_t size;
  void *to;
  frame.body = luaL_optlstring(L, 3, "", &frame.body_len);
  lua_settop(L, 4);
  f = check_fields(L, 2, 0);
  frame.headers = f.list;
  frame.n_headers = f.n;
  stomp_error_clear(&error);
  if (frame.command == STOMP_COMMAND_COUNT) {
    stomp_error_set(&error, STOMP_ICOMMAND, STOMP_NO_OFFSET);
    stomp_error_add(&error, lua_tostring(L, 1));
    return push_error(L, &error);
  }
  if (stomp_encode_check(&frame, encoding, &size, &error) != STOMP_OK)
    return push_error(L, &error);
  to = lua_newuserdatauv(L, size, 0); /* freed by the collector */
  stomp_encode(&frame, encoding, to);
  lua_pushlstring(L, to, size);
  return 1;
}

void open_parser(lua_State *L) {
  static const luaL_Reg methods[] = { { "version", parser_version },
                                      { "feed", parser_feed },
                                      { "next", parser_next },
                                      { NULL, NULL } };
  luaL_newmetatable(L, TYPE);
  lua_newtable(L);
  lua_pushvalue(L, -2);
  open_frames(L);
  luaL_setfuncs(L, methods, 2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, parser_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_pushcfunction(L, parser_new);
  lua_setfield(L, -2, "parser");
  lua_pushcfunction(L, encode);
  lua_setfield(L, -2, "encode");
}
