/* SPDX-License-Identifier: Apache-2.0 */
/* Making a context: the only place where every layer's tables are filled. */
#include "base/ctx.h"
#include "base/assert.h"
#include "base/cpu.h"
#include "hash/labels.h"
#include "ot/rvole.h"

size_t qrt_ctx_size(void)
{
    return (sizeof(struct qrt_ctx) + QRT_ALIGN - 1) / QRT_ALIGN * QRT_ALIGN;
}

void qrt_ctx_init(struct qrt_ctx *ctx, const secp256k1_context *secp, unsigned cpu_mask)
{
    qrt_assert((uintptr_t)ctx % QRT_ALIGN == 0 && secp);
    *ctx = (struct qrt_ctx){.secp = secp, .cpu = qrt_cpu_detect() & cpu_mask};
    qrt_labels_init(ctx);
    qrt_gadget_init(ctx);
}

unsigned qrt_ctx_cpu(const struct qrt_ctx *ctx)
{
    return ctx->cpu;
}

const char *qrt_version(void)
{
    return QRT_VERSION;
}
