/* SPDX-License-Identifier: Apache-2.0 */
/* Derivation paths. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    uint32_t path[QRT_PATH_MAX];
    size_t n = 0;

    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    if (qrt_path_parse(path, &n, text) == QRT_OK) {
        fuzz_need(n <= QRT_PATH_MAX);
        for (size_t i = 0; i < n; i++)
            fuzz_need(path[i] < 0x80000000u);
    }
    free(text);
    return 0;
}
