/* SPDX-License-Identifier: MIT
 *
 * A listening socket for the embedded broker: each accepted connection becomes
 * a link in the server role. */
#ifndef STOMPIO_LISTENER_H
#define STOMPIO_LISTENER_H

#include "link.h"

typedef struct stompio_listener stompio_listener;

/* Caller's thread. Listen on host (an address) and port (0: any). `options` are
 * for every accepted link and are copied (no CONNECT or upgrade headers). Waits
 * for the I/O thread. NULL with *error. */
stompio_listener *stompio_listener_open(const char *host, unsigned port,
                                        const stompio_link_options *options,
                                        stomp_error *error);
/* Stops listening: the port is free when it returns, links that nobody took are
 * closed, and whoever waits for the descriptor looks. Those that were taken live
 * on. May be called twice. */
void stompio_listener_close(stompio_listener *listener);
/* Closes and frees it. NULL is fine. */
void stompio_listener_release(stompio_listener *listener);

unsigned stompio_listener_port(const stompio_listener *listener);
int stompio_listener_fd(const stompio_listener *listener);

/* The next accepted link, the caller's; NULL: none now. */
stompio_link *stompio_listener_next(stompio_listener *listener);

#endif
