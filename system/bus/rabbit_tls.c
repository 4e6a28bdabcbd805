/* SPDX-License-Identifier: Apache-2.0 */
/* See rabbit_tls.h. The context is the socket's own, so nothing here is shared between connections.
 * A list that cannot be used lets nobody in. */
#include "system/bus/rabbit_tls.h"

#include <amqp_ssl_socket.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

static bool use_crl(SSL_CTX *ssl, const char *file)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    bool ok = lookup && X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) > 0 &&
              X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;

    ERR_clear_error();
    return ok;
}

/* An address is looked for among the certificate's addresses, a name among its names. */
static bool expect_host(SSL_CTX *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl);
    bool ok = X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ||
              X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;

    ERR_clear_error();
    return ok;
}

amqp_socket_t *rabbit_tls_socket(amqp_connection_state_t c, const struct rabbit_tls *tls,
                                 char why[BROKER_ERROR_MAX])
{
    amqp_socket_t *socket = amqp_ssl_socket_new(c);
    SSL_CTX *ssl = socket ? amqp_ssl_socket_get_context(socket) : NULL;

    if (!ssl) {
        snprintf(why, BROKER_ERROR_MAX, "no memory for TLS");
        return NULL;
    }
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 0);
    amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
    if (amqp_ssl_socket_set_cacert(socket, tls->ca) != AMQP_STATUS_OK)
        snprintf(why, BROKER_ERROR_MAX, "RABBITMQ_TLS_CA: the file %.100s has no certificate",
                 tls->ca);
    else if (tls->crl && !use_crl(ssl, tls->crl))
        snprintf(why, BROKER_ERROR_MAX, "RABBITMQ_TLS_CRL: the file %.100s has no revocation list",
                 tls->crl);
    else if (tls->host && !expect_host(ssl, tls->host))
        snprintf(why, BROKER_ERROR_MAX, "RABBITMQ_HOST: %.100s is no name or address", tls->host);
    else
        return socket;
    return NULL;
}
