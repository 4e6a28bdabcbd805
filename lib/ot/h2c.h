/* SPDX-License-Identifier: Apache-2.0 */
/* Many hashes to the curve at once (protocol.md C.3). The candidates of all jobs go through the
 * many-lane hash and the many-lane square root together. */
#ifndef QRT_OT_H2C_H
#define QRT_OT_H2C_H

#include "math/point.h"

#define QRT_H2C_MAX 128 /* jobs of one call */
#define QRT_H2C_PASS 16 /* candidates tried side by side */

struct qrt_h2c_job {
    const uint8_t *point; /* 33 */
    uint16_t i;
    uint8_t j;
};

/* One batch: |jobs| in, |out| out, the rest is working memory. */
struct qrt_h2c {
    struct qrt_h2c_job jobs[QRT_H2C_MAX];
    struct qrt_pt out[QRT_H2C_MAX];
    uint32_t mid[8];
    uint8_t queue[QRT_H2C_MAX];    /* a ring: jobs without a point yet */
    uint16_t counter[QRT_H2C_MAX]; /* of a job's next candidate */
    uint8_t data[2 * QRT_H2C_PASS][64];
    uint8_t digest[2 * QRT_H2C_PASS][32];
    uint8_t candidate[QRT_H2C_PASS][33];
    struct qrt_pt lifted[QRT_H2C_PASS];
    bool ok[QRT_H2C_PASS];
};

/* out[v] = H2C of jobs[v], v < n <= QRT_H2C_MAX. Returns the passes it took.
 * CT: not in the candidates, which are declassified. As a set they are functions of points that are
 * sent; that a job of this batch asks for j before another batch asks for 1-j is not. A caller with
 * secret j hashes both branches in two batches and evens out the passes (qrt_h2c_idle), so that
 * nothing but the order of tries inside this machine depends on j (protocol.md C.4 step 3, C.6).
 * Such a caller wipes |h|. */
size_t qrt_h2c_many(const struct qrt_ctx *ctx, struct qrt_h2c *h, const uint8_t ot_sid[32],
                    size_t n);

/* |passes| more, of full width and to no end; |h| has been through qrt_h2c_many. */
void qrt_h2c_idle(const struct qrt_ctx *ctx, struct qrt_h2c *h, size_t passes);

#endif
