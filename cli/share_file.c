/* SPDX-License-Identifier: Apache-2.0 */
/* Share files. The header is encoded and decoded by one list of fields each, in the order of
 * docs/share-file.md; decoding checks ranges, so nothing is derived or allocated from a foreign
 * file. A nonce is random and used once: files are sealed a handful of times per key. */
#include "share_file.h"

#include "file.h"
#include "hex.h"
#include "report.h"

#include "system/core/fields.h"
#include "system/core/secret.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_VERSION = 1, KDF_ARGON2ID = 1, NONCE_BYTES = 12, TAG_BYTES = 16, CHECK_BYTES = 16 };
enum { KDF_PASSES = 3, KDF_MEMORY_KIB = 64 * 1024 };
/* What a file may ask of this machine. */
enum { KDF_PASSES_MAX = 16, KDF_MEMORY_KIB_MAX = 1024 * 1024 };

static const uint8_t magic[8] = {'Q', 'R', 'T', 'S', 'H', 'A', 'R', 'E'};

_Static_assert(8 + 6 + 3 * 2 + 4 + 8 + 3 * 32 + 33 + 3 + 2 * 4 + 16 + CHECK_BYTES + NONCE_BYTES +
                       4 ==
                   SHARE_FILE_HEADER_BYTES,
               "docs/share-file.md");

static uint8_t *put_header(uint8_t *at, const struct share_facts *f, const struct share_key *key,
                           const uint8_t nonce[NONCE_BYTES], size_t sealed_len)
{
    at = fields_put(at, magic, sizeof magic);
    at = fields_put_number(at, FILE_VERSION, 1);
    at = fields_put_number(at, f->pending, 1);
    at = fields_put_number(at, f->suite, 1);
    at = fields_put_number(at, f->profile, 1);
    at = fields_put_number(at, f->flags, 1);
    at = fields_put_number(at, KDF_ARGON2ID, 1);
    at = fields_put_number(at, f->n, 2);
    at = fields_put_number(at, f->t, 2);
    at = fields_put_number(at, f->own, 2);
    at = fields_put_number(at, f->epoch, 4);
    at = fields_put_number(at, f->created, 8);
    at = fields_put(at, f->keyid, 32);
    at = fields_put(at, f->kgid, 32);
    at = fields_put(at, f->identity, 32);
    at = fields_put(at, f->pk.b, 33);
    at = fields_put_number(at, 0, 3);
    at = fields_put_number(at, key->kdf.passes, 4);
    at = fields_put_number(at, key->kdf.memory_kib, 4);
    at = fields_put(at, key->kdf.salt, 16);
    at = fields_put(at, key->check, CHECK_BYTES);
    at = fields_put(at, nonce, NONCE_BYTES);
    return fields_put_number(at, sealed_len, 4);
}

/* False if a field is out of range. */
static bool get_facts(struct fields *in, struct share_facts *f)
{
    uint64_t state = fields_number(in, 1), kdf;

    f->pending = state == 1;
    f->suite = (uint8_t)fields_number(in, 1);
    f->profile = (uint8_t)fields_number(in, 1);
    f->flags = (uint8_t)fields_number(in, 1);
    kdf = fields_number(in, 1);
    f->n = (uint16_t)fields_number(in, 2);
    f->t = (uint16_t)fields_number(in, 2);
    f->own = (uint16_t)fields_number(in, 2);
    f->epoch = (uint32_t)fields_number(in, 4);
    f->created = fields_number(in, 8);
    fields_copy(in, f->keyid, 32);
    fields_copy(in, f->kgid, 32);
    fields_copy(in, f->identity, 32);
    fields_copy(in, f->pk.b, 33);
    return state <= 1 && kdf == KDF_ARGON2ID && f->suite == QRT_SUITE_ECDSA &&
           f->profile == QRT_PROFILE_1 && f->t >= 2 && f->t <= f->n && f->n <= QRT_PARTIES_MAX &&
           f->own >= 1 && f->own <= QRT_INDEX_MAX;
}

