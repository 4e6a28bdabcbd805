/* SPDX-License-Identifier: Apache-2.0 */
/* The label table and the constants made of it: T(L) = SHA-256("DKC/1/" || L) and the state after
 * the block T(L) || T(L) (protocol.md B.1). */
#include "hash/labels.h"

#include "base/assert.h"
#include "hash/sha256.h"

#include <string.h>

_Static_assert((int)QRT_LABEL_COUNT <= QRT_LABELS_MAX, "struct qrt_ctx has room for every label");

/* With lengths, so that the library needs no strlen. */
static const struct {
    const char *text;
    size_t len;
} labels[] = {
#define QRT_LABEL_ROW(name, text) [QRT_L_##name] = {text, sizeof text - 1},
    QRT_LABELS(QRT_LABEL_ROW)
#undef QRT_LABEL_ROW
};

const char *qrt_label_text(enum qrt_label label)
{
    qrt_assert((unsigned)label < QRT_LABEL_COUNT);
    return labels[label].text;
}

static void label_init(struct qrt_ctx *ctx, enum qrt_label label)
{
    uint8_t *t = ctx->label[label], block[64];
    struct qrt_sha256 h;

    qrt_sha256_start(&h, ctx);
    qrt_sha256_put(&h, "DKC/1/", 6);
    qrt_sha256_put(&h, labels[label].text, labels[label].len);
    qrt_sha256_end(&h, t);

    memcpy(block, t, 32);
    memcpy(block + 32, t, 32);
    memcpy(ctx->label_mid[label], qrt_sha256_iv, sizeof qrt_sha256_iv);
    qrt_sha256_compress(ctx, ctx->label_mid[label], block, 1);
}

void qrt_labels_init(struct qrt_ctx *ctx)
{
    for (unsigned i = 0; i < QRT_LABEL_COUNT; i++)
        label_init(ctx, (enum qrt_label)i);
}
