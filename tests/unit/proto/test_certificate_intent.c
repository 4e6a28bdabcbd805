/* SPDX-License-Identifier: Apache-2.0 */
/* A key certificate belongs to the intent that its keygen carried out, and to no other: what keeps
 * whoever passes certificates on from passing off one key for another. */
#include "committee.h"

#include "quorate/certificate.h"

#include <secp256k1.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 3, T = 2, ATTEMPT = 2, BYTES_MAX = 4096 };

static struct qrt_ctx *ctx;
static struct committee people;
static struct qrt_intent asked;
static uint8_t intent[BYTES_MAX], certificate[BYTES_MAX];
static size_t intent_len;
static struct qrt_key_certificate key;

static void encode(uint8_t *out, size_t *len, const struct qrt_intent *value)
{
    assert_int_equal(qrt_intent_encode(value, out, BYTES_MAX, len), QRT_OK);
}

static void ask(void)
{
    asked = (struct qrt_intent){.operation = QRT_OP_KEYGEN,
                                .suite = QRT_SUITE_ECDSA,
                                .profile = QRT_PROFILE_1,
                                .purpose = QRT_PURPOSE_TRANSACTION,
                                .account = {1},
                                .request = {2},
                                .nonce = {3},
                                .deadline = 1900000000,
                                .attempts = 4,
                                .t = T,
                                .parties_n = N};
    for (size_t i = 0; i < N; i++) {
        asked.parties[i] = people.parties[i].index;
        memcpy(asked.idk[i], people.parties[i].idk, 32);
    }
    encode(intent, &intent_len, &asked);
}

/* The committee makes the key that the intent asks for, at its third attempt. */
static int make_key(void **state)
{
    struct session s;
    struct qrt_share share;
    struct qrt_bytes out = {.b = certificate, .cap = sizeof certificate};
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);

    (void)state;
    ctx = aligned_alloc(QRT_ALIGN, qrt_ctx_size());
    qrt_ctx_init(ctx, secp, QRT_CPU_ALL);
    committee_init(&people, ctx, N, T, 7);
    ask();
    session_init(&s, &people, QRT_KEYGEN, true);
    qrt_intent_iid(s.iid, ctx, intent, intent_len, ATTEMPT);
    for (size_t i = 0; i < N; i++)
        if (session_start_seat(&s, i) != QRT_OK)
            return -1;
    while (session_step(&s))
        ;
    if (!session_done(&s) ||
        qrt_share_open(&share, ctx, s.seats[0].record, s.seats[0].record_len) != QRT_OK ||
        qrt_certificate_export(&out, &share) != QRT_OK)
        return -1;
    session_free(&s);
    return qrt_certificate_open(&key, ctx, certificate, out.len) == QRT_OK ? 0 : -1;
}

static enum qrt_err check(const struct qrt_intent *value)
{
    uint8_t b[BYTES_MAX];
    size_t len;

    encode(b, &len, value);
    return qrt_certificate_check_intent(&key, ctx, b, len);
}

static void test_a_key_is_of_the_intent_it_was_made_for(void **state)
{
    (void)state;
    assert_int_equal(check(&asked), QRT_OK);
}

static void test_another_intent_of_the_same_parties_is_another_key(void **state)
{
    struct qrt_intent other = asked;

    (void)state;
    other.nonce[0] ^= 1;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
    other = asked;
    other.account[15] ^= 1;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
    other = asked;
    other.deadline++;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
}

static void test_an_attempt_that_the_intent_does_not_allow_is_not_its_own(void **state)
{
    struct qrt_intent other = asked;

    (void)state;
    other.attempts = ATTEMPT;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
}

static void test_other_seats_are_another_key(void **state)
{
    struct qrt_intent other = asked;

    (void)state;
    other.idk[1][0] ^= 1;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
    other = asked;
    other.parties[2] = 9;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
    other = asked;
    other.t = 3;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
    other = asked;
    other.parties_n = 2;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
}

static void test_an_intent_to_sign_makes_no_key(void **state)
{
    struct qrt_intent other = asked;
    const uint8_t hash[32] = {1};

    (void)state;
    other.operation = QRT_OP_SIGN;
    memset(other.idk, 0, sizeof other.idk);
    other.keyid[0] = 1;
    other.digest = QRT_DIGEST_LOCAL;
    other.message = hash;
    other.message_len = 32;
    assert_int_equal(check(&other), QRT_E_RECORD_CERTIFICATE);
}

static void test_what_is_no_intent_is_refused(void **state)
{
    (void)state;
    assert_int_equal(qrt_certificate_check_intent(&key, ctx, intent, intent_len - 1),
                     QRT_E_INTENT_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_of_the_intent_it_was_made_for),
        cmocka_unit_test(test_another_intent_of_the_same_parties_is_another_key),
        cmocka_unit_test(test_an_attempt_that_the_intent_does_not_allow_is_not_its_own),
        cmocka_unit_test(test_other_seats_are_another_key),
        cmocka_unit_test(test_an_intent_to_sign_makes_no_key),
        cmocka_unit_test(test_what_is_no_intent_is_refused),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, make_key, NULL);
}
