/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of a public key. Ethereum and Tron hash the uncompressed point with Keccak-256 and keep
 * 20 bytes; Bitcoin hashes the compressed point with SHA-256, then RIPEMD-160. All public. */
#include "quorate/address.h"

#include "base/assert.h"
#include "hash/sha256.h"
#include "key/base58.h"
#include "key/bech32.h"
#include "key/ripemd160.h"

#include <string.h>

enum { VERSION_P2PKH = 0x00, VERSION_TRON = 0x41, HASH = 20 };

_Static_assert(QRT_BASE58_MAX <= QRT_ADDRESS_MAX && QRT_BECH32_MAX <= QRT_ADDRESS_MAX,
               "every form fits");

static const char *const names[QRT_ADDRESS_KINDS] = {
    [QRT_ADDRESS_ETHEREUM] = "ethereum",
    [QRT_ADDRESS_BITCOIN_P2WPKH] = "bitcoin_p2wpkh",
    [QRT_ADDRESS_BITCOIN_P2PKH] = "bitcoin_p2pkh",
    [QRT_ADDRESS_TRON] = "tron",
};

const char *qrt_address_name(enum qrt_address_kind kind)
{
    qrt_assert((unsigned)kind < QRT_ADDRESS_KINDS);
    return names[kind];
}

/* The last 20 bytes of Keccak-256 over x and y. */
static void account_hash(uint8_t out[HASH], const struct qrt_ctx *ctx,
                         const secp256k1_pubkey *point)
{
    uint8_t b[65], hash[32];
    size_t len = sizeof b;

    qrt_assert(secp256k1_ec_pubkey_serialize(ctx->secp, b, &len, point, SECP256K1_EC_UNCOMPRESSED));
    qrt_keccak256(hash, b + 1, 64);
    memcpy(out, hash + 12, HASH);
}

static void key_hash(uint8_t out[HASH], const struct qrt_ctx *ctx, const struct qrt_pubkey *pk)
{
    uint8_t hash[32];

    qrt_sha256(ctx, hash, pk->b, sizeof pk->b);
    qrt_ripemd160(out, hash, sizeof hash);
}

static uint8_t nibble(const uint8_t *b, size_t i)
{
    return i % 2 ? b[i / 2] & 15 : b[i / 2] >> 4;
}

/* EIP-55: a letter is upper case if the same nibble of the lower-case text's hash is 8 or more. */
static void write_ethereum(char out[QRT_ADDRESS_MAX], const uint8_t hash[HASH])
{
    static const char digits[] = "0123456789abcdef";
    char *hex = out + 2;
    uint8_t mask[32];

    memcpy(out, "0x", 2);
    for (size_t i = 0; i < 2 * HASH; i++)
        hex[i] = digits[nibble(hash, i)];
    hex[2 * HASH] = '\0';
    qrt_keccak256(mask, (const uint8_t *)hex, 2 * HASH);
    for (size_t i = 0; i < 2 * HASH; i++)
        if (hex[i] >= 'a' && nibble(mask, i) >= 8)
            hex[i] = (char)(hex[i] - 'a' + 'A');
}

static void write_address(char out[QRT_ADDRESS_MAX], const struct qrt_ctx *ctx,
                          enum qrt_address_kind kind, const uint8_t hash[HASH])
{
    if (kind == QRT_ADDRESS_ETHEREUM)
        write_ethereum(out, hash);
    else if (kind == QRT_ADDRESS_BITCOIN_P2WPKH)
        qrt_bech32_p2wpkh(out, hash);
    else
        qrt_base58check(out, ctx, kind == QRT_ADDRESS_TRON ? VERSION_TRON : VERSION_P2PKH, hash);
}

enum qrt_err qrt_address(char out[QRT_ADDRESS_MAX], const struct qrt_ctx *ctx,
                         enum qrt_address_kind kind, const struct qrt_pubkey *pk)
{
    secp256k1_pubkey point;
    uint8_t hash[HASH];

    qrt_assert((unsigned)kind < QRT_ADDRESS_KINDS);
    memset(out, 0, QRT_ADDRESS_MAX);
    if (!secp256k1_ec_pubkey_parse(ctx->secp, &point, pk->b, sizeof pk->b))
        return QRT_E_RECORD_FIELD;
    if (kind == QRT_ADDRESS_ETHEREUM || kind == QRT_ADDRESS_TRON)
        account_hash(hash, ctx, &point);
    else
        key_hash(hash, ctx, pk);
    write_address(out, ctx, kind, hash);
    return QRT_OK;
}
