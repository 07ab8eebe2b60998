/* SPDX-License-Identifier: MIT
 *
 * See entropy.h. The whole pool lives in a page of its own that the kernel
 * zeroes in a forked child (MADV_WIPEONFORK): there `left` reads 0. */
#include "entropy.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define PAGE 4096

struct stomp_entropy {
  size_t left; /* bytes not drawn yet, at the end of `bytes` */
  bool direct; /* the page cannot be wiped on fork: do not keep bytes */
  unsigned char bytes[PAGE - 2 * sizeof(size_t)];
};

stomp_entropy *stomp_entropy_new(void) {
  stomp_entropy *pool = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pool == MAP_FAILED)
    return NULL;
  pool->direct = madvise(pool, PAGE, MADV_WIPEONFORK) != 0;
  return pool;
}

void stomp_entropy_free(stomp_entropy *pool) {
  if (pool)
    munmap(pool, PAGE);
}

static bool draw(void *bytes, size_t len) {
  unsigned char *to = bytes;
  while (len) {
    ssize_t n = getrandom(to, len, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    to += n;
    len -= (size_t)n;
  }
  return true;
}

static bool fill(void *user, void *bytes, size_t len) {
  stomp_entropy *pool = user;
  size_t size = sizeof pool->bytes;
  if (pool->direct || len > size)
    return draw(bytes, len);
  if (pool->left < len) {
    if (!draw(pool->bytes, size))
      return false;
    pool->left = size;
  }
  memcpy(bytes, pool->bytes + size - pool->left, len);
  memset(pool->bytes + size - pool->left, 0, len);
  pool->left -= len;
  return true;
}

stomp_random stomp_entropy_random(stomp_entropy *pool) {
  return (stomp_random){ fill, pool };
}
