/* SPDX-License-Identifier: MIT
 *
 * See support.h. */
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Errors ---- */

static int error_tostring(lua_State *L) {
  lua_getfield(L, 1, "message");
  return 1;
}

void open_errors(lua_State *L) {
  if (!luaL_newmetatable(L, STOMP_ERROR_TYPE))
    return;
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, STOMP_ERROR_TYPE);
  lua_setfield(L, -2, "__name");
}

/* kind: sentence[: detail][ (byte N)] */
static void push_message(lua_State *L, const stomp_error *e) {
  char at[40] = "";
  if (e->offset != STOMP_NO_OFFSET)
    snprintf(at, sizeof at, " (byte %llu)", (unsigned long long)e->offset);
  lua_pushfstring(L, "%s: %s%s%s%s", stomp_status_kind(e->status),
                  stomp_status_sentence(e->status), e->detail[0] ? ": " : "",
                  e->detail, at);
}

static void set_number(lua_State *L, const char *name, double number) {
  compat_pushcount(L, number);
  lua_setfield(L, -2, name);
}

int push_error(lua_State *L, const stomp_error *e) {
  if (e->status == STOMP_ENOMEM)
    return luaL_error(L, "not enough memory");
  lua_pushnil(L);
  push_message(L, e);
  lua_createtable(L, 0, 8);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, stomp_status_kind(e->status));
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, stomp_status_name(e->status));
  lua_setfield(L, -2, "name");
  lua_pushstring(L, e->detail);
  lua_setfield(L, -2, "detail");
  if (e->offset != STOMP_NO_OFFSET)
    set_number(L, "offset", (double)e->offset);
  if (e->close_code)
    set_number(L, "code", e->close_code);
  if (e->http_status)
    set_number(L, "status", e->http_status);
  open_errors(L);
  lua_setmetatable(L, -2);
  return 3;
}

/* err.after = list of {command =, destination =}, newest first */
static void set_after(lua_State *L, const stomp_session *s) {
  stomp_command command;
  const char *destination;
  int i;
  lua_newtable(L);
  for (i = 0; stomp_session_after(s, (size_t)i, &command, &destination); i++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, stomp_command_name(command));
    lua_setfield(L, -2, "command");
    lua_pushstring(L, destination);
    lua_setfield(L, -2, "destination");
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "after");
}

static void push_span(lua_State *L, stomp_span span) {
  lua_pushlstring(L, span.bytes ? (const char *)span.bytes : "", span.len);
}

/* err.headers = {lower-case name = value} and err.body of a refused upgrade */
static void set_answer(lua_State *L, const stomp_handshake *h) {
  stomp_span name, value;
  size_t at = 0;
  lua_newtable(L);
  while (stomp_handshake_header(h, &at, &name, &value)) {
    luaL_Buffer lower;
    size_t k;
    luaL_buffinit(L, &lower);
    for (k = 0; k < name.len; k++) {
      int c = name.bytes[k];
      luaL_addchar(&lower, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
    }
    luaL_pushresult(&lower);
    push_span(L, value);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "headers");
  push_span(L, stomp_handshake_body(h));
  lua_setfield(L, -2, "body");
}

int push_end(lua_State *L, const stomp_error *error, const stomp_connection *c,
             stomp_span reason) {
  const stomp_handshake *h = stomp_connection_handshake(c);
  push_error(L, error);
  set_after(L, stomp_connection_session(c));
  if (reason.len) {
    push_span(L, reason);
    lua_setfield(L, -2, "reason");
  }
  if (error->http_status && h)
    set_answer(L, h);
  return 3;
}

/* ---- Headers ---- */

static size_t count_pairs(lua_State *L, int i) {
  size_t n = 0;
  lua_pushnil(L);
  while (lua_next(L, i)) {
    n++;
    lua_pop(L, 1);
  }
  return n;
}

/* Push the text of a number: whole ones in full, 10 and not 5.4's 10.0; others with
 * as many digits as it takes to read the same number again. */
static void push_number(lua_State *L, int i) {
  const lua_Number limit = 9223372036854775808.0; /* 2^63 */
  lua_Number number = lua_tonumber(L, i);
  char text[32];
  int digits = 14; /* Lua's own */
  if (compat_isinteger(L, i)) {
    snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, i));
  } else if (number >= -limit && number < limit &&
             number == (lua_Number)(long long)number) {
    snprintf(text, sizeof text, "%lld", (long long)number);
  } else {
    do
      snprintf(text, sizeof text, "%.*g", digits, number);
    while (digits++ < 17 && strtod(text, NULL) != number);
  }
  lua_pushstring(L, text);
}

