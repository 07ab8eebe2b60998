/* SPDX-License-Identifier: MIT
 *
 * The monotonic clock. */
#ifndef STOMP_OS_CLOCK_H
#define STOMP_OS_CLOCK_H

#include <stdint.h>

uint64_t stomp_clock_ms(void);    /* milliseconds */
double stomp_clock_seconds(void); /* the same clock */

#endif
