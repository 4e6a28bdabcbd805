/* SPDX-License-Identifier: Apache-2.0 */
/* The wrapping key of the configuration. Random nonces allow 2^32 wraps under one key. */
#include "system/vault/wrapping.h"

#include "system/core/buffer.h"
#include "system/core/secret.h"
#include "system/vault/aead.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct master {
    struct wrapping base;
    struct aead *aead;
    /* guarded */
    uint8_t *key;
};

static enum vault_result wrap(struct wrapping *self, uint8_t out[WRAPPING_WRAPPED],
                              const uint8_t plain[WRAPPING_PLAIN], const struct wrapping_ad *ad)
{
    const struct master *master = (const struct master *)self;

    randombytes_buf(out, AEAD_NONCE);
    aead_encrypt(master->aead, out + AEAD_NONCE,
                 &(struct aead_layer){master->key, out, ad->b, ad->len}, plain, WRAPPING_PLAIN);
    return VAULT_OK;
}

static enum vault_result unwrap(struct wrapping *self, uint8_t out[WRAPPING_PLAIN],
                                const uint8_t wrapped[WRAPPING_WRAPPED],
                                const struct wrapping_ad *ad)
{
    const struct master *master = (const struct master *)self;
    const struct aead_layer layer = {master->key, wrapped, ad->b, ad->len};

    return aead_decrypt(master->aead, out, &layer, wrapped + AEAD_NONCE, WRAPPING_PLAIN)
               ? VAULT_OK
               : VAULT_DAMAGED;
}

static void free_master(struct wrapping *self)
{
    struct master *master = (struct master *)self;

    secret_free(master->key);
    aead_free(master->aead);
    free(master);
}

struct wrapping *wrapping_master(uint8_t key[WRAPPING_PLAIN])
{
    static const struct wrapping_kind kind = {wrap, unwrap, free_master};
    static const char label[] = "quorate/vault/key-check/1";
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    struct master *master = mem_new(1, sizeof *master);

    master->base.kind = &kind;
    master->aead = aead_new();
    master->key = secret_new(WRAPPING_PLAIN);
    memcpy(master->key, key, WRAPPING_PLAIN);
    sodium_memzero(key, WRAPPING_PLAIN);
    crypto_auth_hmacsha256(mac, (const uint8_t *)label, sizeof label, master->key);
    memcpy(master->base.id, mac, sizeof master->base.id);
    return &master->base;
}

void wrapping_free(struct wrapping *wrapping)
{
    if (wrapping)
        wrapping->kind->free(wrapping);
}
