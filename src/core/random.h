/* SPDX-License-Identifier: MIT
 *
 * Random bytes, handed in by the owner: masks, keys and serial numbers come
 * through this seam, so that a simulation can replay them. Knows nothing. */
#ifndef STOMP_RANDOM_H
#define STOMP_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct stomp_random {
  /* Fill `bytes` with `len` unpredictable bytes (RFC 6455, 5.3 wants a strong
   * source for masks); false when the source failed. */
  bool (*fill)(void *user, void *bytes, size_t len);
  void *user; /* passed through to `fill` */
} stomp_random;

#endif
