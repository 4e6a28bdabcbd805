/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128 of many blocks under one key (FIPS 197), encryption only; not for other layers.
 * CT in key and blocks: no tables, no branches. |in| and |out| must not overlap. */
#ifndef QRT_HASH_AES_H
#define QRT_HASH_AES_H

#include "base/ctx.h"

/* For each v < n: out[v] = AES_key(in[v]), by the implementation ctx->cpu selects. */
void qrt_aes128(const struct qrt_ctx *ctx, uint8_t (*out)[16], const uint8_t key[16],
                const uint8_t (*in)[16], size_t n);

/* aes_soft.c */
void qrt_aes128_soft(uint8_t (*out)[16], const uint8_t key[16], const uint8_t (*in)[16], size_t n);
/* aes_ni.c, x86 with QRT_CPU_AES only */
void qrt_aes128_ni(uint8_t (*out)[16], const uint8_t key[16], const uint8_t (*in)[16], size_t n);

#endif
