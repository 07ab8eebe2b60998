/* SPDX-License-Identifier: MIT
 *
 * TLS without a socket: a client and a server joined in memory, their
 * ciphertext whole or cut into single bytes. Each refusal must have its reason
 * in words. Certificates are made by spec/support/certificates.sh. */
#include "tls/tls.h"
#include "check.h"
#include <openssl/err.h>

#define CERTS "build/test/certs/"

static const stomp_tls_options server_defaults = { .server = true,
                                                   .cert = CERTS "server.pem",
                                                   .key = CERTS "server.key" };
static const stomp_tls_options client_defaults = { .name = "localhost",
                                                   .ca = CERTS "ca.pem" };

/* ---- Two ends ---- */

typedef struct pair {
  stomp_tls *client, *server;
  size_t cut;      /* bytes that go over at once */
  uint64_t budget; /* bytes that go over at all */
  char heard[2][70000];
  size_t n_heard[2]; /* [0] by the client, [1] by the server */
  stomp_status last[2];
} pair;

static stomp_tls *make(const stomp_tls_options *options) {
  stomp_error error;
  stomp_tls *t = stomp_tls_new(options, &error);
  if (!t)
    fprintf(stderr, "stomp_tls_new: %s: %s\n",
            stomp_status_sentence(error.status), error.detail);
  CHECK(t != NULL);
  return t;
}

static void hear(pair *p, int who) {
  stomp_tls *t = who ? p->server : p->client;
  size_t got;
  while ((p->last[who] = stomp_tls_next(t, p->heard[who] + p->n_heard[who],
                                        sizeof p->heard[who] - p->n_heard[who],
                                        &got)) == STOMP_OK)
    p->n_heard[who] += got;
  CHECK(ERR_peek_error() == 0);
}

/* One piece of ciphertext from one to the other; whether there was one. */
static bool carry(pair *p, int to) {
  char piece[4096];
  size_t size = p->cut < sizeof piece ? p->cut : sizeof piece, len;
  if (size > p->budget)
    size = (size_t)p->budget;
  len = size ? stomp_tls_output(to ? p->client : p->server, piece, size) : 0;
  if (len == 0)
    return false;
  p->budget -= len;
  CHECK(stomp_tls_feed(to ? p->server : p->client, piece, len) == STOMP_OK);
  hear(p, to);
  return true;
}

static void talk(pair *p) {
  bool more = true;
  while (more) {
    more = carry(p, 1);
    more = carry(p, 0) || more;
  }
}

static void pair_open(pair *p, const stomp_tls_options *client,
                      const stomp_tls_options *server, size_t cut) {
  memset(p, 0, sizeof *p);
  p->cut = cut;
  p->budget = UINT64_MAX;
  p->client = make(client);
  p->server = make(server);
  CHECK(stomp_tls_start(p->client) == STOMP_OK);
}

static void pair_free(pair *p) {
  stomp_tls_free(p->client);
  stomp_tls_free(p->server);
}

/* ---- Talking ---- */

static bool heard(const pair *p, int who, const char *text) {
  return p->n_heard[who] == strlen(text) &&
         memcmp(p->heard[who], text, strlen(text)) == 0;
}

static void test_dialogue(const stomp_tls_options *client, size_t cut) {
  pair p;
  pair_open(&p, client, &server_defaults, cut);
  CHECK(!stomp_tls_is_ready(p.client));
  CHECK(stomp_tls_write(p.client, "early", 5) == STOMP_MORE);
  talk(&p);
  CHECK(stomp_tls_is_ready(p.client) && stomp_tls_is_ready(p.server));
  CHECK(p.last[0] == STOMP_MORE && p.last[1] == STOMP_MORE);
  CHECK(stomp_tls_write(p.client, "", 0) == STOMP_OK);
  CHECK(stomp_tls_write(p.client, "question", 8) == STOMP_OK);
  CHECK(stomp_tls_write(p.server, "ans", 3) == STOMP_OK);
  CHECK(stomp_tls_write(p.server, "wer", 3) == STOMP_OK);
  talk(&p);
  CHECK(heard(&p, 1, "question") && heard(&p, 0, "answer"));
  stomp_tls_close(p.server);
  talk(&p);
  CHECK(p.last[0] == STOMP_FULL); /* the end in order, and again */
  hear(&p, 0);
  CHECK(p.last[0] == STOMP_FULL);
  CHECK(stomp_tls_error(p.client)->status == STOMP_OK);
  pair_free(&p);
}

