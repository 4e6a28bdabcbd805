/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of one tree of the OT extension (protocol.md D.5): AES-128 in MMO mode, one key for the
 * 80 blocks of a tree. */
#include "hash/prg.h"

#include "base/ct.h"
#include "base/wipe.h"
#include "hash/aes.h"

#include <string.h>

#define SEEDS 16
#define BLOCKS 5 /* of a row */

void qrt_prg_tree(const struct qrt_ctx *ctx, uint8_t rows[16][80], const uint8_t key[16],
                  const uint8_t seeds[16][16])
{
    uint8_t in[SEEDS * BLOCKS][16];

    for (size_t x = 0; x < SEEDS; x++) {
        for (size_t c = 0; c < BLOCKS; c++) {
            memcpy(in[BLOCKS * x + c], seeds[x], 16);
            in[BLOCKS * x + c][15] ^= (uint8_t)c;
        }
    }
    qrt_aes128(ctx, (uint8_t(*)[16])rows, key, (const uint8_t(*)[16])in, SEEDS * BLOCKS);
    qrt_xor(rows[0], in[0], sizeof in);
    qrt_wipe(in, sizeof in);
}

void qrt_aes128_block(const struct qrt_ctx *ctx, uint8_t out[16], const uint8_t key[16],
                      const uint8_t in[16])
{
    qrt_aes128(ctx, (uint8_t(*)[16])out, key, (const uint8_t(*)[16])in, 1);
}
