/* SPDX-License-Identifier: MIT
 *
 * Random bytes of the system behind the core's seam. Each frame needs a fresh
 * mask, so they are fetched a page at a time; a fork wipes the page, so parent
 * and child never share what was not drawn yet. A pool is for one thread at a
 * time. */
#ifndef STOMP_OS_ENTROPY_H
#define STOMP_OS_ENTROPY_H

#include "core/random.h"

typedef struct stomp_entropy stomp_entropy;

/* NULL: no memory. */
stomp_entropy *stomp_entropy_new(void);
void stomp_entropy_free(stomp_entropy *pool);

/* The pool behind the core's seam; the pool is borrowed. */
stomp_random stomp_entropy_random(stomp_entropy *pool);

#endif
