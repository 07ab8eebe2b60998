/* SPDX-License-Identifier: MIT
 *
 * Links for Lua: the transport seam (docs/transport.md) in C. Arguments are
 * checked before the link's lock is taken, results are pushed after it is
 * released. */
#include "lua_link.h"
#include "lua_options.h"
#include <string.h>

#define TYPE "stomp.link"

typedef struct link_box {
  stompio_link *link; /* first: what new_link_box gives out */
  size_t owed;        /* bytes that the collector was not told of */
} link_box;

/* Every method has the links' metatable as its first upvalue. */
static link_box *check_box(lua_State *L) {
  link_box *box = check_fast(L, 1, lua_upvalueindex(1), TYPE);
  if (!box->link)
    luaL_error(L, "attempt to use a closed link");
  return box;
}

static stompio_link *check_link(lua_State *L) {
  return check_box(L)->link;
}

stompio_link **new_link_box(lua_State *L) {
  link_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->link = NULL;
  box->owed = 0;
  compat_setmetatable(L, TYPE);
  return &box->link;
}

static int link_gc(lua_State *L) {
  link_box *box = luaL_checkudata(L, 1, TYPE);
  stompio_link *link = box->link;
  box->link = NULL;
  stompio_link_release(link);
  return 0;
}

/* ---- Opening ---- */

void check_inbox(lua_State *L, int t, stompio_link_options *options) {
  options->inbox = (size_t)8 << 20;
  options->inbox_hard = 0;
  if (opt_field(L, t, "limits")) {
    int at = lua_gettop(L);
    options->inbox = (size_t)opt_number(L, at, "inbox", (double)options->inbox);
    options->inbox_hard = (size_t)opt_number(L, at, "inbox_hard", 0);
    lua_pop(L, 1);
  }
  if (!options->inbox_hard)
    options->inbox_hard = 2 * options->inbox;
}

static void check_tls(lua_State *L, int t, const char *host,
                      stomp_tls_options *tls) {
  static const char *const known[] = { "ca",          "cert",   "key",
                                       "passphrase",  "verify", "server_name",
                                       "min_version", "pin",    NULL };
  memset(tls, 0, sizeof *tls);
  tls->name = host;
  if (!opt_field(L, t, "tls"))
    return;
  t = lua_gettop(L);
  luaL_checktype(L, t, LUA_TTABLE);
  check_known(L, t, known);
  tls->ca = opt_text(L, t, "ca", NULL);
  tls->cert = opt_text(L, t, "cert", NULL);
  tls->key = opt_text(L, t, "key", NULL);
  tls->passphrase = opt_text(L, t, "passphrase", NULL);
  tls->no_verify = !opt_flag(L, t, "verify", 1);
  tls->name = opt_text(L, t, "server_name", host);
  tls->min_version = opt_text(L, t, "min_version", NULL);
  tls->pin = opt_text(L, t, "pin", NULL);
}

/* Where to connect: the proxy, where there is one. */
static void check_address(lua_State *L, stompio_link_options *options,
                          const char *host, double port) {
  if (opt_field(L, 1, "proxy")) {
    int at = lua_gettop(L);
    luaL_checktype(L, at, LUA_TTABLE);
    host = opt_text(L, at, "host", NULL);
    port = opt_number(L, at, "port", 0);
  }
  if (!host || port < 1 || port > 65535)
    luaL_error(L, "host and port expected");
  options->host = host;
  options->port = (unsigned)port;
}

/* lws.open(options) -> link, or nil, message, err */
int link_open(lua_State *L) {
  stompio_link_options options;
  stomp_tls_options tls;
  stomp_error error;
  stompio_link **box;
  const char *host;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  memset(&options, 0, sizeof options);
  check_options(L, 1, &options.connection);
  check_inbox(L, 1, &options);
  host = opt_text(L, 1, "connect_host", NULL);
  check_address(L, &options, host, opt_number(L, 1, "connect_port", 0));
  if (opt_flag(L, 1, "secure", 0)) {
    check_tls(L, 1, host, &tls);
    options.tls = &tls;
  }
  retain_service(L);
  box = new_link_box(L);
  *box = stompio_link_open(&options, &error);
  return *box ? 1 : push_error(L, &error);
}

/* ---- Frames that came ---- */

static void push_end_of(lua_State *L, stompio_link *link,
                        const stompio_end *end) {
  const stomp_connection *c = stompio_link_ended(link);
  if (c)
    push_end(L, &end->error, c,
             (stomp_span){ (const uint8_t *)end->reason, end->reason_len });
  else
    push_error(L, &end->error);
}

