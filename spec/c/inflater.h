/* SPDX-License-Identifier: MIT
 *
 * What a peer does with our compressed messages (RFC 7692, 7.2.2), by zlib and
 * in one piece. Built with STOMP_NO_DEFLATE there are none. */
#ifndef STOMP_INFLATER_H
#define STOMP_INFLATER_H

#include "check.h"
#include "core/deflate.h"

#ifdef STOMP_NO_DEFLATE

typedef int inflater;

static inline void inflater_open(inflater *i, unsigned bits, bool takeover) {
  (void)bits;
  (void)takeover;
  *i = 0;
}

static inline uint8_t *inflater_message(inflater *i, const uint8_t *payload,
                                        size_t *len) {
  (void)i;
  (void)payload;
  (void)len;
  abort(); /* nothing may be compressed */
}

static inline void inflater_close(inflater *i) {
  (void)i;
}

#else

#define ZLIB_CONST
#include <zlib.h>

typedef struct inflater {
  z_stream z;
  bool takeover;
} inflater;

static inline void inflater_open(inflater *i, unsigned bits, bool takeover) {
  memset(i, 0, sizeof *i);
  i->takeover = takeover;
  if (inflateInit2(&i->z, -(int)bits) != Z_OK)
    abort();
}

/* A message's octets, owned by the caller; *len is the payload's, then theirs. */
static inline uint8_t *inflater_message(inflater *i, const uint8_t *payload,
                                        size_t *len) {
  size_t room = 1024, n = 0;
  uint8_t *all = malloc(*len + 4), *to = malloc(room);
  if (!all || !to)
    abort();
  if (*len)
    memcpy(all, payload, *len);
  memcpy(all + *len, "\0\0\xff\xff", 4);
  if (!i->takeover)
    inflateReset(&i->z);
  i->z.next_in = all;
  i->z.avail_in = (uInt)*len + 4;
  do {
    int result;
    if (n == room && !(to = realloc(to, room *= 2)))
      abort();
    i->z.next_out = to + n;
    i->z.avail_out = (uInt)(room - n);
    result = inflate(&i->z, Z_SYNC_FLUSH);
    CHECK(result == Z_OK || result == Z_BUF_ERROR);
    n = room - i->z.avail_out;
  } while (i->z.avail_out == 0);
  CHECK(i->z.avail_in == 0);
  free(all);
  *len = n;
  return to;
}

static inline void inflater_close(inflater *i) {
  inflateEnd(&i->z);
}

#endif
#endif
