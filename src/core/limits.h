/* SPDX-License-Identifier: MIT
 *
 * Everything that a peer can send is bounded: all bounds of the core, with their
 * defaults, in one place. All are bytes unless a comment says otherwise.
 * Knows nothing. */
#ifndef STOMP_LIMITS_H
#define STOMP_LIMITS_H

#include <stddef.h>

typedef struct stomp_limits {
  size_t frame;         /* from the command's first byte to the NUL */
  size_t headers;       /* from the command's first byte to the blank line */
  size_t header_line;   /* one line */
  size_t header_count;  /* headers of one frame: a number */
  size_t receipts;      /* receipts outstanding: a number */
  size_t table;         /* subscriptions, transactions: a number each */
  size_t outbox;        /* bytes waiting to be written */
  size_t upgrade;       /* the HTTP answer or request of the upgrade */
  size_t inflate_ratio; /* octets that one compressed octet may become, in
                         * messages of more than STOMP_INFLATE_FREE: a number */
} stomp_limits;

#define STOMP_LIMITS_DEFAULT                                                   \
  {                                                                            \
    .frame = (size_t)16 << 20, .headers = (size_t)64 << 10,                    \
    .header_line = (size_t)64 << 10, .header_count = 512, .receipts = 65536,   \
    .table = 65536, .outbox = (size_t)8 << 20, .upgrade = (size_t)64 << 10,    \
    .inflate_ratio = 200                                                       \
  }

/* So many inflated octets of a message have no ratio: a few hundred equal ones
 * after one another are nothing unusual. */
#define STOMP_INFLATE_FREE ((size_t)1 << 20)

/* Offsets inside a frame are 32 bits: limits.frame and limits.outbox count as this
 * where they are larger. */
#define STOMP_LIMIT_MAX ((size_t)1 << 30)

static inline size_t stomp_limit(size_t limit) {
  return limit < STOMP_LIMIT_MAX ? limit : STOMP_LIMIT_MAX;
}

#endif
