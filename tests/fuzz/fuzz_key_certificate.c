/* SPDX-License-Identifier: Apache-2.0 */
/* The key certificate: all of it from the input, or a valid one that the input changes in places.
 * What opens is whole: as long as its counts say, with a signature of every party. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void open_one(const uint8_t *b, size_t len)
{
    struct qrt_key_certificate got;

    if (qrt_certificate_open(&got, fuzz_ctx(), b, len) != QRT_OK) {
        fuzz_need(!got.b && !got.n && !got.rows);
        return;
    }
    fuzz_need(got.b == b && got.len == len && len == qrt_certificate_size(got.n, got.dealers_n));
    for (size_t i = 0; i < got.n; i++) {
        uint16_t index = (uint16_t)(got.parties[i].index[0] << 8 | got.parties[i].index[1]);

        fuzz_need(qrt_certificate_row(&got, index) != NULL);
    }
}

/* Each four bytes: where (2), what (1), how long (1). */
static void change(uint8_t *b, size_t len, struct fuzz_in *in)
{
    while (in->left >= 4) {
        size_t at = fuzz_u16(in);
        uint8_t what = fuzz_u8(in), run = fuzz_u8(in);

        for (size_t i = 0; i <= run % 8; i++)
            b[(at + i) % len] ^= what;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    size_t len = qrt_certificate_size(2, 0);
    struct qrt_bytes out = {NULL, len, 0};

    if (!size || data[0] == 'D') {
        open_one(data, size);
        return 0;
    }
    out.b = malloc(len);
    fuzz_need(out.b && qrt_certificate_export(&out, &fuzz_committee(2, 2)->shares[0]) == QRT_OK);
    (void)fuzz_u8(&in);
    change(out.b, len, &in);
    open_one(out.b, len);
    free(out.b);
    return 0;
}
