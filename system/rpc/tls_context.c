/* SPDX-License-Identifier: Apache-2.0 */
/* See tls_context.h. OpenSSL's error queue is emptied before each file and read right after it. */
#include "system/rpc/tls_context.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct tls_context {
    SSL_CTX *ssl;
    bool is_server;
};

static const char party_prefix[] = "quorate:party:";

/* In the form of ALPN: length, name. The server prefers h2. */
static const uint8_t alpn_server[] = "\x02h2\x08http/1.1";
static const uint8_t alpn_client[] = "\x02h2";
static const uint8_t alpn_http1[] = "\x08http/1.1";

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

/* A service has nobody to ask. */
static int no_passphrase(char *out, int cap, int writes, void *arg)
{
    (void)out, (void)cap, (void)writes, (void)arg;
    return -1;
}

static struct tls_context *context_new(bool is_server)
{
    struct tls_context *context = mem_new(1, sizeof *context);

    ERR_clear_error();
    context->is_server = is_server;
    context->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (!context->ssl) {
        fputs("quorate: no memory for TLS\n", stderr);
        exit(1);
    }
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                          SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    /* RFC 9113 wants these with TLS 1.2; 1.3 has nothing weaker. */
    SSL_CTX_set_cipher_list(context->ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_default_passwd_cb(context->ssl, no_passphrase);
    return context;
}

/* Always false. What OpenSSL says comes last, if it says anything. */
static bool refuse(char error[RPC_TEXT_MAX], const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    snprintf(error, RPC_TEXT_MAX, "%s %.120s%s%s", what, file, text ? ": " : "", text ? text : "");
    ERR_clear_error();
    return false;
}

/* OpenSSL's sentence about a file that is not there names its own source. */
static bool can_read(const char *file, char error[RPC_TEXT_MAX])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    ERR_clear_error();
    if (fd < 0) {
        snprintf(error, RPC_TEXT_MAX, "the file %.120s cannot be read: %s", file, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm;

    return time && ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* |text| as "2026-01-31T12:00:00Z". */
static void time_text(char text[CLOCK_TEXT_MAX], const ASN1_TIME *time)
{
    clock_text(text, seconds_of(time) * 1000);
    strcpy(text + 19, "Z");
}

static bool check_time(const X509 *certificate, const char *file, char error[RPC_TEXT_MAX])
{
    const ASN1_TIME *from = X509_get0_notBefore(certificate);
    const ASN1_TIME *to = X509_get0_notAfter(certificate);
    char text[CLOCK_TEXT_MAX];

    if (X509_cmp_current_time(to) < 0) {
        time_text(text, to);
        snprintf(error, RPC_TEXT_MAX,
                 "the certificate %.120s expired on %s: renew it (quorate pki renew)", file, text);
        return false;
    }
    if (X509_cmp_current_time(from) > 0) {
        time_text(text, from);
        snprintf(error, RPC_TEXT_MAX,
                 "the certificate %.120s is not valid before %s: look at this machine's clock",
                 file, text);
        return false;
    }
    return true;
}

static bool own_files(SSL_CTX *ssl, const struct tls_files *files, char error[RPC_TEXT_MAX])
{
    if (!can_read(files->certificate, error) || !can_read(files->key, error))
        return false;
    if (SSL_CTX_use_certificate_chain_file(ssl, files->certificate) != 1)
        return refuse(error, "cannot use the certificate", files->certificate);
    if (!check_time(SSL_CTX_get0_certificate(ssl), files->certificate, error))
        return false;
    if (SSL_CTX_use_PrivateKey_file(ssl, files->key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(ssl) == 1)
        return true;
    if (ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH)
        return refuse(error, "cannot use the private key", files->key);
    snprintf(error, RPC_TEXT_MAX, "the private key %.90s is not that of the certificate %.90s",
             files->key, files->certificate);
    ERR_clear_error();
    return false;
}

/* Only the peer's own certificate is looked up: lists of authorities above would all have to be
 * there. A list whose time is over would let nobody in. */
static bool use_crl(SSL_CTX *ssl, const char *file, char error[RPC_TEXT_MAX])
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    int64_t ends;

    if (!can_read(file, error))
        return false;
    if (!lookup || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) < 1)
        return refuse(error, "cannot use the revocation list", file);
    ends = tls_file_ends(file);
    if (ends != 0 && ends * 1000 < clock_unix_ms()) {
        char text[CLOCK_TEXT_MAX];

        clock_text(text, ends * 1000);
        snprintf(error, RPC_TEXT_MAX,
                 "the revocation list %.120s ended on %s: get the authority's present one", file,
                 text);
        return false;
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return true;
}

static bool peer_files(struct tls_context *context, const struct tls_files *files,
                       char error[RPC_TEXT_MAX])
{
    if (!can_read(files->ca, error))
        return false;
    if (SSL_CTX_load_verify_locations(context->ssl, files->ca, NULL) != 1)
        return refuse(error, "cannot use the CA certificate", files->ca);
    if (context->is_server)
        SSL_CTX_set_client_CA_list(context->ssl, SSL_load_client_CA_file(files->ca));
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return !files->crl || use_crl(context->ssl, files->crl, error);
}

/* NULL: |context| is freed. */
static struct tls_context *with_files(struct tls_context *context, const struct tls_files *files,
                                      char error[RPC_TEXT_MAX])
{
    if ((!files->certificate || own_files(context->ssl, files, error)) &&
        (!files->ca || peer_files(context, files, error)))
        return context;
    tls_context_free(context);
    return NULL;
}

struct tls_context *tls_context_server(const struct tls_files *files, char error[RPC_TEXT_MAX])
{
    /* Resumed sessions must have passed the same check of the client's certificate. */
    static const unsigned char id[] = "quorate";
    struct tls_context *context = context_new(true);

    SSL_CTX_set_alpn_select_cb(context->ssl, choose_alpn, NULL);
    SSL_CTX_set_session_id_context(context->ssl, id, sizeof id - 1);
    SSL_CTX_set_max_early_data(context->ssl, 0);
    return with_files(context, files, error);
}

struct tls_context *tls_context_server_open(const struct tls_files *files, char error[RPC_TEXT_MAX])
{
    struct tls_context *context = tls_context_server(files, error);

    if (context && files->ca)
        SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    return context;
}

struct tls_context *tls_context_client(const struct tls_files *files, char error[RPC_TEXT_MAX])
{
    struct tls_context *context = context_new(false);

    SSL_CTX_set_alpn_protos(context->ssl, alpn_client, sizeof alpn_client - 1);
    return with_files(context, files, error);
}

struct tls_context *tls_context_client_http1(const struct tls_files *files,
                                             char error[RPC_TEXT_MAX])
{
    struct tls_context *context = context_new(false);

    SSL_CTX_set_alpn_protos(context->ssl, alpn_http1, sizeof alpn_http1 - 1);
    return with_files(context, files, error);
}

void tls_context_add_crl(struct tls_context *context, const char *file)
{
    char error[RPC_TEXT_MAX];

    (void)use_crl(context->ssl, file, error);
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

SSL_CTX *tls_context_ssl(const struct tls_context *context)
{
    return context->ssl;
}

bool tls_context_is_server(const struct tls_context *context)
{
    return context->is_server;
}

/* Anything that is no id, and a second one, becomes what no party is called. */
static void take_party(char out[TLS_PARTY_MAX], const ASN1_IA5STRING *uri)
{
    const size_t prefix_len = sizeof party_prefix - 1;
    const char *text = (const char *)ASN1_STRING_get0_data(uri);
    size_t len = (size_t)ASN1_STRING_length(uri);

    if (len < prefix_len || memcmp(text, party_prefix, prefix_len) != 0)
        return;
    len -= prefix_len;
    if (out[0] || len >= TLS_PARTY_MAX || memchr(text + prefix_len, 0, len)) {
        strcpy(out, "?");
        return;
    }
    memcpy(out, text + prefix_len, len);
    out[len] = 0;
    if (!party_id_is_valid(out))
        strcpy(out, "?");
}

void tls_party_of(char out[TLS_PARTY_MAX], const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    out[0] = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI)
            take_party(out, name->d.uniformResourceIdentifier);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}

void tls_file_party(char out[TLS_PARTY_MAX], const char *path)
{
    FILE *file = fopen(path, "re");
    X509 *first = file ? PEM_read_X509_AUX(file, NULL, no_passphrase, NULL) : NULL;

    out[0] = 0;
    if (first)
        tls_party_of(out, first);
    X509_free(first);
    if (file)
        fclose(file);
    ERR_clear_error();
}

static int64_t end_of(const X509_INFO *info)
{
    if (info->x509)
        return seconds_of(X509_get0_notAfter(info->x509));
    return info->crl ? seconds_of(X509_CRL_get0_nextUpdate(info->crl)) : 0;
}

int64_t tls_file_ends(const char *path)
{
    FILE *file = fopen(path, "re");
    STACK_OF(X509_INFO) *all = file ? PEM_X509_INFO_read(file, NULL, no_passphrase, NULL) : NULL;
    int64_t first = 0;

    for (int i = 0; i < sk_X509_INFO_num(all); i++) {
        int64_t end = end_of(sk_X509_INFO_value(all, i));

        if (end != 0 && (first == 0 || end < first))
            first = end;
    }
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    if (file)
        fclose(file);
    ERR_clear_error();
    return first;
}
