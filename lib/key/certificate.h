/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate of a share record: the signed fourth-round messages of all that took part in the
 * run that made the share (protocol.md F.7, F.8). Public. */
#ifndef QRT_KEY_CERTIFICATE_H
#define QRT_KEY_CERTIFICATE_H

#include "quorate/share.h"

#define QRT_RESHARE 0x02 /* the protocol byte of certificates made by refresh, reshare, import */

/* The run's protocol: QRT_KEYGEN or QRT_RESHARE in a valid record. */
uint8_t qrt_certificate_protocol(const struct qrt_share *share);

/* Every row: a party or dealer of the record, ascending, with the identity key of the roster and a
 * valid signature over the conf that the record's own fields give. The number of rows has been
 * checked (all, or the own one if pending). QRT_E_RECORD_CERTIFICATE otherwise. */
QRT_MUST enum qrt_err qrt_certificate_verify(const struct qrt_share *share,
                                             const struct qrt_ctx *ctx);

#endif
