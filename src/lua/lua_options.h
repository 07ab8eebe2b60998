/* SPDX-License-Identifier: MIT
 *
 * Options of a connection, read from a Lua table; shared by core.connection and
 * the links. */
#ifndef STOMP_LUA_OPTIONS_H
#define STOMP_LUA_OPTIONS_H

#include "support.h"

/* Push options[name] of the table at `t`; whether it is not nil. It stays on
 * the stack when it is. */
int opt_field(lua_State *L, int t, const char *name);

/* options[name] as bytes or a number; raises naming the option. Texts are
 * borrowed from the table. */
const char *opt_text(lua_State *L, int t, const char *name,
                     const char *otherwise);
double opt_number(lua_State *L, int t, const char *name, double otherwise);
int opt_flag(lua_State *L, int t, const char *name, int otherwise);

/* Raise for a key of the table at `t` that is not in the NULL-ended list. */
void check_known(lua_State *L, int t, const char *const *known);

/* Read the table at `t` (absolute index) over the defaults. Leaves what keeps
 * texts alive on the stack: call it once, on a stack of its own. memory and
 * random are the caller's to set. */
void check_options(lua_State *L, int t, stomp_connection_options *options);

/* Names that check_options knows. */
extern const char *const connection_option_names[];
/* Those of them that concern STOMP alone. */
extern const char *const session_option_names[];

#endif
