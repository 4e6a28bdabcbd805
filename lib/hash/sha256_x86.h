/* SPDX-License-Identifier: Apache-2.0 */
/* The compressions that need instructions of newer x86 processors; sha256_x86.c chooses.
 * |n| is at least 1 and at most the number in the name. */
#ifndef QRT_HASH_SHA256_X86_H
#define QRT_HASH_SHA256_X86_H

#include <stddef.h>
#include <stdint.h>

void qrt_sha256_shani(uint32_t state[8], const uint8_t *blocks, size_t n); /* any n */
void qrt_sha256_shani_two(uint32_t (*states)[8], const uint8_t (*blocks)[64]);

void qrt_sha256_x8(uint32_t (*states)[8], const uint8_t (*blocks)[64], size_t n);
void qrt_sha256_x8_digest(uint8_t (*out)[32], const uint32_t mid[8], const uint8_t (*blocks)[64],
                          size_t n);

void qrt_sha256_x16(uint32_t (*states)[8], const uint8_t (*blocks)[64], size_t n);
void qrt_sha256_x16_digest(uint8_t (*out)[32], const uint32_t mid[8], const uint8_t (*blocks)[64],
                           size_t n);

#endif
