/* SPDX-License-Identifier: MIT
 *
 * core.websocket: RFC 6455 framing alone, both roles, for a host that has its
 * own upgrade. The C machine keeps neither input nor messages, so the userdata
 * has a buffer for what `feed` brought and `next` has not read, and one for the
 * message whose fragments come. */

/*** @module stomp.core */
#include "core/limits.h"
#include "core/websocket.h"
#include "lua_core.h"
#include "lua_options.h"
#include "lua_random.h"
#include "os/memory.h"
#include <string.h>

#define TYPE "stomp.websocket"

typedef struct websocket_box {
  stomp_websocket *w;
  stomp_buffer in, out, message;
  lua_random random;
  bool torn; /* memory ended between the core's bytes and Lua's */
} websocket_box;

static websocket_box *check_websocket(lua_State *L) {
  websocket_box *box = luaL_checkudata(L, 1, TYPE);
  if (!box->w)
    luaL_error(L, "attempt to use a closed websocket");
  if (box->torn)
    luaL_error(L, "not enough memory");
  box->random.caller = L;
  return box;
}

/* ---- Life ---- */

/* true, false (no room now), or nil, message, err */
static int push_status(lua_State *L, stomp_status status) {
  stomp_error error;
  if (status < 0)
    stomp_error_set(&error, status, STOMP_NO_OFFSET);
  return push_sent(L, status, &error);
}

/* Of the core's limits frame bounds a message here. */
static void read_limits(lua_State *L, stomp_limits *limits) {
  static const char *const known[] = { "message", "outbox", "inflate_ratio",
                                       NULL };
  int at;
  *limits = (stomp_limits)STOMP_LIMITS_DEFAULT;
  if (!opt_field(L, 1, "limits"))
    return;
  at = lua_gettop(L);
  if (!lua_istable(L, at))
    luaL_error(L, "option 'limits': table expected, got %s",
               luaL_typename(L, at));
  check_known(L, at, known);
  limits->frame = (size_t)opt_number(L, at, "message", (double)limits->frame);
  limits->outbox = (size_t)opt_number(L, at, "outbox", (double)limits->outbox);
  limits->inflate_ratio =
    (size_t)opt_number(L, at, "inflate_ratio", (double)limits->inflate_ratio);
  if (limits->frame == 0 || limits->frame > STOMP_LIMIT_MAX ||
      limits->outbox > STOMP_LIMIT_MAX)
    luaL_error(L, "option 'limits' is out of range");
  lua_pop(L, 1);
}

static bool read_server(lua_State *L) {
  const char *role = opt_text(L, 1, "role", "client");
  bool server = strcmp(role, "server") == 0;
  if (!server && strcmp(role, "client") != 0)
    luaL_error(L, "option 'role': \"client\" or \"server\" expected");
  return server;
}

static unsigned read_bits(lua_State *L, int t, const char *name) {
  double bits = opt_number(L, t, name, 15);
  if (bits < 8 || bits > 15 || bits != (double)(unsigned)bits)
    luaL_error(L, "option '%s': 8 to 15 expected", name);
  return (unsigned)bits;
}

/* Option compression: what was agreed on; false: nothing. */
static bool read_compression(lua_State *L, stomp_deflate_terms *terms) {
  static const char *const known[] = { "server_no_context_takeover",
                                       "client_no_context_takeover",
                                       "server_max_window_bits",
                                       "client_max_window_bits", NULL };
  int at;
  *terms = (stomp_deflate_terms)STOMP_DEFLATE_TERMS;
  if (!opt_field(L, 1, "compression"))
    return false;
  at = lua_gettop(L);
  if (lua_isboolean(L, at)) {
    bool yes = lua_toboolean(L, at);
    lua_pop(L, 1);
    return yes;
  }
  if (!lua_istable(L, at))
    luaL_error(L, "option 'compression': boolean or table expected, got %s",
               luaL_typename(L, at));
  check_known(L, at, known);
  terms->server_no_context_takeover = opt_flag(L, at, known[0], 0);
  terms->client_no_context_takeover = opt_flag(L, at, known[1], 0);
  terms->server_max_window_bits = read_bits(L, at, known[2]);
  terms->client_max_window_bits = read_bits(L, at, known[3]);
  lua_pop(L, 1);
  return true;
}

