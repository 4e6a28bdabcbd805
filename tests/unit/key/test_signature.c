/* SPDX-License-Identifier: Apache-2.0 */
/* Signature forms, verification and recovery, on the model's signature (kats.json, e2e_2of2) and on
 * libsecp256k1's own. */
#include "support.h"

#include "base/port.h"
#include "quorate/signature.h"

#include <secp256k1_recovery.h>
#include <sodium.h>
#include <string.h>

static const char q[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

static struct qrt_sig model_sig(void)
{
    struct qrt_sig sig = {.recid = 1};

    test_unhex(sig.r, 32, "15c42e72c6a14f4a0fb14f1d76f215b6af94449875ca9d90531ccb87b2013a10");
    test_unhex(sig.s, 32, "499f572301bf4886166abdc7dabbec66a6fe1da8d233364e155eaf99c747e45c");
    return sig;
}

static struct qrt_pubkey model_pk(void)
{
    struct qrt_pubkey pk;

    test_unhex(pk.b, 33, "03915e6abd694e3f51b7cbd6aab54eeee70b889d8393484f617247e51dcf8eccb0");
    return pk;
}

static struct qrt_hash model_hash(void)
{
    struct qrt_hash h;

    test_unhex(h.b, 32, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    return h;
}

static void test_the_models_signature_verifies_and_recovers(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_sig sig = model_sig();
    struct qrt_pubkey pk = model_pk(), got;
    struct qrt_hash hash = model_hash();

    (void)state;
    assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_OK);
    assert_int_equal(qrt_sig_recover(&got, ctx, &sig, &hash), QRT_OK);
    assert_memory_equal(got.b, pk.b, 33);
    sig.recid = 0;
    assert_int_equal(qrt_sig_recover(&got, ctx, &sig, &hash), QRT_OK);
    assert_memory_not_equal(got.b, pk.b, 33);
}

/* libsecp256k1 ends the process over a recovery id above 3; r of the model is no x above q either.
 */
static void test_an_impossible_recovery_id_is_refused(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_sig sig = model_sig();
    struct qrt_hash hash = model_hash();
    struct qrt_pubkey got;

    (void)state;
    for (unsigned recid = 2; recid < 256; recid++) {
        sig.recid = (uint8_t)recid;
        memset(&got, 0xee, sizeof got);
        assert_int_equal(qrt_sig_recover(&got, ctx, &sig, &hash), QRT_E_SIGNATURE);
        assert_true(sodium_is_zero(got.b, 33));
    }
}

static void test_recovery_finds_the_key_of_many_signatures(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct test_rng rng = {.state = 7};

    (void)state;
    for (int i = 0; i < 20; i++) {
        secp256k1_ecdsa_recoverable_signature made;
        secp256k1_pubkey p;
        uint8_t sk[32], b[65];
        struct qrt_hash hash;
        struct qrt_pubkey pk, got;
        struct qrt_sig sig;
        size_t len = 33;
        int recid;

        test_rng_bytes(&rng, sk, 32);
        sk[0] = 1;
        test_rng_bytes(&rng, hash.b, 32);
        assert_int_equal(secp256k1_ecdsa_sign_recoverable(ctx->secp, &made, hash.b, sk, NULL, NULL),
                         1);
        secp256k1_ecdsa_recoverable_signature_serialize_compact(ctx->secp, b, &recid, &made);
        b[64] = (uint8_t)(27 + recid);
        assert_int_equal(secp256k1_ec_pubkey_create(ctx->secp, &p, sk), 1);
        secp256k1_ec_pubkey_serialize(ctx->secp, pk.b, &len, &p, SECP256K1_EC_COMPRESSED);
        assert_int_equal(qrt_sig_parse(&sig, ctx, b, 65), QRT_OK);
        assert_int_equal(sig.recid, recid);
        assert_int_equal(qrt_sig_recover(&got, ctx, &sig, &hash), QRT_OK);
        assert_memory_equal(got.b, pk.b, 33);
        assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_OK);
    }
}

