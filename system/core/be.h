/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in bytes, most significant first: every number that leaves a program or is hashed. */
#ifndef SYSTEM_CORE_BE_H
#define SYSTEM_CORE_BE_H

#include <stddef.h>
#include <stdint.h>

/* |n| <= 8 bytes; higher ones of |v| are left out. */
void be_put(uint8_t *out, size_t n, uint64_t v);
uint64_t be_get(const uint8_t *b, size_t n);

#endif