static void test_names_and_versions(void) {
  static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
  stomp_tls_options o = client_defaults;
  size_t i;
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    o.name = names[i];
    test_dialogue(&o, 4096);
    test_dialogue(&o, 1);
  }
  o.min_version = "1.3";
  test_dialogue(&o, 7);
}

static void test_many_bytes(void) {
  static char bytes[65000];
  uint64_t state = 1;
  size_t i;
  pair p;
  for (i = 0; i < sizeof bytes; i++)
    bytes[i] = (char)check_random(&state, 256);
  pair_open(&p, &client_defaults, &server_defaults, 1000);
  talk(&p);
  CHECK(stomp_tls_write(p.client, bytes, sizeof bytes) == STOMP_OK);
  talk(&p);
  CHECK(p.n_heard[1] == sizeof bytes &&
        memcmp(p.heard[1], bytes, sizeof bytes) == 0);
  pair_free(&p);
}

/* The stream ends after n bytes, for each n: nothing is heard that was not
 * said, nobody fails, nobody believes in an end in order. */
static void test_cut_at_every_byte(void) {
  uint64_t n;
  bool whole = false;
  for (n = 0; !whole; n++) {
    pair p;
    pair_open(&p, &client_defaults, &server_defaults, 4096);
    p.budget = n;
    talk(&p);
    if (stomp_tls_is_ready(p.client))
      CHECK(stomp_tls_write(p.client, "hello", 5) == STOMP_OK);
    talk(&p);
    CHECK(p.last[0] >= 0 && p.last[1] >= 0);
    CHECK(p.last[0] != STOMP_FULL && p.last[1] != STOMP_FULL);
    CHECK(p.n_heard[1] == 0 || heard(&p, 1, "hello"));
    whole = p.n_heard[1] == 5;
    CHECK(n < 20000);
    pair_free(&p);
    if (n >= 20000)
      return;
  }
  CHECK(n > 500);
}

/* ---- Refusals ---- */

