/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"
#include "hash/transcript.h"
#include "math/scalar.h"
#include "ot/h2c.h"
#include "setup.h"

#include <stdio.h>
#include <string.h>

static void generator(const struct qrt_ctx *ctx, uint8_t out[33])
{
    struct qrt_pt g;

    qrt_pt_base(ctx, &g, &qrt_sc_one);
    qrt_pt_encode(ctx, out, &g);
}

static void hash(const struct qrt_ctx *ctx, uint8_t out[33], const uint8_t sid[32],
                 const struct qrt_h2c_job *job)
{
    struct qrt_pt p;

    qrt_ot_hash_to_curve(ctx, &p, sid, job->i, job->j, job->point);
    qrt_pt_encode(ctx, out, &p);
}

static void test_hash_to_curve_has_the_known_answers(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(~0u);
    uint8_t sid[32], g[33], got[33];

    (void)state;
    setup_sid(ctx, sid);
    generator(ctx, g);
    for (unsigned v = 0; v < 6; v++) {
        const struct qrt_h2c_job job = {.point = g, .i = (uint16_t)(v / 2), .j = v % 2};
        char name[8];

        snprintf(name, sizeof name, "%u,%u", v / 2, v % 2);
        hash(ctx, got, sid, &job);
        assert_true(test_is_hex(got, 33, kat_text("h2c", name)));
    }
}

/* protocol.md C.3 with one hash and one parse at a time. */
static void reference(const struct qrt_ctx *ctx, struct qrt_pt *out, const uint8_t sid[32],
                      const struct qrt_h2c_job *job)
{
    uint8_t data[38], x[32], y[32], candidate[33];

    qrt_be16_put(data, job->i);
    data[2] = job->j;
    memcpy(data + 3, job->point, 33);
    for (unsigned ctr = 0; ctr < 256; ctr++) {
        data[37] = (uint8_t)ctr;
        data[36] = 0;
        qrt_fh(ctx, x, QRT_L_OT_H2C, sid, data, sizeof data);
        data[36] = 1;
        qrt_fh(ctx, y, QRT_L_OT_H2C, sid, data, sizeof data);
        candidate[0] = (uint8_t)(2 | (y[0] & 1));
        memcpy(candidate + 1, x, 32);
        if (qrt_pt_decode(ctx, out, candidate))
            return;
    }
    fail();
}

static void test_every_job_of_a_batch_gets_its_first_candidate_on_the_curve(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 8, 15, 16, 17, 64, 127, 128};
    static struct qrt_h2c h;
    static uint8_t points[QRT_H2C_MAX][33];
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {7};
    uint8_t sid[32];

    (void)state;
    test_rng_bytes(&rng, sid, 32);
    for (size_t k = 0; k < QRT_ARRAY_LEN(sizes); k++) {
        for (size_t v = 0; v < sizes[k]; v++) {
            test_rng_bytes(&rng, points[v], 33);
            h.jobs[v] = (struct qrt_h2c_job){.point = points[v],
                                             .i = (uint16_t)test_rng_below(&rng, 128),
                                             .j = (uint8_t)test_rng_below(&rng, 2)};
        }
        qrt_h2c_many(ctx, &h, sid, sizes[k]);
        for (size_t v = 0; v < sizes[k]; v++) {
            struct qrt_pt want;

            reference(ctx, &want, sid, &h.jobs[v]);
            assert_true(qrt_pt_equal(ctx, &h.out[v], &want));
        }
    }
}

/* lessons.md part 2, row 19: an index missing in a hash. */
static void test_hash_to_curve_depends_on_session_instance_branch_and_point(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(~0u);
    uint8_t sid[2][32] = {{1}, {2}}, point[2][33], out[16][33];

    (void)state;
    generator(ctx, point[0]);
    memcpy(point[1], point[0], 33);
    point[1][0] ^= 1;
    for (unsigned v = 0; v < 16; v++) {
        const struct qrt_h2c_job job = {
            .point = point[v & 1], .i = (uint16_t)(40 + (v >> 1 & 1)), .j = v >> 2 & 1};

        hash(ctx, out[v], sid[v >> 3], &job);
        for (unsigned k = 0; k < v; k++)
            assert_memory_not_equal(out[v], out[k], 33);
    }
}

/* protocol.md N-1: with H2C = h G and h public, the receiver opens both branches. */
static void test_hash_to_curve_is_not_a_hash_times_the_generator(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(~0u);
    uint8_t sid[32] = {3}, g[33], data[38] = {0}, digest[32];
    struct qrt_sc h;
    struct qrt_pt p, q;

    (void)state;
    generator(ctx, g);
    memcpy(data + 3, g, 33);
    qrt_fh(ctx, digest, QRT_L_OT_H2C, sid, data, sizeof data);
    qrt_sc_reduce(&h, digest);
    qrt_pt_base(ctx, &p, &h);
    qrt_ot_hash_to_curve(ctx, &q, sid, 0, 0, g);
    assert_false(qrt_pt_equal(ctx, &p, &q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_to_curve_has_the_known_answers),
        cmocka_unit_test(test_every_job_of_a_batch_gets_its_first_candidate_on_the_curve),
        cmocka_unit_test(test_hash_to_curve_depends_on_session_instance_branch_and_point),
        cmocka_unit_test(test_hash_to_curve_is_not_a_hash_times_the_generator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
