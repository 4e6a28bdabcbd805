/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate at the end of a valid share record, replaced by the input. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct committee *c = fuzz_committee(2, 2);
    const struct qrt_share *whole = &c->shares[0];
    size_t head = (size_t)(whole->certificate - whole->record);
    uint8_t *record = malloc(head + size), out[QRT_CONFIRMATION_BYTES];
    struct qrt_share share;

    memcpy(record, whole->record, head);
    if (size)
        memcpy(record + head, data, size);
    if (qrt_share_open(&share, fuzz_ctx(), record, head + size) == QRT_OK) {
        fuzz_need(share.certificate_len == size);
        fuzz_need(qrt_share_confirmation(&share, fuzz_ctx(), 1, out) == QRT_OK);
    }
    free(record);
    return 0;
}