/* link:next() -> frame, nil, false [, "no receipt"], or nil, message, err */
static int link_next(lua_State *L) {
  link_box *self = check_box(L);
  stompio_link *link = self->link;
  stomp_frame **box;
  stompio_end end;
  if (!stompio_link_ready(link)) { /* no userdata for nothing */
    stompio_news news = stompio_link_fetch(link, &end);
    if (news == STOMPIO_NOTHING) {
      lua_pushnil(L);
      return 1;
    }
    if (news == STOMPIO_CLEAN) {
      lua_pushboolean(L, 0);
      if (end.no_receipt)
        lua_pushliteral(L, "no receipt");
      return end.no_receipt ? 2 : 1;
    }
    if (news == STOMPIO_BROKEN) {
      push_end_of(L, link, &end);
      return 3;
    }
  }
  box = new_frame_box(L, lua_upvalueindex(2));
  *box = stompio_link_take(link);
  account(L, &self->owed, (*box)->size);
  return 1;
}

/* link:hold(frame): it stays in a queue and counts towards the inbox */
static int link_hold(lua_State *L) {
  stompio_link_hold(check_link(L), check_frame(L, 2));
  return 0;
}

/* link:release(frame): it has left that queue */
static int link_release(lua_State *L) {
  stompio_link_unhold(check_link(L), check_frame(L, 2)->size);
  return 0;
}

/* link:adopt(frame): one of an earlier link is in a queue, and counts here */
static int link_adopt(lua_State *L) {
  stompio_link_adopt_frame(check_link(L), check_frame(L, 2));
  return 0;
}

static int link_awaiting(lua_State *L) {
  stompio_link_awaiting(check_link(L), lua_toboolean(L, 2));
  return 0;
}

/* link:warning() -> nil, or message, err of an invalid frame that was ignored */
static int link_warning(lua_State *L) {
  stomp_error what;
  if (!stompio_link_take_warning(check_link(L), &what))
    return 0;
  push_error(L, &what);
  return 2;
}

/* link:wants_room(): a send said false, and there is no room yet */
static int link_wants_room(lua_State *L) {
  lua_pushboolean(L, stompio_link_wants_room(check_link(L)));
  return 1;
}

static int link_nudge(lua_State *L) {
  stompio_link_nudge(check_link(L));
  return 0;
}

static int link_stalled(lua_State *L) {
  lua_pushboolean(L, stompio_link_stalled(check_link(L)));
  return 1;
}

/* ---- Frames to go ---- */

/* link:send(command, headers [, body [, options]]) */
static int link_send(lua_State *L) {
  stompio_link *link = check_link(L);
  stomp_outgoing frame;
  stomp_error error;
  lua_settop(L, 5);
  frame = check_outgoing(L, 2);
  return push_sent(L, stompio_link_send(link, &frame, &error), &error);
}

/* link:ack(frame [, headers]) */
static int ack(lua_State *L, bool nack) {
  stompio_link *link = check_link(L);
  stomp_frame *message = check_frame(L, 2);
  stomp_error error;
  fields f;
  lua_settop(L, 3);
  f = check_fields(L, 3, 0);
  return push_sent(
    L, stompio_link_ack(link, message, nack, f.list, f.n, &error), &error);
}

static int link_ack(lua_State *L) {
  return ack(L, false);
}

static int link_nack(lua_State *L) {
  return ack(L, true);
}

/* link:disconnect() -> receipt id, true (was not connected), false (no room),
 * or nil, message, err */
static int link_disconnect(lua_State *L) {
  stompio_link *link = check_link(L);
  const char *receipt = NULL;
  stomp_error error;
  stomp_status status = stompio_link_disconnect(link, &receipt, &error);
  if (status != STOMP_OK || !receipt)
    return push_sent(L, status, &error);
  lua_pushstring(L, receipt);
  return 1;
}

/* link:accept([headers]) */
static int link_accept(lua_State *L) {
  stompio_link *link = check_link(L);
  stomp_error error;
  fields f;
  lua_settop(L, 2);
  f = check_fields(L, 2, 0);
  return push_sent(L, stompio_link_accept(link, f.list, f.n, &error), &error);
}

