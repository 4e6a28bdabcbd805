/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing. Both layers have the same associated data: magic, key check, binding. Data keys are
 * fresh, so their nonces could be fixed; they are random all the same. Random nonces of the wrap
 * allow 2^32 items under one master key. */
#include "system/vault/vault.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/secret.h"

#include <limits.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAGIC_BYTES = 4,
    NONCE = 12,
    KEY = 32,
    TAG = 16,
    AT_CHECK = MAGIC_BYTES,
    AT_WRAP_NONCE = AT_CHECK + VAULT_CHECK_BYTES,
    AT_WRAPPED = AT_WRAP_NONCE + NONCE,
    AT_NONCE = AT_WRAPPED + KEY + TAG,
    AT_TEXT = AT_NONCE + NONCE
};
_Static_assert(AT_TEXT + TAG == VAULT_OVERHEAD, "the layout in vault.h");

static const uint8_t magic[MAGIC_BYTES] = {'Q', 'V', '1', 0};

struct vault {
    EVP_CIPHER *cipher;
    /* guarded */
    uint8_t *master;
    uint8_t check[VAULT_CHECK_BYTES];
};

/* What OpenSSL may refuse here is memory, or being built without the cipher. */
static void must(bool done)
{
    if (done)
        return;
    log_line(LOG_ERROR, "OpenSSL cannot do AES-256-GCM on this machine");
    abort();
}

struct vault *vault_new(uint8_t master[32])
{
    static const char label[] = "quorate/vault/key-check/1";
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    struct vault *vault = mem_new(1, sizeof *vault);

    vault->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    must(vault->cipher != NULL);
    vault->master = secret_new(KEY);
    memcpy(vault->master, master, KEY);
    sodium_memzero(master, KEY);
    crypto_auth_hmacsha256(mac, (const uint8_t *)label, sizeof label, vault->master);
    memcpy(vault->check, mac, sizeof vault->check);
    return vault;
}

void vault_free(struct vault *vault)
{
    if (!vault)
        return;
    secret_free(vault->master);
    EVP_CIPHER_free(vault->cipher);
    free(vault);
}

void vault_check(const struct vault *vault, uint8_t out[VAULT_CHECK_BYTES])
{
    memcpy(out, vault->check, VAULT_CHECK_BYTES);
}

static void add_number(struct buffer *buffer, uint32_t number)
{
    const uint8_t b[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                          (uint8_t)number};

    buffer_add(buffer, b, sizeof b);
}

static void add_text(struct buffer *buffer, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    add_number(buffer, (uint32_t)len);
    buffer_add(buffer, text, len);
}

/* Every part has its length before it, so two bindings never have the same bytes. */
static struct buffer associated_data(const struct vault *vault, const struct vault_binding *binding)
{
    struct buffer out = {0};

    buffer_add(&out, magic, sizeof magic);
    buffer_add(&out, vault->check, sizeof vault->check);
    add_text(&out, binding->kind);
    add_text(&out, binding->account_id);
    add_text(&out, binding->party_id);
    add_number(&out, binding->epoch);
    return out;
}

struct layer {
    const uint8_t *key, *nonce;
    const struct buffer *ad;
};

/* |out|: len bytes, then the tag. */
static void encrypt(const struct vault *vault, uint8_t *out, const struct layer *layer,
                    const uint8_t *b, size_t len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;

    must(ctx && EVP_EncryptInit_ex2(ctx, vault->cipher, layer->key, layer->nonce, NULL) == 1);
    must(EVP_EncryptUpdate(ctx, NULL, &n, layer->ad->b, (int)layer->ad->len) == 1);
    must(len == 0 || EVP_EncryptUpdate(ctx, out, &n, b, (int)len) == 1);
    must(EVP_EncryptFinal_ex(ctx, out + len, &n) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + len) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

/* |b|: len bytes, then the tag. False, and zeroes, unless the tag is right. */
static bool decrypt(const struct vault *vault, uint8_t *out, const struct layer *layer,
                    const uint8_t *b, size_t len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[TAG], end[TAG];
    bool ok;
    int n;

    memcpy(tag, b + len, TAG);
    must(ctx && EVP_DecryptInit_ex2(ctx, vault->cipher, layer->key, layer->nonce, NULL) == 1);
    must(EVP_DecryptUpdate(ctx, NULL, &n, layer->ad->b, (int)layer->ad->len) == 1);
    must(len == 0 || EVP_DecryptUpdate(ctx, out, &n, b, (int)len) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1);
    ok = EVP_DecryptFinal_ex(ctx, end, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok && len)
        sodium_memzero(out, len);
    return ok;
}

void vault_seal(const struct vault *vault, uint8_t *out, const struct vault_binding *binding,
                const uint8_t *b, size_t len)
{
    struct buffer ad = associated_data(vault, binding);
    uint8_t *data_key = secret_new(KEY);

    must(len <= INT_MAX - VAULT_OVERHEAD);
    memcpy(out, magic, sizeof magic);
    memcpy(out + AT_CHECK, vault->check, VAULT_CHECK_BYTES);
    randombytes_buf(out + AT_WRAP_NONCE, NONCE);
    randombytes_buf(out + AT_NONCE, NONCE);
    randombytes_buf(data_key, KEY);
    encrypt(vault, out + AT_WRAPPED, &(struct layer){vault->master, out + AT_WRAP_NONCE, &ad},
            data_key, KEY);
    encrypt(vault, out + AT_TEXT, &(struct layer){data_key, out + AT_NONCE, &ad}, b, len);
    secret_free(data_key);
    buffer_free(&ad);
}

static bool open_layers(const struct vault *vault, uint8_t *out, const struct buffer *ad,
                        const uint8_t *sealed, size_t len)
{
    uint8_t *data_key = secret_new(KEY);
    const struct layer wrap = {vault->master, sealed + AT_WRAP_NONCE, ad};
    const struct layer item = {data_key, sealed + AT_NONCE, ad};
    bool ok = decrypt(vault, data_key, &wrap, sealed + AT_WRAPPED, KEY) &&
              decrypt(vault, out, &item, sealed + AT_TEXT, len);

    secret_free(data_key);
    return ok;
}

enum vault_result vault_open(const struct vault *vault, uint8_t *out,
                             const struct vault_binding *binding, const uint8_t *sealed,
                             size_t sealed_len)
{
    struct buffer ad;
    size_t len;
    bool ok;

    if (sealed_len < VAULT_OVERHEAD || sealed_len > INT_MAX)
        return VAULT_DAMAGED;
    len = sealed_len - VAULT_OVERHEAD;
    if (len)
        memset(out, 0, len);
    if (memcmp(sealed, magic, sizeof magic) != 0)
        return VAULT_DAMAGED;
    if (memcmp(sealed + AT_CHECK, vault->check, VAULT_CHECK_BYTES) != 0)
        return VAULT_OTHER_KEY;
    ad = associated_data(vault, binding);
    ok = open_layers(vault, out, &ad, sealed, len);
    buffer_free(&ad);
    return ok ? VAULT_OK : VAULT_DAMAGED;
}
