/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM by OpenSSL's EVP, one context for each call. */
#include "system/vault/aead.h"

#include "system/core/buffer.h"
#include "system/core/log.h"

#include <limits.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct aead {
    EVP_CIPHER *cipher;
};

static void must(bool done)
{
    if (done)
        return;
    log_line(LOG_ERROR, "OpenSSL cannot do AES-256-GCM on this machine");
    abort();
}

struct aead *aead_new(void)
{
    struct aead *aead = mem_new(1, sizeof *aead);

    aead->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    must(aead->cipher != NULL);
    return aead;
}

void aead_free(struct aead *aead)
{
    if (!aead)
        return;
    EVP_CIPHER_free(aead->cipher);
    free(aead);
}

void aead_encrypt(const struct aead *aead, uint8_t *out, const struct aead_layer *layer,
                  const uint8_t *b, size_t len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;

    must(len <= INT_MAX && layer->ad_len <= INT_MAX);
    must(ctx && EVP_EncryptInit_ex2(ctx, aead->cipher, layer->key, layer->nonce, NULL) == 1);
    must(EVP_EncryptUpdate(ctx, NULL, &n, layer->ad, (int)layer->ad_len) == 1);
    must(len == 0 || EVP_EncryptUpdate(ctx, out, &n, b, (int)len) == 1);
    must(EVP_EncryptFinal_ex(ctx, out + len, &n) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, out + len) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

bool aead_decrypt(const struct aead *aead, uint8_t *out, const struct aead_layer *layer,
                  const uint8_t *b, size_t len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[AEAD_TAG], end[AEAD_TAG];
    bool ok;
    int n;

    memcpy(tag, b + len, AEAD_TAG);
    must(len <= INT_MAX && layer->ad_len <= INT_MAX);
    must(ctx && EVP_DecryptInit_ex2(ctx, aead->cipher, layer->key, layer->nonce, NULL) == 1);
    must(EVP_DecryptUpdate(ctx, NULL, &n, layer->ad, (int)layer->ad_len) == 1);
    must(len == 0 || EVP_DecryptUpdate(ctx, out, &n, b, (int)len) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tag) == 1);
    ok = EVP_DecryptFinal_ex(ctx, end, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok && len)
        sodium_memzero(out, len);
    return ok;
}
