/* SPDX-License-Identifier: MIT
 *
 * What all bindings share: errors as `nil, message, err`, headers of a Lua table
 * as fields of the core, options, the collector's share of C memory. A Lua error
 * (longjmp) may leave any of these functions: no lock is held and nothing that
 * needs freeing is out of a userdata's hands when they are called. */
#ifndef STOMP_SUPPORT_H
#define STOMP_SUPPORT_H

#include "compat.h"
#include "core/connection.h"

#define STOMP_ERROR_TYPE "stomp.error"

/* Push nil, message, err; returns 3. ENOMEM is raised instead, as Lua does. */
int push_error(lua_State *L, const stomp_error *error);

/* The same for the end of a connection: err also has `after`, `code`, `reason`,
 * `status`, `headers`, `body`. Of `c` only what is fixed once it has ended is
 * read; `reason` is the text of the peer's close frame. */
int push_end(lua_State *L, const stomp_error *error, const stomp_connection *c,
             stomp_span reason);

/* Make the metatable of errors, once a state; pushes it. */
void open_errors(lua_State *L);

typedef struct fields {
  stomp_field *list;
  size_t n;
} fields;

/* Room for `n` more values, or "not enough memory" is raised. */
void check_stack(lua_State *L, int n);

/* Read headers at `i`: nil, a table {name = value}, or a list of {name, value}.
 * Values are strings, numbers or booleans. Pushes what keeps the texts alive
 * (any number of values); raises with the header's name. `more` fields of room
 * are left at the end. */
fields check_fields(lua_State *L, int i, size_t more);

/* Add a field with a literal name; the value must stay on the stack. */
void add_field(fields *f, const char *name, const char *value, size_t len);

/* The command named by the string at `i`; STOMP_COMMAND_COUNT: none. */
stomp_command check_command(lua_State *L, int i);

/* Tell the collector that `bytes` more of C memory hang on Lua objects; `owed`
 * is what was not told yet, kept by whoever makes them. */
void account(lua_State *L, size_t *owed, size_t bytes);

/* The userdata at `i` when its metatable is the value at index `metatable` (an
 * upvalue, so that the hot calls look nothing up); raises otherwise. */
void *check_fast(lua_State *L, int i, int metatable, const char *name);

#endif
