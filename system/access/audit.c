/* SPDX-License-Identifier: Apache-2.0 */
/* See audit.h. Nothing here is secret. */
#include "system/access/audit.h"

#include "system/core/be.h"
#include "system/core/ids.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { CHAIN_LEN = 32, HASH_TEXT = 2 * AUDIT_HASH };

const char *const audit_names[AUDIT_FIELDS] = {"caller",     "address", "action",     "object",
                                               "session_id", "outcome", "request_id", "detail"};

static void put(crypto_hash_sha256_state *hash, const char *text)
{
    size_t len = strlen(text);
    uint8_t length[4];

    be_put(length, sizeof length, len);
    crypto_hash_sha256_update(hash, length, sizeof length);
    crypto_hash_sha256_update(hash, (const uint8_t *)text, len);
}

void audit_digest(uint8_t out[AUDIT_HASH], const struct audit_row *row)
{
    crypto_hash_sha256_state hash;
    char at[24];

    snprintf(at, sizeof at, "%" PRId64, row->at_ms);
    crypto_hash_sha256_init(&hash);
    put(&hash, "quorate/audit/1");
    put(&hash, row->chain);
    put(&hash, at);
    for (size_t i = 0; i < AUDIT_FIELDS; i++)
        put(&hash, row->text[i]);
    crypto_hash_sha256_final(&hash, out);
}

void audit_link(uint8_t out[AUDIT_HASH], const uint8_t prev[AUDIT_HASH],
                const uint8_t digest[AUDIT_HASH])
{
    uint8_t both[2 * AUDIT_HASH];

    memcpy(both, prev, AUDIT_HASH);
    memcpy(both + AUDIT_HASH, digest, AUDIT_HASH);
    crypto_hash_sha256(out, both, sizeof both);
}

void audit_head_text(char out[AUDIT_HEAD_TEXT], const struct audit_head *head)
{
    char hash[HASH_TEXT + 1];

    hex_encode(hash, head->hash, AUDIT_HASH);
    snprintf(out, AUDIT_HEAD_TEXT, "%s %" PRId64 " %s", head->chain, head->seq, hash);
}

bool audit_head_next(struct audit_head *out, const char **at)
{
    char chain[CHAIN_LEN + 1], hash[HASH_TEXT + 1];
    int used = 0;

    *at += strspn(*at, ", \n");
    *out = (struct audit_head){0};
    if (sscanf(*at, "%32[0-9a-f] %18" SCNd64 " %64[0-9a-f]%n", chain, &out->seq, hash, &used) !=
            3 ||
        strlen(chain) != CHAIN_LEN || !hex_decode(out->hash, AUDIT_HASH, hash))
        return false;
    memcpy(out->chain, chain, sizeof chain);
    *at += used;
    return true;
}
