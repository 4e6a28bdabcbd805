/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of a cheat, from anybody. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qrt_evidence evidence;

    if (qrt_evidence_verify(&evidence, fuzz_ctx(), data, size) == QRT_OK)
        fuzz_need(qrt_err_is_final(evidence.error) && evidence.accused != 0);
    return 0;
}
