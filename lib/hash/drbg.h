/* SPDX-License-Identifier: Apache-2.0 */
/* The generator a run draws everything from (protocol.md B.8). */
#ifndef QRT_HASH_DRBG_H
#define QRT_HASH_DRBG_H

#include "base/ctx.h"

struct qrt_drbg {
    uint8_t key[32];
    uint64_t counter;
};

/* Wipes |seed|. */
void qrt_drbg_start(struct qrt_drbg *d, const struct qrt_ctx *ctx, uint8_t seed[32]);
/* Whole blocks are taken; the rest of the last one is discarded. */
void qrt_drbg_bytes(struct qrt_drbg *d, const struct qrt_ctx *ctx, uint8_t *out, size_t len);
/* 32 bytes at a time until 0 < x < q. Only the number of tries shows. */
void qrt_drbg_scalar(struct qrt_drbg *d, const struct qrt_ctx *ctx, struct qrt_sc *out);

#endif
