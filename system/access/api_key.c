/* SPDX-License-Identifier: Apache-2.0 */
/* See api_key.h. Everything is in guarded memory: MPC_API_KEY may be short enough to be guessed
 * from its digest. */
#include "system/access/api_key.h"

#include "system/core/ids.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { VALUES_MAX = 2, ENTRY_MAX = 300 };

struct api_keys {
    uint8_t hash_key[32];
    size_t n;
    struct api_key key[VALUES_MAX * (API_KEYS_MAX + 1)];
};

static const struct {
    const char *word;
    unsigned bit;
} words[] = {
    {"read", SCOPE_READ}, {"sign", SCOPE_SIGN}, {"create", SCOPE_CREATE}, {"manage", SCOPE_MANAGE}};

enum { WORDS_N = sizeof words / sizeof words[0] };

/* Who calls with something else than a key of API_KEYS has these names, and what is kept by the
 * caller's name is his. */
static bool is_reserved(const char *name)
{
    static const char *const others[] = {"default",      "account-service",  "message-router",
                                         "server-party", "server-party-api", "session-coordinator"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return true;
    return strncmp(name, "party-", 6) == 0;
}

bool api_key_name_is_valid(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return len > 0 && len < API_KEY_NAME_MAX && !name[len] && !is_reserved(name);
}

static unsigned bit_of(const char *word, size_t len)
{
    for (size_t i = 0; i < WORDS_N; i++)
        if (strlen(words[i].word) == len && memcmp(words[i].word, word, len) == 0)
            return words[i].bit;
    return 0;
}

bool api_key_scopes(unsigned *out, const char *text)
{
    *out = 0;
    for (;;) {
        size_t len = strcspn(text, "+");
        unsigned bit = bit_of(text, len);

        if (bit == 0)
            return false;
        *out |= bit;
        if (!text[len])
            return true;
        text += len + 1;
    }
}

void api_key_words(char out[API_KEY_WORDS_MAX], unsigned scopes)
{
    size_t at = 0;

    out[0] = 0;
    for (size_t i = 0; i < WORDS_N; i++)
        if (scopes & words[i].bit)
            at += (size_t)snprintf(out + at, API_KEY_WORDS_MAX - at, "%s%s", at ? " or " : "",
                                   words[i].word);
}

void api_key_digest(uint8_t out[API_KEY_DIGEST], const char *key)
{
    crypto_hash_sha256(out, (const uint8_t *)key, strlen(key));
}

static void hash(uint8_t out[API_KEY_DIGEST], const struct api_keys *keys,
                 const uint8_t digest[API_KEY_DIGEST])
{
    crypto_generichash(out, API_KEY_DIGEST, digest, API_KEY_DIGEST, keys->hash_key,
                       sizeof keys->hash_key);
}

/* False: somebody has it already. */
static bool add(struct api_keys *keys, const struct api_key *like,
                const uint8_t digest[API_KEY_DIGEST])
{
    struct api_key *key = &keys->key[keys->n];

    *key = *like;
    hash(key->hash, keys, digest);
    for (size_t i = 0; i < keys->n; i++)
        if (memcmp(keys->key[i].hash, key->hash, sizeof key->hash) == 0)
            return false;
    keys->n++;
    return true;
}

static bool load_default(struct api_keys *keys, const struct config *config,
                         char error[RPC_TEXT_MAX])
{
    size_t n = config_list_n(config, "MPC_API_KEY");
    struct api_key like = {.name = "default", .scopes = SCOPE_ALL};
    uint8_t digest[API_KEY_DIGEST];

    if (n < 1 || n > VALUES_MAX) {
        snprintf(error, RPC_TEXT_MAX, "MPC_API_KEY must be one key, or two while rotating");
        return false;
    }
    for (like.value = 1; like.value <= n; like.value++) {
        api_key_digest(digest, config_list_item(config, "MPC_API_KEY", like.value - 1));
        (void)add(keys, &like, digest); /* twice the same is one */
    }
    sodium_memzero(digest, sizeof digest);
    return true;
}

static bool is_taken(const struct api_keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->n; i++)
        if (strcmp(keys->key[i].name, name) == 0)
            return true;
    return false;
}

