/* SPDX-License-Identifier: MIT
 *
 * TLS on OpenSSL with memory BIOs: ciphertext in -> plaintext out, plaintext in
 * -> ciphertext out, no socket. Verified by default; every refusal has a reason
 * in words. An object is for one thread at a time. Knows core's error. */
#ifndef STOMP_TLS_H
#define STOMP_TLS_H

#include "core/error.h"
#include <stdbool.h>

/* All texts end in NUL and are borrowed during stomp_tls_new. `ca`, `cert` and
 * `key` are file names, or PEM text where they contain "-----BEGIN". */
typedef struct stomp_tls_options {
  bool server;             /* then cert and key are needed */
  bool no_verify;          /* client: accept any certificate that fits `pin` */
  const char *name;        /* client: the host connected to, name or address */
  const char *ca;          /* NULL: the system's */
  const char *cert, *key;  /* NULL: none */
  const char *passphrase;  /* of the key, NULL: none */
  const char *min_version; /* "1.2" or "1.3"; NULL: 1.2 */
  const char *pin; /* base64 of the SHA-256 of the server's public key (SPKI),
                    * NULL: none */
} stomp_tls_options;

typedef struct stomp_tls stomp_tls;

/* Have OpenSSL register its own atexit handler now, so that it runs after those
 * registered later: who ends TLS at exit does it before. */
void stomp_tls_init(void);

/* NULL with *error: SOPTION naming the file or option, or ENOMEM. */
stomp_tls *stomp_tls_new(const stomp_tls_options *options, stomp_error *error);
void stomp_tls_free(stomp_tls *t);

/* Take ciphertext. They are copied. STOMP_OK or STOMP_ENOMEM. */
STOMP_CHECKED stomp_status stomp_tls_feed(stomp_tls *t, const void *bytes,
                                          size_t len);

/* Plaintext of what was fed, at most `size` bytes into `to`.
 *   STOMP_OK    *got bytes (> 0); ask again
 *   STOMP_MORE  nothing now: feed more (the handshake goes on in here too, so
 *               there may be output)
 *   STOMP_FULL  the peer has ended its side in order (close_notify)
 *   < 0         failed for good, see stomp_tls_error; an alert may be in the
 *               output */
STOMP_CHECKED stomp_status stomp_tls_next(stomp_tls *t, void *to, size_t size,
                                          size_t *got);

/* Encrypt all `len` bytes. STOMP_OK; STOMP_MORE: the handshake is not over,
 * nothing was taken; < 0 failed for good. */
STOMP_CHECKED stomp_status stomp_tls_write(stomp_tls *t, const void *bytes,
                                           size_t len);

/* Move at most `size` bytes of ciphertext to `to`; how many. */
size_t stomp_tls_output(stomp_tls *t, void *to, size_t size);

/* Begin the handshake (client), so that there is output. */
STOMP_CHECKED stomp_status stomp_tls_start(stomp_tls *t);
bool stomp_tls_is_ready(const stomp_tls *t); /* the handshake is over */
void stomp_tls_close(stomp_tls *t);          /* queue close_notify */
const stomp_error *stomp_tls_error(const stomp_tls *t);

#endif
