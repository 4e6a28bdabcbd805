/* SPDX-License-Identifier: Apache-2.0 */
/* Burn records, decoded and applied: applied twice they change nothing more. The input's share is a
 * valid one whose kgid is set to what the burn record says, so that some apply. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct committee *c = fuzz_committee(2, 2);
    const struct qrt_share *share = &c->shares[0];
    uint8_t *record = malloc(c->record_len), *once = malloc(c->record_len);
    struct qrt_burn burn;

    memcpy(record, c->records[0], c->record_len);
    if (qrt_burn_decode(&burn, data, size) == QRT_OK)
        memcpy(record + (share->kgid - share->record), burn.kgid, 32);
    if (qrt_share_burn(record, c->record_len, data, size) == QRT_OK) {
        memcpy(once, record, c->record_len);
        fuzz_need(qrt_share_burn(record, c->record_len, data, size) == QRT_OK);
        fuzz_need(memcmp(once, record, c->record_len) == 0);
    }
    free(once);
    free(record);
    return 0;
}
