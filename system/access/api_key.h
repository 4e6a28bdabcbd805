/* SPDX-License-Identifier: Apache-2.0 */
/* The backends' API keys: MPC_API_KEY, which may do everything and is called "default", and the
 * named ones of API_KEYS with their scopes, NAME:SCOPES:DIGEST or NAME:SCOPES:DIGEST:DIGEST. A
 * digest is the key's SHA-256 in hex; both of two are good, while one takes the other's place.
 *
 * Keys are compared by keyed hashes, all of them, in constant time. */
#ifndef SYSTEM_ACCESS_API_KEY_H
#define SYSTEM_ACCESS_API_KEY_H

#include "system/core/config.h"
#include "system/rpc/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { API_KEY_NAME_MAX = 33, API_KEYS_MAX = 64, API_KEY_DIGEST = 32 };

/* What a key may do; a bit each. */
enum {
    /* look at accounts, sessions, parties */
    SCOPE_READ = 0x100,
    /* have signatures made */
    SCOPE_SIGN = 0x200,
    /* make accounts */
    SCOPE_CREATE = 0x400,
    /* everything else: who signs, cancel, orders */
    SCOPE_MANAGE = 0x800,
    SCOPE_ALL = 0xf00
};

/* 1 to 32 of a-z 0-9 . _ - and nobody else's: not "default", not a service, not "party-...". */
bool api_key_name_is_valid(const char *name);
/* "read+sign"; false if a word is none, or there is none. */
bool api_key_scopes(unsigned *out, const char *text);
/* The words of |scopes| with " or " between. */
enum { API_KEY_WORDS_MAX = 48 };
void api_key_words(char out[API_KEY_WORDS_MAX], unsigned scopes);
void api_key_digest(uint8_t out[API_KEY_DIGEST], const char *key);

struct api_keys;

/* NULL with one line that names the variable. */
struct api_keys *api_keys_new(const struct config *config, char error[RPC_TEXT_MAX]);
void api_keys_free(struct api_keys *keys);

struct api_key {
    char name[API_KEY_NAME_MAX];
    unsigned scopes;
    /* which of its name's values, from 1 */
    unsigned value;
    uint8_t hash[API_KEY_DIGEST];
};

/* Lent; NULL: none of ours. |key| may be NULL. */
const struct api_key *api_keys_find(const struct api_keys *keys, const char *key);

#endif
