/* SPDX-License-Identifier: Apache-2.0 */
/* Constant time: base OT, trees, extension and multiplication, both sides of each. */
#include "ctime.h"

#include "ot/rvole.h"

#include <stdlib.h>
#include <string.h>

/* Both ends of one pair, with everything a protocol run would have. */
struct pair {
    uint8_t sid[32];
    struct qrt_ot_recv recv;
    uint8_t ot1[QRT_OT1_BYTES], b33[33];
    uint8_t send_keys[QRT_OT_N][2][16], recv_keys[QRT_OT_N][16];
    uint8_t pprf[QRT_PPRF_BYTES];
    qrt_seeds bob_seeds, alice_seeds;
    uint8_t delta[16];
    struct qrt_rvole_id id;
    struct qrt_rvole_bob bob;
    struct qrt_rvole_alice alice;
    uint8_t e1[QRT_E1_BYTES], e2[QRT_E2_BYTES];
    struct qrt_rvole_scratch *scratch;
};

static struct pair p;

static void base_receiver_starts(const struct qrt_ctx *ctx)
{
    struct qrt_drbg rng = ctime_secret_rng(ctx);

    ctime_bytes(p.sid, sizeof p.sid);
    qrt_ot_recv_start(ctx, &p.recv, p.ot1, p.sid, &rng);
}

static void base_sender(const struct qrt_ctx *ctx)
{
    struct qrt_drbg rng = ctime_secret_rng(ctx);

    static struct qrt_pt points[2 * QRT_OT_N];
    const struct qrt_ot1 ot1 = {p.sid, p.ot1, points};

    ctime_need(qrt_ot1_decode(ctx, points, p.ot1) == QRT_OK, "OT1");
    ctime_need(qrt_ot_send(ctx, p.b33, p.send_keys, &ot1, &rng) == QRT_OK, "OT2");
}

static void base_receiver_ends(const struct qrt_ctx *ctx)
{
    struct qrt_pt b;

    ctime_need(qrt_pt_decode(ctx, &b, p.b33), "B");
    qrt_ot_recv_keys(ctx, p.recv_keys, &p.recv, p.sid, p.ot1, p.b33, &b);
}

static void trees_are_built(const struct qrt_ctx *ctx)
{
    qrt_secret(p.send_keys, sizeof p.send_keys);
    qrt_pprf_build(ctx, p.bob_seeds, p.pprf, p.sid, (const uint8_t(*)[2][16])p.send_keys);
}

static void trees_are_evaluated(const struct qrt_ctx *ctx)
{
    qrt_secret(p.recv_keys, sizeof p.recv_keys);
    qrt_secret(p.recv.delta, sizeof p.recv.delta);
    ctime_need(qrt_pprf_eval(ctx, p.alice_seeds, p.delta, p.sid, p.recv.delta,
                             (const uint8_t(*)[16])p.recv_keys, p.pprf) == QRT_OK,
               "trees");
}

static void bob_extends(const struct qrt_ctx *ctx)
{
    struct qrt_drbg rng = ctime_secret_rng(ctx);
    struct qrt_sc b;

    p.scratch = aligned_alloc(64, (qrt_rvole_scratch_size() + 63) / 64 * 64);
    p.id = (struct qrt_rvole_id){p.sid, 1, 2};
    qrt_secret(p.bob_seeds, sizeof p.bob_seeds);
    qrt_rvole_bob1(ctx, &p.bob, &b, p.e1, &p.id, (const uint8_t(*)[QRT_LEAVES][16])p.bob_seeds,
                   &rng, p.scratch);
}

static void alice_checks(const struct qrt_ctx *ctx)
{
    qrt_secret(p.alice_seeds, sizeof p.alice_seeds);
    qrt_secret(p.delta, sizeof p.delta);
    ctime_need(qrt_rvole_alice_check(ctx, &p.alice, &p.id,
                                     (const uint8_t(*)[QRT_LEAVES][16])p.alice_seeds, p.delta, p.e1,
                                     p.scratch) == QRT_OK,
               "E1");
}

static void alice_multiplies(const struct qrt_ctx *ctx)
{
    struct qrt_drbg rng = ctime_secret_rng(ctx);
    struct qrt_sc a[2] = {ctime_secret_scalar(), ctime_secret_scalar()}, c[2];

    qrt_rvole_alice(ctx, c, p.e2, &p.alice, a, &rng, p.scratch);
}

static void bob_multiplies(const struct qrt_ctx *ctx)
{
    struct qrt_sc d[2];

    qrt_secret(p.bob.beta, sizeof p.bob.beta);
    qrt_secret(p.bob.psi, sizeof p.bob.psi);
    ctime_need(qrt_rvole_e2_check(p.e2) == QRT_OK, "fields of E2");
    ctime_need(qrt_rvole_bob2(ctx, d, &p.bob, p.e2, p.scratch) == QRT_OK, "E2");
}

/* In the order of the protocol: each case uses what those before it made. */
static const struct ctime_case cases[] = {
    {"base OT, receiver's swap and sum (C.4)", base_receiver_starts},
    {"base OT, sender (C.4)", base_sender},
    {"base OT, receiver's keys (C.4)", base_receiver_ends},
    {"trees, all leaves (D.2)", trees_are_built},
    {"trees, all leaves but y* (D.3)", trees_are_evaluated},
    {"extension, Bob, and the gadget sum (D.6, E)", bob_extends},
    {"extension, Alice: W, transpose, check (D.6)", alice_checks},
    {"multiplication, Alice (E)", alice_multiplies},
    {"multiplication, Bob: masked sums (E)", bob_multiplies},
};

int main(int argc, char **argv)
{
    return ctime_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
