/* SPDX-License-Identifier: MIT
 *
 * permessage-deflate on zlib; see deflate.h. A message is a piece of a DEFLATE
 * stream that ends at a block boundary by an empty block without compression,
 * whose last four octets are not sent (RFC 7692, 7.2.1 and 7.2.2). */
#include "deflate.h"

#ifdef STOMP_NO_DEFLATE

bool stomp_deflate_is_built_in(void) {
  return false;
}

stomp_status stomp_deflate_new(stomp_deflate **d,
                               const stomp_deflate_terms *terms, bool server,
                               const stomp_memory *memory) {
  (void)terms;
  (void)server;
  (void)memory;
  *d = NULL;
  return STOMP_WNOZLIB;
}

/* There is none, so nobody calls what follows with one. */

void stomp_deflate_free(stomp_deflate *d) {
  (void)d;
}

void stomp_deflate_start(stomp_deflate *d) {
  (void)d;
}

stomp_status stomp_deflate_inflate(stomp_deflate *d, stomp_span *in, bool last,
                                   uint8_t *to, size_t *len) {
  (void)d;
  (void)in;
  (void)last;
  (void)to;
  *len = 0;
  return STOMP_WNOZLIB;
}

const char *stomp_deflate_complaint(const stomp_deflate *d) {
  (void)d;
  return "";
}

bool stomp_deflate_ends_early(const stomp_deflate *d) {
  (void)d;
  return false;
}

stomp_span stomp_deflate_pack(stomp_deflate *d, stomp_span message) {
  (void)d;
  (void)message;
  return (stomp_span){ NULL, 0 };
}

void stomp_deflate_packed(stomp_deflate *d) {
  (void)d;
}

#else

#if defined(__has_include)
#if !__has_include(<zlib.h>)
#error "zlib.h is missing: install zlib's headers (zlib1g-dev), or make ZLIB=no"
#endif
#endif

#define ZLIB_CONST
#include <string.h>
#include <zlib.h>

/* zlib's default: JSON has a fifth less on the wire than with its fastest level,
 * for 1.5 to 3 times the CPU (bench/deflate.lua), and who asks for compression
 * wants bytes. */
#define LEVEL     6
#define MEM_LEVEL 8
/* At most so many octets are handed to zlib, whose counters are 32 bits. */
#define MOST      ((size_t)1 << 30)
/* The output of a compression grows by so many octets at least. */
#define STEP      ((size_t)512)

static const uint8_t tail[4] = { 0x00, 0x00, 0xff, 0xff };

struct stomp_deflate {
  stomp_memory memory; /* a copy, since zlib's user pointer is not const */

  z_stream in;
  bool in_open, in_takeover;
  bool in_any;     /* the message has had a payload so far */
  size_t in_tail;  /* octets of the tail that were given */
  unsigned in_end; /* zlib's data_type: where in the stream it is */

  z_stream out;
  bool out_open, out_takeover;
  bool out_fresh; /* nothing that was sent may be referred to */
  int out_bits, out_strategy;
  stomp_buffer packed;
};

bool stomp_deflate_is_built_in(void) {
  return true;
}

/* ---- zlib's memory ---- */

/* zlib does not say the size when it frees, so it stands before each block. */
typedef union block_head {
  size_t size;
  max_align_t align;
} block_head;

static voidpf give(voidpf user, uInt items, uInt size) {
  const stomp_memory *memory = user;
  block_head *head;
  size_t all;
  if (size && items > (SIZE_MAX - sizeof *head) / size)
    return NULL;
  all = sizeof *head + (size_t)items * size;
  head = stomp_memory_new(memory, all);
  if (!head)
    return NULL;
  head->size = all;
  return head + 1;
}

static void take_back(voidpf user, voidpf block) {
  block_head *head = (block_head *)block - 1;
  stomp_memory_free(user, head, head->size);
}

