/* SPDX-License-Identifier: MIT
 *
 * A Lua in which one request for memory fails: the bindings when there is none.
 *   host SCRIPT [STEP]
 * SCRIPT returns a function. It is called in a state of its own for n = 1, 1 +
 * STEP, 1 + 2 STEP … while the n-th request of Lua or of the modules fails (they
 * are built so that their malloc and free are ours, see the Makefile), until none
 * did. Then it may end as if nothing had happened, or with "not enough memory"; the
 * second call, with memory, must succeed; and when the state is closed no block of
 * the modules is left. Sanitizers watch it. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OOM_EXPORT __attribute__((visibility("default")))

static atomic_ulong n_requests; /* since it was armed */
static atomic_ulong fail_at;    /* 0: none */
static atomic_long n_blocks;    /* of the modules, not freed yet */

/* Whether this request is the one. The I/O thread asks, too. */
static bool fails(void) {
  unsigned long at = atomic_load(&fail_at);
  return at && atomic_fetch_add(&n_requests, 1) + 1 == at;
}

/* ---- The modules' memory ---- */

OOM_EXPORT void *oom_malloc(size_t size);
OOM_EXPORT void *oom_calloc(size_t n, size_t size);
OOM_EXPORT void *oom_realloc(void *block, size_t size);
OOM_EXPORT char *oom_strdup(const char *text);
OOM_EXPORT void oom_free(void *block);

static void *counted(void *block) {
  if (block)
    atomic_fetch_add(&n_blocks, 1);
  return block;
}

void *oom_malloc(size_t size) {
  return fails() ? NULL : counted(malloc(size));
}

void *oom_calloc(size_t n, size_t size) {
  return fails() ? NULL : counted(calloc(n, size));
}

void *oom_realloc(void *block, size_t size) {
  if (fails())
    return NULL;
  return block ? realloc(block, size) : counted(realloc(block, size));
}

char *oom_strdup(const char *text) {
  return fails() ? NULL : counted(strdup(text));
}

void oom_free(void *block) {
  if (block)
    atomic_fetch_sub(&n_blocks, 1);
  free(block);
}

/* ---- Lua's ---- */

/* Lua 5.2 and later collect garbage and ask again: that fails as well. */
static void *lua_memory(void *user, void *block, size_t old_size,
                        size_t new_size) {
  static struct {
    void *block;
    size_t size;
  } again;
  (void)user;
  if (new_size == 0) {
    free(block);
    return NULL;
  }
  if (block && new_size <= old_size) /* shrinking never fails */
    return realloc(block, new_size);
  if (again.size == new_size && again.block == block) {
    again.size = 0;
    return NULL;
  }
  again.size = 0;
  if (fails()) {
    again.block = block;
    again.size = new_size;
    return NULL;
  }
  return realloc(block, new_size);
}

/* ---- Runs ---- */

static int with_traceback(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (text && !strstr(text, "not enough memory"))
    luaL_traceback(L, L, text, 1);
  return 1;
}

/* Call the function at the top; NULL: it succeeded. */
static const char *call(lua_State *L) {
  lua_settop(L, 1);
  lua_pushcfunction(L, with_traceback);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 0, 0, 2) == 0)
    return NULL;
  return lua_isstring(L, -1) ? lua_tostring(L, -1) : "an error without text";
}

static lua_State *open_state(const char *script) {
  lua_State *L = lua_newstate(lua_memory, NULL);
  if (!L)
    abort();
  luaL_openlibs(L);
  if (luaL_dofile(L, script)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(2);
  }
  return L;
}

typedef struct sums {
  unsigned long unhurt, raised, wrong;
} sums;

static void complain(sums *s, unsigned long n, const char *what,
                     const char *text) {
  s->wrong++;
  fprintf(stderr, "request %lu fails: %s: %s\n", n, what, text);
}

/* A thread that was connecting when its link was given up frees what it has by
 * itself, soon, and there is no way to ask when. */
static long blocks_left(void) {
  const struct timespec moment = { 0, 1000000 };
  int i;
  for (i = 0; i < 5000 && atomic_load(&n_blocks) != 0; i++)
    nanosleep(&moment, NULL);
  return atomic_load(&n_blocks);
}

/* false: the request that was to fail was not made any more. */
static bool run(const char *script, unsigned long n, sums *s) {
  lua_State *L = open_state(script);
  const char *text;
  bool failed;
  atomic_store(&n_requests, 0);
  atomic_store(&fail_at, n);
  text = call(L);
  failed = atomic_load(&n_requests) >= n;
  atomic_store(&fail_at, 0);
  if (!text)
    s->unhurt++;
  else if (strstr(text, "not enough memory"))
    s->raised++;
  else
    complain(s, n, "it ends with", text);
  text = call(L);
  if (text)
    complain(s, n, "with memory it ends with", text);
  lua_close(L);
  if (blocks_left() != 0)
    complain(s, n, "blocks are left", "see the leak check at the end");
  atomic_store(&n_blocks, 0);
  return failed;
}

int main(int argc, char **argv) {
  sums s = { 0, 0, 0 };
  unsigned long n = 1, step = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
  if (argc < 2 || step == 0) {
    fprintf(stderr, "host SCRIPT [STEP]\n");
    return 2;
  }
  while (run(argv[1], n, &s) && s.wrong < 20)
    n += step;
  printf("%s: %lu requests, every %lu failed once: %lu times it went on, %lu "
         "times it said so, %lu wrong\n",
         argv[1], n - 1, step, s.unhurt, s.raised, s.wrong);
  return s.wrong != 0 || s.raised == 0;
}
