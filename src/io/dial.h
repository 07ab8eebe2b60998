/* SPDX-License-Identifier: MIT
 *
 * A name -> a connected socket, off the I/O thread: getaddrinfo blocks and
 * libwebsockets says only "unable to connect". Addresses are raced (the next
 * one starts after 250 ms or when one fails); the phase and errno are known.
 * A dial that nobody wants any more ends by itself and closes its socket. */
#ifndef STOMPIO_DIAL_H
#define STOMPIO_DIAL_H

#include "service.h"

typedef struct stompio_dial stompio_dial;

/* Called on the I/O thread when it is over: a connected, non-blocking socket
 * that is the owner's now, or fd -1 and the error (kind connect). */
typedef void stompio_dialed(void *owner, int fd, const stomp_error *error);

/* I/O thread. Start; host and port are copied. NULL with *error. */
stompio_dial *stompio_dial_start(const char *host, unsigned port,
                                 stompio_dialed *done, void *owner,
                                 stomp_error *error);

/* I/O thread. Nobody wants the result any more; `done` will not be called. */
void stompio_dial_abandon(stompio_dial *dial);

/* What every socket of ours is set to; a listener's accepted ones, too. */
void stompio_prepare_socket(int fd);

#endif
