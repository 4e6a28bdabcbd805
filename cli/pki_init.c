/* SPDX-License-Identifier: Apache-2.0 */
/* A new authority. It is made under another name beside its place and moved there by rename(2),
 * which replaces nothing but an empty directory. */
#include "pki.h"

#include "file.h"

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

enum { FILES = 5, PAIR = 64, PUBLIC_TEXT = 2 * 32 + 2 };

static const char *const names[FILES] = {"ca.crt", "ca.key", "authority.key", "authority.pub",
                                         "crl.pem"};

struct making {
    uint8_t *bytes[FILES];
    size_t len[FILES];
};

static void make_authority(struct making *m, const struct pki_init *init)
{
    EVP_PKEY *key = pki_key_new();
    X509 *ca = pki_x509_authority(key, init->name, init->days);

    m->bytes[0] = pki_x509_pem(&m->len[0], ca);
    m->bytes[1] = pki_key_pem(&m->len[1], key, init->passphrase);
    m->bytes[4] = pki_crl_make(&m->len[4], NULL, NULL, 0, ca, key);
    X509_free(ca);
    EVP_PKEY_free(key);
}

static void make_identity_authority(struct making *m, const struct pki_init *init)
{
    uint8_t *pair = secret_new(PAIR), public_key[32];
    char *text = malloc(PUBLIC_TEXT);
    EVP_PKEY *key;

    if (init->authority)
        memcpy(pair, init->authority, PAIR);
    else
        crypto_sign_keypair(public_key, pair);
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, pair, 32);
    if (!key || !text)
        exit(refuse("OpenSSL makes no Ed25519 key on this machine"));
    m->bytes[2] = pki_key_pem(&m->len[2], key, init->passphrase);
    sodium_bin2hex(text, PUBLIC_TEXT, pair + 32, 32);
    strcat(text, "\n");
    m->bytes[3] = (uint8_t *)text;
    m->len[3] = strlen(text);
    EVP_PKEY_free(key);
    secret_free(pair);
}

static bool write_all(const char *dir, const struct making *m, struct trouble *trouble)
{
    char path[PKI_PATH_MAX];

    for (size_t i = 0; i < FILES; i++) {
        pki_path(path, dir, names[i], NULL);
        if (!file_write_new(path, m->bytes[i], m->len[i], trouble))
            return false;
    }
    pki_path(path, dir, "issued", NULL);
    return mkdir(path, 0700) == 0 ||
           trouble_set(trouble, "cannot make the directory %s: %s", path, strerror(errno));
}

static void remove_all(const char *dir)
{
    char path[PKI_PATH_MAX];

    for (size_t i = 0; i < FILES; i++) {
        pki_path(path, dir, names[i], NULL);
        unlink(path);
    }
    pki_path(path, dir, "issued", NULL);
    rmdir(path);
    rmdir(dir);
}

static bool take_place(const char *made, const char *dir, struct trouble *trouble)
{
    if (rename(made, dir) == 0)
        return true;
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
        return trouble_set(trouble, "%s exists and is not empty: nothing is overwritten", dir);
    return trouble_set(trouble, "cannot make the directory %s: %s", dir, strerror(errno));
}

static bool place(const char *dir, const struct making *m, struct trouble *trouble)
{
    char made[PKI_PATH_MAX];

    snprintf(made, sizeof made, "%.*s.new-XXXXXX", PKI_DIR_MAX, dir);
    if (!mkdtemp(made))
        return trouble_set(trouble, "cannot make the directory %s: %s", dir, strerror(errno));
    if (write_all(made, m, trouble) && take_place(made, dir, trouble))
        return true;
    remove_all(made);
    return false;
}

bool pki_init(const struct pki_init *init, struct trouble *trouble)
{
    struct making m = {.len = {0}};
    bool ok;

    if (strlen(init->dir) >= PKI_DIR_MAX)
        return trouble_set(trouble, "the name of the directory %s is too long", init->dir);
    make_authority(&m, init);
    make_identity_authority(&m, init);
    ok = place(init->dir, &m, trouble);
    free(m.bytes[0]);
    secret_free(m.bytes[1]);
    secret_free(m.bytes[2]);
    free(m.bytes[3]);
    free(m.bytes[4]);
    return ok;
}
