/* SPDX-License-Identifier: Apache-2.0 */
/* See be.h. */
#include "system/core/be.h"

void be_put(uint8_t *out, size_t n, uint64_t v)
{
    for (size_t i = n; i-- > 0; v >>= 8)
        out[i] = (uint8_t)v;
}

uint64_t be_get(const uint8_t *b, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | b[i];
    return v;
}
