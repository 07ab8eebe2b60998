/* SPDX-License-Identifier: MIT
 *
 * core.connection: the whole protocol as one machine without I/O, both roles;
 * core.session: the same without upgrade and WebSocket framing. The same C
 * object that the I/O thread drives. Times are seconds. */

/*** @module stomp.core */
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

/*** The whole protocol as one machine: upgrade, WebSocket, STOMP. No I/O and no
 * clock: bytes and times are arguments, `now` is seconds of any monotonic clock.
 * @function connection
 * @tparam table options `role` `"client"` or `"server"` [client], `url` (client)
 *   or `host_header` and `path`, `websocket` [true; false is bare STOMP], `random`
 *   function(n) returning n bytes [the system's], and of stomp.connect's:
 *   `versions host login passcode headers heartbeat heartbeat_margin
 *   heartbeat_grace limits on_invalid_frame upgrade_headers compression binary
 *   escape_connect ping`
 * @treturn[1] connection
 * @treturn[2] nil, message, err kinds `invalid`, `connect` (no random bytes)
 * @standard STOMP 1.2, RFC 6455
 */
static int connection_new(lua_State *L) {
  return open_new(L, connection_option_names, false);
}

/*** The same without upgrade and framing: STOMP over any stream.
 * @function session
 * @tparam table options as of `connection`
 * @treturn[1] connection
 * @treturn[2] nil, message, err kind `invalid`
 */
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

/*** Client: queue the upgrade, then CONNECT.
 * @function connection:connect
 * @tparam number now seconds
 * @treturn[1] boolean true
 * @treturn[2] nil, message, err kind `invalid`
 * @standard STOMP 1.2, "Connecting"
 */
static int connection_connect(lua_State *L) {
  stomp_connection *c = check_connection(L);
  return push_ok(L, c, stomp_connection_connect(c, check_now(L, 2)));
}

/*** Server: answer a CONNECT with CONNECTED.
 * @function connection:accept
 * @tparam number now seconds
 * @tparam[opt] table headers server, session …
 * @treturn[1] boolean true; false: no room in the output
 * @treturn[2] nil, message, err kind `invalid`
 */
static int connection_accept(lua_State *L) {
  stomp_connection *c = check_connection(L);
  uint64_t now = check_now(L, 2);
  fields f;
  lua_settop(L, 3);
  f = check_fields(L, 3, 0);
  return push_ok(L, c, stomp_connection_accept(c, f.list, f.n, now));
}

/*** Server: answer with ERROR, and end.
 * @function connection:refuse
 * @tparam string message its header
 * @tparam[opt=""] string body
 * @treturn[1] boolean as accept
 * @treturn[2] nil, message, err kind `invalid`
 */
static int connection_refuse(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_span message, body;
  message.bytes = (const uint8_t *)luaL_checklstring(L, 2, &message.len);
  body.bytes = (const uint8_t *)luaL_optlstring(L, 3, "", &body.len);
  return push_ok(L, c, stomp_connection_refuse(c, message, body));
}

/*** Take the next bytes of the stream, cut anywhere.
 * @function connection:feed
 * @tparam string bytes they are copied
 * @tparam number now seconds
 * @treturn[1] boolean true
 * @treturn[2] nil, message, err kinds `upgrade`, `protocol`, `limit`, `closed`;
 *   final. Frames before it may still be taken
 */
static int connection_feed(lua_State *L) {
  stomp_connection *c = check_connection(L);
  size_t len;
  const char *bytes = luaL_checklstring(L, 2, &len);
  uint64_t now = check_now(L, 3);
  return push_ok(L, c, stomp_connection_feed(c, bytes, len, now));
}

/*** The next frame that the owner must see: CONNECTED, MESSAGE, RECEIPT, ERROR; in
 * the server role the client's.
 * @function connection:next
 * @treturn[1] frame see message
 * @treturn[2] nil alone: there is none yet
 * @treturn[3] nil, message, err how it ended: kinds `upgrade`, `protocol`,
 *   `limit`, `broker`, `closed`, `heartbeat`; err.after has the last frames sent
 */
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

/*** Queue a frame.
 * @function connection:send
 * @tparam string command
 * @tparam table headers name = value, or a list of `{name, value}`
 * @tparam[opt=""] string body
 * @tparam[opt] table options `content_length` = false leaves that header out
 * @treturn[1] boolean true; false: no room in the output now, nothing was queued
 * @treturn[2] nil, message, err kinds `invalid` (this state, version or content
 *   does not allow it; nothing was queued), `limit` (larger than limits.outbox)
 */
static int connection_send(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_outgoing frame;
  stomp_error error;
  lua_settop(L, 5);
  frame = check_outgoing(L, 2);
  return push_sent(L, stomp_connection_send(c, &frame, &error), &error);
}

