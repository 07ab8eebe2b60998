/* SPDX-License-Identifier: MIT
 *
 * A STOMP-over-WebSocket server that must outrun every client: it floods bytes
 * that were built before, without work per message. A process per connection.
 *
 *   SUBSCRIBE /flood/SIZE/COUNT   COUNT messages with bodies of SIZE bytes
 *   SUBSCRIBE /number/SIZE/COUNT  the same, each with its number as message-id
 *   SEND      anything            read; one with a receipt is answered, which
 *                                 shows that all before it have come (TCP)
 *
 * Prints its port. */
#include "core/base64.h"
#include "core/sha1.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define INPUT (1u << 20)

static unsigned char input[INPUT];
static size_t input_len;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void write_all(int fd, const void *bytes, size_t len) {
  const char *p = bytes;
  while (len) {
    ssize_t n = write(fd, p, len);
    if (n <= 0)
      exit(0); /* the client has seen enough */
    p += n;
    len -= (size_t)n;
  }
}

static bool read_more(int fd) {
  ssize_t n = read(fd, input + input_len, INPUT - input_len);
  if (n > 0)
    input_len += (size_t)n;
  return n > 0;
}

static void upgrade(int fd) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char text[64 + 36], answer[256], accept[29] = "", *key = NULL;
  uint8_t digest[20];
  while (!key) {
    if (!read_more(fd))
      exit(0);
    input[input_len] = '\0';
    if (strstr((char *)input, "\r\n\r\n"))
      key = strcasestr((char *)input, "sec-websocket-key: ");
  }
  snprintf(text, sizeof text, "%.24s%s", key + 19, guid);
  stomp_sha1(text, strlen(text), digest);
  stomp_base64(accept, digest, sizeof digest);
  snprintf(answer, sizeof answer,
           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
           "Sec-WebSocket-Protocol: v12.stomp\r\n\r\n",
           accept);
  write_all(fd, answer, strlen(answer));
  input_len = 0;
}

static size_t put_message(char *to, const char *text, size_t len) {
  size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10, i;
  to[0] = (char)0x81;
  if (head == 2)
    to[1] = (char)len;
  else if (head == 4)
    to[1] = 126, to[2] = (char)(len >> 8), to[3] = (char)len;
  else
    for (to[1] = 127, i = 0; i < 8; i++)
      to[2 + i] = (char)((uint64_t)len >> (56 - 8 * i));
  memcpy(to + head, text, len);
  return head + len;
}

static void send_text(int fd, const char *text, size_t len) {
  char frame[1024];
  write_all(fd, frame, put_message(frame, text, len));
}

/* One MESSAGE in its WebSocket frame; returns its length. */
static size_t build(char *to, const char *id, size_t size, long number) {
  static char text[(1 << 20) + 1024];
  int head = snprintf(text, 1024,
                      "MESSAGE\nsubscription:%s\ndestination:/topic/benchmark."
                      "of.messages\nmessage-id:%010ld\nredelivered:false\n"
                      "content-type:text/plain\ncontent-length:%zu\n\n",
                      id, number, size);
  memset(text + head, 'x', size);
  text[(size_t)head + size] = '\0';
  return put_message(to, text, (size_t)head + size + 1);
}

static void flood(int fd, const char *id, size_t size, long count,
                  bool numbered) {
  size_t one = size + 1024, batch = (256u << 10) / one + 1, len = 0, i;
  char *bytes = malloc(batch * one);
  size_t *ends = malloc(batch * sizeof *ends);
  long sent = 0;
  if (!bytes || !ends)
    die("malloc");
  for (i = 0; i < batch && !numbered; i++)
    ends[i] = len += build(bytes + len, id, size, 1);
  while (sent < count) {
    size_t n = (size_t)(count - sent) < batch ? (size_t)(count - sent) : batch;
    if (numbered)
      for (len = 0, i = 0; i < n; i++)
        ends[i] = len += build(bytes + len, id, size, sent + (long)i + 1);
    write_all(fd, bytes, ends[n - 1]);
    sent += (long)n;
  }
  free(bytes);
  free(ends);
}

/* The value of a header, copied; "" when there is none. */
static const char *header(const char *text, const char *name, char *to) {
  const char *at = strstr(text, name);
  to[0] = '\0';
  if (at)
    sscanf(at + strlen(name), "%200[^\n]", to);
  return to;
}

static void answer(int fd, const char *text) {
  char id[256], destination[256], receipt[256], reply[512], kind[16];
  size_t size;
  long count;
  header(text, "\nid:", id);
  header(text, "\ndestination:", destination);
  header(text, "\nreceipt:", receipt);
  if (strncmp(text, "CONNECT", 7) == 0) {
    static const char connected[] =
      "CONNECTED\nversion:1.2\nheart-beat:0,0\nserver:load/1\n\n";
    send_text(fd, connected, sizeof connected);
  }
  if (receipt[0]) {
    int n =
      snprintf(reply, sizeof reply, "RECEIPT\nreceipt-id:%s\n\n", receipt);
    send_text(fd, reply, (size_t)n + 1);
  }
  if (strncmp(text, "SUBSCRIBE", 9) == 0 &&
      sscanf(destination, "/%15[a-z]/%zu/%ld", kind, &size, &count) == 3)
    flood(fd, id, size, count, strcmp(kind, "number") == 0);
}

/* The length of the WebSocket frame at `p`, 0 while it is not all there; its
 * first bytes are unmasked into `text`. */
static size_t take_frame(const unsigned char *p, size_t have, char *text) {
  size_t len, head = 6, i;
  const unsigned char *mask;
  if (have < 14 && (have < 6 || (p[1] & 127) > 125))
    return 0;
  len = p[1] & 127;
  if (len == 126)
    len = (size_t)p[2] << 8 | p[3], head = 8;
  else if (len == 127)
    for (len = 0, head = 14, i = 0; i < 8; i++)
      len = len << 8 | p[2 + i];
  if (have < head + len)
    return 0;
  mask = p + head - 4;
  for (i = 0; i < len && i < 400; i++)
    text[i] = (char)(p[head + i] ^ mask[i & 3]);
  text[i] = '\0';
  if ((p[0] & 15) == 8)
    exit(0);
  return head + len;
}

static void serve(int fd) {
  char text[512];
  size_t at, n;
  upgrade(fd);
  while (read_more(fd)) {
    for (at = 0; (n = take_frame(input + at, input_len - at, text)); at += n)
      answer(fd, text);
    memmove(input, input + at, input_len - at);
    input_len -= at;
  }
}

int main(void) {
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t len = sizeof address;
  int listening = socket(AF_INET, SOCK_STREAM, 0), one = 1, fd;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_IGN);
  if (bind(listening, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listening, 16) != 0 ||
      getsockname(listening, (struct sockaddr *)&address, &len) != 0)
    die("listen");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  while ((fd = accept(listening, NULL, NULL)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fork() == 0) {
      close(listening);
      serve(fd);
      exit(0);
    }
    close(fd);
  }
  return 0;
}
