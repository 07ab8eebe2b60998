/* SPDX-License-Identifier: MIT
 *
 * Received frames as Lua userdata: command, headers and body become Lua values
 * when first touched. Both modules make them; the metatable is shared through
 * the registry. */
#ifndef STOMP_LUA_FRAME_H
#define STOMP_LUA_FRAME_H

#include "support.h"

#define STOMP_FRAME_TYPE "stomp.frame"

/* Make the metatable once a state; pushes it. */
void open_frames(lua_State *L);

/* The table that frames look up methods in; pushes it. */
void push_frame_methods(lua_State *L);

/* Push an empty frame userdata; `metatable` is the stack or upvalue index of
 * the metatable. Fill *box with an owned frame. */
stomp_frame **new_frame_box(lua_State *L, int metatable);

/* The frame at `i`, borrowed; raises when it is none. */
stomp_frame *check_frame(lua_State *L, int i);

#endif
