/* SPDX-License-Identifier: Apache-2.0 */
#include "services/account/repeat.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 20000, KEEP_MS = 24 * 3600 * 1000, ID_LEN = ID_TEXT_MAX - 1, TAG_BYTES = 32 };

struct repeats {
    struct cache *cache;
    /* guarded */
    uint8_t *key;
};

/* As it is in the cache. */
struct entry {
    char id[ID_LEN];
    uint8_t tag[TAG_BYTES];
};

enum { NAME_BYTES = 32, NAME_TEXT = 2 * NAME_BYTES + 1 };

struct repeats *repeats_new(const char *secret, struct redis *redis)
{
    static const char purpose[] = "quorate: hints of repeated requests";
    struct repeats *repeats = mem_new(1, sizeof *repeats);
    crypto_generichash_state hash;

    repeats->key = secret_new(32);
    crypto_generichash_init(&hash, NULL, 0, 32);
    crypto_generichash_update(&hash, (const uint8_t *)purpose, sizeof purpose);
    crypto_generichash_update(&hash, (const uint8_t *)secret, strlen(secret));
    crypto_generichash_final(&hash, repeats->key, 32);
    sodium_memzero(&hash, sizeof hash);
    repeats->cache = cache_new(ENTRIES);
    cache_share(repeats->cache, redis, "account-repeat");
    return repeats;
}

void repeats_free(struct repeats *repeats)
{
    if (!repeats)
        return;
    cache_free(repeats->cache);
    secret_free(repeats->key);
    free(repeats);
}

static void name_of(char out[NAME_TEXT], const struct repeats *repeats, const struct repeat *repeat)
{
    uint8_t name[NAME_BYTES];
    crypto_generichash_state hash;

    crypto_generichash_init(&hash, repeats->key, 32, sizeof name);
    crypto_generichash_update(&hash, (const uint8_t *)repeat->scope, strlen(repeat->scope) + 1);
    crypto_generichash_update(&hash, (const uint8_t *)repeat->idempotency_key,
                              strlen(repeat->idempotency_key) + 1);
    crypto_generichash_final(&hash, name, sizeof name);
    hex_encode(out, name, sizeof name);
}

/* What is hashed has a length of its own, so that it never is the input of a name. */
static void tag_of(uint8_t out[TAG_BYTES], const struct repeats *repeats,
                   const char name[NAME_TEXT], const uint8_t request[32], const char *id)
{
    uint8_t in[NAME_TEXT + 32 + ID_LEN];

    memcpy(in, name, NAME_TEXT);
    memcpy(in + NAME_TEXT, request, 32);
    memcpy(in + NAME_TEXT + 32, id, ID_LEN);
    crypto_generichash(out, TAG_BYTES, in, sizeof in, repeats->key, 32);
}

struct finding {
    const struct repeats *repeats;
    char name[NAME_TEXT];
    uint8_t request[32];
    repeat_found *done;
    void *arg;
};

static void found(void *arg, const void *b, size_t len)
{
    struct finding *finding = arg;
    char id[ID_TEXT_MAX] = "";
    uint8_t tag[TAG_BYTES];
    struct entry entry;

    if (b && len == sizeof entry) {
        memcpy(&entry, b, sizeof entry);
        tag_of(tag, finding->repeats, finding->name, finding->request, entry.id);
        if (sodium_memcmp(tag, entry.tag, sizeof tag) == 0)
            memcpy(id, entry.id, ID_LEN);
    }
    finding->done(finding->arg, id[0] ? id : NULL);
    free(finding);
}

void repeat_find(struct repeats *repeats, const struct repeat *repeat, repeat_found *done,
                 void *arg)
{
    struct finding *finding = mem_new(1, sizeof *finding);

    *finding = (struct finding){.repeats = repeats, .done = done, .arg = arg};
    name_of(finding->name, repeats, repeat);
    memcpy(finding->request, repeat->request, sizeof finding->request);
    cache_lookup(repeats->cache, finding->name, found, finding);
}

void repeat_note(struct repeats *repeats, const struct repeat *repeat, const char *id)
{
    char name[NAME_TEXT];
    struct entry entry;

    if (strlen(id) != ID_LEN)
        return;
    name_of(name, repeats, repeat);
    memcpy(entry.id, id, ID_LEN);
    tag_of(entry.tag, repeats, name, repeat->request, id);
    cache_publish(repeats->cache, name, &entry, sizeof entry, KEEP_MS);
}
