/* SPDX-License-Identifier: MIT
 *
 * Options -> SSL_CTX: which authorities, which own certificate, which versions. */
#ifndef STOMP_TLS_CONTEXT_H
#define STOMP_TLS_CONTEXT_H

#include "tls.h"
#include <openssl/ssl.h>

/* A context that is the caller's (SSL_CTX_free). NULL with *error. */
SSL_CTX *stomp_tls_context(const stomp_tls_options *options,
                           stomp_error *error);

#endif
