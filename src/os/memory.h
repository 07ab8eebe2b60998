/* SPDX-License-Identifier: MIT
 *
 * libc's allocator behind the core's seam. */
#ifndef STOMP_OS_MEMORY_H
#define STOMP_OS_MEMORY_H

#include "core/mem.h"

extern const stomp_memory stomp_libc_memory;

#endif
