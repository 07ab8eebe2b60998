/* SPDX-License-Identifier: MIT
 *
 * core.connection: the whole protocol as one machine without I/O, both roles;
 * core.session: the same without upgrade and WebSocket framing. The same C
 * object that the I/O thread drives. Times are seconds. */
#include "lua_core.h"
#include "lua_options.h"
#include "lua_random.h"
#include "os/memory.h"
#include <string.h>

#define TYPE "stomp.connection"

typedef struct connection_box {
  stomp_connection *c;
  lua_random random;
  size_t owed; /* bytes that the collector was not told of */
} connection_box;

static connection_box *check_box(lua_State *L) {
  connection_box *box = luaL_checkudata(L, 1, TYPE);
  if (!box->c)
    luaL_error(L, "attempt to use a closed connection");
  box->random.caller = L;
  return box;
}

static stomp_connection *check_connection(lua_State *L) {
  return check_box(L)->c;
}

/* now: seconds of any monotonic clock -> ms */
static uint64_t check_now(lua_State *L, int i) {
  lua_Number now = luaL_checknumber(L, i);
  luaL_argcheck(L, now >= 0 && now < 1e15, i, "seconds expected");
  return (uint64_t)((double)now * 1000);
}

/* ---- Life ---- */

/* A connection from the table at 1, whose keys must be `known`. */
static int open_new(lua_State *L, const char *const *known, bool bare) {
  stomp_connection_options options;
  stomp_error error;
  connection_box *box;
  int at;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_known(L, 1, known);
  box = lua_newuserdatauv(L, sizeof *box, 0);
  memset(box, 0, sizeof *box);
  random_init(&box->random);
  compat_setmetatable(L, TYPE);
  at = lua_gettop(L);
  check_options(L, 1, &options);
  options.websocket = options.websocket && !bare;
  random_open(L, 1, &box->random);
  options.session.memory = &stomp_libc_memory;
  options.session.random = &box->random.seam;
  box->c = stomp_connection_new(&options, &error);
  if (!box->c)
    return push_error(L, &error);
  lua_pushvalue(L, at);
  return 1;
}

/* core.connection(options) -> connection, or nil, message, err */
static int connection_new(lua_State *L) {
  return open_new(L, connection_option_names, false);
}

/* core.session(options) -> a connection without upgrade and framing */
static int session_new(lua_State *L) {
  return open_new(L, session_option_names, true);
}

static int connection_gc(lua_State *L) {
  connection_box *box = luaL_checkudata(L, 1, TYPE);
  stomp_connection_free(box->c);
  box->c = NULL;
  random_close(L, &box->random);
  return 0;
}

/* ---- Results ---- */

static int push_final(lua_State *L, stomp_connection *c) {
  return push_end(L, stomp_connection_error(c), c,
                  stomp_connection_close_reason(c));
}