static const char *add_digests(struct api_keys *keys, struct api_key *like, const char *digests)
{
    uint8_t digest[API_KEY_DIGEST];
    char one[2 * API_KEY_DIGEST + 1];

    for (like->value = 1; like->value <= VALUES_MAX; like->value++) {
        size_t len = strcspn(digests, ":");

        snprintf(one, sizeof one, "%.*s", len < sizeof one ? (int)len : 0, digests);
        if (!hex_decode(digest, sizeof digest, one))
            return "a digest is the SHA-256 of a key in 64 hex digits";
        if (!add(keys, like, digest))
            return "its digest stands there twice";
        if (!digests[len])
            return NULL;
        digests += len + 1;
    }
    return "a name has one digest, or two while rotating";
}

/* What is wrong with NAME:SCOPES:DIGEST...; NULL: nothing. Of |entry| the name is left, "" if there
 * is none. */
static const char *add_entry(struct api_keys *keys, char entry[ENTRY_MAX])
{
    struct api_key like = {.value = 1};
    char *scopes = strchr(entry, ':'), *digests = scopes ? strchr(scopes + 1, ':') : NULL;

    if (!digests) {
        entry[scopes ? scopes - entry : 0] = 0;
        return "it must be NAME:SCOPES:DIGEST, as quorate key new prints it";
    }
    *scopes++ = 0;
    *digests++ = 0;
    if (!api_key_name_is_valid(entry))
        return "a name is 1 to 32 of a-z 0-9 . _ - and neither default, nor a service's, nor"
               " begins with party-";
    if (is_taken(keys, entry))
        return "the name stands there twice";
    if (!api_key_scopes(&like.scopes, scopes))
        return "scopes are read, sign, create, manage, with + between";
    memcpy(like.name, entry, strlen(entry) + 1);
    return add_digests(keys, &like, digests);
}

/* The entry's name only if it can be one: somebody may have written the key itself there. */
static void tell(char error[RPC_TEXT_MAX], size_t number, const char *entry, const char *wrong)
{
    if (api_key_name_is_valid(entry))
        snprintf(error, RPC_TEXT_MAX, "API_KEYS: entry %zu (%s): %s", number, entry, wrong);
    else
        snprintf(error, RPC_TEXT_MAX, "API_KEYS: entry %zu: %s", number, wrong);
}

/* Items of the list may hold several entries, with blanks between. */
static bool load_named(struct api_keys *keys, const struct config *config, char error[RPC_TEXT_MAX])
{
    size_t n = config_list_n(config, "API_KEYS"), entries = 0;

    for (size_t i = 0; i < n; i++)
        for (const char *at = config_list_item(config, "API_KEYS", i); *at; at += strspn(at, " ")) {
            size_t len = strcspn(at, " ");
            char entry[ENTRY_MAX];
            const char *wrong;

            snprintf(entry, sizeof entry, "%.*s", len < sizeof entry ? (int)len : 0, at);
            wrong = ++entries > API_KEYS_MAX ? "there are too many" : add_entry(keys, entry);
            at += len;
            if (!wrong)
                continue;
            tell(error, entries, entry, wrong);
            return false;
        }
    return true;
}

struct api_keys *api_keys_new(const struct config *config, char error[RPC_TEXT_MAX])
{
    struct api_keys *keys = secret_new(sizeof *keys);

    memset(keys, 0, sizeof *keys);
    randombytes_buf(keys->hash_key, sizeof keys->hash_key);
    if (load_default(keys, config, error) && load_named(keys, config, error))
        return keys;
    api_keys_free(keys);
    return NULL;
}

void api_keys_free(struct api_keys *keys)
{
    secret_free(keys);
}

const struct api_key *api_keys_find(const struct api_keys *keys, const char *key)
{
    uint8_t digest[API_KEY_DIGEST];
    const struct api_key *found = NULL;

    if (!key)
        return NULL;
    api_key_digest(digest, key);
    hash(digest, keys, digest);
    for (size_t i = 0; i < keys->n; i++)
        if (sodium_memcmp(digest, keys->key[i].hash, sizeof digest) == 0)
            found = &keys->key[i];
    sodium_memzero(digest, sizeof digest);
    return found;
}
