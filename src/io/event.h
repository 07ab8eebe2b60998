/* SPDX-License-Identifier: MIT
 *
 * An eventfd that says "look": raised by the I/O thread, cleared by the owner
 * when it has looked. Raising it twice costs one write. Both are called under
 * the owner's lock. Knows neither libwebsockets nor STOMP. */
#ifndef STOMPIO_EVENT_H
#define STOMPIO_EVENT_H

#include <stdbool.h>

typedef struct stompio_event {
  int fd; /* level-triggered: readable while raised; -1: none */
  bool raised;
} stompio_event;

/* false: no descriptor is left (errno says why). */
bool stompio_event_init(stompio_event *s);
void stompio_event_close(stompio_event *s); /* closes the descriptor */
void stompio_event_raise(stompio_event *s);
void stompio_event_lower(stompio_event *s);

#endif
