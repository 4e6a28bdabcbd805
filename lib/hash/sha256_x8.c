/* SPDX-License-Identifier: Apache-2.0 */
/* Eight SHA-256 compressions at once with AVX2; compiled with -mavx2, called only where
 * QRT_CPU_AVX2 is set. */
#include "hash/lanes_avx2.h"
#include "hash/sha256_lanes.h"
#include "hash/sha256_x86.h"

void qrt_sha256_x8(uint32_t (*states)[8], const uint8_t (*blocks)[64], size_t n)
{
    lanes_compress(states, blocks, n);
}

void qrt_sha256_x8_digest(uint8_t (*out)[32], const uint32_t mid[8], const uint8_t (*blocks)[64],
                          size_t n)
{
    lanes_digest(out, mid, blocks, n);
}
