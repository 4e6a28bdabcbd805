/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of a token and what is done with them. The id of a key is the hash of what it makes of a
 * fixed text with the nonce of zeroes, which no wrap ever has. */
#include "system/vault/pkcs11_state.h"

#include <sodium.h>
#include <string.h>

enum { NONCE = 12, TAG = 16 };

static const uint8_t zero_nonce[NONCE];

/* |data| of a call; the nonce is the module's to write to. */
struct gcm {
    CK_GCM_PARAMS params;
    CK_MECHANISM mechanism;
    uint8_t nonce[NONCE];
};

static void gcm_init(struct gcm *gcm, const uint8_t nonce[NONCE], const struct wrapping_ad *ad)
{
    memcpy(gcm->nonce, nonce, NONCE);
    gcm->params = (CK_GCM_PARAMS){.pIv = gcm->nonce,
                                  .ulIvLen = NONCE,
                                  .ulIvBits = 8 * NONCE,
                                  .pAAD = (CK_BYTE *)(uintptr_t)ad->b,
                                  .ulAADLen = ad->len,
                                  .ulTagBits = 8 * TAG};
    gcm->mechanism = (CK_MECHANISM){CKM_AES_GCM, &gcm->params, sizeof gcm->params};
}

/* |out|: WRAPPING_PLAIN + TAG bytes. */
static CK_RV encrypt(struct pkcs11 *p, size_t key, struct gcm *gcm, uint8_t *out,
                     const uint8_t plain[WRAPPING_PLAIN])
{
    CK_ULONG len = WRAPPING_PLAIN + TAG;
    CK_RV rv = p->f->C_EncryptInit(p->session, &gcm->mechanism, p->keys[key].handle);

    if (rv == CKR_OK)
        rv = p->f->C_Encrypt(p->session, (CK_BYTE *)(uintptr_t)plain, WRAPPING_PLAIN, out, &len);
    return rv == CKR_OK && len != WRAPPING_PLAIN + TAG ? CKR_GENERAL_ERROR : rv;
}

static CK_RV decrypt(struct pkcs11 *p, size_t key, struct gcm *gcm, uint8_t out[WRAPPING_PLAIN],
                     const uint8_t *text)
{
    /* some modules want room for the tag */
    uint8_t room[WRAPPING_PLAIN + TAG];
    CK_ULONG len = sizeof room;
    CK_RV rv = p->f->C_DecryptInit(p->session, &gcm->mechanism, p->keys[key].handle);

    if (rv == CKR_OK)
        rv = p->f->C_Decrypt(p->session, (CK_BYTE *)(uintptr_t)text, WRAPPING_PLAIN + TAG, room,
                             &len);
    if (rv == CKR_OK && len != WRAPPING_PLAIN)
        rv = CKR_GENERAL_ERROR;
    if (rv == CKR_OK)
        memcpy(out, room, WRAPPING_PLAIN);
    sodium_memzero(room, sizeof room);
    return rv;
}

/* Finding */

static bool flag(struct pkcs11 *p, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, bool fallback)
{
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE attribute = {type, &value, sizeof value};

    return p->f->C_GetAttributeValue(p->session, key, &attribute, 1) == CKR_OK ? value != CK_FALSE
                                                                               : fallback;
}

/* A key whose secret could leave the token protects no more than a file would. What a module does
 * not tell counts against it. */
static bool is_fit(struct pkcs11 *p, CK_OBJECT_HANDLE key, const char *label)
{
    CK_ULONG len = 0;
    CK_ATTRIBUTE attribute = {CKA_VALUE_LEN, &len, sizeof len};

    if (flag(p, key, CKA_EXTRACTABLE, true))
        return pkcs11_fault(p, "the key %s is extractable: make one that cannot leave the token",
                            label);
    if (!flag(p, key, CKA_SENSITIVE, false))
        return pkcs11_fault(p, "the key %s is not sensitive: make one that cannot be read", label);
    if (p->f->C_GetAttributeValue(p->session, key, &attribute, 1) != CKR_OK || len != 32)
        return pkcs11_fault(p, "the key %s is not an AES key of 256 bits", label);
    if (!flag(p, key, CKA_ENCRYPT, false) || !flag(p, key, CKA_DECRYPT, false))
        return pkcs11_fault(p, "the key %s may not encrypt and decrypt", label);
    return true;
}

static bool find_key(struct pkcs11 *p, CK_OBJECT_HANDLE *out, const char *label)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                             {CKA_KEY_TYPE, &type, sizeof type},
                             {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = 0;
    CK_RV rv = p->f->C_FindObjectsInit(p->session, wanted, 3);

    if (rv == CKR_OK) {
        rv = p->f->C_FindObjects(p->session, found, 2, &n);
        (void)p->f->C_FindObjectsFinal(p->session);
    }
    if (rv != CKR_OK)
        return pkcs11_fault(p, "the token's keys cannot be read: error 0x%lx", rv);
    if (n == 0)
        return pkcs11_fault(p, "the token has no AES key labelled %s", label);
    if (n > 1)
        return pkcs11_fault(p, "the token has more than one AES key labelled %s", label);
    *out = found[0];
    return is_fit(p, found[0], label);
}

