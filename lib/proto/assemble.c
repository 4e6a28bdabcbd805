/* SPDX-License-Identifier: Apache-2.0 */
/* From shares of numerator and denominator to a verified signature (protocol.md G.5). Everything
 * here was broadcast, so nothing is secret but the share this party still has to send. */
#include "proto/sign.h"

#include "base/wipe.h"
#include "quorate/signature.h"

#include <string.h>

bool qrt_assembly_nonce(const struct qrt_ctx *ctx, struct qrt_assembly *as)
{
    uint8_t b[33];

    if (as->R.inf)
        return false;
    qrt_pt_encode(ctx, b, &as->R);
    qrt_sc_reduce(&as->r, b + 1);
    return !qrt_sc_is_zero(&as->r);
}

void qrt_assembly_write(const struct qrt_assembly *as, uint8_t payload[64],
                        const struct qrt_sc *phi, const struct qrt_sc *u, const struct qrt_sc *v)
{
    struct qrt_sc m, a, b;

    qrt_sc_reduce(&m, as->digest.b);
    qrt_sc_mul(&a, &m, phi);
    qrt_sc_mul(&b, &as->r, v);
    qrt_sc_add(&a, &a, &b);
    qrt_sc_encode(payload + SG_R3_W, &a);
    qrt_sc_encode(payload + SG_R3_U, u);
    qrt_wipe(&a, sizeof a);
    qrt_wipe(&b, sizeof b);
}

enum qrt_err qrt_assembly_parse(struct qrt_run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        const uint8_t *p = qrt_run_inbox(run, 3, QRT_KIND_BROADCAST, i);
        struct qrt_sc x;

        if (!qrt_sc_decode(&x, p + SG_R3_W) || !qrt_sc_decode(&x, p + SG_R3_U))
            return qrt_run_blame(run, i, QRT_E_MALFORMED_BROADCAST);
    }
    return QRT_OK;
}

/* Bit 0: R.y is odd; bit 1: x(R) >= q. */
static uint8_t recovery_id(const struct qrt_ctx *ctx, const struct qrt_pt *R)
{
    uint8_t b[33];
    struct qrt_sc x;

    qrt_pt_encode(ctx, b, R);
    return (uint8_t)((b[0] & 1) | (qrt_sc_decode(&x, b + 1) ? 0 : 2));
}

enum qrt_err qrt_assembly_check(struct qrt_run *run, struct qrt_assembly *as)
{
    struct qrt_sc w = qrt_sc_zero, u = qrt_sc_zero, x, s;
    struct qrt_sig sig = {.recid = recovery_id(run->ctx, &as->R)};

    for (size_t i = 0; i < run->n; i++) {
        const uint8_t *p = qrt_run_inbox(run, 3, QRT_KIND_BROADCAST, i);

        qrt_sc_reduce(&x, p + SG_R3_W); /* in range: qrt_assembly_parse */
        qrt_sc_add(&w, &w, &x);
        qrt_sc_reduce(&x, p + SG_R3_U);
        qrt_sc_add(&u, &u, &x);
    }
    if (qrt_sc_is_zero(&u))
        return QRT_E_SG_ASSEMBLY;
    qrt_sc_inv_vartime(&u, &u);
    qrt_sc_mul(&s, &w, &u);
    if (qrt_sc_is_zero(&s))
        return QRT_E_SG_ASSEMBLY;
    if (qrt_sc_is_high(&s)) {
        qrt_sc_neg(&s, &s);
        sig.recid ^= 1;
    }
    qrt_sc_encode(sig.r, &as->r);
    qrt_sc_encode(sig.s, &s);
    if (qrt_sig_verify(run->ctx, &sig, &as->digest, &as->pk))
        return QRT_E_SG_ASSEMBLY;
    as->sig = sig;
    as->done = true;
    return QRT_OK;
}
