/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

const struct qrt_ctx *fuzz_ctx(void)
{
    static struct qrt_ctx *ctx;

    if (ctx)
        return ctx;
    ctx = aligned_alloc(QRT_ALIGN, (qrt_ctx_size() + QRT_ALIGN - 1) / QRT_ALIGN * QRT_ALIGN);
    if (!ctx || sodium_init() < 0)
        abort();
    qrt_ctx_init(ctx, secp256k1_context_create(SECP256K1_CONTEXT_NONE), QRT_CPU_ALL);
    return ctx;
}

struct committee *fuzz_committee(size_t n, size_t t)
{
    static struct committee made[4];

    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        if (!made[i].n) {
            committee_init(&made[i], fuzz_ctx(), n, t, 100 * n + t);
            committee_make_key(&made[i]);
        }
        made[i].draws = 1000 * n + t; /* each input meets the same runs */
        if (made[i].n == n && made[i].t == t)
            return &made[i];
    }
    abort();
}

uint8_t fuzz_u8(struct fuzz_in *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->b++;
}

uint16_t fuzz_u16(struct fuzz_in *in)
{
    uint16_t high = fuzz_u8(in);

    return (uint16_t)(high << 8 | fuzz_u8(in));
}