static bool get_kdf(struct fields *in, struct share_kdf *kdf)
{
    kdf->passes = (uint32_t)fields_number(in, 4);
    kdf->memory_kib = (uint32_t)fields_number(in, 4);
    fields_copy(in, kdf->salt, 16);
    return kdf->passes >= 1 && kdf->passes <= KDF_PASSES_MAX && kdf->memory_kib >= 8 &&
           kdf->memory_kib <= KDF_MEMORY_KIB_MAX;
}

/* After magic and version. */
static bool get_header(struct fields *in, struct share_file *out)
{
    bool ok = get_facts(in, &out->facts);

    ok &= fields_number(in, 3) == 0;
    ok &= get_kdf(in, &out->kdf);
    out->check = fields_take(in, CHECK_BYTES);
    out->nonce = fields_take(in, NONCE_BYTES);
    out->sealed_len = (size_t)fields_number(in, 4);
    out->sealed = in->b;
    return ok;
}

bool share_file_parse(struct share_file *out, const uint8_t *b, size_t len, const char *name,
                      struct trouble *trouble)
{
    struct fields in = {b, len, false};

    memset(out, 0, sizeof *out);
    out->header = b;
    if (len < sizeof magic || memcmp(fields_take(&in, sizeof magic), magic, sizeof magic) != 0)
        return trouble_set(trouble, "%s is not a share file", name);
    if (len < SHARE_FILE_HEADER_BYTES)
        return trouble_set(trouble, "%s is truncated: it has only %zu bytes", name, len);
    if (fields_number(&in, 1) != FILE_VERSION)
        return trouble_set(trouble, "%s is a share file of a version this program does not know",
                           name);
    if (!get_header(&in, out))
        return trouble_set(trouble, "%s is damaged: a field of its header is out of range", name);
    if (out->sealed_len != len - SHARE_FILE_HEADER_BYTES ||
        out->sealed_len <= IDENTITY_BYTES + TAG_BYTES)
        return trouble_set(trouble, "%s is truncated or has bytes added: it has %zu bytes of %zu",
                           name, len, SHARE_FILE_HEADER_BYTES + out->sealed_len);
    return true;
}

void share_kdf_new(struct share_kdf *out)
{
    out->passes = KDF_PASSES;
    out->memory_kib = KDF_MEMORY_KIB;
    randombytes_buf(out->salt, sizeof out->salt);
}

bool share_key_derive(struct share_key *out, const struct share_kdf *kdf, const char *passphrase,
                      size_t len, struct trouble *trouble)
{
    uint8_t *both = secret_new(sizeof out->key + sizeof out->check);
    int failed =
        crypto_pwhash(both, sizeof out->key + sizeof out->check, passphrase, len, kdf->salt,
                      kdf->passes, (size_t)kdf->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13);

    out->kdf = *kdf;
    memcpy(out->key, both, sizeof out->key);
    memcpy(out->check, both + sizeof out->key, sizeof out->check);
    secret_free(both);
    if (failed)
        return trouble_set(trouble, "not enough memory for Argon2id (%u MiB)",
                           kdf->memory_kib / 1024);
    return true;
}

/* AES-256-GCM, |len| bytes; the tag follows the ciphertext. */
static bool gcm_seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *header,
                     const struct share_key *key)
{
    const uint8_t *nonce = header + SHARE_FILE_HEADER_BYTES - 4 - NONCE_BYTES;
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    int n, m;
    bool ok = gcm && EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key->key, nonce) == 1 &&
              EVP_EncryptUpdate(gcm, NULL, &n, header, SHARE_FILE_HEADER_BYTES) == 1 &&
              EVP_EncryptUpdate(gcm, out, &n, in, (int)len) == 1 && (size_t)n == len &&
              EVP_EncryptFinal_ex(gcm, out + len, &m) == 1 &&
              EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + len) == 1;

    EVP_CIPHER_CTX_free(gcm);
    return ok;
}

