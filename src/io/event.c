/* SPDX-License-Identifier: MIT */
#include "event.h"
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool stompio_event_init(stompio_event *s) {
  s->raised = false;
  s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return s->fd >= 0;
}

void stompio_event_close(stompio_event *s) {
  if (s->fd >= 0)
    close(s->fd);
  s->fd = -1;
}

void stompio_event_raise(stompio_event *s) {
  uint64_t one = 1;
  if (s->raised || s->fd < 0)
    return;
  /* cannot fail: the counter is 0 */
  s->raised = write(s->fd, &one, sizeof one) == (ssize_t)sizeof one;
}

void stompio_event_lower(stompio_event *s) {
  uint64_t count;
  if (!s->raised)
    return;
  s->raised = read(s->fd, &count, sizeof count) < 0 && s->fd < 0;
}