static void prepare(z_stream *z, stomp_memory *memory) {
  memset(z, 0, sizeof *z);
  z->zalloc = give;
  z->zfree = take_back;
  z->opaque = memory;
}

/* ---- Life ---- */

/* The window is the largest whatever the peer promised: zlib holds a smaller one
 * against it or not, depending on how its data were cut. */
static bool open_inflate(stomp_deflate *d) {
  prepare(&d->in, &d->memory);
  if (inflateInit2(&d->in, -MAX_WBITS) != Z_OK)
    return false;
  d->in_open = true;
  /* an empty dictionary makes it allocate the window now */
  return inflateSetDictionary(&d->in, tail, 0) == Z_OK;
}

stomp_status stomp_deflate_new(stomp_deflate **made,
                               const stomp_deflate_terms *terms, bool server,
                               const stomp_memory *memory) {
  stomp_deflate *d = stomp_memory_new(memory, sizeof *d);
  unsigned ours =
    server ? terms->server_max_window_bits : terms->client_max_window_bits;
  *made = NULL;
  if (!d)
    return STOMP_ENOMEM;
  memset(d, 0, sizeof *d);
  d->memory = *memory;
  stomp_buffer_init(&d->packed, memory, MOST + sizeof tail);
  d->in_takeover = server ? !terms->client_no_context_takeover
                          : !terms->server_no_context_takeover;
  d->out_takeover = server ? !terms->server_no_context_takeover
                           : !terms->client_no_context_takeover;
  /* zlib cannot compress for a window of 8 bits; what refers to the octet just
   * before alone fits any window */
  d->out_bits = ours < 9 ? 9 : (int)ours;
  d->out_strategy = ours < 9 ? Z_RLE : Z_DEFAULT_STRATEGY;
  if (!open_inflate(d)) {
    stomp_deflate_free(d);
    return STOMP_ENOMEM;
  }
  *made = d;
  return STOMP_OK;
}

void stomp_deflate_free(stomp_deflate *d) {
  stomp_memory memory;
  if (!d)
    return;
  memory = d->memory;
  if (d->in_open)
    inflateEnd(&d->in);
  if (d->out_open)
    deflateEnd(&d->out);
  stomp_buffer_clear(&d->packed);
  stomp_memory_free(&memory, d, sizeof *d);
}

/* ---- Inflating ---- */

void stomp_deflate_start(stomp_deflate *d) {
  if (!d->in_takeover)
    inflateReset(&d->in);
  d->in_any = false;
  d->in_tail = 0;
  d->in_end = 0;
}

/* One piece of input; the room is in `d->in`. STOMP_MORE: used up; STOMP_FULL. */
static stomp_status inflate_piece(stomp_deflate *d, stomp_span *piece) {
  z_stream *z = &d->in;
  int result;
  z->next_in = piece->bytes;
  z->avail_in = (uInt)piece->len;
  do {
    result = inflate(z, Z_SYNC_FLUSH);
    d->in_end = (unsigned)z->data_type;
    /* RFC 7692, 7.2.3.5: another stream may follow a final block, with the
     * window as it is */
    if (result == Z_STREAM_END) {
      result = inflateResetKeep(z);
      d->in_end = 0;
    }
  } while (result == Z_OK && z->avail_in && z->avail_out);
  if (piece->len)
    piece->bytes += piece->len - z->avail_in;
  piece->len = z->avail_in;
  if (result == Z_MEM_ERROR)
    return STOMP_ENOMEM;
  if (result != Z_OK && result != Z_BUF_ERROR)
    return STOMP_WINFLATE;
  return z->avail_out ? STOMP_MORE : STOMP_FULL;
}

static stomp_status inflate_payload(stomp_deflate *d, stomp_span *in) {
  stomp_span piece = { in->bytes, in->len < MOST ? in->len : MOST };
  size_t given = piece.len;
  stomp_status status;
  d->in_any = d->in_any || given;
  status = inflate_piece(d, &piece);
  in->bytes = piece.bytes;
  in->len -= given - piece.len;
  return status;
}

