/* SPDX-License-Identifier: Apache-2.0 */
/* The presignature record: its layout (protocol.md G.6), every length, every range. */
#include "support.h"

#include "base/bytes.h"
#include "base/port.h"
#include "key/presig.h"
#include "math/scalar.h"

#include <sodium.h>
#include <string.h>

/* Offsets for t = 3. */
enum {
    AT_KGID = 6,
    AT_EPOCH = 38,
    AT_ID = 42,
    AT_BH2 = 74,
    AT_OWN = 106,
    AT_T = 108,
    AT_SIGNERS = 110,
    AT_TAU = 116,
    AT_PK = 148,
    AT_R = 181,
    AT_PHI = 214,
    AT_U = 246,
    AT_V = 278,
    AT_CREATED = 310,
    LEN = 318
};

_Static_assert(QRT_PRESIG_BYTES(3) == LEN, "312 + 2t");

static struct qrt_presig example(struct qrt_ctx *ctx)
{
    struct qrt_presig p;
    struct qrt_pt P;

    memset(&p, 0, sizeof p);
    p.info.suite = 1;
    p.info.epoch = 5;
    p.info.own = 9;
    p.info.t = 3;
    p.info.signers[0] = 1;
    p.info.signers[1] = 9;
    p.info.signers[2] = 65534;
    p.info.created = 1700000000;
    memset(p.info.kgid, 0x11, 32);
    memset(p.info.id, 0x22, 32);
    memset(p.bh2, 0x33, 32);
    qrt_sc_set_u32(&p.tau, 0x0a0b);
    qrt_sc_set_u32(&p.phi, 3);
    qrt_sc_set_u32(&p.u, 4);
    qrt_sc_set_u32(&p.v, 5);
    qrt_pt_base(ctx, &P, &p.v);
    qrt_pt_encode(ctx, p.info.pk.b, &P);
    qrt_pt_base(ctx, &p.R, &p.phi);
    return p;
}

static struct qrt_ctx *encoded(uint8_t out[LEN])
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_presig p = example(ctx);

    qrt_presig_encode(ctx, out, &p);
    return ctx;
}

static void test_the_record_has_the_layout_of_the_specification(void **state)
{
    uint8_t b[LEN], want[LEN] = "DKP1\1\1";

    (void)state;
    encoded(b);
    memset(want + AT_KGID, 0x11, 32);
    want[AT_EPOCH + 3] = 5;
    memset(want + AT_ID, 0x22, 32);
    memset(want + AT_BH2, 0x33, 32);
    want[AT_OWN + 1] = 9;
    want[AT_T + 1] = 3;
    test_unhex(want + AT_SIGNERS, 6, "00010009fffe");
    test_unhex(want + AT_TAU + 30, 2, "0a0b");
    test_unhex(want + AT_PK, 33,
               "022f8bde4d1a07209355b4a7250a5c5128e88b84bddc619ab7cba8d569b240efe4");
    test_unhex(want + AT_R, 33,
               "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9");
    want[AT_PHI + 31] = 3;
    want[AT_U + 31] = 4;
    want[AT_V + 31] = 5;
    qrt_be64_put(want + AT_CREATED, 1700000000);
    assert_memory_equal(b, want, LEN);
}

static void test_what_was_encoded_decodes_to_the_same(void **state)
{
    uint8_t b[LEN], again[LEN];
    struct qrt_ctx *ctx = encoded(b);
    struct qrt_presig p = example(ctx), out;

    (void)state;
    assert_int_equal(qrt_presig_decode(&out, ctx, b, LEN), QRT_OK);
    assert_memory_equal(out.info.signers, p.info.signers, sizeof p.info.signers);
    assert_int_equal(out.info.own, 9);
    assert_true(qrt_sc_equal(&out.tau, &p.tau));
    assert_true(qrt_sc_equal(&out.phi, &p.phi));
    assert_true(qrt_sc_equal(&out.u, &p.u));
    assert_true(qrt_sc_equal(&out.v, &p.v));
    assert_true(qrt_pt_equal(ctx, &out.R, &p.R));
    qrt_presig_encode(ctx, again, &out);
    assert_memory_equal(again, b, LEN);
}

