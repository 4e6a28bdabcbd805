/* SPDX-License-Identifier: Apache-2.0 */
/* BIP32 children against BIP32's own vectors and the model's (tests/vectors/kats.json,
 * presign_bip32); the text form of paths. */
#include "support.h"

#include "base/port.h"
#include "math/point.h"
#include "math/scalar.h"
#include "quorate/derive.h"

#include <sodium.h>
#include <string.h>

static struct qrt_child derive(const char *pk_hex, const char *cc_hex, const uint32_t *path,
                               size_t n)
{
    struct qrt_pubkey pk;
    struct qrt_child child;
    uint8_t cc[32];

    test_unhex(pk.b, 33, pk_hex);
    test_unhex(cc, 32, cc_hex);
    assert_int_equal(qrt_derive(&child, test_ctx(QRT_CPU_ALL), &pk, cc, path, n), QRT_OK);
    return child;
}

static void test_bip32_vector_2_child_0(void **state)
{
    const uint32_t path[] = {0};
    struct qrt_child c =
        derive("03cbcaa9c98c877a26977d00825c956a238e8dddfbd322cce4f74b0b5bd6ace4a7",
               "60499f801b896d83179a4374aeb7822aaeaceaa0db1f85ee3e904c4defbd9689", path, 1);

    (void)state;
    assert_true(test_is_hex(c.pk.b, 33,
                            "02fc9e5af0ac8d9b3cecfe2a888e2117ba3d089d8585886c9c826b6b22a98d12ea"));
    assert_true(
        test_is_hex(c.cc, 32, "f0909affaa7ee7abe5dd4e100598d4dc53cd709d5a5c2cac40e7412f232f7c9c"));
}

static void test_bip32_vector_1_child_1(void **state)
{
    const uint32_t path[] = {1};
    struct qrt_child c =
        derive("035a784662a4a20a65bf6aab9ae98a6c068a81c52e4b032c0fb5400c706cfccc56",
               "47fdacbd0f1097043b78c63c20c34ef4ed9a111d980047ad16282c7ae6236141", path, 1);

    (void)state;
    assert_true(test_is_hex(c.pk.b, 33,
                            "03501e454bf00751f24b1b489aa925215d66af2234e3891c3b21a52bedb3cd711c"));
    assert_true(
        test_is_hex(c.cc, 32, "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19"));
}

static const char model_pk[] = "03915e6abd694e3f51b7cbd6aab54eeee70b889d8393484f617247e51dcf8eccb0";
static const char model_cc[] = "b861fd28b92f87c4d1f87bb88c374eae9443bbbd10763c8b227c6d7dd9b3d527";

static void test_the_model_agrees_on_path_44_0_7(void **state)
{
    const uint32_t path[] = {44, 0, 7};
    struct qrt_child c = derive(model_pk, model_cc, path, 3);

    (void)state;
    assert_true(test_is_hex(c.pk.b, 33,
                            "030c4c9401afe513f80b0dd634ced344ec292625dd17837bae98c855d09b319d06"));
    assert_true(
        test_is_hex(c.cc, 32, "755e4657e9986e78468c86bb3472e2617d5e2ebf9690af1bbb3db1ba58152d49"));
    assert_true(test_is_hex(c.tweak, 32,
                            "8d43388fdf06022f7217a9657fe575056ec873bac833e605f68839ae2b263b1f"));
}

static void test_the_child_is_the_parent_plus_tweak_times_g(void **state)
{
    const uint32_t path[] = {0x7fffffff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_child c = derive(model_pk, model_cc, path, QRT_PATH_MAX);
    struct qrt_pt parent, got, want;
    struct qrt_sc tweak;
    uint8_t pk[33];

    (void)state;
    test_unhex(pk, 33, model_pk);
    assert_true(qrt_pt_decode(ctx, &parent, pk));
    assert_true(qrt_sc_decode(&tweak, c.tweak));
    qrt_pt_add_base_vartime(ctx, &got, &parent, &tweak);
    assert_true(qrt_pt_decode(ctx, &want, c.pk.b));
    assert_true(qrt_pt_equal(ctx, &got, &want));
}

static void test_an_empty_path_is_the_key_itself(void **state)
{
    struct qrt_child c = derive(model_pk, model_cc, NULL, 0);

    (void)state;
    assert_true(test_is_hex(c.pk.b, 33, model_pk));
    assert_true(test_is_hex(c.cc, 32, model_cc));
    assert_true(sodium_is_zero(c.tweak, 32));
}

static void refused(const struct qrt_pubkey *pk, const uint32_t *path, size_t n)
{
    const uint8_t cc[32] = {1};
    struct qrt_child c;

    memset(&c, 0xee, sizeof c);
    assert_int_equal(qrt_derive(&c, test_ctx(QRT_CPU_ALL), pk, cc, path, n), QRT_E_PATH);
    assert_true(sodium_is_zero((const uint8_t *)&c, sizeof c));
}

static void test_hardened_and_too_long_paths_are_refused(void **state)
{
    const uint32_t first[] = {0x80000000}, last[] = {1, 2, 0xffffffff}, zeros[17] = {0};
    struct qrt_pubkey pk;

    (void)state;
    test_unhex(pk.b, 33, model_pk);
    refused(&pk, first, 1);
    refused(&pk, last, 3);
    refused(&pk, zeros, 17);
    refused(&pk, zeros, SIZE_MAX);
    pk.b[0] = 4;
    refused(&pk, zeros, 1);
}

static void test_paths_are_parsed(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        uint32_t path[QRT_PATH_MAX];
    } cases[] = {
        {"", 0, {0}},
        {"m", 0, {0}},
        {"m/0", 1, {0}},
        {"0", 1, {0}},
        {"m/44/60/0", 3, {44, 60, 0}},
        {"44/60/0", 3, {44, 60, 0}},
        {"2147483647", 1, {0x7fffffff}},
        {"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
         16,
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
    };

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(cases); i++) {
        uint32_t path[QRT_PATH_MAX];
        size_t n = 99;

        assert_int_equal(qrt_path_parse(path, &n, cases[i].text), QRT_OK);
        assert_int_equal(n, cases[i].n);
        assert_memory_equal(path, cases[i].path, 4 * n);
    }
}

static void test_what_is_no_path_is_refused(void **state)
{
    static const char *const texts[] = {
        "/",
        "m/",
        "/1",
        "1/",
        "1//2",
        "44'",
        "44h",
        "44H",
        "m/44'/0",
        "M",
        "m1",
        "mm",
        "x",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x1",
        "2147483648",
        "4294967296",
        "99999999999999999999999",
        "00",
        "01",
        "m/m",
        "1/2,3",
        "1.0",
        "m/1/",
        "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
    };

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(texts); i++) {
        uint32_t path[QRT_PATH_MAX];
        size_t n = 99;

        assert_int_equal(qrt_path_parse(path, &n, texts[i]), QRT_E_PATH);
        assert_int_equal(n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bip32_vector_2_child_0),
        cmocka_unit_test(test_bip32_vector_1_child_1),
        cmocka_unit_test(test_the_model_agrees_on_path_44_0_7),
        cmocka_unit_test(test_the_child_is_the_parent_plus_tweak_times_g),
        cmocka_unit_test(test_an_empty_path_is_the_key_itself),
        cmocka_unit_test(test_hardened_and_too_long_paths_are_refused),
        cmocka_unit_test(test_paths_are_parsed),
        cmocka_unit_test(test_what_is_no_path_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
