/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys as PKCS #8 in PEM, which every TLS program reads. Sealed ones are under scrypt with
 * 16 MiB and AES-256-CBC, the hardest that stock OpenSSL opens without being told. */
#include "pki.h"

#include "file.h"

#include "system/core/secret.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FILE_LIMIT = 65536, SCRYPT_N = 16384, SCRYPT_R = 8, SCRYPT_P = 4 };

EVP_PKEY *pki_key_new(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    if (!key)
        exit(refuse("OpenSSL makes no key on this machine"));
    return key;
}

static bool put_sealed(BIO *bio, const EVP_PKEY *key, const char *passphrase)
{
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
    X509_ALGOR *how =
        PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
    X509_SIG *sealed =
        plain && how ? PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), plain, how) : NULL;
    bool ok = sealed && PEM_write_bio_PKCS8(bio, sealed) == 1;

    /* |how| went into |sealed| */
    if (!sealed)
        X509_ALGOR_free(how);
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(plain);
    return ok;
}

uint8_t *pki_key_pem(size_t *len, const EVP_PKEY *key, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok = bio && (passphrase ? put_sealed(bio, key, passphrase)
                                 : PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL,
                                                                 NULL) == 1);
    uint8_t *out;
    char *b;

    if (!ok)
        exit(refuse("OpenSSL cannot write a key on this machine"));
    *len = (size_t)BIO_get_mem_data(bio, &b);
    out = secret_new(*len);
    memcpy(out, b, *len);
    BIO_free(bio);
    return out;
}

struct opening {
    struct pki *pki;
    struct trouble *trouble;
    /* it was asked for, and there is none */
    bool has_none;
};

/* OpenSSL's question, when a key turns out to be sealed. */
static int give_passphrase(char *out, int cap, int writes, void *arg)
{
    struct opening *o = arg;
    size_t len;

    (void)writes;
    if (!o->pki->passphrase)
        o->pki->passphrase =
            pki_passphrase(o->pki->passphrase_file, PKI_AUTHORITY, false, o->trouble);
    o->has_none = !o->pki->passphrase;
    len = o->has_none ? 0 : strlen(o->pki->passphrase);
    if (o->has_none || len > (size_t)cap)
        return -1;
    memcpy(out, o->pki->passphrase, len);
    return (int)len;
}

EVP_PKEY *pki_key_read(struct pki *pki, const char *name, struct trouble *trouble)
{
    struct opening opening = {pki, trouble, false};
    char path[PKI_PATH_MAX];
    struct file file;
    EVP_PKEY *key;
    BIO *bio;

    pki_path(path, pki->dir, name, NULL);
    if (!file_read(&file, path, KEY_FILE_LIMIT, trouble))
        return NULL;
    bio = BIO_new_mem_buf(file.b, (int)file.len);
    key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &opening);
    BIO_free(bio);
    file_free(&file);
    ERR_clear_error();
    if (!key && !opening.has_none)
        trouble_set(trouble,
                    pki->passphrase ? "the passphrase does not open %s"
                                    : "%s is no private key in PEM form",
                    path);
    return key;
}

EVP_PKEY *pki_key_authority(struct pki *pki, struct trouble *trouble)
{
    EVP_PKEY *key = pki_key_read(pki, "ca.key", trouble);

    if (!key || X509_check_private_key(pki->ca, key) == 1)
        return key;
    ERR_clear_error();
    EVP_PKEY_free(key);
    trouble_set(trouble, "ca.key in %s is not the key of ca.crt", pki->dir);
    return NULL;
}