/*** The framing of RFC 6455 without the upgrade and without I/O.
 * @function websocket
 * @tparam[opt] table options `role` (`"client"`, the default, or `"server"`),
 *   `strict_utf8` (false: text may be any bytes, as RabbitMQ sends it), `limits`
 *   (`message`: the longest one received, inflated, 16 MiB; `inflate_ratio`:
 *   how many times its compressed size, beyond the first MiB, 200; `outbox`:
 *   bytes that may wait in the output, 8 MiB), `random` (`function(n)` -> n
 *   bytes; the system's), `compression` (false; true: permessage-deflate was
 *   agreed on, RFC 7692, or a table of what: `server_no_context_takeover`,
 *   `client_no_context_takeover`, `server_max_window_bits`,
 *   `client_max_window_bits`)
 * @treturn[1] websocket
 * @treturn[2] nil, message, err kind `invalid`: compression is not built in
 */
static int websocket_new(lua_State *L) {
  static const char *const known[] = { "role",   "strict_utf8", "limits",
                                       "random", "compression", NULL };
  stomp_websocket_options options = { .memory = &stomp_libc_memory };
  stomp_deflate_terms terms;
  stomp_limits limits;
  websocket_box *box;
  stomp_status status;
  bool compressed;
  int at;
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  check_known(L, 1, known);
  options.server = read_server(L);
  options.strict_utf8 = opt_flag(L, 1, "strict_utf8", 0);
  read_limits(L, &limits);
  compressed = read_compression(L, &terms);
  options.message = limits.frame;
  options.inflate_ratio = limits.inflate_ratio;
  box = lua_newuserdatauv(L, sizeof *box, 0);
  memset(box, 0, sizeof *box);
  random_init(&box->random);
  stomp_buffer_init(&box->in, &stomp_libc_memory, SIZE_MAX / 2);
  stomp_buffer_init(&box->out, &stomp_libc_memory,
                    limits.outbox + STOMP_WEBSOCKET_HEADROOM +
                      stomp_websocket_framing(limits.outbox));
  stomp_buffer_init(&box->message, &stomp_libc_memory, limits.frame);
  compat_setmetatable(L, TYPE);
  at = lua_gettop(L);
  random_open(L, 1, &box->random);
  options.random = &box->random.seam;
  box->w = stomp_websocket_new(&options, &box->out);
  if (!box->w)
    return luaL_error(L, "not enough memory");
  status = compressed ? stomp_websocket_compress(box->w, &terms) : STOMP_OK;
  lua_pushvalue(L, at);
  return status == STOMP_OK ? 1 : push_status(L, status);
}

static int websocket_gc(lua_State *L) {
  websocket_box *box = luaL_checkudata(L, 1, TYPE);
  stomp_websocket_free(box->w);
  box->w = NULL;
  stomp_buffer_clear(&box->in);
  stomp_buffer_clear(&box->out);
  stomp_buffer_clear(&box->message);
  random_close(L, &box->random);
  return 0;
}

/* ---- Input ---- */

/*** Take bytes, cut anywhere. They are copied; `next` reads them.
 * @function websocket:feed
 * @tparam string bytes
 * @treturn[1] boolean true
 * @treturn[2] nil, message, err once it has failed: what `next` said
 */
static int websocket_feed(lua_State *L) {
  websocket_box *box = check_websocket(L);
  size_t len;
  const char *bytes = luaL_checklstring(L, 2, &len);
  const stomp_error *error = stomp_websocket_error(box->w);
  if (error->status != STOMP_OK)
    return push_error(L, error);
  if (stomp_buffer_append(&box->in, bytes, len) != STOMP_OK)
    return luaL_error(L, "not enough memory");
  lua_pushboolean(L, 1);
  return 1;
}

static void push_bytes(lua_State *L, stomp_span bytes) {
  lua_pushlstring(L, bytes.bytes ? (const char *)bytes.bytes : "", bytes.len);
}

/* A piece of a message: pushes kind and bytes of the whole one when this was the
 * last, and says so. */
static bool join(lua_State *L, websocket_box *box,
                 const stomp_websocket_event *e) {
  bool text = e->kind == STOMP_WEBSOCKET_TEXT;
  if (e->first && e->last) {
    lua_pushstring(L, text ? "text" : "binary");
    push_bytes(L, e->data);
    return true;
  }
  if (stomp_buffer_append(&box->message, e->data.bytes, e->data.len) !=
      STOMP_OK)
    luaL_error(L, "not enough memory");
  if (!e->last)
    return false;
  lua_pushstring(L, text ? "text" : "binary");
  push_bytes(L, stomp_buffer_span(&box->message));
  stomp_buffer_consume(&box->message, stomp_buffer_len(&box->message));
  return true;
}

