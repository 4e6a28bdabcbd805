/* SPDX-License-Identifier: Apache-2.0 */
#include "ctime.h"

#include "math/scalar.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

/* What valgrind 3.19 can run; it knows no SHA-NI and no AVX-512. */
#define SIMD (QRT_CPU_AVX2 | QRT_CPU_AES | QRT_CPU_PCLMUL)
#define SKIP 77

static uint8_t counter;

void ctime_bytes(void *out, size_t len)
{
    uint8_t *b = out;

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(37 * i + 11 * counter + 5);
    counter++;
}

void ctime_secret(void *out, size_t len)
{
    ctime_bytes(out, len);
    qrt_secret(out, len);
}

struct qrt_sc ctime_secret_scalar(void)
{
    uint8_t b[32];
    struct qrt_sc a;

    ctime_bytes(b, sizeof b);
    qrt_sc_reduce(&a, b);
    qrt_secret(&a, sizeof a);
    return a;
}

struct qrt_drbg ctime_secret_rng(const struct qrt_ctx *ctx)
{
    uint8_t seed[32];
    struct qrt_drbg rng;

    ctime_secret(seed, sizeof seed);
    qrt_drbg_start(&rng, ctx, seed);
    return rng;
}

void ctime_need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "broken case: %s\n", what);
    exit(1);
}

const struct qrt_ctx *ctime_start(int argc, char **argv)
{
    unsigned mask = argc > 1 && strcmp(argv[1], "simd") == 0 ? SIMD : 0;
    struct qrt_ctx *ctx = aligned_alloc(QRT_ALIGN, qrt_ctx_size());

    if (!RUNNING_ON_VALGRIND) {
        fprintf(stderr, "run this under valgrind\n");
        exit(SKIP);
    }
    ctime_need(ctx && sodium_init() >= 0, "set-up");
    qrt_ctx_init(ctx, secp256k1_context_create(SECP256K1_CONTEXT_NONE), mask);
    return ctx;
}

bool ctime_leaks(const struct qrt_ctx *ctx, const struct ctime_case *one)
{
    unsigned before = VALGRIND_COUNT_ERRORS;

    one->run(ctx);
    return VALGRIND_COUNT_ERRORS != before;
}

int ctime_main(int argc, char **argv, const struct ctime_case *cases, size_t n)
{
    const struct qrt_ctx *ctx = ctime_start(argc, argv);
    size_t leaks = 0;

    for (size_t i = 0; i < n; i++) {
        if (!ctime_leaks(ctx, &cases[i]))
            continue;
        fprintf(stderr, "LEAK: %s\n", cases[i].name);
        leaks++;
    }
    printf("%zu passed, %zu failed\n", n - leaks, leaks);
    return leaks ? 1 : 0;
}
