/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of an abort message (protocol.md J, "abort hygiene"): class, code, round, accused.
 * The class on the wire is a number of its own, so that the enum in error.h may grow. */
#include "wire/abort.h"

#include "base/assert.h"
#include "base/bytes.h"

static uint8_t wire_class(enum qrt_class class)
{
    switch (class) {
    case QRT_CLASS_B1:
        return QRT_ABORT_B1;
    case QRT_CLASS_B2:
        return QRT_ABORT_B2;
    case QRT_CLASS_B3:
        return QRT_ABORT_B3;
    case QRT_CLASS_BURN:
        return QRT_ABORT_BURN;
    default:
        return QRT_ABORT_B0;
    }
}

void qrt_abort_of(struct qrt_abort *out, enum qrt_err e, uint8_t round, uint16_t accused)
{
    qrt_assert(qrt_err_is_final(e));
    out->class = wire_class(qrt_err_class(e));
    out->code = qrt_err_code(e);
    out->round = round;
    out->accused = accused;
}

void qrt_abort_encode(uint8_t out[QRT_ABORT_BYTES], const struct qrt_abort *abort)
{
    struct qrt_wr w = qrt_wr_init(out, QRT_ABORT_BYTES);

    qrt_wr_u8(&w, abort->class);
    qrt_wr_u8(&w, abort->code);
    qrt_wr_u8(&w, abort->round);
    qrt_wr_be16(&w, abort->accused);
    qrt_wr_end(&w);
}

bool qrt_abort_decode(struct qrt_abort *out, const uint8_t b[QRT_ABORT_BYTES])
{
    struct qrt_rd r = qrt_rd_init(b, QRT_ABORT_BYTES);

    out->class = qrt_rd_u8(&r);
    out->code = qrt_rd_u8(&r);
    out->round = qrt_rd_u8(&r);
    out->accused = qrt_rd_be16(&r);
    return (out->class <= QRT_ABORT_B3 || out->class == QRT_ABORT_BURN) && out->round >= 1 &&
           out->round <= 4 && out->accused <= QRT_INDEX_MAX;
}
