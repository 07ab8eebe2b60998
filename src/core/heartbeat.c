/* SPDX-License-Identifier: MIT
 *
 * Heart-beats as arithmetic; see heartbeat.h. */
#include "heartbeat.h"
#include <string.h>

/* Both must be able: max of both, 0 when one is 0. */
static uint64_t agreed(uint64_t able, uint64_t wanted) {
  if (able == 0 || wanted == 0)
    return 0;
  return able > wanted ? able : wanted;
}

void stomp_heartbeat_agree(stomp_heartbeat *h, const uint64_t mine[2],
                           const uint64_t theirs[2], const uint32_t slack[2],
                           uint64_t now_ms) {
  memset(h, 0, sizeof *h);
  h->send = agreed(mine[0], theirs[1]);
  h->receive = agreed(theirs[0], mine[1]);
  h->send_every = h->send - h->send * slack[0] / 1000;
  if (h->send && h->send_every == 0)
    h->send_every = 1;
  h->late_after = h->receive + h->receive * slack[1] / 1000;
  h->next_send = now_ms + h->send_every;
  h->last_receive = now_ms;
}

uint64_t stomp_heartbeat_deadline(const stomp_heartbeat *h) {
  uint64_t at = h->send ? h->next_send : STOMP_NEVER;
  uint64_t late = h->last_receive + h->late_after;
  if (h->receive && !h->paused && late < at)
    at = late;
  return at;
}

bool stomp_heartbeat_take_due(stomp_heartbeat *h, uint64_t now_ms) {
  if (!h->send || now_ms < h->next_send)
    return false;
  h->next_send += h->send_every;
  if (h->next_send <= now_ms) /* fell behind: the machine slept */
    h->next_send = now_ms + h->send_every;
  return true;
}

bool stomp_heartbeat_is_lost(const stomp_heartbeat *h, uint64_t now_ms) {
  return h->receive && !h->paused && now_ms >= h->last_receive + h->late_after;
}

void stomp_heartbeat_pause(stomp_heartbeat *h) {
  h->paused = true;
}

void stomp_heartbeat_resume(stomp_heartbeat *h, uint64_t now_ms) {
  if (h->paused)
    h->last_receive = now_ms;
  h->paused = false;
}
