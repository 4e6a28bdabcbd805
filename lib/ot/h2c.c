/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing to a point of unknown logarithm by try-and-increment (protocol.md C.3).
 *
 * Each candidate x is on the curve with probability 1/2, so 64 jobs need about 128 candidates. They
 * wait in a ring; each pass takes up to 32, and those that fail go to its end with the next
 * counter. The result is only ever used as a point: a hash times G would have a known logarithm,
 * which breaks the base OT (protocol.md N-1). */
#include "ot/h2c.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"
#include "ot/baseot.h"
#include "ot/lift.h"

#include <string.h>

#define DATA_LEN 38 /* BE16 i, u8 j, point, u8 part, u8 counter */

/* The two hash inputs of a candidate: part 0 makes x, part 1 the sign. */
static void data_put(uint8_t (*data)[64], const struct qrt_h2c_job *job, uint8_t counter)
{
    for (uint8_t part = 0; part < 2; part++) {
        qrt_be16_put(data[part], job->i);
        data[part][2] = job->j;
        memcpy(data[part] + 3, job->point, 33);
        data[part][36] = part;
        data[part][37] = counter;
    }
}

static void candidates_make(const struct qrt_ctx *ctx, struct qrt_h2c *h, const uint8_t *jobs,
                            size_t n)
{
    for (size_t v = 0; v < n; v++)
        data_put(h->data + 2 * v, &h->jobs[jobs[v]], h->tries[jobs[v]]);
    qrt_fh_many(ctx, h->digest, h->mid, h->data, DATA_LEN, 2 * n);
    for (size_t v = 0; v < n; v++) {
        h->candidate[v][0] = (uint8_t)(2 | (h->digest[2 * v + 1][0] & 1));
        memcpy(h->candidate[v] + 1, h->digest[2 * v], 32);
    }
    qrt_public(h->candidate, 33 * n, "a hash of points that are sent (protocol.md C.6)");
}

void qrt_h2c_many(const struct qrt_ctx *ctx, struct qrt_h2c *h, const uint8_t ot_sid[32], size_t n)
{
    size_t first = 0, end = n; /* of the ring; positions count up and wrap at n */

    qrt_assert(n <= QRT_H2C_MAX);
    qrt_fh_mid(ctx, h->mid, QRT_L_OT_H2C, ot_sid);
    memset(h->tries, 0, n);
    for (size_t v = 0; v < n; v++)
        h->queue[v] = (uint8_t)v;
    while (first < end) {
        uint8_t jobs[QRT_H2C_PASS];
        size_t m = end - first < QRT_H2C_PASS ? end - first : QRT_H2C_PASS;

        for (size_t v = 0; v < m; v++)
            jobs[v] = h->queue[first++ % n];
        candidates_make(ctx, h, jobs, m);
        qrt_curve_lift_many_vartime(ctx, h->lifted, h->ok, (const uint8_t(*)[33])h->candidate, m);
        for (size_t v = 0; v < m; v++) {
            if (h->ok[v]) {
                h->out[jobs[v]] = h->lifted[v];
                continue;
            }
            h->tries[jobs[v]]++;
            qrt_assert(h->tries[jobs[v]] != 0); /* 256 failures: probability 2^-256 */
            h->queue[end++ % n] = jobs[v];
        }
    }
}

void qrt_ot_hash_to_curve(const struct qrt_ctx *ctx, struct qrt_pt *out, const uint8_t ot_sid[32],
                          uint16_t i, uint8_t j, const uint8_t point[33])
{
    struct qrt_h2c h;

    h.jobs[0] = (struct qrt_h2c_job){.point = point, .i = i, .j = j};
    qrt_h2c_many(ctx, &h, ot_sid, 1);
    *out = h.out[0];
    qrt_wipe(&h, sizeof h);
}
