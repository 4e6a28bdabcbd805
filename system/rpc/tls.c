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

struct tls {
    SSL *ssl;
    /* lent by |ssl| */
    BIO *in, *out;
    char error[RPC_TEXT_MAX];
    /* of the peer's certificate, once it was asked for */
    char party[TLS_PARTY_MAX];
    bool has_party;
};

static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    return text ? text : "unknown TLS fault";
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

    tls->ssl = SSL_new(tls_context_ssl(context));
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        fputs("quorate: no memory for TLS\n", stderr);
        exit(1);
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    if (tls_context_is_server(context)) {
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

bool tls_has_peer(const struct tls *tls)
{
    const X509 *peer = tls_is_ready(tls) ? SSL_get0_peer_certificate(tls->ssl) : NULL;
    char party[TLS_PARTY_MAX] = "";

    if (!peer || SSL_get_verify_mode(tls->ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT)
        return peer != NULL;
    tls_party_of(party, peer);
    return party[0] != '\0';
}

const char *tls_peer_party(struct tls *tls)
{
    const X509 *peer = tls_is_ready(tls) ? SSL_get0_peer_certificate(tls->ssl) : NULL;

    if (peer && !tls->has_party) {
        tls_party_of(tls->party, peer);
        tls->has_party = true;
    }
    return tls->party;
}

bool tls_peer_is_revoked(const struct tls *tls, const struct tls_context *context)
{
    X509_STORE *store = SSL_CTX_get_cert_store(tls_context_ssl(context));
    X509 *peer = SSL_get0_peer_certificate(tls->ssl);
    X509_STORE_CTX *check = peer ? X509_STORE_CTX_new() : NULL;
    bool is_revoked;

    if (!check)
        return false;
    is_revoked = X509_STORE_CTX_init(check, store, peer, SSL_get_peer_cert_chain(tls->ssl)) == 1 &&
                 X509_verify_cert(check) != 1 &&
                 X509_STORE_CTX_get_error(check) == X509_V_ERR_CERT_REVOKED;
    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return is_revoked;
}

const char *tls_error(const struct tls *tls)
{
    return tls->error;
}