/* Push what an event is to Lua; how many values, 0: nothing yet. */
static int push_event(lua_State *L, websocket_box *box,
                      const stomp_websocket_event *e) {
  switch (e->kind) {
    case STOMP_WEBSOCKET_PING:
    case STOMP_WEBSOCKET_PONG:
      lua_pushstring(L, e->kind == STOMP_WEBSOCKET_PING ? "ping" : "pong");
      push_bytes(L, e->data);
      return 2;
    case STOMP_WEBSOCKET_CLOSE:
      lua_pushliteral(L, "close");
      lua_pushinteger(L, e->close_code);
      push_bytes(L, e->data);
      return 3;
    case STOMP_WEBSOCKET_TEXT:
    case STOMP_WEBSOCKET_BINARY: break;
  }
  return join(L, box, e) ? 2 : 0;
}

/*** The next message or control frame. Pings and the peer's close are answered
 * already, in the output; so is a failure, with its close code.
 * @function websocket:next
 * @treturn[1] string `"text"`, `"binary"` (a whole message), `"ping"`, `"pong"`
 * @treturn[1] string the bytes
 * @treturn[2] string `"close"`; nothing follows
 * @treturn[2] number the code, 1005: it had none
 * @treturn[2] string the reason
 * @treturn[3] nil alone: it needs more bytes
 * @treturn[4] nil, message, err kinds `protocol`, `limit`; final
 */
static int websocket_next(lua_State *L) {
  websocket_box *box = check_websocket(L);
  stomp_websocket_event event;
  stomp_status status;
  int n = 0;
  box->torn = true; /* until the bytes are Lua's: pushing them may raise */
  do {
    stomp_span in = stomp_buffer_span(&box->in);
    size_t len = in.len;
    status = stomp_websocket_next(box->w, &in, &event);
    if (status == STOMP_FRAME)
      n = push_event(L, box, &event);
    stomp_buffer_consume(&box->in, len - in.len);
  } while (status == STOMP_FRAME && n == 0);
  box->torn = false;
  if (status < 0)
    return push_error(L, stomp_websocket_error(box->w));
  if (n == 0)
    lua_pushnil(L);
  return n ? n : 1;
}

/* ---- Output ---- */

/*** Queue a message, a ping or a pong.
 * @function websocket:send
 * @tparam string kind `"text"` (must be UTF-8), `"binary"`, `"ping"`, `"pong"`
 *   (those two: at most 125 bytes)
 * @tparam[opt=""] string bytes
 * @treturn[1] boolean true; false: no room in the output now, nothing was queued
 * @treturn[2] nil, message, err kinds `invalid` (closing, or it cannot be sent),
 *   `limit` (larger than limits.outbox)
 */
static int websocket_send(lua_State *L) {
  static const char *const names[] = { "text", "binary", "ping", "pong", NULL };
  static const stomp_websocket_kind kinds[] = { STOMP_WEBSOCKET_TEXT,
                                                STOMP_WEBSOCKET_BINARY,
                                                STOMP_WEBSOCKET_PING,
                                                STOMP_WEBSOCKET_PONG };
  websocket_box *box = check_websocket(L);
  int kind = luaL_checkoption(L, 2, NULL, names);
  stomp_span data;
  data.bytes = (const uint8_t *)luaL_optlstring(L, 3, "", &data.len);
  return push_status(L, stomp_websocket_send(box->w, kinds[kind], data));
}

/*** Queue a close frame, once; a second one changes nothing. Messages still come
 * in until the peer's arrives.
 * @function websocket:close
 * @tparam[opt] number code none where it is not given
 * @tparam[opt=""] string reason cut at 123 bytes, between two characters
 * @treturn[1] boolean true; false: no room in the output now
 * @treturn[2] nil, message, err kind `invalid`: a code that none may send, a
 *   reason that is not UTF-8 or has no code
 */
static int websocket_close(lua_State *L) {
  websocket_box *box = check_websocket(L);
  lua_Integer code = luaL_optinteger(L, 2, 0);
  stomp_span reason;
  reason.bytes = (const uint8_t *)luaL_optlstring(L, 3, "", &reason.len);
  luaL_argcheck(L, code >= 0 && code <= 0xffff, 2, "close code expected");
  return push_status(L, stomp_websocket_close(box->w, (uint16_t)code, reason));
}

/*** The bytes to send now; they are then the owner's.
 * @function websocket:output
 * @treturn string empty when there are none
 */
static int websocket_output(lua_State *L) {
  websocket_box *box = check_websocket(L);
  stomp_span out = stomp_buffer_span(&box->out);
  push_bytes(L, out);
  stomp_buffer_consume(&box->out, out.len);
  stomp_websocket_answer(box->w);
  return 1;
}

void open_websocket(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "feed", websocket_feed },     { "next", websocket_next },
    { "send", websocket_send },     { "close", websocket_close },
    { "output", websocket_output }, { NULL, NULL }
  };
  luaL_newmetatable(L, TYPE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, websocket_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_pushcfunction(L, websocket_new);
  lua_setfield(L, -2, "websocket");
}
