/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the parts of a share record (protocol.md F.8), or of its public part alone, without
 * judging them. */
#ifndef QRT_KEY_SHARE_LAYOUT_H
#define QRT_KEY_SHARE_LAYOUT_H

#include "key/share.h"

/* Fill |out| from a record of exactly the length that its n, d and number of signatures demand.
 * QRT_E_RECORD_FORMAT, QRT_E_RECORD_VERSION; QRT_E_RECORD_FIELD if n or t is out of range. Nothing
 * beyond that is checked. Reads no secret. */
QRT_MUST enum qrt_err qrt_share_locate(struct qrt_share *out, const uint8_t *record, size_t len);

/* Fill |out| from a key certificate of exactly the length that its n and d demand, with the same
 * answers. No own index, no flags, no time; |s| and |pairs| are NULL. */
QRT_MUST enum qrt_err qrt_share_locate_public(struct qrt_share *out, const uint8_t *b, size_t len);

extern const uint8_t qrt_key_certificate_magic[4];

#endif
