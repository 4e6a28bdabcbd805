/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of a cheat, from anybody. Proven or private, what it says is complete; what proves
 * nothing says nothing. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct qrt_evidence nothing;
    struct qrt_evidence evidence;
    enum qrt_err e;

    memset(&evidence, 0x55, sizeof evidence);
    e = qrt_evidence_verify(&evidence, fuzz_ctx(), data, size);
    if (e == QRT_OK || e == QRT_E_EVIDENCE_PRIVATE) {
        fuzz_need(qrt_err_is_final(evidence.error) && evidence.accused != 0);
        /* Only the extension check needs a secret to be repeated. */
        fuzz_need(evidence.proven == (e == QRT_OK));
        fuzz_need((evidence.error == QRT_E_SG_EXTENSION) == (e == QRT_E_EVIDENCE_PRIVATE));
    } else {
        fuzz_need(e == QRT_E_EVIDENCE || e == QRT_E_RECORD_FORMAT);
        fuzz_need(memcmp(&evidence, &nothing, sizeof evidence) == 0);
    }
    return 0;
}