static void test_refused(const stomp_tls_options *client, const char *cert,
                         const char *const *words) {
  char pem[80], key[80];
  stomp_tls_options server = server_defaults;
  const stomp_error *e;
  size_t got;
  pair p;
  snprintf(pem, sizeof pem, CERTS "%s.pem", cert);
  snprintf(key, sizeof key, CERTS "%s.key", cert);
  server.cert = pem;
  server.key = key;
  pair_open(&p, client, &server, 1);
  talk(&p);
  e = stomp_tls_error(p.client);
  CHECK(e->status == STOMP_SVERIFY && p.last[0] == STOMP_SVERIFY);
  CHECK(!stomp_tls_is_ready(p.client));
  for (; *words; words++) {
    if (!strstr(e->detail, *words))
      fprintf(stderr, "\"%s\" is not in: %s\n", *words, e->detail);
    CHECK(strstr(e->detail, *words) != NULL);
  }
  /* it stays so, and the server was told why */
  CHECK(stomp_tls_write(p.client, "x", 1) == STOMP_SVERIFY);
  CHECK(stomp_tls_next(p.client, p.heard[0], 1, &got) == STOMP_SVERIFY);
  CHECK(stomp_tls_error(p.server)->status == STOMP_SPEER);
  CHECK(p.n_heard[1] == 0);
  pair_free(&p);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_certificates_refused(void) {
  stomp_tls_options o = client_defaults;
  test_refused(&o, "expired", WORDS("certificate has expired"));
  test_refused(&o, "selfsigned", WORDS("self-signed certificate"));
  test_refused(
    &o, "wrong",
    WORDS("ostname mismatch", "localhost", "other.test", "192.0.2.1"));
  o.name = "127.0.0.1";
  test_refused(
    &o, "wrong",
    WORDS("address mismatch", "127.0.0.1", "other.test", "192.0.2.1"));
  o.name = "127.0.0.2"; /* of the same network, and no name */
  test_refused(&o, "server", WORDS("127.0.0.2", "localhost", "127.0.0.1"));
  o.name = "sub.localhost";
  test_refused(&o, "server", WORDS("sub.localhost"));
  o = client_defaults;
  o.ca = CERTS "other-ca.pem";
  test_refused(&o, "server", WORDS("unable to get local issuer certificate"));
  o.ca = NULL; /* the system does not know ours */
  test_refused(&o, "server", WORDS("unable to get local issuer certificate"));
  o = client_defaults;
  o.pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  test_refused(&o, "server", WORDS("pin"));
  o.no_verify = true; /* a pin is checked all the same */
  test_refused(&o, "selfsigned", WORDS("pin"));
}

static void read_text(const char *name, char *to, size_t size) {
  FILE *file = fopen(name, "r");
  size_t n = file ? fread(to, 1, size - 1, file) : 0;
  to[n] = '\0';
  CHECK(n > 0);
  if (file)
    fclose(file);
}

static void test_other_ways_to_trust(void) {
  static char ca[8192], pin[64];
  stomp_tls_options o = client_defaults;
  read_text(CERTS "ca.pem", ca, sizeof ca);
  read_text(CERTS "server.pin", pin, sizeof pin);
  o.ca = ca; /* PEM text */
  test_dialogue(&o, 4096);
  o.pin = pin;
  test_dialogue(&o, 4096);
  o.no_verify = true; /* the pin alone */
  o.ca = NULL;
  o.name = "anything.test";
  test_dialogue(&o, 4096);
  o.pin = NULL; /* nothing */
  test_dialogue(&o, 4096);
}

static void test_not_tls(void) {
  static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
  stomp_tls *t = make(&client_defaults);
  char byte;
  size_t got;
  CHECK(stomp_tls_start(t) == STOMP_OK);
  CHECK(stomp_tls_feed(t, http, sizeof http - 1) == STOMP_OK);
  CHECK(stomp_tls_next(t, &byte, 1, &got) == STOMP_SFAIL);
  CHECK(strstr(stomp_tls_error(t)->detail, "does the port speak TLS") != NULL);
  CHECK(ERR_peek_error() == 0);
  stomp_tls_free(t);
}

/* A changed byte of a record is found. */
static void test_changed_byte(void) {
  char record[256];
  size_t len, got;
  pair p;
  pair_open(&p, &client_defaults, &server_defaults, 4096);
  talk(&p);
  CHECK(stomp_tls_write(p.client, "hello", 5) == STOMP_OK);
  len = stomp_tls_output(p.client, record, sizeof record);
  CHECK(len > 10);
  record[len - 1] = (char)(record[len - 1] ^ 1);
  CHECK(stomp_tls_feed(p.server, record, len) == STOMP_OK);
  CHECK(stomp_tls_next(p.server, record, 5, &got) == STOMP_SFAIL && got == 0);
  CHECK(ERR_peek_error() == 0);
  pair_free(&p);
}

/* ---- Options ---- */

static void test_option_refused(const stomp_tls_options *o, const char *word) {
  stomp_error error;
  stomp_tls *t = stomp_tls_new(o, &error);
  CHECK(t == NULL && error.status == STOMP_SOPTION);
  if (!strstr(error.detail, word))
    fprintf(stderr, "\"%s\" is not in: %s\n", word, error.detail);
  CHECK(strstr(error.detail, word) != NULL);
  CHECK(ERR_peek_error() == 0);
  stomp_tls_free(t);
}

static void test_names_refused(void) {
  /* OpenSSL would check less, or nothing */
  static const char *const names[] = { "", ".localhost", ":localhost", ":",
                                       "." };
  stomp_tls_options o = client_defaults;
  char longest[300];
  size_t i;
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    o.name = names[i];
    test_option_refused(&o, "server_name");
  }
  o.name = NULL;
  test_option_refused(&o, "server_name");
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  o.name = longest;
  test_option_refused(&o, "server_name");
}

static void test_options_refused(void) {
  stomp_tls_options o = client_defaults;
  o.ca = CERTS "no-such-file.pem";
  test_option_refused(&o, "no-such-file.pem");
  o.ca = CERTS "server.key"; /* no certificate in it */
  test_option_refused(&o, "server.key");
  o.ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  test_option_refused(&o, "ca");
  o = client_defaults;
  o.min_version = "1.1";
  test_option_refused(&o, "min_version");
  o = client_defaults;
  o.key = CERTS "client.key";
  test_option_refused(&o, "cert");
  o.cert = CERTS "client.pem";
  o.key = CERTS "server.key"; /* of another certificate */
  test_option_refused(&o, "server.key");
  o.key = CERTS "client-locked.key";
  test_option_refused(&o, "client-locked.key");
  o.passphrase = "wrong";
  test_option_refused(&o, "client-locked.key");
  o.passphrase = "open sesame";
  stomp_tls_free(make(&o));
}

int main(void) {
  CHECK(system("spec/support/certificates.sh build/test/certs") == 0);
  test_names_and_versions();
  test_many_bytes();
  test_cut_at_every_byte();
  test_certificates_refused();
  test_other_ways_to_trust();
  test_not_tls();
  test_changed_byte();
  test_names_refused();
  test_options_refused();
  return check_result("tls");
}