static void test_whatever_is_changed_does_not_verify(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_sig sig = model_sig();
    struct qrt_pubkey pk = model_pk();
    struct qrt_hash hash = model_hash();

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        sig.r[i] ^= 1;
        assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_E_SIGNATURE);
        sig.r[i] ^= 1;
        sig.s[i] ^= 1;
        assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_E_SIGNATURE);
        sig.s[i] ^= 1;
        hash.b[i] ^= 1;
        assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_E_SIGNATURE);
        hash.b[i] ^= 1;
    }
    pk.b[0] ^= 1;
    assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_E_SIGNATURE);
    pk.b[0] = 0;
    assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_E_SIGNATURE);
    memset(&sig, 0, sizeof sig);
    pk = model_pk();
    assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_E_SIGNATURE);
}

static void test_a_high_s_does_not_verify(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_sig sig = model_sig();
    struct qrt_pubkey pk = model_pk();
    struct qrt_hash hash = model_hash();
    uint8_t order[32];
    int borrow = 0;

    (void)state;
    test_unhex(order, 32, q);
    for (size_t i = 32; i-- > 0;) {
        int v = order[i] - sig.s[i] - borrow;

        borrow = v < 0;
        sig.s[i] = (uint8_t)v;
    }
    assert_int_equal(qrt_sig_verify(ctx, &sig, &hash, &pk), QRT_E_SIGNATURE);
}

static struct qrt_sig sig_of(const char *r, const char *s)
{
    struct qrt_sig sig = {.recid = 0};

    test_unhex(sig.r, 32, r);
    test_unhex(sig.s, 32, s);
    return sig;
}

#define Z28 "00000000000000000000000000000000000000000000000000000000"

static void test_der_is_strict_and_minimal(void **state)
{
    static const struct {
        const char *r, *s, *der;
    } cases[] = {
        {Z28 "00000001", Z28 "00000001", "3006020101020101"},
        {Z28 "0000007f", Z28 "00000080", "300702017f02020080"},
        {Z28 "000000ff", Z28 "00008000", "3009020200ff0203008000"},
        {Z28 "00010000", Z28 "00ff0001",
         "300b02030100000204"
         "00ff0001"},
        {"15c42e72c6a14f4a0fb14f1d76f215b6af94449875ca9d90531ccb87b2013a10",
         "499f572301bf4886166abdc7dabbec66a6fe1da8d233364e155eaf99c747e45c",
         "3044022015c42e72c6a14f4a0fb14f1d76f215b6af94449875ca9d90531ccb87b2013a10"
         "0220499f572301bf4886166abdc7dabbec66a6fe1da8d233364e155eaf99c747e45c"},
        {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
         "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
         "3046022100fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
         "022100fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"},
    };
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(cases); i++) {
        struct qrt_sig sig = sig_of(cases[i].r, cases[i].s), back;
        uint8_t der[QRT_DER_MAX];
        size_t len = 0;

        qrt_sig_der(der, &len, ctx, &sig);
        assert_true(test_is_hex(der, len, cases[i].der));
        assert_int_equal(qrt_sig_parse(&back, ctx, der, len), QRT_OK);
        assert_memory_equal(&back, &sig, sizeof sig);
    }
}

/* libsecp256k1's encoder is the other opinion. */
static void test_der_agrees_with_libsecp256k1(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct test_rng rng = {.state = 9};

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct qrt_sig sig = {.recid = 0};
        secp256k1_ecdsa_signature s;
        uint8_t compact[64], der[QRT_DER_MAX], want[QRT_DER_MAX];
        size_t len, want_len = sizeof want;

        test_rng_bytes(&rng, sig.r, 32);
        test_rng_bytes(&rng, sig.s, 32);
        memset(sig.r, 0, (size_t)test_rng_below(&rng, 6));
        memset(sig.s, 0, (size_t)test_rng_below(&rng, 6));
        qrt_sig_compact(compact, &sig);
        assert_int_equal(secp256k1_ecdsa_signature_parse_compact(ctx->secp, &s, compact), 1);
        assert_int_equal(secp256k1_ecdsa_signature_serialize_der(ctx->secp, want, &want_len, &s),
                         1);
        qrt_sig_der(der, &len, ctx, &sig);
        assert_int_equal(len, want_len);
        assert_memory_equal(der, want, len);
    }
}

static void refused(const char *hex)
{
    struct qrt_sig sig;
    uint8_t b[128];
    size_t len = strlen(hex) / 2;

    test_unhex(b, len, hex);
    memset(&sig, 0xee, sizeof sig);
    assert_int_equal(qrt_sig_parse(&sig, test_ctx(QRT_CPU_ALL), b, len), QRT_E_SIGNATURE);
    assert_true(sodium_is_zero((const uint8_t *)&sig, sizeof sig));
}

