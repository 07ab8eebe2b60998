/* SPDX-License-Identifier: MIT
 *
 * See lua_frame.h. A frame userdata has three slots of Lua values: its owner
 * (the client's subscription), its headers and its body once they were asked
 * for. Lua 5.4 has user values for them, older ones a table as environment. */
#include "lua_frame.h"
#include <string.h>

typedef struct frame_box {
  stomp_frame *frame;
  int has_slots; /* before 5.4: the table of slots was made */
} frame_box;

enum { OWNER = 1, HEADERS = 2, BODY = 3 };

/* ---- Slots ---- */

#if LUA_VERSION_NUM >= 504

static void push_slot(lua_State *L, int i, int slot) {
  lua_getiuservalue(L, i, slot);
}

/* pops the value */
static void set_slot(lua_State *L, int i, int slot) {
  lua_setiuservalue(L, i, slot);
}

#else

#if LUA_VERSION_NUM < 502
#define get_table lua_getfenv
#define set_table lua_setfenv
#else
#define get_table lua_getuservalue
#define set_table lua_setuservalue
#endif

static void push_slot(lua_State *L, int i, int slot) {
  const frame_box *box = lua_touserdata(L, i);
  if (!box->has_slots) {
    lua_pushnil(L);
    return;
  }
  get_table(L, i);
  lua_rawgeti(L, -1, slot);
  lua_remove(L, -2);
}

static void set_slot(lua_State *L, int i, int slot) {
  frame_box *box = lua_touserdata(L, i);
  if (!box->has_slots) {
    lua_createtable(L, 3, 0);
    lua_pushvalue(L, -1);
    set_table(L, i);
    box->has_slots = 1;
  } else {
    get_table(L, i);
  }
  lua_insert(L, -2); /* table, value */
  lua_rawseti(L, -2, slot);
  lua_pop(L, 1);
}

#endif

/* ---- Fields ---- */

static void push_span(lua_State *L, stomp_span span) {
  if (span.bytes)
    lua_pushlstring(L, (const char *)span.bytes, span.len);
  else
    lua_pushnil(L);
}

/* frame.headers: of a repeated header the first counts */
static void push_headers(lua_State *L, const stomp_frame *f) {
  uint32_t i;
  push_slot(L, 1, HEADERS);
  if (!lua_isnil(L, -1))
    return;
  lua_pop(L, 1);
  lua_createtable(L, 0, (int)f->n_headers);
  for (i = f->n_headers; i-- > 0;) { /* so the first one is set last */
    push_span(L, stomp_frame_name(f, i));
    push_span(L, stomp_frame_value(f, i));
    lua_rawset(L, -3);
  }
  lua_pushvalue(L, -1);
  set_slot(L, 1, HEADERS);
}

static void push_body(lua_State *L, const stomp_frame *f) {
  push_slot(L, 1, BODY);
  if (!lua_isnil(L, -1))
    return;
  lua_pop(L, 1);
  push_span(L, stomp_frame_body(f));
  lua_pushvalue(L, -1);
  set_slot(L, 1, BODY);
}

static void push_redelivered(lua_State *L, const stomp_frame *f) {
  lua_pushboolean(L, stomp_span_is(STOMP_HEADER(f, "redelivered"), "true"));
}

static void push_route(lua_State *L, const stomp_frame *f) {
  if (f->command == STOMP_MESSAGE_COMMAND)
    push_span(L, STOMP_HEADER(f, "subscription"));
  else
    lua_pushnil(L);
}

#define IS(literal) (len == sizeof(literal) - 1 && !memcmp(key, literal, len))

/* Push the field called so; 0: there is no such field. */
static int push_field(lua_State *L, const stomp_frame *f, const char *key,
                      size_t len) {
  if (IS("route")) /* of a MESSAGE only: where the client's router looks */
    push_route(L, f);
  else if (IS("subscription"))
    push_span(L, STOMP_HEADER(f, "subscription"));
  else if (IS("body"))
    push_body(L, f);
  else if (IS("headers"))
    push_headers(L, f);
  else if (IS("destination"))
    push_span(L, STOMP_HEADER(f, "destination"));
  else if (IS("command"))
    lua_pushstring(L, stomp_command_name(f->command));
  else if (IS("id"))
    push_span(L, STOMP_HEADER(f, "message-id"));
  else if (IS("redelivered"))
    push_redelivered(L, f);
  else if (IS("receipt")) /* of a RECEIPT, without a table of headers */
    push_span(L, STOMP_HEADER(f, "receipt-id"));
  else if (IS("owner"))
    push_slot(L, 1, OWNER);
  else if (IS("sequence")) /* of a MESSAGE: 1, 2, 3 … on its connection */
    compat_pushcount(L, (double)f->delivery.sequence);
  else
    return 0;
  return 1;
}

