/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: compact, with recovery id, DER. What parses survives a way through each form. */
#include "fuzz.h"

#include <string.h>

static void verify(const struct qrt_sig *sig)
{
    struct qrt_hash hash = {{7}};
    struct qrt_pubkey pk;

    if (qrt_sig_recover(&pk, fuzz_ctx(), sig, &hash) != QRT_OK)
        return;
    (void)!qrt_sig_verify(fuzz_ctx(), sig, &hash, &pk); /* refused if s is high */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t compact[64], der[QRT_DER_MAX];
    struct qrt_sig sig, again;
    size_t len;

    if (qrt_sig_parse(&sig, fuzz_ctx(), data, size) != QRT_OK)
        return 0;
    qrt_sig_compact(compact, &sig);
    fuzz_need(qrt_sig_parse(&again, fuzz_ctx(), compact, sizeof compact) == QRT_OK);
    fuzz_need(memcmp(again.r, sig.r, 32) == 0 && memcmp(again.s, sig.s, 32) == 0);
    qrt_sig_der(der, &len, fuzz_ctx(), &sig);
    if (len == 64 || len == 65) /* as long as the other forms, which come first */
        return 0;
    fuzz_need(qrt_sig_parse(&again, fuzz_ctx(), der, len) == QRT_OK);
    fuzz_need(memcmp(again.r, sig.r, 32) == 0 && memcmp(again.s, sig.s, 32) == 0);
    verify(&sig);
    return 0;
}