static bool gcm_open(uint8_t *out, const struct share_file *file, const struct share_key *key)
{
    size_t len = file->sealed_len - TAG_BYTES;
    uint8_t tag[TAG_BYTES];
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    int n, m;
    bool ok;

    memcpy(tag, file->sealed + len, sizeof tag);
    ok = gcm && EVP_DecryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key->key, file->nonce) == 1 &&
         EVP_DecryptUpdate(gcm, NULL, &n, file->header, SHARE_FILE_HEADER_BYTES) == 1 &&
         EVP_DecryptUpdate(gcm, out, &n, file->sealed, (int)len) == 1 && (size_t)n == len &&
         EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
         EVP_DecryptFinal_ex(gcm, out + len, &m) == 1;
    EVP_CIPHER_CTX_free(gcm);
    return ok;
}

void share_file_seal(struct file *out, const struct share_facts *facts, const struct share_key *key,
                     const struct share_content *content)
{
    size_t sealed_len = content->len + TAG_BYTES;
    uint8_t nonce[NONCE_BYTES];
    uint8_t *at;

    out->len = SHARE_FILE_HEADER_BYTES + sealed_len;
    out->b = secret_new(out->len);
    randombytes_buf(nonce, sizeof nonce);
    at = put_header(out->b, facts, key, nonce, sealed_len);
    if (!gcm_seal(at, content->b, content->len, out->b, key))
        exit(refuse("OpenSSL cannot do AES-256-GCM on this machine"));
}

bool share_file_open(struct share_content *out, const struct share_file *file,
                     const struct share_key *key, const char *name, struct trouble *trouble)
{
    if (sodium_memcmp(key->check, file->check, CHECK_BYTES) != 0)
        return trouble_set(trouble, "wrong passphrase, or the header of %s was changed", name);
    out->len = file->sealed_len - TAG_BYTES;
    out->b = secret_new(out->len);
    if (!gcm_open(out->b, file, key)) {
        share_content_free(out);
        return trouble_set(trouble, "%s was changed after it was sealed", name);
    }
    return true;
}

void share_content_free(struct share_content *content)
{
    secret_free(content->b);
    *content = (struct share_content){0};
}

void share_facts_of(struct share_facts *out, const struct qrt_share *share,
                    const uint8_t identity_pk[32])
{
    memset(out, 0, sizeof *out);
    out->pending = (share->flags & QRT_SHARE_PENDING) != 0;
    out->suite = share->suite;
    out->profile = share->profile;
    out->flags = share->flags;
    out->n = share->n;
    out->t = share->t;
    out->own = share->own;
    out->epoch = share->epoch;
    out->created = share->created;
    memcpy(out->keyid, share->keyid, 32);
    memcpy(out->kgid, share->kgid, 32);
    memcpy(out->pk.b, share->pk, 33);
    memcpy(out->identity, identity_pk, 32);
}

json_t *share_facts_json(const struct share_facts *f)
{
    json_t *json = json_object();

    report_add(json, "state", json_string(f->pending ? "pending" : "active"));
    report_add(json, "suite", json_string("ecdsa-secp256k1"));
    report_add(json, "party", json_integer(f->own));
    report_add(json, "threshold", json_integer(f->t));
    report_add(json, "parties", json_integer(f->n));
    report_add(json, "public_key", hex_json(f->pk.b, 33));
    report_add(json, "key_id", hex_json(f->keyid, 32));
    report_add(json, "kgid", hex_json(f->kgid, 32));
    report_add(json, "epoch", json_integer(f->epoch));
    report_add(json, "created", json_integer((json_int_t)f->created));
    report_add(json, "imported", json_boolean(f->flags & QRT_SHARE_IMPORTED));
    report_add(json, "refresh_required", json_boolean(f->flags & QRT_SHARE_REFRESH_REQUIRED));
    report_add(json, "identity_key", hex_json(f->identity, 32));
    return json;
}
