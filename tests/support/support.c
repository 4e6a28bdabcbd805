/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "base/cpu.h"
#include "hash/labels.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

QRT_NORETURN void qrt_panic(const char *file, int line)
{
    fprintf(stderr, "panic at %s:%d\n", file, line);
    abort();
}

struct qrt_ctx *test_ctx(unsigned cpu_mask)
{
    static struct qrt_ctx ctx;
    static secp256k1_context *secp;

    if (sodium_init() < 0)
        abort();
    if (!secp)
        secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    memset(&ctx, 0, sizeof ctx);
    ctx.secp = secp;
    ctx.cpu = qrt_cpu_detect() & cpu_mask;
    qrt_labels_init(&ctx);
    return &ctx;
}

void test_unhex(uint8_t *out, size_t len, const char *hex)
{
    size_t got = 0;

    if (sodium_hex2bin(out, len, hex, strlen(hex), NULL, &got, NULL) != 0 || got != len) {
        fprintf(stderr, "not %zu bytes of hex: %s\n", len, hex);
        abort();
    }
}

bool test_is_hex(const uint8_t *b, size_t len, const char *hex)
{
    for (size_t i = 0; i < len; i++) {
        char two[3];

        snprintf(two, sizeof two, "%02x", b[i]);
        if (strncmp(hex + 2 * i, two, 2) != 0)
            return false;
    }
    return strlen(hex) == 2 * len;
}

uint64_t test_rng_u64(struct test_rng *rng) /* SplitMix64, Steele et al. 2014 */
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t test_rng_below(struct test_rng *rng, uint64_t bound)
{
    return test_rng_u64(rng) % bound;
}

void test_rng_bytes(struct test_rng *rng, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)test_rng_u64(rng);
}
