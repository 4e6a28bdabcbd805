/* SPDX-License-Identifier: Apache-2.0 */
/* AES on machines for which we have nothing but plain C. */
#include "hash/aes.h"

void qrt_aes128(const struct qrt_ctx *ctx, uint8_t (*out)[16], const uint8_t key[16],
                const uint8_t (*in)[16], size_t n)
{
    (void)ctx;
    qrt_aes128_soft(out, key, in, n);
}
