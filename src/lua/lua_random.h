/* SPDX-License-Identifier: MIT
 *
 * options.random of the machines: random bytes from a Lua function, else from
 * the system. Lives inside a userdata, which must be initialised before anything
 * can raise and closed by its finaliser. */
#ifndef STOMP_LUA_RANDOM_H
#define STOMP_LUA_RANDOM_H

#include "compat.h"
#include "core/random.h"
#include "os/entropy.h"

typedef struct lua_random {
  stomp_random seam;      /* give this to the core; borrowed for its life */
  stomp_entropy *entropy; /* owned; NULL where a function is asked */
  lua_State *caller;      /* set it at each call: who may be asked */
  int ref;                /* registry reference of the function, or LUA_NOREF */
} lua_random;

void random_init(lua_random *r);

/* Take options.random of the table at `t`, a function(n) -> n bytes; raises when
 * it is something else, or for want of memory. The calling state is `caller`. */
void random_open(lua_State *L, int t, lua_random *r);

/* May be called twice. */
void random_close(lua_State *L, lua_random *r);

#endif
