/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing to a point of unknown logarithm by try-and-increment (protocol.md C.3).
 *
 * Each candidate x is on the curve with probability 1/2, so 128 jobs need about 256 candidates.
 * Jobs wait in a ring; each pass takes up to 16, and those that fail go to its end with the next
 * counter. When few are left each gets several candidates per pass, since half-empty vector
 * registers cost as much as full ones. The result is only ever used as a point: a hash times G
 * would have a known logarithm, which breaks the base OT (protocol.md N-1). */
#include "ot/h2c.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"
#include "math/sqrt.h"
#include "ot/baseot.h"

#include <string.h>

#define DATA_LEN 38 /* BE16 i, u8 j, point, u8 part, u8 counter */
_Static_assert(2 * QRT_H2C_PASS <= QRT_FH_MANY_MAX, "a pass fits");

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

/* One pass: |n| jobs from the ring with |each| candidates, n * each <= QRT_H2C_PASS. */
struct pass {
    uint8_t jobs[QRT_H2C_PASS];
    size_t n, each;
};

/* candidate[v] is number v % each of job v / each. */
static void candidates_make(const struct qrt_ctx *ctx, struct qrt_h2c *h, const struct pass *p)
{
    size_t n = p->n * p->each;

    for (size_t v = 0; v < n; v++) {
        size_t job = p->jobs[v / p->each];

        data_put(h->data + 2 * v, &h->jobs[job], (uint8_t)(h->counter[job] + v % p->each));
    }
    qrt_fh_many(ctx, h->digest, h->mid, h->data, DATA_LEN, 2 * n);
    for (size_t v = 0; v < n; v++) {
        h->candidate[v][0] = (uint8_t)(2 | (h->digest[2 * v + 1][0] & 1));
        memcpy(h->candidate[v] + 1, h->digest[2 * v], 32);
    }
    qrt_public(h->candidate, 33 * n,
               "as a set, hashes of points that are sent; which came first: h2c.h");
}

/* The first candidate on the curve, or false. */
static bool candidate_take(struct qrt_h2c *h, const struct pass *p, size_t k)
{
    for (size_t v = k * p->each; v < (k + 1) * p->each; v++) {
        if (h->ok[v]) {
            h->out[p->jobs[k]] = h->lifted[v];
            return true;
        }
    }
    return false;
}

static void pass_choose(struct pass *p, const struct qrt_h2c *h, size_t first, size_t end, size_t n)
{
    size_t left = end - first;

    p->n = left < QRT_H2C_PASS ? left : QRT_H2C_PASS;
    p->each = QRT_H2C_PASS / p->n;
    for (size_t k = 0; k < p->n; k++)
        p->jobs[k] = h->queue[(first + k) % n];
}

size_t qrt_h2c_many(const struct qrt_ctx *ctx, struct qrt_h2c *h, const uint8_t ot_sid[32],
                    size_t n)
{
    size_t first = 0, end = n; /* of the ring; positions count up and wrap at n */
    size_t passes = 0;
    struct pass p;

    qrt_assert(n <= QRT_H2C_MAX);
    qrt_fh_mid(ctx, h->mid, QRT_L_OT_H2C, ot_sid);
    for (size_t v = 0; v < n; v++) {
        h->queue[v] = (uint8_t)v;
        h->counter[v] = 0;
    }
    for (; first < end; passes++) {
        pass_choose(&p, h, first, end, n);
        first += p.n;
        candidates_make(ctx, h, &p);
        qrt_curve_lift_many_vartime(ctx, h->lifted, h->ok, (const uint8_t(*)[33])h->candidate,
                                    p.n * p.each);
        for (size_t k = 0; k < p.n; k++) {
            if (candidate_take(h, &p, k))
                continue;
            h->counter[p.jobs[k]] = (uint16_t)(h->counter[p.jobs[k]] + p.each);
            qrt_assert(h->counter[p.jobs[k]] + QRT_H2C_PASS <= 256); /* probability 2^-240 */
            h->queue[end++ % n] = p.jobs[k];
        }
    }
    return passes;
}

void qrt_h2c_idle(const struct qrt_ctx *ctx, struct qrt_h2c *h, size_t passes)
{
    struct pass p = {.n = QRT_H2C_PASS, .each = 1};

    for (size_t k = 0; k < QRT_H2C_PASS; k++)
        p.jobs[k] = (uint8_t)k;
    while (passes-- > 0) {
        candidates_make(ctx, h, &p);
        qrt_curve_lift_many_vartime(ctx, h->lifted, h->ok, (const uint8_t(*)[33])h->candidate,
                                    QRT_H2C_PASS);
    }
}

void qrt_ot_hash_to_curve(const struct qrt_ctx *ctx, struct qrt_pt *out, const uint8_t ot_sid[32],
                          uint16_t i, uint8_t j, const uint8_t point[33])
{
    struct qrt_h2c h;

    h.jobs[0] = (struct qrt_h2c_job){.point = point, .i = i, .j = j};
    (void)qrt_h2c_many(ctx, &h, ot_sid, 1);
    *out = h.out[0];
    qrt_wipe(&h, sizeof h);
}
