/* SPDX-License-Identifier: Apache-2.0 */
/* The gadget vector g_0 .. g_511 of protocol.md E: scalars that nobody chose. It is the same for
 * every session (DEV-5); only Bob's beta is fresh. Public. */
#include "hash/transcript.h"
#include "ot/rvole.h"
#include "quorate/types.h"

void qrt_gadget_init(struct qrt_ctx *ctx)
{
    struct qrt_th th;

    for (uint16_t j = 0; j < QRT_XI; j++) {
        qrt_th_start(&th, ctx, QRT_L_RV_GADGET);
        qrt_th_u8(&th, QRT_PROFILE_1);
        qrt_th_be16(&th, j);
        qrt_th_end_scalar(&th, &ctx->gadget[j]);
    }
}
