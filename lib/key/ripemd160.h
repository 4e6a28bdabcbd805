/* SPDX-License-Identifier: Apache-2.0 */
/* RIPEMD-160, which Bitcoin's addresses need. For public data. */
#ifndef QRT_KEY_RIPEMD160_H
#define QRT_KEY_RIPEMD160_H

#include <stddef.h>
#include <stdint.h>

void qrt_ripemd160(uint8_t out[20], const uint8_t *b, size_t len);

#endif
