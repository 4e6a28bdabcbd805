/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing. The wrapped key is bound to magic, wrapping key's id and binding; the text to origin and
 * binding, which are the same bytes in the first format. Data keys are fresh, so their nonces could
 * be fixed; they are random all the same. */
#include "system/vault/vault.h"

#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/secret.h"
#include "system/vault/aead.h"

#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAGIC_BYTES = 4,
    AT_CHECK = MAGIC_BYTES,
    /* magic and id; also the origin of an item of the first format */
    HEAD = AT_CHECK + VAULT_CHECK_BYTES,
    AT_WRAPPED = HEAD,
    AT_ORIGIN = AT_WRAPPED + WRAPPING_WRAPPED,
    TEXT_MIN = AEAD_NONCE + AEAD_TAG,
    OVERHEAD_1 = AT_ORIGIN + TEXT_MIN,
};
_Static_assert(AT_ORIGIN + HEAD + TEXT_MIN == VAULT_OVERHEAD, "the layout in vault.h");
_Static_assert(OVERHEAD_1 + VAULT_GROWTH == VAULT_OVERHEAD, "the first format is so much shorter");

static const uint8_t magic_1[MAGIC_BYTES] = {'Q', 'V', '1', 0};
/* What is sealed now, and its origin. */
static const uint8_t magic[HEAD] = {'Q', 'V', '2', 0};

struct vault {
    struct aead *aead;
    struct wrapping *current, *next;
};

struct vault *vault_of_keys(struct wrapping *current, struct wrapping *next)
{
    struct vault *vault = mem_new(1, sizeof *vault);

    *vault = (struct vault){aead_new(), current, next};
    return vault;
}

struct vault *vault_new(uint8_t master[32])
{
    return vault_of_keys(wrapping_master(master), NULL);
}

void vault_free(struct vault *vault)
{
    if (!vault)
        return;
    wrapping_free(vault->current);
    wrapping_free(vault->next);
    aead_free(vault->aead);
    free(vault);
}

void vault_check(const struct vault *vault, uint8_t out[VAULT_CHECK_BYTES])
{
    memcpy(out, vault->current->id, VAULT_CHECK_BYTES);
}

bool vault_next_check(const struct vault *vault, uint8_t out[VAULT_CHECK_BYTES])
{
    if (vault->next)
        memcpy(out, vault->next->id, VAULT_CHECK_BYTES);
    return vault->next != NULL;
}

static struct wrapping *newest(const struct vault *vault)
{
    return vault->next ? vault->next : vault->current;
}

/* The key that an item names, or NULL. */
static struct wrapping *named(const struct vault *vault, const uint8_t id[VAULT_CHECK_BYTES])
{
    if (memcmp(id, vault->current->id, VAULT_CHECK_BYTES) == 0)
        return vault->current;
    if (vault->next && memcmp(id, vault->next->id, VAULT_CHECK_BYTES) == 0)
        return vault->next;
    return NULL;
}

/* Associated data */

static void add_number(struct buffer *buffer, uint32_t number)
{
    uint8_t b[4];

    be_put(b, sizeof b, number);
    buffer_add(buffer, b, sizeof b);
}

static void add_text(struct buffer *buffer, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    add_number(buffer, (uint32_t)len);
    buffer_add(buffer, text, len);
}

/* |head|, then the binding. Every part has its length before it, so two bindings never have the
 * same bytes. */
static struct buffer bound(const uint8_t head[HEAD], const struct vault_binding *binding)
{
    struct buffer out = {0};

    buffer_add(&out, head, HEAD);
    add_text(&out, binding->kind);
    add_text(&out, binding->account_id);
    add_text(&out, binding->party_id);
    add_number(&out, binding->epoch);
    return out;
}

/* Wrapped keys; |head| is the beginning of the item. */

static enum vault_result wrap(struct wrapping *key, uint8_t out[WRAPPING_WRAPPED],
                              const uint8_t head[HEAD], const struct vault_binding *binding,
                              const uint8_t *data_key)
{
    struct buffer ad = bound(head, binding);
    enum vault_result result =
        key->kind->wrap(key, out, data_key, &(struct wrapping_ad){ad.b, ad.len});

    buffer_free(&ad);
    return result;
}

static enum vault_result unwrap(const struct vault *vault, uint8_t *data_key,
                                const struct vault_binding *binding, const uint8_t *sealed)
{
    struct wrapping *key = named(vault, sealed + AT_CHECK);
    struct buffer ad;
    enum vault_result result;

    if (!key)
        return VAULT_OTHER_KEY;
    ad = bound(sealed, binding);
    result =
        key->kind->unwrap(key, data_key, sealed + AT_WRAPPED, &(struct wrapping_ad){ad.b, ad.len});
    buffer_free(&ad);
    return result;
}