/*** Queue the ACK of a MESSAGE as the version wants it: 1.0 `message-id`, 1.1 with
 * `subscription`, 1.2 `id`.
 * @function connection:ack
 * @tparam frame frame
 * @tparam[opt] string|table transaction its id, or headers
 * @treturn[1] boolean true; false: no room in the output now, nothing was queued
 * @treturn[2] nil, message, err `invalid` (not open), `closed` (not its connection)
 * @standard STOMP 1.2, "ACK"
 */
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

/*** The same with NACK; results as of ack.
 * @function connection:nack
 * @tparam frame frame
 * @tparam[opt] string|table transaction its id, or headers
 */
static int connection_nack(lua_State *L) {
  return ack(L, true);
}

/*** The bytes to send now, which may be none; they are then the owner's.
 * @function connection:output
 * @treturn string
 */
static int connection_output(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_span out = stomp_connection_output(c);
  lua_pushlstring(L, out.bytes ? (const char *)out.bytes : "", out.len);
  stomp_connection_consume(c, out.len);
  return 1;
}

/*** When `tick` must be called at the latest (seconds); nil: never.
 * @function connection:deadline
 * @treturn number
 */
static int connection_deadline(lua_State *L) {
  uint64_t at = stomp_connection_deadline(check_connection(L));
  if (at == STOMP_NEVER)
    lua_pushnil(L);
  else
    lua_pushnumber(L, (lua_Number)at / 1000);
  return 1;
}

/*** Do what is due: a heart-beat into the output, or the end.
 * @function connection:tick
 * @tparam number now seconds
 * @treturn[1] boolean true
 * @treturn[2] nil, message, err kinds `heartbeat`, `timeout`
 * @standard STOMP 1.2, "Heart-beating"
 */
static int connection_tick(lua_State *L) {
  stomp_connection *c = check_connection(L);
  return push_ok(L, c, stomp_connection_tick(c, check_now(L, 2)));
}

/*** The owner stops reading: the receive deadline is suspended.
 * @function connection:pause
 * @tparam number now seconds
 */
static int connection_pause(lua_State *L) {
  stomp_connection_pause(check_connection(L), check_now(L, 2));
  return 0;
}

/*** The owner reads again.
 * @function connection:resume
 * @tparam number now seconds
 */
static int connection_resume(lua_State *L) {
  stomp_connection_resume(check_connection(L), check_now(L, 2));
  return 0;
}

/*** Queue DISCONNECT with a receipt; the RECEIPT ends the session.
 * @function connection:disconnect
 * @tparam number now seconds
 * @treturn[1] string the receipt's id
 * @treturn[2] nil, message, err kind `invalid`
 * @standard STOMP 1.2, "DISCONNECT"
 */
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

/*** End without DISCONNECT: queue a close frame.
 * @function connection:close
 * @tparam number now seconds
 * @standard RFC 6455, 7.1.2
 */
static int connection_close(lua_State *L) {
  stomp_connection *c = check_connection(L);
  stomp_connection_close(c, check_now(L, 2));
  return 0;
}

/*** Whether the owner is to end the stream once the output is written.
 * @function connection:wants_end
 * @treturn boolean
 */
static int connection_wants_end(lua_State *L) {
  lua_pushboolean(L, stomp_connection_wants_end(check_connection(L)));
  return 1;
}

/*** The bytes have ended.
 * @function connection:closed
 * @tparam[opt] number code of the close frame (bare STOMP: none)
 * @tparam[opt] string reason
 * @treturn[1] boolean true: a clean end; and `"no receipt"` where DISCONNECT was
 *   answered by the end alone
 * @treturn[2] nil, message, err kind `closed`, or the earlier failure
 */
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

/*** How it ended. Frames before the end may still be taken.
 * @function connection:ended
 * @treturn[1] nil alone: it has not
 * @treturn[2] boolean false: cleanly (and `"no receipt"`, as of closed)
 * @treturn[3] nil, message, err as of next
 */
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

/*** What an owner may read of a connection.
 * @table connection
 * @tfield string state `"idle"`, `"connecting"`, `"connected"`,
 *   `"disconnecting"`, `"closed"`
 * @tfield string version as agreed, nil before
 * @tfield table heartbeat `{ send, receive }`, seconds as agreed
 * @tfield number receipts outstanding
 * @tfield boolean compression whether permessage-deflate was agreed on
 */
/* c.key; methods are the upvalue */
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

/*** With `on_invalid_frame` = `"ignore"`: the invalid frame that was ignored, once.
 * @function connection:warning
 * @treturn string message and err, nil: there was none
 */
static int connection_warning(lua_State *L) {
  stomp_error what;
  if (!stomp_connection_take_warning(check_connection(L), &what))
    return 0;
  push_error(L, &what);
  return 2;
}

/*** What it has counted, see docs/stats.md.
 * @function connection:counts
 * @treturn table
 */
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