/* frame.key; methods are the upvalue */
static int frame_index(lua_State *L) {
  const frame_box *box = lua_touserdata(L, 1);
  size_t len;
  const char *key = lua_tolstring(L, 2, &len);
  if (key && box->frame && push_field(L, box->frame, key, len))
    return 1;
  lua_settop(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  return 1;
}

static int frame_newindex(lua_State *L) {
  return luaL_error(L, "a frame's fields cannot be set ('%s')",
                    lua_tostring(L, 2));
}

/* frame:bind(owner) -> frame */
static int frame_bind(lua_State *L) {
  check_fast(L, 1, lua_upvalueindex(1), STOMP_FRAME_TYPE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  set_slot(L, 1, OWNER);
  return 1;
}

/* frame:size() -> bytes that it holds in memory */
static int frame_size(lua_State *L) {
  compat_pushcount(L, check_frame(L, 1)->size);
  return 1;
}

/* Bytes of a header that tostring shows. */
#define SHOWN 200

/* What would break the line or the terminal is written \xHH: control characters,
 * those of ISO 6429's second half (two bytes of UTF-8) too. */
static void add_printable(luaL_Buffer *b, stomp_span text) {
  size_t i, n = text.len < SHOWN ? text.len : SHOWN;
  for (i = 0; i < n; i++) {
    uint8_t c = text.bytes[i];
    bool second = i > 0 && text.bytes[i - 1] == 0xc2 && c < 0xa0;
    if (c >= 0x20 && c != 0x7f && !second) {
      luaL_addchar(b, (char)c);
    } else {
      static const char digits[] = "0123456789abcdef";
      luaL_addlstring(b, "\\x", 2);
      luaL_addchar(b, digits[c >> 4]);
      luaL_addchar(b, digits[c & 15]);
    }
  }
  if (n < text.len)
    luaL_addlstring(b, "...", 3);
}

static void push_printable(lua_State *L, stomp_span text) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  add_printable(&b, text);
  luaL_pushresult(&b);
}

/* tostring(frame): one line, "MESSAGE /queue/a id=7 5 bytes" */
static int frame_tostring(lua_State *L) {
  const stomp_frame *f = check_frame(L, 1);
  stomp_span to = STOMP_HEADER(f, "destination");
  stomp_span id = STOMP_HEADER(f, "message-id");
  if (!id.bytes)
    id = STOMP_HEADER(f, "receipt-id");
  lua_pushstring(L, stomp_command_name(f->command));
  if (to.bytes) {
    lua_pushliteral(L, " ");
    push_printable(L, to);
    lua_concat(L, 3);
  }
  if (id.bytes) {
    lua_pushliteral(L, " id=");
    push_printable(L, id);
    lua_concat(L, 3);
  }
  lua_pushfstring(L, " %d bytes", (int)f->body_len);
  lua_concat(L, 2);
  return 1;
}

static int frame_gc(lua_State *L) {
  frame_box *box = check_fast(L, 1, lua_upvalueindex(1), STOMP_FRAME_TYPE);
  stomp_frame *frame = box->frame;
  box->frame = NULL;
  stomp_frame_free(frame);
  return 0;
}

/* ---- For the bindings ---- */

void open_frames(lua_State *L) {
  if (!luaL_newmetatable(L, STOMP_FRAME_TYPE))
    return;
  lua_newtable(L);
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, frame_bind, 1);
  lua_setfield(L, -2, "bind");
  lua_pushcfunction(L, frame_size);
  lua_setfield(L, -2, "size");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "methods");
  lua_pushcclosure(L, frame_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, frame_newindex);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, frame_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, frame_gc, 1);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, STOMP_FRAME_TYPE);
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, "frame");
  lua_setfield(L, -2, "__metatable");
}

void push_frame_methods(lua_State *L) {
  open_frames(L);
  lua_getfield(L, -1, "methods");
  lua_remove(L, -2);
}

stomp_frame **new_frame_box(lua_State *L, int metatable) {
  frame_box *box = lua_newuserdatauv(L, sizeof *box, 3);
  box->frame = NULL; /* a collector running now finds an empty box */
  box->has_slots = 0;
  lua_pushvalue(L, metatable > 0 || metatable < LUA_REGISTRYINDEX
                     ? metatable
                     : metatable - 1);
  lua_setmetatable(L, -2);
  return &box->frame;
}

stomp_frame *check_frame(lua_State *L, int i) {
  frame_box *box = luaL_checkudata(L, i, STOMP_FRAME_TYPE);
  if (!box->frame)
    luaL_error(L, "attempt to use a freed frame");
  return box->frame;
}
