/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's authority in a directory, and what it makes.
 *
 *   DIR/ca.crt, ca.key      the X.509 authority (P-256) of TLS certificates
 *   DIR/authority.key       the Ed25519 key that certifies parties' identity keys (PEM)
 *   DIR/authority.pub       its public half, as CA_KEY takes it
 *   DIR/crl.pem             revocation list, good as long as ca.crt
 *   DIR/issued/SERIAL.crt   every TLS certificate that was made: what `revoke NAME` looks through
 *   DIR/NAME/               tls.crt, tls.key; a party's identity.key and party.cert
 *
 * A file is whole or missing, and a command that fails takes back what it made. ca.key and
 * authority.key may be sealed by a passphrase (PKCS #8, scrypt, AES-256). One command at a time
 * changes the directory: it is locked from pki_open to pki_close. */
#ifndef QUORATE_CLI_PKI_H
#define QUORATE_CLI_PKI_H

#include "say.h"

#include <jansson.h>
#include <limits.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whose passphrase it is, when it is asked for. */
#define PKI_AUTHORITY "the authority"

enum {
    PKI_PATH_MAX = PATH_MAX,
    PKI_NAME_MAX = 65,
    /* leaves room for every name below it */
    PKI_DIR_MAX = PATH_MAX - 256,
    PKI_SERIAL_MAX = 48,
    PKI_TIME_MAX = 32,
    PKI_CA_DAYS = 3650,
    PKI_LEAF_DAYS = 365,
    PKI_PASSPHRASE_MIN = 8,
    PKI_PASSPHRASE_MAX = 1024,
    /* a clock that is behind takes a new certificate as well */
    PKI_EARLY_S = 300
};

/* pki_dir.c: an opened directory. */
struct pki {
    char dir[PKI_DIR_MAX];
    /* NULL: asked for on the terminal when it is needed */
    const char *passphrase_file;
    /* guarded; NULL until it was needed */
    char *passphrase;
    X509 *ca;
    int lock;
};
/* |lock|: for a command that writes. pki_close in any case. */
bool pki_open(struct pki *pki, const char *dir, bool lock, struct trouble *trouble);
void pki_close(struct pki *pki);
/* DIR/a or DIR/a/b. */
void pki_path(char out[PKI_PATH_MAX], const char *dir, const char *a, const char *b);
/* Every certificate in issued/, in the order of their names, until |each| returns false. False with
 * |trouble| if one cannot be read. */
bool pki_each_issued(const struct pki *pki, bool (*each)(void *arg, const X509 *certificate),
                     void *arg, struct trouble *trouble);
/* "party-1": 1 to 64 of a-z A-Z 0-9 . _ -, not beginning with a dot, and no name of DIR's own. */
bool pki_name_is_valid(const char *name);
X509 *pki_read_certificate(const char *path, struct trouble *trouble);

/* pki_key.c: private keys. */
EVP_PKEY *pki_key_new(void);
/* The PEM text in guarded memory, the caller's; |passphrase| NULL: plain. */
uint8_t *pki_key_pem(size_t *len, const EVP_PKEY *key, const char *passphrase);
/* DIR/|name|, opened by the passphrase if it is sealed. NULL with |trouble|. */
EVP_PKEY *pki_key_read(struct pki *pki, const char *name, struct trouble *trouble);
/* The key of ca.crt. NULL with |trouble|. */
EVP_PKEY *pki_key_authority(struct pki *pki, struct trouble *trouble);

/* pki_passphrase.c: from |file|, or, if NULL, from the terminal, where it is asked for |twice| or
 * once. Guarded, the caller's; NULL with |trouble|. */
char *pki_passphrase(const char *file, const char *whose, bool twice, struct trouble *trouble);

/* pki_x509.c: certificates. */
struct pki_leaf {
    const char *name;
    /* NULL: no party */
    const char *party;
    /* host names and addresses, comma separated; NULL: |name| */
    const char *hosts;
    long days;
};
/* Ends the program when OpenSSL cannot make something. */
void pki_need(bool ok);
/* What was written to |bio|, which is freed; heap, the caller's. */
uint8_t *pki_text(size_t *len, BIO *bio);
X509 *pki_x509_authority(EVP_PKEY *key, const char *name, long days);
/* Ends with the authority at the latest. NULL with |trouble|. */
X509 *pki_x509_leaf(const struct pki_leaf *leaf, EVP_PKEY *key, const X509 *ca, EVP_PKEY *ca_key,
                    struct trouble *trouble);
/* The same names as |old|, |days| from now. */
X509 *pki_x509_renewed(const X509 *old, long days, EVP_PKEY *key, const X509 *ca, EVP_PKEY *ca_key,
                       struct trouble *trouble);
/* PEM text, heap, the caller's. */
uint8_t *pki_x509_pem(size_t *len, const X509 *certificate);
void pki_x509_serial(char out[PKI_SERIAL_MAX], const X509 *certificate);
/* "2026-01-31T12:00:00.000Z" */
void pki_time_text(char out[PKI_TIME_MAX], const ASN1_TIME *time);
void pki_x509_name(char out[PKI_NAME_MAX], const X509 *certificate);
/* {name, party, hosts, serial, not_before, not_after} */
json_t *pki_x509_json(const X509 *certificate);

/* pki_show.c: {name, not_after, ca_key} of the authority; NULL with |trouble|. */
json_t *pki_authority_json(const struct pki *pki, struct trouble *trouble);

/* pki_crl.c: the revocation list. */
/* |old| NULL: an empty first one. PEM text, heap, the caller's. */
uint8_t *pki_crl_make(size_t *len, const X509_CRL *old, const ASN1_INTEGER *serials[], size_t n,
                      const X509 *ca, EVP_PKEY *ca_key);
X509_CRL *pki_crl_read(const struct pki *pki, struct trouble *trouble);
bool pki_crl_has(const X509_CRL *crl, const ASN1_INTEGER *serial);

/* pki_init.c: a new directory, or nothing. */
struct pki_init {
    const char *dir, *name;
    long days;
    /* NULL: keys are plain */
    const char *passphrase;
    /* NULL: a fresh one; libsodium's key pair */
    const uint8_t *authority;
};
bool pki_init(const struct pki_init *init, struct trouble *trouble);

/* pki_issue.c: certificates for services and parties, and their renewal. */
struct pki_issue {
    struct pki_leaf leaf;
    /* where the files go, made if it is missing */
    const char *out;
    /* "persistent", ...; NULL: no identity is made */
    const char *role;
};
/* NULL with |trouble|; otherwise the answer, the caller's. */
json_t *pki_issue(struct pki *pki, const struct pki_issue *issue, struct trouble *trouble);
json_t *pki_renew(struct pki *pki, const char *out, long days, struct trouble *trouble);

/* pki_files.c: several new files, or none. */
struct pki_file {
    char path[PKI_PATH_MAX];
    const uint8_t *b;
    size_t len;
};
bool pki_files_write(const struct pki_file *files, size_t n, struct trouble *trouble);

#endif
