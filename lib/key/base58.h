/* SPDX-License-Identifier: Apache-2.0 */
/* Base58Check of one version byte and a 20-byte hash: the shape of Bitcoin's and Tron's addresses.
 * For public data. */
#ifndef QRT_KEY_BASE58_H
#define QRT_KEY_BASE58_H

#include "base/ctx.h"

#define QRT_BASE58_MAX 36 /* 25 bytes take at most 35 digits, and the zero byte */

void qrt_base58check(char out[QRT_BASE58_MAX], const struct qrt_ctx *ctx, uint8_t version,
                     const uint8_t hash[20]);

#endif
