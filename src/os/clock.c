/* SPDX-License-Identifier: MIT */
#include "clock.h"
#include <time.h>

static struct timespec now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
  return t;
}

uint64_t stomp_clock_ms(void) {
  struct timespec t = now();
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

double stomp_clock_seconds(void) {
  struct timespec t = now();
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
