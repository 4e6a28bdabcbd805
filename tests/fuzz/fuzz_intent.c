/* SPDX-License-Identifier: Apache-2.0 */
/* Intents: what decodes encodes to the same bytes. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qrt_intent intent;
    uint8_t *again, iid[32];
    size_t len = 0;

    if (qrt_intent_decode(&intent, data, size) != QRT_OK)
        return 0;
    fuzz_need(qrt_intent_size(&intent) == size);
    again = malloc(size);
    fuzz_need(qrt_intent_encode(&intent, again, size, &len) == QRT_OK);
    fuzz_need(len == size && memcmp(again, data, size) == 0);
    fuzz_need(qrt_intent_encode(&intent, again, size - 1, &len) == QRT_E_SPACE);
    qrt_intent_iid(iid, fuzz_ctx(), data, size, 0);
    free(again);
    return 0;
}
