/* SPDX-License-Identifier: MIT
 *
 * The parts of `stomp.core`. */
#ifndef STOMP_LUA_CORE_H
#define STOMP_LUA_CORE_H

#include "lua_frame.h"

/* Each adds its functions to the module table on the top of the stack. */
void open_parser(lua_State *L);
void open_connection(lua_State *L);
void open_websocket(lua_State *L);

/* ---- Calls on a connection, for core.connection and the links ---- */

/* Read command, headers, body and options of a send at stack indices i … i+3;
 * what keeps texts alive stays on the stack. */
stomp_outgoing check_outgoing(lua_State *L, int i);

/* true, false (no room), or nil, message, err. */
int push_sent(lua_State *L, stomp_status status, const stomp_error *error);

/* Push the text "TYPE STATE", and the version where it is settled. */
void push_state(lua_State *L, const char *type, stomp_state state,
                stomp_version version);

/* Push a table of a connection's state, version, heartbeat, receipts,
 * compression. */
void push_info(lua_State *L, stomp_state state, stomp_version version,
               const stomp_heartbeat *heartbeat, size_t receipts,
               bool compression);

/* Add a connection's counts to the table on the top. */
void set_counts(lua_State *L, const stomp_session_counts *s,
                const stomp_connection_counts *b);

#endif
