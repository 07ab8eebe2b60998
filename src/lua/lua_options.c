/* SPDX-License-Identifier: MIT
 *
 * See lua_options.h. Times come in seconds and become milliseconds. */
#include "lua_options.h"
#include <string.h>

const char *const connection_option_names[] = { "role",
                                                "url",
                                                "websocket",
                                                "host_header",
                                                "path",
                                                "upgrade_headers",
                                                "connect_headers",
                                                "host",
                                                "login",
                                                "passcode",
                                                "headers",
                                                "versions",
                                                "heartbeat",
                                                "heartbeat_margin",
                                                "heartbeat_grace",
                                                "limits",
                                                "binary",
                                                "on_invalid_frame",
                                                "escape_connect",
                                                "ping",
                                                "proxy",
                                                "random",
                                                "strict_utf8",
                                                "compression",
                                                NULL };

const char *const session_option_names[] = { "role",
                                             "connect_headers",
                                             "host",
                                             "login",
                                             "passcode",
                                             "headers",
                                             "versions",
                                             "heartbeat",
                                             "heartbeat_margin",
                                             "limits",
                                             "heartbeat_grace",
                                             "escape_connect",
                                             "random",
                                             NULL };

/* ---- Single options ---- */

int opt_field(lua_State *L, int t, const char *name) {
  lua_getfield(L, t, name);
  if (!lua_isnil(L, -1))
    return 1;
  lua_pop(L, 1);
  return 0;
}

static int wrong(lua_State *L, const char *name, const char *expected) {
  return luaL_error(L, "option '%s': %s expected, got %s", name, expected,
                    luaL_typename(L, -1));
}

const char *opt_text(lua_State *L, int t, const char *name,
                     const char *otherwise) {
  const char *text;
  if (!opt_field(L, t, name))
    return otherwise;
  if (lua_type(L, -1) != LUA_TSTRING)
    wrong(L, name, "string");
  text = lua_tostring(L, -1);
  if (strlen(text) != lua_rawlen(L, -1))
    luaL_error(L, "option '%s' has a NUL", name);
  lua_pop(L, 1); /* the table keeps it */
  return text;
}

double opt_number(lua_State *L, int t, const char *name, double otherwise) {
  double number;
  if (!opt_field(L, t, name))
    return otherwise;
  if (lua_type(L, -1) != LUA_TNUMBER)
    wrong(L, name, "number");
  number = (double)lua_tonumber(L, -1);
  if (!(number >= 0 && number <= 1e12))
    luaL_error(L, "option '%s' is out of range", name);
  lua_pop(L, 1);
  return number;
}