/* The four octets that are never sent. Behind them it stands between two
 * blocks, at a whole octet, none of which was a final one: data_type is 128. */
static stomp_status inflate_tail(stomp_deflate *d) {
  stomp_span rest = { tail + d->in_tail, sizeof tail - d->in_tail };
  stomp_status status = inflate_piece(d, &rest);
  d->in_tail = sizeof tail - rest.len;
  if (status != STOMP_MORE)
    return status;
  return d->in_end == 128 ? STOMP_OK : STOMP_WINFLATE;
}

stomp_status stomp_deflate_inflate(stomp_deflate *d, stomp_span *in, bool last,
                                   uint8_t *to, size_t *len) {
  stomp_status status;
  size_t room = *len < MOST ? *len : MOST;
  d->in.next_out = to;
  d->in.avail_out = (uInt)room;
  do
    status = inflate_payload(d, in);
  while (status == STOMP_MORE && in->len);
  if (status == STOMP_MORE && last) /* no payload at all: an empty message */
    status = d->in_any ? inflate_tail(d) : STOMP_OK;
  *len = room - d->in.avail_out;
  return status;
}

bool stomp_deflate_ends_early(const stomp_deflate *d) {
  return d->in_tail != 0;
}

const char *stomp_deflate_complaint(const stomp_deflate *d) {
  if (stomp_deflate_ends_early(d))
    return "it ends inside a block";
  return d->in.msg ? d->in.msg : "";
}

/* ---- Deflating ---- */

/* Memory that is not there now may be there for the next message. */
static bool open_deflate(stomp_deflate *d) {
  if (d->out_open) {
    if (d->out_fresh && deflateReset(&d->out) != Z_OK)
      return false;
  } else {
    prepare(&d->out, &d->memory);
    if (deflateInit2(&d->out, LEVEL, Z_DEFLATED, -d->out_bits, MEM_LEVEL,
                     d->out_strategy) != Z_OK)
      return false;
    d->out_open = true;
  }
  d->out_fresh = false;
  return true;
}

/* All of it, as long as it stays below `most` octets. */
static bool deflate_whole(stomp_deflate *d, stomp_span message, size_t most) {
  z_stream *z = &d->out;
  size_t step = message.len / 8 + STEP;
  z->next_in = message.bytes;
  z->avail_in = (uInt)message.len;
  do {
    size_t room = most - stomp_buffer_len(&d->packed);
    room = room < step ? room : step;
    z->next_out = stomp_buffer_reserve(&d->packed, room);
    z->avail_out = (uInt)room;
    if (!z->next_out || room == 0 || deflate(z, Z_SYNC_FLUSH) == Z_STREAM_ERROR)
      return false;
    stomp_buffer_commit(&d->packed, room - z->avail_out);
  } while (z->avail_out == 0);
  return true;
}

stomp_span stomp_deflate_pack(stomp_deflate *d, stomp_span message) {
  stomp_span packed = { NULL, 0 };
  stomp_deflate_packed(d);
  if (message.len < STOMP_DEFLATE_LEAST || message.len > MOST ||
      !open_deflate(d))
    return packed;
  /* the receiver sees nothing of one that is given up, so the next one starts
   * afresh; that needs no word to the peer */
  d->out_fresh = !deflate_whole(d, message, message.len + sizeof tail - 1);
  if (d->out_fresh) {
    stomp_deflate_packed(d);
    return packed;
  }
  d->out_fresh = !d->out_takeover;
  packed = stomp_buffer_span(&d->packed);
  packed.len -= sizeof tail;
  return packed;
}

void stomp_deflate_packed(stomp_deflate *d) {
  stomp_buffer_consume(&d->packed, stomp_buffer_len(&d->packed));
}

#endif
