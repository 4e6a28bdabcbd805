/* SPDX-License-Identifier: Apache-2.0 */
/* Constant-time work on byte strings. Every loop runs over the whole length and touches the same
 * addresses for every content. The answers of the comparisons are declassified here, so callers
 * may branch on them; which bytes differed never shows. */
#include "base/ct.h"

#include <string.h>

/* True if no bit of |d| is set. */
static bool none_set(unsigned d)
{
    uint8_t none = (uint8_t)(1 & qrt_mask_eq(d, 0));

    qrt_public(&none, sizeof none, "the answer of a comparison");
    return none != 0;
}

bool qrt_ct_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    unsigned d = 0;

    for (size_t i = 0; i < len; i++)
        d |= (unsigned)(a[i] ^ b[i]);
    return none_set(d);
}

bool qrt_ct_is_zero(const uint8_t *a, size_t len)
{
    unsigned d = 0;

    for (size_t i = 0; i < len; i++)
        d |= a[i];
    return none_set(d);
}

void qrt_ct_swap(uint8_t *a, uint8_t *b, size_t len, uint64_t mask)
{
    uint8_t m = (uint8_t)qrt_mask_hide(mask);

    for (size_t i = 0; i < len; i++) {
        uint8_t d = (uint8_t)((a[i] ^ b[i]) & m);

        a[i] ^= d;
        b[i] ^= d;
    }
}

/* Eight bytes at a time: rows and points pass here in the hot loops of the OT extension. memcpy
 * is a plain load or store, without a demand on alignment. */
static void xor_word(uint8_t *dst, const uint8_t *src, uint64_t mask)
{
    uint64_t d, s;

    memcpy(&d, dst, 8);
    memcpy(&s, src, 8);
    d ^= s & mask;
    memcpy(dst, &d, 8);
}

void qrt_ct_xor_masked(uint8_t *dst, const uint8_t *src, size_t len, uint64_t mask)
{
    size_t i = 0;

    mask = qrt_mask_hide(mask);
    for (; i + 8 <= len; i += 8)
        xor_word(dst + i, src + i, mask);
    for (; i < len; i++)
        dst[i] ^= (uint8_t)(src[i] & (uint8_t)mask);
}

void qrt_xor(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t i = 0;

    for (; i + 8 <= len; i += 8)
        xor_word(dst + i, src + i, UINT64_MAX);
    for (; i < len; i++)
        dst[i] ^= src[i];
}
