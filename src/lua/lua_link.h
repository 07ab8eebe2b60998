/* SPDX-License-Identifier: MIT
 *
 * Links as Lua userdata; used by lws.open and by listeners. */
#ifndef STOMP_LUA_LINK_H
#define STOMP_LUA_LINK_H

#include "io/link.h"
#include "lua_core.h"

/* Make the metatables, once a state; pushes nothing. */
void open_links(lua_State *L);
void open_listeners(lua_State *L);

/* Push an empty link userdata; fill *box with a link, which it owns then. */
stompio_link **new_link_box(lua_State *L);

/* lws.open(options) -> link, or nil, message, err */
int link_open(lua_State *L);

/* lws.listen(options) -> listener, or nil, message, err */
int listener_open(lua_State *L);

/* This state and process uses the I/O thread from now on (until the state is
 * closed). Raises when it cannot be started. */
void retain_service(lua_State *L);

/* Read limits.inbox and limits.inbox_hard of the options at `t`. */
void check_inbox(lua_State *L, int t, stompio_link_options *options);

#endif
