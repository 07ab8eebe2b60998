/* SPDX-License-Identifier: MIT
 *
 * See tls.h. Two memory BIOs carry the ciphertext; OpenSSL never sees a socket.
 * What it says of a failure goes into the error as words, and its error queue
 * is left empty after every call. */
#include "tls.h"
#include "tls_context.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct stomp_tls {
  SSL *ssl;
  BIO *in, *out; /* the SSL's */
  bool ready;
  bool server;
  char name[256];
  int alert; /* the last that the peer sent, 0: none */
  stomp_error error;
};

/* ---- Birth ---- */

static void note_alert(const SSL *ssl, int where, int value) {
  stomp_tls *t = SSL_get_app_data(ssl);
  if (t && where == SSL_CB_READ_ALERT)
    t->alert = value;
}

/* What the macro SSL_set_tlsext_host_name does, with a name that stays const
 * as far as the last call. */
static bool set_sni(SSL *ssl, const char *name) {
  void *text = (void *)(size_t)name;
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  text) == 1;
}

/* Check the certificate against the host connected to. SNI and DNS names for
 * names; addresses only against the certificate's IP addresses (RFC 6125). */
static bool set_name(SSL *ssl, const char *name) {
  X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
  unsigned char address[16];
  if (inet_pton(AF_INET, name, address) == 1 ||
      inet_pton(AF_INET6, name, address) == 1)
    return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  /* an empty name, or OpenSSL's ".domain" form, would check less */
  return name[0] && name[0] != '.' && name[0] != ':' &&
         SSL_set1_host(ssl, name) == 1 && set_sni(ssl, name);
}

static stomp_status prepare(stomp_tls *t, const stomp_tls_options *o,
                            stomp_error *error) {
  SSL_CTX *context = stomp_tls_context(o, error);
  if (!context)
    return error->status;
  t->ssl = SSL_new(context);
  SSL_CTX_free(context); /* the SSL keeps its own reference */
  if (!t->ssl)
    return stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
  t->in = BIO_new(BIO_s_mem());
  t->out = BIO_new(BIO_s_mem());
  if (!t->in || !t->out) {
    BIO_free(t->in);
    BIO_free(t->out);
    return stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
  }
  SSL_set_bio(t->ssl, t->in, t->out); /* owns both from here on */
  SSL_set_app_data(t->ssl, t);
  SSL_set_info_callback(t->ssl, note_alert);
  if (o->server) {
    SSL_set_accept_state(t->ssl);
    return STOMP_OK;
  }
  SSL_set_connect_state(t->ssl);
  if (!o->name || strlen(o->name) >= sizeof t->name ||
      (!set_name(t->ssl, o->name) && !o->no_verify)) {
    stomp_error_set(error, STOMP_SOPTION, STOMP_NO_OFFSET);
    stomp_error_add(error, "server_name ");
    stomp_error_add(error, o->name ? o->name : "is missing");
    return error->status;
  }
  strcpy(t->name, o->name);
  return STOMP_OK;
}

void stomp_tls_init(void) {
  /* with no option at all it returns before it registers */
  OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
}

stomp_tls *stomp_tls_new(const stomp_tls_options *options, stomp_error *error) {
  stomp_tls *t = calloc(1, sizeof *t);
  stomp_error_clear(error);
  if (!t) {
    stomp_error_set(error, STOMP_ENOMEM, STOMP_NO_OFFSET);
    return NULL;
  }
  t->server = options->server;
  stomp_error_clear(&t->error);
  if (prepare(t, options, error) != STOMP_OK) {
    stomp_tls_free(t);
    t = NULL;
  }
  ERR_clear_error();
  return t;
}

void stomp_tls_free(stomp_tls *t) {
  if (!t)
    return;
  SSL_free(t->ssl);
  ERR_clear_error();
  free(t);
}

/* ---- Failing ---- */

static void add_name(stomp_error *e, const GENERAL_NAME *name) {
  char text[INET6_ADDRSTRLEN];
  const unsigned char *bytes;
  int len;
  if (name->type == GEN_DNS) {
    stomp_error_add_bytes(e, ASN1_STRING_get0_data(name->d.dNSName),
                          (size_t)ASN1_STRING_length(name->d.dNSName));
    return;
  }
  if (name->type != GEN_IPADD) {
    stomp_error_add(e, "?");
    return;
  }
  bytes = ASN1_STRING_get0_data(name->d.iPAddress);
  len = ASN1_STRING_length(name->d.iPAddress);
  if ((len == 4 && inet_ntop(AF_INET, bytes, text, sizeof text)) ||
      (len == 16 && inet_ntop(AF_INET6, bytes, text, sizeof text)))
    stomp_error_add(e, text);
}