int opt_flag(lua_State *L, int t, const char *name, int otherwise) {
  int flag;
  if (!opt_field(L, t, name))
    return otherwise;
  if (!lua_isboolean(L, -1))
    wrong(L, name, "boolean");
  flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

static uint64_t opt_ms(lua_State *L, int t, const char *name, double seconds) {
  return (uint64_t)(opt_number(L, t, name, seconds) * 1000 + 0.5);
}

static uint32_t opt_thousandths(lua_State *L, int t, const char *name,
                                double otherwise, int below) {
  double thousandths = opt_number(L, t, name, otherwise) * 1000 + 0.5;
  if (thousandths >= below * 1000.0)
    luaL_error(L, "option '%s' must be less than %d", name, below);
  return (uint32_t)thousandths;
}

/* Push the table options[name]; 0: there is none. */
static int opt_table(lua_State *L, int t, const char *name) {
  if (!opt_field(L, t, name))
    return 0;
  if (!lua_istable(L, -1))
    wrong(L, name, "table");
  return lua_gettop(L);
}

void check_known(lua_State *L, int t, const char *const *known) {
  lua_pushnil(L);
  while (lua_next(L, t)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    size_t i;
    for (i = 0; known[i] && strcmp(known[i], key) != 0; i++)
      ;
    if (!known[i])
      luaL_error(L, "unknown option '%s'", key);
    lua_pop(L, 1);
  }
}

/* ---- Groups ---- */

static void read_limits(lua_State *L, int t, stomp_limits *limits) {
  static const char *const known[] = {
    "frame",    "headers",       "header_line", "header_count",
    "receipts", "inbox",         "inbox_hard",  "outbox",
    "upgrade",  "inflate_ratio", "table",       NULL
  };
  struct {
    const char *name;
    size_t *to;
  } list[] = {
    { "frame", &limits->frame },
    { "headers", &limits->headers },
    { "header_line", &limits->header_line },
    { "header_count", &limits->header_count },
    { "receipts", &limits->receipts },
    { "table", &limits->table },
    { "outbox", &limits->outbox },
    { "upgrade", &limits->upgrade },
    { "inflate_ratio", &limits->inflate_ratio },
  };
  size_t i;
  int at = opt_table(L, t, "limits");
  if (!at)
    return;
  check_known(L, at, known);
  for (i = 0; i < sizeof list / sizeof *list; i++)
    *list[i].to = (size_t)opt_number(L, at, list[i].name, (double)*list[i].to);
  lua_pop(L, 1);
}

static void read_heartbeat(lua_State *L, int t, stomp_session_options *s) {
  int at = opt_table(L, t, "heartbeat");
  if (at) {
    s->heartbeat[0] = opt_ms(L, at, "send", 10);
    s->heartbeat[1] = opt_ms(L, at, "receive", 10);
    lua_pop(L, 1);
  }
  s->slack[0] = opt_thousandths(L, t, "heartbeat_margin", 0.2, 1);
  s->slack[1] = opt_thousandths(L, t, "heartbeat_grace", 1, 1000000);
}

static void read_versions(lua_State *L, int t, bool versions[4]) {
  int at = opt_table(L, t, "versions"), i, n;
  if (!at)
    return;
  n = (int)lua_rawlen(L, at);
  memset(versions, 0, 4 * sizeof *versions);
  for (i = 1; i <= n; i++) {
    stomp_version v;
    lua_rawgeti(L, at, i);
    v = lua_type(L, -1) == LUA_TSTRING
          ? stomp_version_find(lua_tostring(L, -1), lua_rawlen(L, -1))
          : STOMP_UNSETTLED;
    if (v == STOMP_UNSETTLED)
      luaL_error(L, "option 'versions': \"1.0\", \"1.1\" or \"1.2\" expected");
    versions[v] = true;
    lua_pop(L, 1);
  }
  if (n == 0)
    luaL_error(L, "option 'versions' is empty");
  lua_pop(L, 1);
}

/* CONNECT's headers: a ready list, or host, login, passcode and more. */
static void read_connect(lua_State *L, int t, stomp_session_options *s) {
  const char *login = opt_text(L, t, "login", NULL);
  const char *passcode = opt_text(L, t, "passcode", NULL);
  const char *host = "/";
  bool ready = opt_field(L, t, "connect_headers");
  fields f;
  if (!ready && !opt_field(L, t, "headers"))
    lua_pushnil(L);
  f = check_fields(L, lua_gettop(L), 3);
  if (!ready) {
    if (opt_field(L, t, "host")) {
      host = lua_toboolean(L, -1) ? lua_tostring(L, -1) : NULL;
      if (!host && lua_toboolean(L, -1))
        wrong(L, "host", "string or false");
    }
    if (host)
      add_field(&f, "host", host, strlen(host));
    if (login)
      add_field(&f, "login", login, strlen(login));
    if (passcode)
      add_field(&f, "passcode", passcode, strlen(passcode));
  }
  s->connect = f.list;
  s->n_connect = f.n;
}

/* ws://authority/path?query of core.connection's url; the client parses URLs
 * itself and gives host_header and path. */
static void read_url(lua_State *L, int t, stomp_connection_options *o) {
  const char *url = opt_text(L, t, "url", NULL), *host;
  size_t len;
  o->host = opt_text(L, t, "host_header", o->host);
  o->path = opt_text(L, t, "path", o->path);
  if (!url)
    return;
  host = strncmp(url, "ws://", 5) == 0    ? url + 5
         : strncmp(url, "wss://", 6) == 0 ? url + 6
                                          : NULL;
  if (!host)
    luaL_error(L, "option 'url': ws://host/path or wss://host/path expected");
  len = strcspn(host, "/?#");
  if (len == 0 || memchr(host, '@', len) || strchr(host, '#'))
    luaL_error(L, "option 'url': a host, a path, a query and no more expected");
  lua_pushlstring(L, host, len);
  o->host = lua_tostring(L, -1); /* stays on the stack */
  if (host[len] == '/')
    o->path = host + len;
  else if (host[len])
    o->path = lua_pushfstring(L, "/%s", host + len); /* stays, too */
}

static void read_choices(lua_State *L, int t, stomp_connection_options *o) {
  const char *role = opt_text(L, t, "role", "client");
  const char *binary = opt_text(L, t, "binary", "auto");
  const char *invalid = opt_text(L, t, "on_invalid_frame", "close");
  if (strcmp(role, "server") == 0)
    o->session.role = STOMP_SERVER;
  else if (strcmp(role, "client") != 0)
    luaL_error(L, "option 'role': \"client\" or \"server\" expected");
  if (strcmp(binary, "always") == 0)
    o->binary = STOMP_BINARY_ALWAYS;
  else if (strcmp(binary, "never") == 0)
    o->binary = STOMP_BINARY_NEVER;
  else if (strcmp(binary, "auto") != 0)
    luaL_error(L,
               "option 'binary': \"auto\", \"always\" or \"never\" expected");
  if (strcmp(invalid, "ignore") == 0)
    o->ignore_invalid = true;
  else if (strcmp(invalid, "close") != 0)
    luaL_error(L,
               "option 'on_invalid_frame': \"close\" or \"ignore\" expected");
}

static void read_proxy(lua_State *L, int t, stomp_connection_options *o) {
  int at = opt_table(L, t, "proxy");
  if (!at)
    return;
  o->proxy_target = opt_text(L, at, "target", NULL);
  o->proxy_authorization = opt_text(L, at, "authorization", NULL);
}

void check_options(lua_State *L, int t, stomp_connection_options *o) {
  fields upgrade;
  check_stack(L, 60);
  stomp_connection_defaults(o);
  read_choices(L, t, o);
  read_url(L, t, o);
  read_proxy(L, t, o);
  read_limits(L, t, &o->session.limits);
  read_heartbeat(L, t, &o->session);
  read_versions(L, t, o->session.versions);
  o->websocket = opt_flag(L, t, "websocket", 1);
  o->strict_utf8 = opt_flag(L, t, "strict_utf8", 0);
  o->compression = opt_flag(L, t, "compression", 0);
  o->session.escape_connect = opt_flag(L, t, "escape_connect", 0);
  o->ping = opt_ms(L, t, "ping", 20);
  read_connect(L, t, &o->session);
  if (!opt_field(L, t, "upgrade_headers"))
    lua_pushnil(L);
  upgrade = check_fields(L, lua_gettop(L), 0);
  o->upgrade_headers = upgrade.list;
  o->n_upgrade_headers = upgrade.n;
}
