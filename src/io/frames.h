/* SPDX-License-Identifier: MIT
 *
 * Memory of frames, which the I/O thread allocates and a Lua thread frees. libc
 * would take the I/O thread's arena lock for each of them and the two threads
 * would wait for one another (measured: a tenth of a 100-byte message's cost),
 * so freed blocks go onto a list that the I/O thread empties before it
 * allocates. The list is bounded: what does not fit is freed at once. */
#ifndef STOMPIO_FRAMES_H
#define STOMPIO_FRAMES_H

#include "core/mem.h"

extern const stomp_memory stompio_frame_memory;

/* I/O thread: free what others gave back. Call it before work that allocates,
 * and when the thread ends. */
void stompio_frames_reap(void);

#endif