static void test_der_that_is_not_the_one_form_is_refused(void **state)
{
    (void)state;
    refused("");
    refused("30");
    refused("3000");
    refused("3006020101020100");   /* s = 0 */
    refused("3006020100020101");   /* r = 0 */
    refused("300702020001020101"); /* leading zero */
    refused("3006020181020101");   /* negative */
    refused("300702010102010100"); /* one more byte inside */
    refused("300602010102010100"); /* one more byte */
    refused("3007020101020101");   /* length too large */
    refused("3005020101020101");   /* length too small */
    refused("308106020101020101"); /* long form */
    refused("3106020101020101");   /* no sequence */
    refused("3006030101020101");   /* no integer */
    refused("3006020101030101");
    refused("3005020002020101"); /* empty integer */
    refused("30060201010200");
    refused("3080020101020101");
    refused("3026022100fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141020101");
    refused("30260221010000000000000000000000000000000000000000000000000000000000000000020101");
}

static void test_every_cut_of_a_der_signature_is_refused(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_sig sig = model_sig(), out;
    uint8_t der[QRT_DER_MAX + 1] = {0};
    size_t len;

    (void)state;
    qrt_sig_der(der, &len, ctx, &sig);
    for (size_t cut = 0; cut < len; cut++)
        if (cut != 64 && cut != 65)
            assert_int_equal(qrt_sig_parse(&out, ctx, der, cut), QRT_E_SIGNATURE);
    assert_int_equal(qrt_sig_parse(&out, ctx, der, len + 1), QRT_E_SIGNATURE);
}

static void test_fixed_forms_are_parsed(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_sig sig = model_sig(), out;
    uint8_t b[66] = {0};

    (void)state;
    qrt_sig_compact(b, &sig);
    assert_int_equal(qrt_sig_parse(&out, ctx, b, 64), QRT_OK);
    assert_memory_equal(out.r, sig.r, 32);
    assert_memory_equal(out.s, sig.s, 32);
    assert_int_equal(out.recid, 0);
    for (unsigned v = 0; v < 256; v++) {
        bool ok = v <= 3 || (v >= 27 && v <= 30);

        b[64] = (uint8_t)v;
        assert_int_equal(qrt_sig_parse(&out, ctx, b, 65), ok ? QRT_OK : QRT_E_SIGNATURE);
        if (ok)
            assert_int_equal(out.recid, v >= 27 ? v - 27 : v);
    }
    b[64] = 0;
    assert_int_equal(qrt_sig_parse(&out, ctx, b, 63), QRT_E_SIGNATURE);
    assert_int_equal(qrt_sig_parse(&out, ctx, b, 66), QRT_E_SIGNATURE);
    assert_int_equal(qrt_sig_parse(&out, ctx, b, 0), QRT_E_SIGNATURE);
}

static void test_scalars_out_of_range_are_refused_in_the_fixed_form(void **state)
{
    static const char *const bad[] = {
        Z28 "00000000",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t b[64];
    struct qrt_sig out;

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(bad); i++)
        for (size_t half = 0; half < 2; half++) {
            memset(b, 1, sizeof b);
            assert_int_equal(qrt_sig_parse(&out, ctx, b, 64), QRT_OK);
            test_unhex(b + 32 * half, 32, bad[i]);
            assert_int_equal(qrt_sig_parse(&out, ctx, b, 64), QRT_E_SIGNATURE);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_models_signature_verifies_and_recovers),
        cmocka_unit_test(test_an_impossible_recovery_id_is_refused),
        cmocka_unit_test(test_recovery_finds_the_key_of_many_signatures),
        cmocka_unit_test(test_whatever_is_changed_does_not_verify),
        cmocka_unit_test(test_a_high_s_does_not_verify),
        cmocka_unit_test(test_der_is_strict_and_minimal),
        cmocka_unit_test(test_der_agrees_with_libsecp256k1),
        cmocka_unit_test(test_der_that_is_not_the_one_form_is_refused),
        cmocka_unit_test(test_every_cut_of_a_der_signature_is_refused),
        cmocka_unit_test(test_fixed_forms_are_parsed),
        cmocka_unit_test(test_scalars_out_of_range_are_refused_in_the_fixed_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
