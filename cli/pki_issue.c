/* SPDX-License-Identifier: Apache-2.0 */
/* New certificates: tls.crt and tls.key in a directory, the certificate in issued/ as well. A
 * party's identity key is made once and never changed: it lasts as long as its shares. */
#include "pki.h"

#include "file.h"
#include "report.h"

#include "system/access/identity.h"
#include "system/core/key_file.h"
#include "system/core/secret.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 5, SEED_TEXT = 2 * KEY_FILE_SEED + 2, IDENTITY_MAX = 4096 };

_Static_assert(sizeof((struct trouble *)0)->text >= KEY_FILE_ERROR_MAX, "takes its sentences");

/* What one command makes; the order of the files is that of their writing. */
struct made {
    X509 *certificate;
    uint8_t *certificate_pem, *key_pem, *seed_text, *identity;
    size_t certificate_len, key_len;
    struct pki_file file[FILES];
    size_t n;
};

static void made_free(struct made *m)
{
    X509_free(m->certificate);
    free(m->certificate_pem);
    secret_free(m->key_pem);
    secret_free(m->seed_text);
    free(m->identity);
}

static void add_file(struct made *m, const char *path, const uint8_t *b, size_t len)
{
    struct pki_file *file = &m->file[m->n++];

    snprintf(file->path, sizeof file->path, "%s", path);
    file->b = b;
    file->len = len;
}

/* In issued/ first: what nobody has in hand does no harm there, what is not there cannot be revoked
 * by its name. */
static void add_certificate_files(struct made *m, const struct pki *pki, const char *out)
{
    char serial[PKI_SERIAL_MAX + 8], path[PKI_PATH_MAX];

    pki_x509_serial(serial, m->certificate);
    strcat(serial, ".crt");
    pki_path(path, pki->dir, "issued", serial);
    add_file(m, path, m->certificate_pem, m->certificate_len);
    pki_path(path, out, "tls.key", NULL);
    add_file(m, path, m->key_pem, m->key_len);
    pki_path(path, out, "tls.crt", NULL);
    add_file(m, path, m->certificate_pem, m->certificate_len);
}