enum vault_result vault_seal(const struct vault *vault, uint8_t *out,
                             const struct vault_binding *binding, const uint8_t *b, size_t len)
{
    uint8_t *data_key = secret_new(AEAD_KEY), *text = out + AT_ORIGIN + HEAD;
    struct buffer ad = bound(magic, binding);
    struct wrapping *key = newest(vault);
    enum vault_result result;

    memcpy(out, magic, MAGIC_BYTES);
    memcpy(out + AT_CHECK, key->id, VAULT_CHECK_BYTES);
    memcpy(out + AT_ORIGIN, magic, HEAD);
    randombytes_buf(data_key, AEAD_KEY);
    randombytes_buf(text, AEAD_NONCE);
    result = wrap(key, out + AT_WRAPPED, out, binding, data_key);
    if (result == VAULT_OK)
        aead_encrypt(vault->aead, text + AEAD_NONCE,
                     &(struct aead_layer){data_key, text, ad.b, ad.len}, b, len);
    secret_free(data_key);
    buffer_free(&ad);
    return result;
}

/* An item's parts. */
struct parts {
    const uint8_t *origin, *text;
    /* without nonce and tag */
    size_t len;
};

static bool take_apart(struct parts *out, const uint8_t *sealed, size_t sealed_len)
{
    if (sealed_len < OVERHEAD_1 || sealed_len > INT_MAX)
        return false;
    if (memcmp(sealed, magic_1, MAGIC_BYTES) == 0) {
        *out = (struct parts){sealed, sealed + AT_ORIGIN, sealed_len - OVERHEAD_1};
        return true;
    }
    if (memcmp(sealed, magic, MAGIC_BYTES) != 0 || sealed_len < VAULT_OVERHEAD)
        return false;
    *out =
        (struct parts){sealed + AT_ORIGIN, sealed + AT_ORIGIN + HEAD, sealed_len - VAULT_OVERHEAD};
    return true;
}

bool vault_plain_len(size_t *len, const uint8_t *sealed, size_t sealed_len)
{
    struct parts parts;

    if (!take_apart(&parts, sealed, sealed_len))
        return false;
    *len = parts.len;
    return true;
}

enum vault_result vault_open(const struct vault *vault, uint8_t *out,
                             const struct vault_binding *binding, const uint8_t *sealed,
                             size_t sealed_len)
{
    struct parts parts;
    enum vault_result result;
    struct buffer ad;
    uint8_t *data_key;

    if (!take_apart(&parts, sealed, sealed_len))
        return VAULT_DAMAGED;
    if (parts.len)
        memset(out, 0, parts.len);
    data_key = secret_new(AEAD_KEY);
    ad = bound(parts.origin, binding);
    result = unwrap(vault, data_key, binding, sealed);
    if (result == VAULT_OK &&
        !aead_decrypt(vault->aead, out, &(struct aead_layer){data_key, parts.text, ad.b, ad.len},
                      parts.text + AEAD_NONCE, parts.len))
        result = VAULT_DAMAGED;
    secret_free(data_key);
    buffer_free(&ad);
    return result;
}

/* The new head, under which the data key unwraps again. |keys|: room for two data keys. */
static enum vault_result rewrap_head(const struct vault *vault, uint8_t *out,
                                     const struct vault_binding *binding, const uint8_t *sealed,
                                     uint8_t *keys)
{
    struct wrapping *key = newest(vault);
    enum vault_result result = unwrap(vault, keys, binding, sealed);

    memcpy(out, magic, MAGIC_BYTES);
    memcpy(out + AT_CHECK, key->id, VAULT_CHECK_BYTES);
    if (result == VAULT_OK)
        result = wrap(key, out + AT_WRAPPED, out, binding, keys);
    if (result == VAULT_OK)
        result = unwrap(vault, keys + AEAD_KEY, binding, out);
    if (result == VAULT_OK && sodium_memcmp(keys, keys + AEAD_KEY, AEAD_KEY) != 0)
        result = VAULT_AWAY;
    return result;
}

enum vault_result vault_rewrap(const struct vault *vault, uint8_t *out, size_t *out_len,
                               const struct vault_binding *binding, const struct vault_item *item)
{
    struct parts parts;
    enum vault_result result;
    uint8_t *keys;

    *out_len = 0;
    if (!take_apart(&parts, item->b, item->len))
        return VAULT_DAMAGED;
    keys = secret_new(2 * AEAD_KEY);
    result = rewrap_head(vault, out, binding, item->b, keys);
    secret_free(keys);
    if (result != VAULT_OK)
        return result;
    memcpy(out + AT_ORIGIN, parts.origin, HEAD);
    memcpy(out + AT_ORIGIN + HEAD, parts.text, parts.len + TEXT_MIN);
    *out_len = parts.len + VAULT_OVERHEAD;
    return VAULT_OK;
}
