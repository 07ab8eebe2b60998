/* SPDX-License-Identifier: MIT
 *
 * Where a session writes: one message at a time, of a size known before. The
 * connection puts WebSocket framing round it; bare STOMP just appends. So a
 * frame is encoded once, in its place, and masked there. Knows error. */
#ifndef STOMP_SINK_H
#define STOMP_SINK_H

#include "error.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct stomp_sink {
  /* Room for exactly `size` bytes: *at, borrowed until `end`, which must
   * follow at once, after all `size` bytes were written. `urgent` is for what
   * must not wait for room (CONNECT, DISCONNECT, a beat).
   * STOMP_OK, STOMP_FULL (nothing begun), or a failure (nothing begun). */
  stomp_status (*begin)(void *user, size_t size, bool urgent, uint8_t **at);
  /* STOMP_OK; or a failure: it cannot go out as it is, and does not. */
  stomp_status (*end)(void *user);
  void *user;
} stomp_sink;

#endif