/* As |leaf| wants it or, if |old| is not NULL, with the names of that one. */
static bool make_certificate(struct made *m, struct pki *pki, const struct pki_leaf *leaf,
                             const X509 *old, struct trouble *trouble)
{
    EVP_PKEY *ca_key = pki_key_authority(pki, trouble), *key;

    if (!ca_key)
        return false;
    key = pki_key_new();
    m->certificate = old ? pki_x509_renewed(old, leaf->days, key, pki->ca, ca_key, trouble)
                         : pki_x509_leaf(leaf, key, pki->ca, ca_key, trouble);
    if (m->certificate) {
        m->certificate_pem = pki_x509_pem(&m->certificate_len, m->certificate);
        m->key_pem = pki_key_pem(&m->key_len, key, NULL);
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return m->certificate != NULL;
}

/* A party's identity */

static bool authority_pair(uint8_t pair[KEY_FILE_PAIR], struct pki *pki, struct trouble *trouble)
{
    EVP_PKEY *key = pki_key_read(pki, "authority.key", trouble);
    uint8_t *seed, public_key[32];
    size_t len = 32;
    bool ok;

    if (!key)
        return false;
    seed = secret_new(KEY_FILE_SEED);
    ok = EVP_PKEY_get_raw_private_key(key, seed, &len) == 1 && len == KEY_FILE_SEED;
    if (ok)
        crypto_sign_seed_keypair(public_key, pair, seed);
    else
        trouble_set(trouble, "authority.key in %s is no Ed25519 key", pki->dir);
    secret_free(seed);
    EVP_PKEY_free(key);
    return ok;
}

/* The public half of identity.key, which is made if it is missing. */
static bool identity_key(uint8_t key[32], struct made *m, const char *out, struct trouble *trouble)
{
    uint8_t *pair = secret_new(KEY_FILE_PAIR);
    char path[PKI_PATH_MAX];
    bool ok = true;

    pki_path(path, out, "identity.key", NULL);
    if (file_exists(path)) {
        ok = key_file_read_pair(pair, path, trouble->text);
    } else {
        crypto_sign_keypair(key, pair);
        m->seed_text = secret_new(SEED_TEXT);
        sodium_bin2hex((char *)m->seed_text, SEED_TEXT, pair, KEY_FILE_SEED);
        strcat((char *)m->seed_text, "\n");
        add_file(m, path, m->seed_text, SEED_TEXT - 1);
    }
    memcpy(key, pair + KEY_FILE_SEED, 32);
    secret_free(pair);
    return ok;
}

static bool is_certified(const char *path, const struct identity *wanted, const uint8_t ca[32],
                         struct trouble *trouble)
{
    Mpc__Session__V1__PartyCertificate *certificate;
    struct identity found;
    struct file file;
    bool ok;

    if (!file_read(&file, path, IDENTITY_MAX, trouble))
        return false;
    certificate = mpc__session__v1__party_certificate__unpack(NULL, file.len, file.b);
    file_free(&file);
    ok = identity_verify(&found, certificate, ca) &&
         strcmp(found.party_id, wanted->party_id) == 0 && strcmp(found.role, wanted->role) == 0 &&
         memcmp(found.key, wanted->key, sizeof found.key) == 0;
    if (certificate)
        mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
    return ok || trouble_set(trouble,
                             "%s is not this authority's certificate of party %s as %s with the "
                             "key in identity.key",
                             path, wanted->party_id, wanted->role);
}

static bool certify(struct made *m, const struct pki_issue *issue, const uint8_t *pair,
                    struct trouble *trouble)
{
    struct identity identity = {0};
    char path[PKI_PATH_MAX];
    size_t len;

    snprintf(identity.party_id, sizeof identity.party_id, "%s", issue->leaf.party);
    snprintf(identity.role, sizeof identity.role, "%s", issue->role);
    if (!identity_key(identity.key, m, issue->out, trouble))
        return false;
    pki_path(path, issue->out, "party.cert", NULL);
    if (file_exists(path))
        return is_certified(path, &identity, pair + KEY_FILE_SEED, trouble);
    m->identity = identity_issue(&len, &identity, pair);
    add_file(m, path, m->identity, len);
    return true;
}

static bool make_identity(struct made *m, struct pki *pki, const struct pki_issue *issue,
                          struct trouble *trouble)
{
    uint8_t *pair = secret_new(KEY_FILE_PAIR);
    bool ok = authority_pair(pair, pki, trouble) && certify(m, issue, pair, trouble);

    secret_free(pair);
    return ok;
}

/* Answers */

static void add_path(json_t *report, const char *key, const char *dir, const char *name)
{
    char path[PKI_PATH_MAX];

    pki_path(path, dir, name, NULL);
    if (file_exists(path))
        report_add(report, key, json_string(path));
}

static json_t *answer(const struct pki *pki, const X509 *certificate, const char *out)
{
    json_t *report = pki_x509_json(certificate);

    add_path(report, "certificate", out, "tls.crt");
    add_path(report, "key", out, "tls.key");
    add_path(report, "identity_key", out, "identity.key");
    add_path(report, "party_certificate", out, "party.cert");
    add_path(report, "ca", pki->dir, "ca.crt");
    add_path(report, "crl", pki->dir, "crl.pem");
    return report;
}

static bool is_free(const char *out, struct trouble *trouble)
{
    static const char *const names[] = {"tls.crt", "tls.key"};
    char path[PKI_PATH_MAX];

    for (size_t i = 0; i < 2; i++) {
        pki_path(path, out, names[i], NULL);
        if (file_exists(path))
            return trouble_set(trouble, "%s exists: quorate pki renew replaces it", path);
    }
    return true;
}

json_t *pki_issue(struct pki *pki, const struct pki_issue *issue, struct trouble *trouble)
{
    struct made m = {.n = 0};
    json_t *report = NULL;
    bool is_new;

    if (!is_free(issue->out, trouble))
        return NULL;
    is_new = mkdir(issue->out, 0700) == 0;
    if (!is_new && errno != EEXIST) {
        trouble_set(trouble, "cannot make the directory %s: %s", issue->out, strerror(errno));
        return NULL;
    }
    if (make_certificate(&m, pki, &issue->leaf, NULL, trouble)) {
        add_certificate_files(&m, pki, issue->out);
        if ((!issue->role || make_identity(&m, pki, issue, trouble)) &&
            pki_files_write(m.file, m.n, trouble))
            report = answer(pki, m.certificate, issue->out);
    }
    if (!report && is_new)
        rmdir(issue->out);
    made_free(&m);
    return report;
}

/* Renewal */

/* Both or none: if the certificate cannot be replaced the old key is put back. */
static bool replace_pair(const struct made *m, struct trouble *trouble)
{
    const struct pki_file *key = &m->file[1], *certificate = &m->file[2];
    struct trouble second;
    struct file old;
    bool ok;

    if (!file_read(&old, key->path, 65536, trouble))
        return false;
    ok = file_replace(key->path, key->b, key->len, trouble);
    if (ok && !file_replace(certificate->path, certificate->b, certificate->len, trouble)) {
        ok = false;
        if (!file_replace(key->path, old.b, old.len, &second))
            trouble_add(trouble, "; and %s", second.text);
    }
    file_free(&old);
    return ok;
}

static bool is_ours(const struct pki *pki, X509 *old, const char *path, struct trouble *trouble)
{
    return X509_verify(old, X509_get0_pubkey(pki->ca)) == 1 ||
           trouble_set(trouble, "%s is not a certificate of the authority in %s", path, pki->dir);
}

static bool write_renewed(struct made *m, struct trouble *trouble)
{
    if (!pki_files_write(m->file, 1, trouble))
        return false;
    if (replace_pair(m, trouble))
        return true;
    unlink(m->file[0].path);
    return false;
}

json_t *pki_renew(struct pki *pki, const char *out, long days, struct trouble *trouble)
{
    const struct pki_leaf leaf = {.days = days};
    struct made m = {.n = 0};
    char path[PKI_PATH_MAX], serial[PKI_SERIAL_MAX];
    json_t *report = NULL;
    X509 *old;

    pki_path(path, out, "tls.crt", NULL);
    old = pki_read_certificate(path, trouble);
    if (!old)
        return NULL;
    if (is_ours(pki, old, path, trouble) && make_certificate(&m, pki, &leaf, old, trouble)) {
        add_certificate_files(&m, pki, out);
        if (write_renewed(&m, trouble)) {
            report = answer(pki, m.certificate, out);
            pki_x509_serial(serial, old);
            report_add(report, "replaced_serial", json_string(serial));
        }
    }
    X509_free(old);
    made_free(&m);
    return report;
}
