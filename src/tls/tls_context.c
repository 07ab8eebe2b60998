/* SPDX-License-Identifier: MIT
 *
 * See tls_context.h. Files and PEM text go the same way: a BIO. */
#include "tls_context.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* ---- Errors ---- */

static bool refuse(stomp_error *error, const char *option, const char *value) {
  unsigned long code = ERR_peek_last_error();
  const char *reason = code ? ERR_reason_error_string(code) : NULL;
  stomp_error_set(error, STOMP_SOPTION, STOMP_NO_OFFSET);
  stomp_error_add(error, option);
  if (value && !strstr(value, "-----BEGIN")) { /* never key material */
    stomp_error_add(error, " ");
    stomp_error_add(error, value);
  }
  if (reason) {
    stomp_error_add(error, ": ");
    stomp_error_add(error, reason);
  }
  ERR_clear_error();
  return false;
}

/* ---- Certificates and keys ---- */

static BIO *open_text(const char *value) {
  return strstr(value, "-----BEGIN") ? BIO_new_mem_buf(value, -1)
                                     : BIO_new_file(value, "r");
}

static int give_passphrase(char *to, int size, int writing, void *user) {
  const char *passphrase = user;
  size_t len = passphrase ? strlen(passphrase) : 0;
  (void)writing;
  if (len > (size_t)size)
    return 0;
  memcpy(to, passphrase ? passphrase : "", len);
  return (int)len; /* never asks at the terminal */
}

/* All certificates of the text become authorities; how many, -1: broken. */
static int add_authorities(SSL_CTX *context, BIO *text) {
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  X509 *cert;
  int n = 0;
  while ((cert = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL) {
    int ok = X509_STORE_add_cert(store, cert);
    X509_free(cert);
    if (!ok)
      return -1;
    n++;
  }
  if (n)
    ERR_clear_error(); /* the end of the text is told as an error */
  return n;
}

static bool set_authorities(SSL_CTX *context, const char *ca,
                            stomp_error *error) {
  BIO *text;
  int n;
  if (!ca)
    return SSL_CTX_set_default_verify_paths(context) == 1 ||
           refuse(error, "the system's certificates", NULL);
  text = open_text(ca);
  n = text ? add_authorities(context, text) : -1;
  BIO_free(text);
  return n > 0 || refuse(error, "ca", ca);
}

static bool use_chain(SSL_CTX *context, BIO *text) {
  X509 *cert = PEM_read_bio_X509(text, NULL, NULL, NULL);
  bool ok = cert && SSL_CTX_use_certificate(context, cert) == 1;
  X509_free(cert);
  while (ok && (cert = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL)
    if (SSL_CTX_add0_chain_cert(context, cert) != 1) {
      X509_free(cert);
      ok = false;
    }
  if (ok)
    ERR_clear_error();
  return ok;
}

static bool set_certificate(SSL_CTX *context, const stomp_tls_options *o,
                            stomp_error *error) {
  const char *key_text = o->key ? o->key : o->cert;
  BIO *text;
  EVP_PKEY *key = NULL;
  void *passphrase = (void *)(size_t)o->passphrase; /* OpenSSL wants no const */
  bool ok;
  if (!o->cert)
    return !o->key || refuse(error, "key without cert", NULL);
  text = open_text(o->cert);
  ok = text && use_chain(context, text);
  BIO_free(text);
  if (!ok)
    return refuse(error, "cert", o->cert);
  text = open_text(key_text);
  if (text)
    key = PEM_read_bio_PrivateKey(text, NULL, give_passphrase, passphrase);
  BIO_free(text);
  ok = key && SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  return ok || refuse(error, "key", key_text);
}

/* ---- Pinning (RFC 7469's digest of the public key) ---- */

static void free_pin(void *parent, void *pin, CRYPTO_EX_DATA *data, int index,
                     long number, void *user) {
  (void)parent, (void)data, (void)index, (void)number, (void)user;
  OPENSSL_free(pin);
}

/* OpenSSL gives out one such number to a process. */
static int pin_slot = -1;
static CRYPTO_ONCE pin_once = CRYPTO_ONCE_STATIC_INIT;

static void take_pin_slot(void) {
  pin_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_pin);
}

static int pin_index(void) {
  return CRYPTO_THREAD_run_once(&pin_once, take_pin_slot) ? pin_slot : -1;
}

static void digest_text(X509 *cert, char text[48]) {
  unsigned char digest[32], *der = NULL;
  int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
  text[0] = '\0';
  if (len > 0 &&
      EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1)
    EVP_EncodeBlock((unsigned char *)text, digest, sizeof digest);
  OPENSSL_free(der);
}

static bool fits_pin(X509_STORE_CTX *store, X509 *cert) {
  SSL *ssl =
    X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  const char *pin = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), pin_index());
  char text[48];
  if (!pin)
    return true;
  digest_text(cert, text);
  if (strcmp(text, pin) == 0)
    return true;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return false;
}

/* Runs after OpenSSL's own verification of each certificate of the chain. */
static int check_pin(int ok, X509_STORE_CTX *store) {
  if (!ok || X509_STORE_CTX_get_error_depth(store) != 0)
    return ok;
  return fits_pin(store, X509_STORE_CTX_get_current_cert(store));
}

/* Runs in place of OpenSSL's verification: the pin alone counts. */
static int check_pin_alone(X509_STORE_CTX *store, void *unused) {
  (void)unused;
  return fits_pin(store, X509_STORE_CTX_get0_cert(store));
}

static bool set_pin(SSL_CTX *context, const char *pin, stomp_error *error) {
  char *copy = OPENSSL_strdup(pin);
  if (copy && SSL_CTX_set_ex_data(context, pin_index(), copy) == 1)
    return true;
  OPENSSL_free(copy);
  return refuse(error, "pin", NULL);
}

/* ---- All of it ---- */

static bool set_version(SSL_CTX *context, const char *version,
                        stomp_error *error) {
  int number = TLS1_2_VERSION;
  if (version && strcmp(version, "1.3") == 0)
    number = TLS1_3_VERSION;
  else if (version && strcmp(version, "1.2") != 0)
    return refuse(error, "min_version (1.2 or 1.3)", version);
  return SSL_CTX_set_min_proto_version(context, number) == 1;
}

static bool set_up(SSL_CTX *context, const stomp_tls_options *o,
                   stomp_error *error) {
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  /* so that a write never waits for bytes of the peer */
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  if (!set_version(context, o->min_version, error) ||
      !set_certificate(context, o, error))
    return false;
  if (o->server || (o->no_verify && !o->pin)) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    return true;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, check_pin);
  if (o->pin && !set_pin(context, o->pin, error))
    return false;
  if (o->no_verify) {
    SSL_CTX_set_cert_verify_callback(context, check_pin_alone, NULL);
    return true;
  }
  return set_authorities(context, o->ca, error);
}

SSL_CTX *stomp_tls_context(const stomp_tls_options *o, stomp_error *error) {
  SSL_CTX *context;
  ERR_clear_error();
  context = SSL_CTX_new(o->server ? TLS_server_method() : TLS_client_method());
  if (!context) {
    stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
    return NULL;
  }
  if (set_up(context, o, error))
    return context;
  SSL_CTX_free(context);
  return NULL;
}
