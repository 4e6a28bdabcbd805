/* SPDX-License-Identifier: Apache-2.0 */
/* RLP: a byte below 0x80 is itself; otherwise a prefix (0x80 strings, 0xc0 lists) plus the length,
 * or, from 56 bytes on, plus 55 and the number of bytes that the length takes. */
#include "rlp.h"

static void put_byte(struct buffer *out, size_t byte)
{
    uint8_t b = (uint8_t)byte;

    buffer_add(out, &b, 1);
}

static void put_prefix(struct buffer *out, uint8_t base, size_t len)
{
    uint8_t be[sizeof len];
    size_t n = 0;

    if (len < 56) {
        put_byte(out, base + len);
        return;
    }
    for (size_t rest = len; rest > 0; rest >>= 8)
        be[sizeof be - ++n] = (uint8_t)rest;
    put_byte(out, base + 55 + n);
    buffer_add(out, be + sizeof be - n, n);
}

void rlp_put_bytes(struct buffer *out, const uint8_t *b, size_t len)
{
    if (len != 1 || b[0] >= 0x80)
        put_prefix(out, 0x80, len);
    buffer_add(out, b, len);
}

void rlp_put_number(struct buffer *out, const uint8_t *b, size_t len)
{
    while (len > 0 && b[0] == 0) {
        b++;
        len--;
    }
    rlp_put_bytes(out, b, len);
}

void rlp_put_list(struct buffer *out, const struct buffer *items)
{
    put_prefix(out, 0xc0, items->len);
    buffer_add(out, items->b, items->len);
}
