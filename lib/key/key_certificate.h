/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of a share's public part (protocol.md F.8, K.3), one after the other as share_open.c
 * and qrt_certificate_open need them. Of |share| only what quorate/certificate.h lists is read:
 * a located key certificate will do, whose own index, secret and pairs are nothing. Public. */
#ifndef QRT_KEY_KEY_CERTIFICATE_H
#define QRT_KEY_KEY_CERTIFICATE_H

#include "math/point.h"
#include "math/scalar.h"
#include "quorate/certificate.h"

/* The public numbers of a share, decoded. */
struct qrt_key_numbers {
    struct qrt_sc x[QRT_PARTIES_MAX];
    struct qrt_pt X[QRT_PARTIES_MAX];
    struct qrt_pt pk;
};

/* Ranges and order of roster and dealers, points, x-coordinates, epoch and origin; fills |num|.
 * QRT_E_RECORD_FIELD. */
QRT_MUST enum qrt_err qrt_key_check_fields(const struct qrt_share *share, const struct qrt_ctx *ctx,
                                           struct qrt_key_numbers *num);
/* The key id is the key's. QRT_E_RECORD_KEY. */
QRT_MUST enum qrt_err qrt_key_check_id(const struct qrt_share *share, const struct qrt_ctx *ctx);
/* All public shares on one polynomial of degree exactly t-1 with the key at 0. QRT_E_RECORD_KEY. */
QRT_MUST enum qrt_err qrt_key_check_shares(const struct qrt_share *share, const struct qrt_ctx *ctx,
                                           const struct qrt_key_numbers *num);

#endif