/* true, or nil, message, err of the connection's own failure */
static int push_ok(lua_State *L, stomp_connection *c, stomp_status status) {
  stomp_error error;
  if (status == STOMP_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  if (stomp_connection_error(c)->status == status)
    return push_final(L, c);
  stomp_error_set(&error, status < 0 ? status : STOMP_LOUTBOX, STOMP_NO_OFFSET);
  return push_error(L, &error);
}

/* ---- Methods ---- */

/* c:connect(now) */
static int connection_connect(lua_State *L) {
  stomp_connection *c = check_connection(L);
  return push_ok(L, c, stomp_connection_connect(c, check_now(L, 2)));
}

/* c:accept(now [, headers]) */
static int connection_accept(lua_State *L) {
  stomp_connection *c = check_connection(L);
  uint64_t now = check_now(L, 2);
  fields f;
  lua_settop(L, 3);
  f = check_fields(L, 3, 0);
  return push_ok(L, c, stomp_connection_accept(c, f.list, f.n, now));
}

/* c:refuse(message [, body]) */
static int connection_refuse(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_span message, body;
  message.bytes = (const uint8_t *)luaL_checklstring(L, 2, &message.len);
  body.bytes = (const uint8_t *)luaL_optlstring(L, 3, "", &body.len);
  return push_ok(L, c, stomp_connection_refuse(c, message, body));
}

/* c:feed(bytes, now) -> true, or nil, message, err */
static int connection_feed(lua_State *L) {
  stomp_connection *c = check_connection(L);
  size_t len;
  const char *bytes = luaL_checklstring(L, 2, &len);
  uint64_t now = check_now(L, 3);
  return push_ok(L, c, stomp_connection_feed(c, bytes, len, now));
}

/* c:next() -> frame, nil, or nil, message, err */
static int connection_next(lua_State *L) {
  connection_box *self = check_box(L);
  stomp_connection *c = self->c;
  stomp_frame **box = new_frame_box(L, lua_upvalueindex(1));
  *box = stomp_connection_next(c);
  if (*box) {
    account(L, &self->owed, (*box)->size);
    return 1;
  }
  if (stomp_connection_error(c)->status != STOMP_OK)
    return push_final(L, c);
  lua_pushnil(L);
  return 1;
}

/* c:send(command, headers [, body [, options]]) */
static int connection_send(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_outgoing frame;
  stomp_error error;
  lua_settop(L, 5);
  frame = check_outgoing(L, 2);
  return push_sent(L, stomp_connection_send(c, &frame, &error), &error);
}

/* c:ack(frame [, transaction | headers]) */
static int ack(lua_State *L, bool nack) {
  stomp_connection *c = check_connection(L);
  stomp_frame *message = check_frame(L, 2);
  stomp_field transaction = { "transaction", 11, NULL, 0 };
  fields f = { &transaction, 1 };
  stomp_error error;
  lua_settop(L, 3);
  if (lua_type(L, 3) == LUA_TSTRING)
    transaction.value = lua_tolstring(L, 3, &transaction.value_len);
  else
    f = check_fields(L, 3, 0);
  return push_sent(
    L, stomp_connection_ack(c, message, nack, f.list, f.n, &error), &error);
}

static int connection_ack(lua_State *L) {
  return ack(L, false);
}

/* c:nack(frame [, transaction]) */
static int connection_nack(lua_State *L) {
  return ack(L, true);
}

/* c:output() -> bytes to send now, the owner's from here on */
static int connection_output(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_span out = stomp_connection_output(c);
  lua_pushlstring(L, out.bytes ? (const char *)out.bytes : "", out.len);
  stomp_connection_consume(c, out.len);
  return 1;
}

/* c:deadline() -> seconds, or nil */
static int connection_deadline(lua_State *L) {
  uint64_t at = stomp_connection_deadline(check_connection(L));
  if (at == STOMP_NEVER)
    lua_pushnil(L);
  else
    lua_pushnumber(L, (lua_Number)at / 1000);
  return 1;
}

/* c:tick(now) -> true, or nil, message, err */
static int connection_tick(lua_State *L) {
  stomp_connection *c = check_connection(L);
  return push_ok(L, c, stomp_connection_tick(c, check_now(L, 2)));
}

static int connection_pause(lua_State *L) {
  stomp_connection_pause(check_connection(L), check_now(L, 2));
  return 0;
}

static int connection_resume(lua_State *L) {
  stomp_connection_resume(check_connection(L), check_now(L, 2));
  return 0;
}

/* c:disconnect(now) -> receipt id, or nil, message, err */
static int connection_disconnect(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_error error;
  const char *receipt;
  stomp_status status =
    stomp_connection_disconnect(c, check_now(L, 2), &receipt, &error);
  if (status != STOMP_OK || !receipt)
    return push_sent(L, status, &error);
  lua_pushstring(L, receipt);
  return 1;
}

/* c:close(now): a close frame instead of DISCONNECT */
static int connection_close(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_connection_close(c, check_now(L, 2));
  return 0;
}

/* c:wants_end(): whether the bytes should be ended once output is written */
static int connection_wants_end(lua_State *L) {
  lua_pushboolean(L, stomp_connection_wants_end(check_connection(L)));
  return 1;
}

/* c:closed([code, reason]) -> true [, "no receipt"], or nil, message, err */
static int connection_closed(lua_State *L) {
  stomp_connection *c = check_connection(L);
  lua_Integer code = luaL_optinteger(L, 2, 0);
  stomp_span reason;
  bool no_receipt;
  reason.bytes = (const uint8_t *)luaL_optlstring(L, 3, "", &reason.len);
  luaL_argcheck(L, code >= 0 && code <= 4999, 2, "close code expected");
  if (stomp_connection_closed(c, (uint16_t)code, reason, &no_receipt) !=
      STOMP_OK)
    return push_final(L, c);
  lua_pushboolean(L, 1);
  if (no_receipt)
    lua_pushliteral(L, "no receipt");
  return no_receipt ? 2 : 1;
}

/* c:ended() -> nil alone while it has not; false [, "no receipt"] for a clean
 * end, nil, message, err for another. Frames before it may still be taken. */
static int connection_ended(lua_State *L) {
  stomp_connection *c = check_connection(L);
  if (stomp_connection_state(c) != STOMP_STATE_CLOSED) {
    lua_pushnil(L);
    return 1;
  }
  if (stomp_connection_error(c)->status != STOMP_OK)
    return push_final(L, c);
  lua_pushboolean(L, 0);
  if (!stomp_session_no_receipt(stomp_connection_session(c)))
    return 1;
  lua_pushliteral(L, "no receipt");
  return 2;
}

/* c.state, .version, .heartbeat, .receipts, .compression; methods are the
 * upvalue */
static int connection_index(lua_State *L) {
  const stomp_connection *c;
  const stomp_session *s;
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  if (!lua_isnil(L, -1))
    return 1;
  c = check_connection(L);
  s = stomp_connection_session(c);
  push_info(L, stomp_connection_state(c), stomp_session_version(s),
            stomp_session_heartbeat(s), stomp_session_receipts(s),
            stomp_connection_is_compressed(c));
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

/* c:warning() -> nil, or message, err of an invalid frame that was ignored */
static int connection_warning(lua_State *L) {
  stomp_error what;
  if (!stomp_connection_take_warning(check_connection(L), &what))
    return 0;
  push_error(L, &what);
  return 2;
}

/* c:counts() -> table of numbers */
static int connection_counts(lua_State *L) {
  const stomp_connection *c = check_connection(L);
  lua_newtable(L);
  set_counts(L, stomp_session_counts_of(stomp_connection_session(c)),
             stomp_connection_counts_of(c));
  return 1;
}

/* tostring(c): "stomp.connection connected STOMP 1.2" */
static int connection_tostring(lua_State *L) {
  const stomp_connection *c = check_connection(L);
  push_state(L, TYPE, stomp_connection_state(c),
             stomp_session_version(stomp_connection_session(c)));
  return 1;
}

void open_connection(lua_State *L) {
  static const luaL_Reg methods[] = { { "connect", connection_connect },
                                      { "accept", connection_accept },
                                      { "refuse", connection_refuse },
                                      { "feed", connection_feed },
                                      { "send", connection_send },
                                      { "ack", connection_ack },
                                      { "nack", connection_nack },
                                      { "output", connection_output },
                                      { "deadline", connection_deadline },
                                      { "tick", connection_tick },
                                      { "pause", connection_pause },
                                      { "resume", connection_resume },
                                      { "disconnect", connection_disconnect },
                                      { "close", connection_close },
                                      { "wants_end", connection_wants_end },
                                      { "closed", connection_closed },
                                      { "ended", connection_ended },
                                      { "warning", connection_warning },
                                      { "counts", connection_counts },
                                      { NULL, NULL } };
  luaL_newmetatable(L, TYPE);
  luaL_newlib(L, methods);
  open_frames(L);
  lua_pushcclosure(L, connection_next, 1);
  lua_setfield(L, -2, "next");
  lua_pushcclosure(L, connection_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, connection_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, connection_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  lua_pushcfunction(L, connection_new);
  lua_setfield(L, -2, "connection");
  lua_pushcfunction(L, session_new);
  lua_setfield(L, -2, "session");
}
