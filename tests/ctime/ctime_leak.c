/* SPDX-License-Identifier: Apache-2.0 */
/* Deliberate leaks. Every case here must be reported, or the other programs prove nothing; the one
 * clean case must not be. */
#include "ctime.h"

#include "math/scalar.h"

#include <stdio.h>
#include <string.h>

static volatile uint8_t sink;

static void branch_on_a_secret_bit(const struct qrt_ctx *ctx)
{
    uint8_t key[32];

    (void)ctx;
    ctime_secret(key, sizeof key);
    if (key[7] & 1)
        __asm__ volatile("nop"); /* cannot be turned into arithmetic */
}

static void load_at_a_secret_index(const struct qrt_ctx *ctx)
{
    static const uint8_t table[256] = {1, 2, 3};
    uint8_t key[32];

    (void)ctx;
    ctime_secret(key, sizeof key);
    sink = table[key[3]];
}

/* A call that no compiler replaces by its own comparison, which may have no branch. */
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;

/* The secret has gone through the generator and a multiplication before it leaks. */
static void compare_derived_secrets_with_memcmp(const struct qrt_ctx *ctx)
{
    struct qrt_drbg rng = ctime_secret_rng(ctx);
    struct qrt_sc a, b;

    qrt_drbg_bytes(&rng, ctx, (uint8_t *)&a, sizeof a);
    b = ctime_secret_scalar();
    qrt_sc_mul(&b, &b, &b);
    sink = compare(&a, &b, sizeof a) == 0;
}

static const struct ctime_case cases[] = {
    {"branch on a secret bit", branch_on_a_secret_bit},
    {"load at a secret index", load_at_a_secret_index},
    {"compare derived secrets with memcmp", compare_derived_secrets_with_memcmp},
};

static void select_by_a_secret_mask(const struct qrt_ctx *ctx)
{
    uint8_t key[32];

    (void)ctx;
    ctime_secret(key, sizeof key);
    qrt_ct_swap(key, key + 16, 16, qrt_mask_bit(key[31] & 1));
}

static const struct ctime_case clean = {"select by a secret mask", select_by_a_secret_mask};

int main(int argc, char **argv)
{
    const struct qrt_ctx *ctx = ctime_start(argc, argv);
    size_t n = sizeof cases / sizeof cases[0], failed = 0;

    for (size_t i = 0; i < n; i++) {
        if (ctime_leaks(ctx, &cases[i]))
            continue;
        fprintf(stderr, "not seen: %s\n", cases[i].name);
        failed++;
    }
    failed += ctime_leaks(ctx, &clean);
    printf("%zu passed, %zu failed\n", n + 1 - failed, failed);
    return failed ? 1 : 0;
}
