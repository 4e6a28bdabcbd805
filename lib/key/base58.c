/* SPDX-License-Identifier: Apache-2.0 */
/* Base58Check: the bytes and the first four of their double SHA-256, as one big-endian number in
 * base
 * 58. Every leading zero byte is written as a digit of its own. For public data. */
#include "key/base58.h"

#include "hash/sha256.h"

#include <string.h>

enum { BODY = 21, CHECK = 4, WHOLE = BODY + CHECK, DIGITS_MAX = QRT_BASE58_MAX - 1 };

static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* digits = 256 digits + byte, least significant digit first; returns how many are in use. */
static size_t push_byte(uint8_t digits[DIGITS_MAX], size_t used, uint8_t byte)
{
    unsigned carry = byte;

    for (size_t i = 0; i < used || carry > 0; i++) {
        carry += 256u * digits[i];
        digits[i] = (uint8_t)(carry % 58);
        carry /= 58;
        used = i < used ? used : i + 1;
    }
    return used;
}

static void encode(char out[QRT_BASE58_MAX], const uint8_t b[WHOLE])
{
    uint8_t digits[DIGITS_MAX] = {0};
    size_t used = 0, zeros = 0;

    while (zeros < WHOLE && b[zeros] == 0)
        zeros++;
    for (size_t i = zeros; i < WHOLE; i++)
        used = push_byte(digits, used, b[i]);
    memset(out, alphabet[0], zeros);
    for (size_t i = 0; i < used; i++)
        out[zeros + i] = alphabet[digits[used - 1 - i]];
    out[zeros + used] = '\0';
}

void qrt_base58check(char out[QRT_BASE58_MAX], const struct qrt_ctx *ctx, uint8_t version,
                     const uint8_t hash[20])
{
    uint8_t b[WHOLE], check[32];

    b[0] = version;
    memcpy(b + 1, hash, 20);
    qrt_sha256(ctx, check, b, BODY);
    qrt_sha256(ctx, check, check, sizeof check);
    memcpy(b + BODY, check, CHECK);
    encode(out, b);
}
