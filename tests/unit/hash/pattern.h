/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this folder share: bytes that hash_vectors.py can make too, and the choices of
 * CPU features that lead to different code. */
#ifndef QRT_TEST_HASH_PATTERN_H
#define QRT_TEST_HASH_PATTERN_H

#include "support.h"

static inline void pattern_fill(uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(7 * i + i / 256);
}

/* What a CPU lacks is masked away, so every choice works everywhere. */
static const unsigned cpu_choices[] = {
    0,
    QRT_CPU_SHA_NI,
    QRT_CPU_AVX2,
    QRT_CPU_AVX512,
    QRT_CPU_SHA_NI | QRT_CPU_AVX2,
    QRT_CPU_AVX2 | QRT_CPU_AVX512,
    QRT_CPU_ALL,
};
#define CPU_CHOICES QRT_ARRAY_LEN(cpu_choices)

#endif
