/* SPDX-License-Identifier: Apache-2.0 */
/* See tls.h. OpenSSL between two memory BIOs; the BIOs belong to the SSL object. OpenSSL's error
 * queue is empty before each call and read right after it, so that an error is never another
 * connection's. */
#include "system/rpc/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_context {
    SSL_CTX *ssl;
    bool is_server;
};

struct tls {
    SSL *ssl;
    /* lent by |ssl| */
    BIO *in, *out;
    char error[RPC_TEXT_MAX];
};

/* In the form of ALPN: length, name. The server prefers h2. */
static const uint8_t alpn_server[] = "\x02h2\x08http/1.1";
static const uint8_t alpn_client[] = "\x02h2";

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto((unsigned char **)out, out_len, alpn_server, sizeof alpn_server - 1,
                              in, in_len) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    return text ? text : "unknown TLS fault";
}

/* Always NULL. */
static struct tls_context *refuse(struct tls_context *context, char error[RPC_TEXT_MAX],
                                  const char *what, const char *file)
{
    snprintf(error, RPC_TEXT_MAX, "cannot use %s %.120s: %s", what, file, reason());
    tls_context_free(context);
    return NULL;
}

static struct tls_context *context_new(bool is_server)
{
    struct tls_context *context = mem_new(1, sizeof *context);

    ERR_clear_error();
    context->is_server = is_server;
    context->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (!context->ssl) {
        tls_context_free(context);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                          SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    /* RFC 9113 wants these with TLS 1.2; 1.3 has nothing weaker. */
    SSL_CTX_set_cipher_list(context->ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");
    return context;
}

static struct tls_context *own_files(struct tls_context *context, const char *certificate,
                                     const char *key, char error[RPC_TEXT_MAX])
{
    if (SSL_CTX_use_certificate_chain_file(context->ssl, certificate) != 1)
        return refuse(context, error, "certificate", certificate);
    if (SSL_CTX_use_PrivateKey_file(context->ssl, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context->ssl) != 1)
        return refuse(context, error, "private key", key);
    return context;
}

static struct tls_context *peer_files(struct tls_context *context, const char *ca,
                                      char error[RPC_TEXT_MAX])
{
    if (SSL_CTX_load_verify_locations(context->ssl, ca, NULL) != 1)
        return refuse(context, error, "CA certificate", ca);
    if (context->is_server)
        SSL_CTX_set_client_CA_list(context->ssl, SSL_load_client_CA_file(ca));
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return context;
}

struct tls_context *tls_context_server(const char *certificate, const char *key,
                                       const char *client_ca, char error[RPC_TEXT_MAX])
{
    /* Resumed sessions must have passed the same check of the client's certificate. */
    static const unsigned char id[] = "quorate";
    struct tls_context *context = context_new(true);

    if (!context)
        return refuse(NULL, error, "TLS with", certificate);
    SSL_CTX_set_alpn_select_cb(context->ssl, choose_alpn, NULL);
    SSL_CTX_set_session_id_context(context->ssl, id, sizeof id - 1);
    SSL_CTX_set_max_early_data(context->ssl, 0);
    context = own_files(context, certificate, key, error);
    return context && client_ca ? peer_files(context, client_ca, error) : context;
}

struct tls_context *tls_context_client(const char *ca, const char *certificate, const char *key,
                                       char error[RPC_TEXT_MAX])
{
    struct tls_context *context = context_new(false);

    if (!context)
        return refuse(NULL, error, "TLS with", ca);
    SSL_CTX_set_alpn_protos(context->ssl, alpn_client, sizeof alpn_client - 1);
    context = peer_files(context, ca, error);
    return context && certificate ? own_files(context, certificate, key, error) : context;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

/* An address is compared with the certificate's addresses, a name with its names. */
static bool expect_name(SSL *ssl, const char *name)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

struct tls *tls_new(struct tls_context *context, const char *server_name)
{
    struct tls *tls = mem_new(1, sizeof *tls);

    tls->ssl = SSL_new(context->ssl);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        fputs("quorate: no memory for TLS\n", stderr);
        exit(1);
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    if (context->is_server) {
        SSL_set_accept_state(tls->ssl);
        return tls;
    }
    SSL_set_connect_state(tls->ssl);
    /* A name that cannot be set would be a connection without a check. */
    if (!expect_name(tls->ssl, server_name))
        snprintf(tls->error, sizeof tls->error, "%.120s is no host name or address", server_name);
    ERR_clear_error();
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

void tls_feed(struct tls *tls, const void *b, size_t len)
{
    const uint8_t *from = b;

    while (len > 0) {
        int part = len > 1 << 20 ? 1 << 20 : (int)len;
        int n = BIO_write(tls->in, from, part);

        if (n <= 0) {
            fputs("quorate: no memory for TLS\n", stderr);
            exit(1);
        }
        from += n;
        len -= (size_t)n;
    }
}

static void note_error(struct tls *tls)
{
    long verify = SSL_get_verify_result(tls->ssl);

    if (verify != X509_V_OK)
        snprintf(tls->error, sizeof tls->error, "the peer's certificate is refused: %s",
                 X509_verify_cert_error_string(verify));
    else
        snprintf(tls->error, sizeof tls->error, "%s", reason());
    ERR_clear_error();
}

ssize_t tls_read(struct tls *tls, void *b, size_t cap)
{
    size_t n;

    if (tls->error[0])
        return -1;
    ERR_clear_error();
    if (SSL_read_ex(tls->ssl, b, cap, &n) == 1)
        return (ssize_t)n;
    switch (SSL_get_error(tls->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return -1;
    default:
        note_error(tls);
        return -1;
    }
}

bool tls_write(struct tls *tls, const void *b, size_t len)
{
    size_t n;

    if (tls->error[0])
        return false;
    if (!len)
        return true;
    ERR_clear_error();
    /* A memory BIO takes everything, so one call writes all of it or fails. */
    if (SSL_write_ex(tls->ssl, b, len, &n) == 1 && n == len)
        return true;
    note_error(tls);
    return false;
}

void tls_take(struct tls *tls, struct buffer *out)
{
    char *b;
    long len = BIO_get_mem_data(tls->out, &b);

    if (len > 0) {
        buffer_add(out, b, (size_t)len);
        (void)BIO_reset(tls->out);
    }
}

void tls_close(struct tls *tls)
{
    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl) && !tls->error[0])
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

bool tls_is_ready(const struct tls *tls)
{
    return SSL_is_init_finished(tls->ssl) && !tls->error[0];
}

const char *tls_alpn(const struct tls *tls)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    if (len == 2 && memcmp(name, "h2", 2) == 0)
        return "h2";
    if (len == 8 && memcmp(name, "http/1.1", 8) == 0)
        return "http/1.1";
    return "";
}

const char *tls_error(const struct tls *tls)
{
    return tls->error;
}