static void test_the_public_part_is_shown(void **state)
{
    uint8_t b[LEN];
    struct qrt_ctx *ctx = encoded(b);
    struct qrt_presig p = example(ctx);
    struct qrt_presig_info info;

    (void)state;
    assert_int_equal(qrt_presig_inspect(&info, ctx, b, LEN), QRT_OK);
    assert_int_equal(info.suite, 1);
    assert_int_equal(info.epoch, 5);
    assert_int_equal(info.t, 3);
    assert_true(info.created == 1700000000);
    assert_memory_equal(info.kgid, p.info.kgid, 32);
    assert_memory_equal(info.id, p.info.id, 32);
    assert_memory_equal(info.pk.b, p.info.pk.b, 33);
    b[AT_V] = 0xff;
    memset(b + AT_V, 0xff, 32);
    assert_int_equal(qrt_presig_inspect(&info, ctx, b, LEN), QRT_E_RECORD_FIELD);
    assert_true(sodium_is_zero((const uint8_t *)&info, sizeof info));
}

static void test_every_other_length_is_refused(void **state)
{
    uint8_t b[LEN + 1] = {0};
    struct qrt_ctx *ctx = encoded(b);
    struct qrt_presig p;

    (void)state;
    for (size_t len = 0; len <= LEN + 1; len++)
        assert_int_equal(qrt_presig_decode(&p, ctx, b, len),
                         len == LEN ? QRT_OK : QRT_E_RECORD_FORMAT);
}

static void replaced(size_t at, size_t len, const char *hex, enum qrt_err want)
{
    uint8_t b[LEN];
    struct qrt_ctx *ctx = encoded(b);
    struct qrt_presig p;

    test_unhex(b + at, len, hex);
    memset(&p, 0xee, sizeof p);
    assert_int_equal(qrt_presig_decode(&p, ctx, b, LEN), want);
    if (want)
        assert_true(sodium_is_zero((const uint8_t *)&p, sizeof p));
}

static void test_fields_out_of_range_are_refused(void **state)
{
    (void)state;
    replaced(0, 1, "45", QRT_E_RECORD_FORMAT);
    replaced(4, 1, "02", QRT_E_RECORD_VERSION);
    replaced(5, 1, "11", QRT_E_RECORD_VERSION);
    replaced(AT_OWN, 2, "0002", QRT_E_RECORD_FIELD);
    replaced(AT_OWN, 2, "0000", QRT_E_RECORD_FIELD);
    replaced(AT_T, 2, "0000", QRT_E_RECORD_FIELD);
    replaced(AT_T, 2, "0001", QRT_E_RECORD_FIELD);
    replaced(AT_T, 2, "0041", QRT_E_RECORD_FIELD);
    replaced(AT_T, 2, "ffff", QRT_E_RECORD_FIELD);
    replaced(AT_T, 2, "0002", QRT_E_RECORD_FORMAT);
    replaced(AT_T, 2, "0004", QRT_E_RECORD_FORMAT);
    replaced(AT_SIGNERS, 2, "0000", QRT_E_RECORD_FIELD);
    replaced(AT_SIGNERS, 2, "0009", QRT_E_RECORD_FIELD);
    replaced(AT_SIGNERS + 4, 2, "0008", QRT_E_RECORD_FIELD);
    replaced(AT_SIGNERS + 4, 2, "ffff", QRT_E_RECORD_FIELD);
    replaced(AT_SIGNERS + 4, 2, "000a", QRT_OK);
    replaced(AT_PK, 1, "04", QRT_E_RECORD_FIELD);
    replaced(AT_R, 1, "00", QRT_E_RECORD_FIELD);
    replaced(AT_R + 1, 32, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
             QRT_E_RECORD_FIELD);
}

static void test_scalars_must_be_below_the_order(void **state)
{
    static const size_t at[] = {AT_TAU, AT_PHI, AT_U, AT_V};
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(at); i++) {
        replaced(at[i], 32, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
                 QRT_OK);
        replaced(at[i], 32, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
                 QRT_E_RECORD_FIELD);
        replaced(at[i], 32, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                 QRT_E_RECORD_FIELD);
        replaced(at[i], 32, zero, at[i] == AT_PHI ? QRT_E_RECORD_FIELD : QRT_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_record_has_the_layout_of_the_specification),
        cmocka_unit_test(test_what_was_encoded_decodes_to_the_same),
        cmocka_unit_test(test_the_public_part_is_shown),
        cmocka_unit_test(test_every_other_length_is_refused),
        cmocka_unit_test(test_fields_out_of_range_are_refused),
        cmocka_unit_test(test_scalars_must_be_below_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