/* The names that the certificate is for, so that people see the difference. */
static void add_names(stomp_error *e, X509 *cert) {
  GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, 0, 0);
  int i;
  stomp_error_add(e, "; the certificate is for");
  for (i = 0; i < sk_GENERAL_NAME_num(names) && i < 5; i++) {
    stomp_error_add(e, i ? ", " : " ");
    add_name(e, sk_GENERAL_NAME_value(names, i));
  }
  if (i == 0)
    stomp_error_add(e, " no name");
  GENERAL_NAMES_free(names);
}

static void describe_verify(stomp_tls *t, long result) {
  /* one that was refused is no peer certificate yet, but its chain is here */
  STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
  X509 *cert = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
  stomp_error_set(&t->error, STOMP_SVERIFY, STOMP_NO_OFFSET);
  stomp_error_add(&t->error, X509_verify_cert_error_string(result));
  if (result == X509_V_ERR_APPLICATION_VERIFICATION) {
    stomp_error_add(&t->error, " (its public key is not the one in pin)");
  } else if (result == X509_V_ERR_HOSTNAME_MISMATCH ||
             result == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    stomp_error_add(&t->error, ": ");
    stomp_error_add(&t->error, t->name);
    if (cert)
      add_names(&t->error, cert);
  }
}

/* OpenSSL 3.0 has no words for the alerts that TLS 1.3 added. */
static const char *alert_text(int alert) {
  switch (alert & 0xff) {
    case 109: return "missing extension";
    case 116: return "certificate required (options cert and key)";
    case 120: return "no application protocol";
    default: return SSL_alert_desc_string_long(alert);
  }
}

static stomp_status fail(stomp_tls *t) {
  unsigned long code = ERR_peek_last_error();
  const char *reason = code ? ERR_reason_error_string(code) : NULL;
  long verify = SSL_get_verify_result(t->ssl);
  if (verify != X509_V_OK && !t->server &&
      (SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER)) {
    describe_verify(t, verify);
  } else if (t->alert) {
    stomp_error_set(&t->error, STOMP_SPEER, STOMP_NO_OFFSET);
    stomp_error_add(&t->error, alert_text(t->alert));
  } else {
    stomp_error_set(&t->error, STOMP_SFAIL, STOMP_NO_OFFSET);
    stomp_error_add(&t->error, reason ? reason : "no reason given");
    if (reason && strcmp(reason, "wrong version number") == 0)
      stomp_error_add(&t->error, " (does the port speak TLS?)");
  }
  ERR_clear_error();
  return t->error.status;
}

/* ---- Bytes ---- */

stomp_status stomp_tls_start(stomp_tls *t) {
  size_t none;
  char byte;
  stomp_status status = stomp_tls_next(t, &byte, 0, &none);
  return status < 0 ? status : STOMP_OK;
}

stomp_status stomp_tls_feed(stomp_tls *t, const void *bytes, size_t len) {
  if (len && BIO_write(t->in, bytes, (int)len) != (int)len) {
    ERR_clear_error();
    return STOMP_ENOMEM;
  }
  return STOMP_OK;
}

/* What a call that did not succeed means. */
static stomp_status result(stomp_tls *t, int returned) {
  switch (SSL_get_error(t->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: ERR_clear_error(); return STOMP_MORE;
    case SSL_ERROR_ZERO_RETURN: ERR_clear_error(); return STOMP_FULL;
    default: return fail(t);
  }
}

stomp_status stomp_tls_next(stomp_tls *t, void *to, size_t size, size_t *got) {
  int n;
  *got = 0;
  if (t->error.status != STOMP_OK)
    return t->error.status;
  if (!t->ready) {
    n = SSL_do_handshake(t->ssl);
    if (n != 1)
      return result(t, n);
    t->ready = true;
  }
  if (size == 0)
    return STOMP_MORE;
  n = SSL_read(t->ssl, to, (int)size);
  if (n <= 0)
    return result(t, n);
  *got = (size_t)n;
  return STOMP_OK;
}

stomp_status stomp_tls_write(stomp_tls *t, const void *bytes, size_t len) {
  int n;
  if (t->error.status != STOMP_OK)
    return t->error.status;
  if (!t->ready)
    return STOMP_MORE;
  if (len == 0)
    return STOMP_OK;
  n = SSL_write(t->ssl, bytes, (int)len);
  return n == (int)len ? STOMP_OK : result(t, n);
}

size_t stomp_tls_output(stomp_tls *t, void *to, size_t size) {
  int n = BIO_read(t->out, to, (int)size);
  return n > 0 ? (size_t)n : 0;
}

bool stomp_tls_is_ready(const stomp_tls *t) {
  return t->ready;
}

void stomp_tls_close(stomp_tls *t) {
  if (t->ready && t->error.status == STOMP_OK)
    (void)SSL_shutdown(t->ssl); /* its answer is not waited for */
  ERR_clear_error();
}

const stomp_error *stomp_tls_error(const stomp_tls *t) {
  return &t->error;
}
