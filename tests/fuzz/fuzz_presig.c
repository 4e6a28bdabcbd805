/* SPDX-License-Identifier: Apache-2.0 */
/* The presignature record, inspected and used. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void use(const uint8_t *data, size_t size)
{
    const struct committee *c = fuzz_committee(2, 2);
    size_t run_len = qrt_run_size(QRT_ONLINE, 2, 2);
    struct qrt_run *run = aligned_alloc(QRT_ALIGN, run_len);
    uint8_t *presig = malloc(size);
    uint8_t digest[32] = {1};
    struct qrt_online_params params = {
        .share = &c->shares[0],
        .presig = presig,
        .presig_len = size,
        .message = {QRT_DIGEST_LOCAL, digest, sizeof digest},
    };

    memcpy(presig, data, size);
    if (qrt_online_start(run, fuzz_ctx(), &params) == QRT_OK)
        qrt_run_wipe(run);
    for (size_t i = 0; i < size; i++)
        fuzz_need(presig[i] == 0);
    free(presig);
    free(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qrt_presig_info info;

    if (qrt_presig_inspect(&info, fuzz_ctx(), data, size) == QRT_OK)
        fuzz_need(size == QRT_PRESIG_BYTES(info.t));
    if (size)
        use(data, size);
    return 0;
}
