/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-SHA256 (RFC 5869) over libsodium's HMAC. CT in all data. */
#ifndef QRT_WIRE_HKDF_H
#define QRT_WIRE_HKDF_H

#include <stddef.h>
#include <stdint.h>

void qrt_hkdf_extract(uint8_t prk[32], const uint8_t *salt, size_t salt_len, const uint8_t *ikm,
                      size_t ikm_len);
/* |len| is at most 255 * 32 (asserted). */
void qrt_hkdf_expand(uint8_t *out, size_t len, const uint8_t prk[32], const uint8_t *info,
                     size_t info_len);

#endif