/* link:refuse(message [, body]) */
static int link_refuse(lua_State *L) {
  stompio_link *link = check_link(L);
  stomp_span message, body;
  stomp_error error;
  message.bytes = (const uint8_t *)luaL_checklstring(L, 2, &message.len);
  body.bytes = (const uint8_t *)luaL_optlstring(L, 3, "", &body.len);
  return push_sent(L, stompio_link_refuse(link, message, body, &error), &error);
}

static int link_close(lua_State *L) {
  stompio_link_close(check_link(L));
  return 0;
}

/* link:cut(): the connection ends as if the network had failed */
static int link_cut(lua_State *L) {
  stompio_link_cut(check_link(L));
  return 0;
}

/* link:mute(yes): nothing is written, until mute(false) */
static int link_mute(lua_State *L) {
  stompio_link_mute(check_link(L), lua_toboolean(L, 2));
  return 0;
}

/* ---- Questions ---- */

/* What is copied under the lock, and pushed after it. */
typedef struct snapshot {
  stomp_state state;
  stomp_version version;
  stomp_heartbeat heartbeat;
  size_t receipts;
  bool compression;
  stomp_session_counts counts;
  stomp_connection_counts bytes;
  stomp_error warning;
} snapshot;

static void look(const stomp_connection *c, void *user) {
  const stomp_session *s = stomp_connection_session(c);
  snapshot *to = user;
  to->state = stomp_connection_state(c);
  to->version = stomp_session_version(s);
  to->heartbeat = *stomp_session_heartbeat(s);
  to->receipts = stomp_session_receipts(s);
  to->compression = stomp_connection_is_compressed(c);
  to->counts = *stomp_session_counts_of(s);
  to->bytes = *stomp_connection_counts_of(c);
}

/* link:info() -> {state, version, heartbeat, receipts, compression} */
static int link_info(lua_State *L) {
  snapshot s;
  stompio_link_look(check_link(L), look, &s);
  push_info(L, s.state, s.version, &s.heartbeat, s.receipts, s.compression);
  return 1;
}

/* link:stats() -> table of numbers */
static int link_stats(lua_State *L) {
  stompio_link *link = check_link(L);
  stompio_link_stats stats = stompio_link_stats_of(link);
  snapshot s;
  stompio_link_look(link, look, &s);
  lua_newtable(L);
  set_counts(L, &s.counts, &s.bytes);
  compat_pushcount(L, stats.inbox);
  lua_setfield(L, -2, "inbox_bytes");
  compat_pushcount(L, stats.outbox);
  lua_setfield(L, -2, "outbox_bytes");
  lua_pushnumber(L, (lua_Number)stats.paused_ms / 1000);
  lua_setfield(L, -2, "paused_seconds");
  return 1;
}

/* tostring(link): "stomp.link connected STOMP 1.2" */
static int link_tostring(lua_State *L) {
  link_box *box = luaL_checkudata(L, 1, TYPE);
  snapshot s;
  if (!box->link) {
    lua_pushliteral(L, TYPE " closed");
    return 1;
  }
  stompio_link_look(box->link, look, &s);
  push_state(L, TYPE, s.state, s.version);
  return 1;
}

static int link_pollfd(lua_State *L) {
  lua_pushinteger(L, stompio_link_fd(check_link(L)));
  return 1;
}

static int link_events(lua_State *L) {
  lua_pushliteral(L, "r");
  return 1;
}

static int link_timeout(lua_State *L) {
  lua_pushnil(L);
  return 1;
}

void open_links(lua_State *L) {
  static const luaL_Reg methods[] = { { "hold", link_hold },
                                      { "release", link_release },
                                      { "adopt", link_adopt },
                                      { "awaiting", link_awaiting },
                                      { "stalled", link_stalled },
                                      { "warning", link_warning },
                                      { "wants_room", link_wants_room },
                                      { "nudge", link_nudge },
                                      { "send", link_send },
                                      { "ack", link_ack },
                                      { "nack", link_nack },
                                      { "disconnect", link_disconnect },
                                      { "accept", link_accept },
                                      { "refuse", link_refuse },
                                      { "close", link_close },
                                      { "cut", link_cut },
                                      { "mute", link_mute },
                                      { "info", link_info },
                                      { "stats", link_stats },
                                      { "pollfd", link_pollfd },
                                      { "events", link_events },
                                      { "timeout", link_timeout },
                                      { NULL, NULL } };
  luaL_newmetatable(L, TYPE);
  lua_newtable(L);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 1);
  lua_pushvalue(L, -2);
  open_frames(L);
  lua_pushcclosure(L, link_next, 2);
  lua_setfield(L, -2, "next");
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, link_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, link_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}
