/* SPDX-License-Identifier: Apache-2.0 */
/* What the connections of one listener or channel share: own certificate and key, whom to trust,
 * who is revoked. Made from PEM files, which are read once and checked: all there, in form, in
 * their time, and the key that of the certificate. Files that changed make a new context;
 * connections of the old one go on. Symbolic links are followed.
 *
 * A party's certificate names it in a URI, "quorate:party:ID", beside its host names. */
#ifndef SYSTEM_RPC_TLS_CONTEXT_H
#define SYSTEM_RPC_TLS_CONTEXT_H

#include "system/rpc/status.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    /* a party id, or "?" for a URI that no party has */
    TLS_PARTY_MAX = 65
};

struct tls_context;

struct tls_files {
    /* own; both or, for a client that shows none, neither */
    const char *certificate, *key;
    /* authorities of the peer; NULL: a server that asks for no certificate */
    const char *ca;
    /* revocation list of the authority; NULL: none is looked at. Needs |ca| */
    const char *crl;
};

/* A CA makes client certificates a must. NULL with one line in |error|, which names the file. */
struct tls_context *tls_context_server(const struct tls_files *files, char error[RPC_TEXT_MAX]);
/* The same, but a client may show none; one that is shown must be good, and counts if it names a
 * party: services have a door of their own. */
struct tls_context *tls_context_server_open(const struct tls_files *files,
                                            char error[RPC_TEXT_MAX]);
/* Offers h2 only. */
struct tls_context *tls_context_client(const struct tls_files *files, char error[RPC_TEXT_MAX]);
/* Offers http/1.1 only. */
struct tls_context *tls_context_client_http1(const struct tls_files *files,
                                             char error[RPC_TEXT_MAX]);
/* Adds the list in |file| to a context that looks lists up; the newer of two counts, for handshakes
 * that have begun, too. For when its other files cannot be read anew. */
void tls_context_add_crl(struct tls_context *context, const char *file);
/* May be freed before the connections made from it. NULL is nothing. */
void tls_context_free(struct tls_context *context);

/* For tls.c: lent. */
SSL_CTX *tls_context_ssl(const struct tls_context *context);
bool tls_context_is_server(const struct tls_context *context);

/* The party that |certificate| names; "" if it names none. */
void tls_party_of(char out[TLS_PARTY_MAX], const X509 *certificate);
/* The same of the first certificate in the file |path|; "" too if there is none. */
void tls_file_party(char out[TLS_PARTY_MAX], const char *path);
/* When what |path| holds ends, in Unix seconds: the first of its certificates or, without any, its
 * revocation list. 0: it cannot be told. */
int64_t tls_file_ends(const char *path);

#endif
