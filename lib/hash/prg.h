/* SPDX-License-Identifier: Apache-2.0 */
/* The AES-128 MMO generator of protocol.md D.5: AES-NI, or a bitsliced constant-time software AES.
 */
#ifndef QRT_HASH_PRG_H
#define QRT_HASH_PRG_H

#include "base/ctx.h"

/* One tree: rows[x] = five blocks AES_K(s_x ^ c) ^ s_x ^ c, c = 0..4 in the last byte. CT in all.
 */
void qrt_prg_tree(const struct qrt_ctx *ctx, uint8_t rows[16][80], const uint8_t key[16],
                  const uint8_t seeds[16][16]);

/* For tests: one block of AES-128 by the implementation ctx->cpu selects. */
void qrt_aes128_block(const struct qrt_ctx *ctx, uint8_t out[16], const uint8_t key[16],
                      const uint8_t in[16]);

#endif
