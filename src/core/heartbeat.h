/* SPDX-License-Identifier: MIT
 *
 * Heart-beats as arithmetic on `now` (STOMP 1.2, "Heart-beating"). Milliseconds
 * of a monotonic clock. Knows nothing. */
#ifndef STOMP_HEARTBEAT_H
#define STOMP_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct stomp_heartbeat {
  uint64_t send;         /* ms between our beats as agreed, 0: none */
  uint64_t receive;      /* ms between the peer's, 0: none */
  uint64_t send_every;   /* ms: `send` less its margin */
  uint64_t late_after;   /* ms: `receive` and its grace */
  uint64_t next_send;    /* when the next beat is due */
  uint64_t last_receive; /* when the peer's last byte came */
  bool paused;           /* we do not read: nothing can come */
} stomp_heartbeat;

#define STOMP_NEVER UINT64_MAX

/* The longest interval that is offered or read: ten digits, 115 days. */
#define STOMP_HEARTBEAT_MAX UINT64_C(9999999999)

/* Agree: we offered to send every `mine_send` and want to receive every
 * `mine_receive`; the peer said the same of itself. margin and grace are
 * thousandths of the interval. */
void stomp_heartbeat_agree(stomp_heartbeat *h, const uint64_t mine[2],
                           const uint64_t theirs[2], const uint32_t slack[2],
                           uint64_t now_ms);

/* When something is due at the latest, STOMP_NEVER when nothing is. */
uint64_t stomp_heartbeat_deadline(const stomp_heartbeat *h);

/* Whether a beat is to be sent now; plans the next one on a fixed clock. */
bool stomp_heartbeat_take_due(stomp_heartbeat *h, uint64_t now_ms);

/* Whether the peer is silent for too long. */
bool stomp_heartbeat_is_lost(const stomp_heartbeat *h, uint64_t now_ms);

/* Reading stopped / goes on: the peer's deadline is suspended meanwhile. */
void stomp_heartbeat_pause(stomp_heartbeat *h);
void stomp_heartbeat_resume(stomp_heartbeat *h, uint64_t now_ms);

#endif
