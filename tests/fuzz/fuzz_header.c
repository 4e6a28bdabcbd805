/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a message: what decodes encodes to the same bytes. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[QRT_HEADER_BYTES];
    struct qrt_header h;

    if (qrt_header_decode(&h, data, size) != QRT_OK)
        return 0;
    qrt_header_encode(again, &h);
    fuzz_need(memcmp(again, data, sizeof again) == 0);
    (void)qrt_payload_size(h.protocol, h.round, h.kind, 2 + h.sender % 63);
    (void)qrt_wire_size(h.protocol, h.round, h.kind, 64, 2 + h.sender % 63);
    return 0;
}