/* Push the text of a header value at `i`; raises naming the header. */
static const char *push_value(lua_State *L, int i, const char *name,
                              size_t *len) {
  switch (lua_type(L, i)) {
    case LUA_TBOOLEAN:
      lua_pushstring(L, lua_toboolean(L, i) ? "true" : "false");
      break;
    case LUA_TNUMBER: push_number(L, i); break;
    case LUA_TSTRING: lua_pushvalue(L, i); break;
    default:
      luaL_error(L, "header '%s': string, number or boolean expected, got %s",
                 name, luaL_typename(L, i));
  }
  return lua_tolstring(L, -1, len);
}

/* The field of the key and value on the top; leaves the key on the top and what
 * keeps the texts alive below it. */
static void add_pair(lua_State *L, fields *f) {
  stomp_field *to = &f->list[f->n++];
  if (lua_type(L, -2) != LUA_TSTRING)
    luaL_error(L, "header names are strings, got %s", luaL_typename(L, -2));
  to->name = lua_tolstring(L, -2, &to->name_len); /* alive as the table's key */
  to->value = push_value(L, lua_gettop(L), to->name, &to->value_len);
  /* key, value, text -> text, key */
  lua_insert(L, -3);
  lua_pop(L, 1);
}

static void add_item(lua_State *L, fields *f) {
  stomp_field *to = &f->list[f->n++];
  if (!lua_istable(L, -1))
    luaL_error(L, "header %d of the list: {name, value} expected", (int)f->n);
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  if (lua_type(L, -2) != LUA_TSTRING)
    luaL_error(L, "header %d of the list: its name is no string", (int)f->n);
  to->name = lua_tolstring(L, -2, &to->name_len);
  to->value = push_value(L, lua_gettop(L), to->name, &to->value_len);
}

/* (luaL_checkstack would call it an overflow) */
void check_stack(lua_State *L, int n) {
  if (!lua_checkstack(L, n))
    luaL_error(L, "not enough memory");
}

fields check_fields(lua_State *L, int i, size_t more) {
  fields f = { NULL, 0 };
  size_t n = 0, list_len = 0, k;
  if (!lua_isnoneornil(L, i)) {
    luaL_checktype(L, i, LUA_TTABLE);
    list_len = lua_rawlen(L, i);
    n = list_len ? list_len : count_pairs(L, i);
  }
  if (n > 100000)
    luaL_error(L, "too many headers");
  check_stack(L, (int)(4 * n + 8));
  f.list = lua_newuserdatauv(L, (n + more + 1) * sizeof *f.list, 0);
  if (list_len) {
    for (k = 1; k <= list_len; k++) {
      lua_rawgeti(L, i, (int)k);
      add_item(L, &f);
    }
  } else if (n) {
    lua_pushnil(L);
    while (lua_next(L, i))
      add_pair(L, &f);
  }
  return f;
}

void add_field(fields *f, const char *name, const char *value, size_t len) {
  f->list[f->n++] = (stomp_field){ name, strlen(name), value, len };
}

stomp_command check_command(lua_State *L, int i) {
  size_t len;
  const char *name = luaL_checklstring(L, i, &len);
  return stomp_command_find(name, len);
}

/* ---- The collector ---- */

/* C memory is invisible to the collector: a message is a small userdata over a
 * large block. Every so many bytes it is told to do the work that allocating
 * them in Lua would have caused. */
#define STEP ((size_t)256 << 10)

void account(lua_State *L, size_t *owed, size_t bytes) {
  *owed += bytes;
  if (*owed >= STEP) {
    int kib = (int)(*owed >> 10);
    *owed = 0;
    lua_gc(L, LUA_GCSTEP, kib);
  }
}

/* ---- Fast checks ---- */

void *check_fast(lua_State *L, int i, int metatable, const char *name) {
  void *box = lua_touserdata(L, i);
  if (box && lua_getmetatable(L, i)) {
    int same = lua_rawequal(L, -1, metatable);
    lua_pop(L, 1);
    if (same)
      return box;
  }
  return luaL_checkudata(L, i, name); /* raises */
}
