/* SPDX-License-Identifier: Apache-2.0 */
/* Segwit version 0 addresses of 20-byte programs on Bitcoin's main network (BIP173). Public data.
 */
#ifndef QRT_KEY_BECH32_H
#define QRT_KEY_BECH32_H

#include <stdint.h>

#define QRT_BECH32_MAX 43 /* "bc1", version, 32 digits, 6 of checksum, zero byte */

void qrt_bech32_p2wpkh(char out[QRT_BECH32_MAX], const uint8_t hash[20]);

#endif