/* Kept from the first time: a token that comes back with another key under the same label is not
 * the one whose keys these are. */
static bool name_key(struct pkcs11 *p, size_t i)
{
    static const uint8_t text[WRAPPING_PLAIN] = "quorate/vault/pkcs11-key-check/1";
    const struct wrapping_ad ad = {text, sizeof text};
    uint8_t out[WRAPPING_PLAIN + TAG], hash[crypto_hash_sha256_BYTES];
    struct pkcs11_key *key = &p->keys[i];
    struct gcm gcm;
    CK_RV rv;

    gcm_init(&gcm, zero_nonce, &ad);
    rv = encrypt(p, i, &gcm, out, text);
    if (rv != CKR_OK)
        return pkcs11_fault(p, "the key %s cannot do AES-GCM: error 0x%lx", p->params.labels[i],
                            rv);
    if (memcmp(gcm.nonce, zero_nonce, NONCE) != 0)
        return pkcs11_fault(p, "PKCS11_MODULE chooses nonces of its own, which is not supported");
    crypto_hash_sha256(hash, out, sizeof out);
    p->is_lost = key->has_id && memcmp(key->id, hash, sizeof key->id) != 0;
    if (p->is_lost)
        return pkcs11_fault(p, "the key %s is another one than before", p->params.labels[i]);
    memcpy(key->id, hash, sizeof key->id);
    key->has_id = true;
    return true;
}

bool pkcs11_find_keys(struct pkcs11 *p)
{
    for (size_t i = 0; i < p->params.labels_n; i++) {
        if (!find_key(p, &p->keys[i].handle, p->params.labels[i]) || !name_key(p, i))
            return false;
    }
    return true;
}

const uint8_t *pkcs11_id(const struct pkcs11 *p, size_t key)
{
    return p->keys[key].id;
}

/* Wrapping */

/* Nothing to do with the token: the text is not what the key made. */
static bool is_damage(CK_RV rv)
{
    return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static enum vault_result away(struct pkcs11 *p, CK_RV rv)
{
    (void)pkcs11_fault(p, "the token does not answer: error 0x%lx", rv);
    return VAULT_AWAY;
}

static CK_RV try_wrap(struct pkcs11 *p, size_t key, uint8_t *out, const uint8_t *plain,
                      const struct wrapping_ad *ad)
{
    uint8_t nonce[NONCE];
    struct gcm gcm;
    CK_RV rv;

    do
        randombytes_buf(nonce, sizeof nonce);
    while (memcmp(nonce, zero_nonce, NONCE) == 0);
    gcm_init(&gcm, nonce, ad);
    rv = encrypt(p, key, &gcm, out + NONCE, plain);
    memcpy(out, nonce, NONCE);
    return rv;
}

enum vault_result pkcs11_wrap(struct pkcs11 *p, size_t key, uint8_t out[WRAPPING_WRAPPED],
                              const uint8_t plain[WRAPPING_PLAIN], const struct wrapping_ad *ad)
{
    CK_RV rv = CKR_SESSION_HANDLE_INVALID;

    if (p->has_session)
        rv = try_wrap(p, key, out, plain, ad);
    if (rv != CKR_OK) {
        if (!pkcs11_reconnect(p))
            return VAULT_AWAY;
        rv = try_wrap(p, key, out, plain, ad);
    }
    return rv == CKR_OK ? VAULT_OK : away(p, rv);
}

static CK_RV try_unwrap(struct pkcs11 *p, size_t key, uint8_t *out, const uint8_t *wrapped,
                        const struct wrapping_ad *ad)
{
    struct gcm gcm;

    gcm_init(&gcm, wrapped, ad);
    return decrypt(p, key, &gcm, out, wrapped + NONCE);
}

/* Modules say what they like of a wrong tag; one that a fresh session says again is believed. */
enum vault_result pkcs11_unwrap(struct pkcs11 *p, size_t key, uint8_t out[WRAPPING_PLAIN],
                                const uint8_t wrapped[WRAPPING_WRAPPED],
                                const struct wrapping_ad *ad)
{
    CK_RV rv = CKR_SESSION_HANDLE_INVALID;

    memset(out, 0, WRAPPING_PLAIN);
    if (p->has_session)
        rv = try_unwrap(p, key, out, wrapped, ad);
    if (rv != CKR_OK && !is_damage(rv)) {
        if (!pkcs11_reconnect(p))
            return VAULT_AWAY;
        rv = try_unwrap(p, key, out, wrapped, ad);
    }
    if (is_damage(rv) || rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED)
        return VAULT_DAMAGED;
    return rv == CKR_OK ? VAULT_OK : away(p, rv);
}
