/* SPDX-License-Identifier: Apache-2.0 */
/* The share record: all of it from the input, or a valid one that the input changes in places,
 * which gets behind the first checks. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void open_both(const uint8_t *b, size_t len)
{
    struct qrt_share share;

    if (qrt_share_open(&share, fuzz_ctx(), b, len) == QRT_OK)
        fuzz_need(share.record == b && share.record_len == len);
    else
        fuzz_need(!share.record && !share.s);
    (void)!qrt_share_open_pending(&share, fuzz_ctx(), b, len);
}

/* Each six bytes: where (3), what (1), how long (1), and a spare. */
static void change(uint8_t *b, size_t len, struct fuzz_in *in)
{
    while (in->left >= 6) {
        size_t at = (size_t)fuzz_u16(in) << 8 | fuzz_u8(in);
        uint8_t what = fuzz_u8(in), run = fuzz_u8(in);

        (void)fuzz_u8(in);
        for (size_t i = 0; i <= run % 8; i++)
            b[(at + i) % len] ^= what;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    const struct committee *c;
    uint8_t *copy;

    if (!size || data[0] == 'D') {
        open_both(data, size);
        return 0;
    }
    c = fuzz_committee(2, 2);
    copy = malloc(c->record_len);
    memcpy(copy, c->records[0], c->record_len);
    (void)fuzz_u8(&in);
    change(copy, c->record_len, &in);
    open_both(copy, c->record_len);
    free(copy);
    return 0;
}
