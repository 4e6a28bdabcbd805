/* SPDX-License-Identifier: Apache-2.0 */
/* Intents: one encoding per value, every field signed, every range enforced both ways. */
#include "support.h"

#include "base/port.h"
#include "quorate/intent.h"

#include <sodium.h>
#include <string.h>

static const char golden[] =
    "444b49310102010101c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5"
    "e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff101112131415161718191a1b1c1d1e1f2021222324"
    "25262728292a2b2c2d2e2f000000006553f100000000030002000300010002012c00030000002c0000003c7fffffff"
    "010000000568656c6c6f";

/* With identities. */
static const char golden_keygen[] =
    "444b49310101010101c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf000000000000"
    "0000000000000000000000000000000000000000000000000000101112131415161718191a1b1c1d1e1f2021222324"
    "25262728292a2b2c2d2e2f000000006553f100000000030002000300010002012c303132333435363738393a3b3c3d"
    "3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c"
    "6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f00000000000000";

enum { GOLDEN_LEN = (sizeof golden - 1) / 2, KEYGEN_LEN = (sizeof golden_keygen - 1) / 2 };

static uint8_t message[QRT_MESSAGE_MAX + 1];
static uint8_t buffer[QRT_MESSAGE_MAX + 1024];

static void fill(uint8_t *out, size_t len, unsigned first)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(first + i);
}

static struct qrt_intent example(void)
{
    struct qrt_intent in = {.operation = QRT_OP_SIGN,
                            .suite = QRT_SUITE_ECDSA,
                            .profile = QRT_PROFILE_1,
                            .purpose = QRT_PURPOSE_TRANSACTION,
                            .deadline = 1700000000,
                            .attempts = 3,
                            .t = 2,
                            .parties_n = 3,
                            .parties = {1, 2, 300},
                            .path_n = 3,
                            .path = {44, 60, 0x7fffffff},
                            .digest = QRT_DIGEST_SHA256,
                            .message_len = 5,
                            .message = (const uint8_t *)"hello"};

    fill(in.account, 16, 0xc0);
    fill(in.request, 16, 0xd0);
    fill(in.keyid, 32, 0xe0);
    fill(in.nonce, 32, 0x10);
    return in;
}

static struct qrt_intent keygen_example(void)
{
    struct qrt_intent in = example();

    in.operation = QRT_OP_KEYGEN;
    memset(in.keyid, 0, 32);
    for (unsigned i = 0; i < in.parties_n; i++)
        fill(in.idk[i], 32, 0x30 + 0x20 * i);
    in.path_n = 0;
    in.digest = 0;
    in.message_len = 0;
    return in;
}

static struct qrt_intent presign_example(void)
{
    struct qrt_intent in = example();

    in.operation = QRT_OP_PRESIGN;
    in.digest = 0;
    in.message_len = 0;
    in.attempts = 65535;
    return in;
}

static enum qrt_err encode(const struct qrt_intent *in, size_t *len)
{
    return qrt_intent_encode(in, buffer, sizeof buffer, len);
}

/* decode(encode(in)) is |in|, and encoding that gives the same bytes. */
static void check_round_trip(const struct qrt_intent *in)
{
    static uint8_t again[sizeof buffer];
    struct qrt_intent out;
    size_t len, len2;

    assert_int_equal(encode(in, &len), QRT_OK);
    assert_int_equal(len, qrt_intent_size(in));
    assert_int_equal(qrt_intent_decode(&out, buffer, len), QRT_OK);
    assert_int_equal(out.operation, in->operation);
    assert_int_equal(out.purpose, in->purpose);
    assert_memory_equal(out.account, in->account, 16);
    assert_memory_equal(out.request, in->request, 16);
    assert_memory_equal(out.keyid, in->keyid, 32);
    assert_memory_equal(out.nonce, in->nonce, 32);
    assert_true(out.deadline == in->deadline);
    assert_int_equal(out.attempts, in->attempts);
    assert_int_equal(out.t, in->t);
    assert_int_equal(out.parties_n, in->parties_n);
    assert_memory_equal(out.parties, in->parties, 2 * (size_t)in->parties_n);
    assert_memory_equal(out.idk, in->idk, sizeof out.idk);
    assert_int_equal(out.path_n, in->path_n);
    assert_memory_equal(out.path, in->path, 4 * (size_t)in->path_n);
    assert_int_equal(out.digest, in->digest);
    assert_int_equal(out.message_len, in->message_len);
    if (in->message_len > 0)
        assert_memory_equal(out.message, in->message, in->message_len);
    assert_int_equal(qrt_intent_encode(&out, again, sizeof again, &len2), QRT_OK);
    assert_int_equal(len2, len);
    assert_memory_equal(again, buffer, len);
}

static void test_the_encoding_is_the_known_one(void **state)
{
    struct qrt_intent in = example();
    size_t len;

    (void)state;
    assert_int_equal(encode(&in, &len), QRT_OK);
    assert_true(test_is_hex(buffer, len, golden));
    in = keygen_example();
    assert_int_equal(encode(&in, &len), QRT_OK);
    assert_true(test_is_hex(buffer, len, golden_keygen));
}

static void test_what_was_encoded_decodes_to_the_same(void **state)
{
    struct qrt_intent in = example();

    (void)state;
    check_round_trip(&in);
    in = keygen_example();
    check_round_trip(&in);
    in = presign_example();
    check_round_trip(&in);
}

static void test_the_largest_intent_has_a_round_trip(void **state)
{
    struct qrt_intent in = example();

    (void)state;
    in.parties_n = in.t = QRT_PARTIES_MAX;
    for (uint16_t i = 0; i < QRT_PARTIES_MAX; i++)
        in.parties[i] = (uint16_t)(QRT_INDEX_MAX - QRT_PARTIES_MAX + 1 + i);
    in.path_n = QRT_PATH_MAX;
    for (uint32_t i = 0; i < QRT_PATH_MAX; i++)
        in.path[i] = 0x7fffffff - i;
    in.attempts = 16;
    in.deadline = UINT64_MAX;
    in.message = message;
    in.message_len = QRT_MESSAGE_MAX;
    check_round_trip(&in);
    in.digest = QRT_DIGEST_LOCAL;
    in.message_len = 32;
    check_round_trip(&in);
}

static void test_the_largest_keygen_has_a_round_trip(void **state)
{
    struct qrt_intent in = keygen_example();

    (void)state;
    in.parties_n = in.t = QRT_PARTIES_MAX;
    for (uint16_t i = 0; i < QRT_PARTIES_MAX; i++) {
        in.parties[i] = (uint16_t)(i + 1);
        fill(in.idk[i], 32, i);
    }
    check_round_trip(&in);
}

static void check_cuts(const char *hex, size_t whole)
{
    uint8_t b[KEYGEN_LEN + 1] = {0};
    struct qrt_intent out;

    test_unhex(b, whole, hex);
    for (size_t len = 0; len < whole; len++)
        assert_int_equal(qrt_intent_decode(&out, b, len), QRT_E_INTENT_FORMAT);
    assert_int_equal(qrt_intent_decode(&out, b, whole + 1), QRT_E_INTENT_FORMAT);
    assert_int_equal(qrt_intent_decode(&out, b, whole), QRT_OK);
}

static void test_every_cut_and_every_extension_is_refused(void **state)
{
    (void)state;
    check_cuts(golden, GOLDEN_LEN);
    check_cuts(golden_keygen, KEYGEN_LEN);
}

static void check_every_byte_is_signed(uint8_t *b, size_t len)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t seed[32], idpk[32], sk[64], sig[64], iid[32], req[32], other[32];

    fill(seed, 32, 0xa0);
    assert_int_equal(crypto_sign_seed_keypair(idpk, sk, seed), 0);
    qrt_intent_sign(sig, ctx, b, len, sk);
    qrt_intent_iid(iid, ctx, b, len, 0);
    qrt_intent_req(req, ctx, b, len, 0);
    assert_int_equal(qrt_intent_verify(ctx, b, len, sig, idpk), QRT_OK);
    for (size_t i = 0; i < len; i++) {
        b[i] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(qrt_intent_verify(ctx, b, len, sig, idpk), QRT_E_INTENT_SIGNATURE);
        qrt_intent_iid(other, ctx, b, len, 0);
        assert_memory_not_equal(iid, other, 32);
        qrt_intent_req(other, ctx, b, len, 0);
        assert_memory_not_equal(req, other, 32);
        b[i] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < sizeof sig; i++) {
        sig[i] ^= 1;
        assert_int_equal(qrt_intent_verify(ctx, b, len, sig, idpk), QRT_E_INTENT_SIGNATURE);
        sig[i] ^= 1;
    }
    idpk[0] ^= 1;
    assert_int_equal(qrt_intent_verify(ctx, b, len, sig, idpk), QRT_E_INTENT_SIGNATURE);
}

/* lessons.md part 1, row 20: the initiator's signature did not cover the derivation path. */
static void test_lesson_1_20_every_changed_byte_breaks_the_signature_and_the_iid(void **state)
{
    uint8_t b[KEYGEN_LEN];

    (void)state;
    test_unhex(b, GOLDEN_LEN, golden);
    check_every_byte_is_signed(b, GOLDEN_LEN);
    test_unhex(b, KEYGEN_LEN, golden_keygen);
    check_every_byte_is_signed(b, KEYGEN_LEN);
}

static void check_canonical(const char *hex, size_t whole)
{
    uint8_t b[KEYGEN_LEN];
    struct qrt_intent out;
    size_t len;

    test_unhex(b, whole, hex);
    for (size_t i = 0; i < whole; i++) {
        uint8_t kept = b[i];

        for (unsigned v = 0; v < 256; v++) {
            b[i] = (uint8_t)v;
            if (qrt_intent_decode(&out, b, whole) != QRT_OK)
                continue;
            assert_int_equal(encode(&out, &len), QRT_OK);
            assert_int_equal(len, whole);
            assert_memory_equal(buffer, b, len);
        }
        b[i] = kept;
    }
}

/* Whatever byte is changed to whatever value: what still decodes encodes to the very same bytes. */
static void test_what_decodes_is_canonical(void **state)
{
    (void)state;
    check_canonical(golden, GOLDEN_LEN);
    check_canonical(golden_keygen, KEYGEN_LEN);
}

enum { IDENTITIES_AT = 127 };

static void test_every_byte_of_every_identity_is_read_into_its_place(void **state)
{
    uint8_t b[KEYGEN_LEN];
    struct qrt_intent whole, out;

    (void)state;
    test_unhex(b, sizeof b, golden_keygen);
    assert_int_equal(qrt_intent_decode(&whole, b, sizeof b), QRT_OK);
    for (size_t i = 0; i < 3 * 32; i++) {
        b[IDENTITIES_AT + i] ^= 0x01;
        assert_int_equal(qrt_intent_decode(&out, b, sizeof b), QRT_OK);
        assert_int_equal(out.idk[i / 32][i % 32], whole.idk[i / 32][i % 32] ^ 0x01);
        out.idk[i / 32][i % 32] ^= 0x01;
        assert_memory_equal(out.idk, whole.idk, sizeof out.idk);
        b[IDENTITIES_AT + i] ^= 0x01;
    }
}

/* The same identities at other indices are another intent. */
static void test_swapped_identities_are_another_intent(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t seed[32] = {1}, idpk[32], sk[64], sig[64], iid[32], other[32];
    struct qrt_intent in = keygen_example();
    size_t len;

    (void)state;
    assert_int_equal(crypto_sign_seed_keypair(idpk, sk, seed), 0);
    assert_int_equal(encode(&in, &len), QRT_OK);
    qrt_intent_sign(sig, ctx, buffer, len, sk);
    qrt_intent_iid(iid, ctx, buffer, len, 0);
    fill(in.idk[0], 32, 0x50);
    fill(in.idk[1], 32, 0x30);
    assert_int_equal(encode(&in, &len), QRT_OK);
    assert_int_equal(qrt_intent_verify(ctx, buffer, len, sig, idpk), QRT_E_INTENT_SIGNATURE);
    qrt_intent_iid(other, ctx, buffer, len, 0);
    assert_memory_not_equal(iid, other, 32);
}

static void test_an_identity_that_stands_twice_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < i; j++) {
            struct qrt_intent in = keygen_example(), out;
            uint8_t b[KEYGEN_LEN];
            size_t len;

            memcpy(in.idk[i], in.idk[j], 32);
            assert_int_equal(encode(&in, &len), QRT_E_INTENT_FORMAT);
            test_unhex(b, sizeof b, golden_keygen);
            memcpy(b + IDENTITIES_AT + 32 * i, b + IDENTITIES_AT + 32 * j, 32);
            assert_int_equal(qrt_intent_decode(&out, b, sizeof b), QRT_E_INTENT_FORMAT);
        }
    }
}

/* A key's record says who its parties are; an intent that uses the key has no second opinion. */
static void test_only_a_keygen_names_identities(void **state)
{
    struct qrt_intent sign = example(), presign = presign_example();
    size_t len;

    (void)state;
    sign.idk[2][31] = 1;
    assert_int_equal(encode(&sign, &len), QRT_E_INTENT_FORMAT);
    presign.idk[0][0] = 1;
    assert_int_equal(encode(&presign, &len), QRT_E_INTENT_FORMAT);
}

static void test_signature_and_ids_are_the_known_ones(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t b[GOLDEN_LEN], seed[32], idpk[32], sk[64], sig[64], id[32];

    (void)state;
    test_unhex(b, sizeof b, golden);
    fill(seed, 32, 0xa0);
    assert_int_equal(crypto_sign_seed_keypair(idpk, sk, seed), 0);
    qrt_intent_sign(sig, ctx, b, sizeof b, sk);
    assert_true(test_is_hex(
        sig, 64,
        "201fcfd28bc3dde7d7ecbb5eb13370ced9e9b7df0f123bb9e574a488b288ee841e0ca90ec6400e4ed7521709a7"
        "8a89e73d9033cadb9c6425fcb92fb7bb2d7d07"));
    qrt_intent_iid(id, ctx, b, sizeof b, 0);
    assert_true(
        test_is_hex(id, 32, "a3e8bd9e3c2c72c1d5debe337dddc0d75f102e0e38cd7ae02046433a5250f651"));
    qrt_intent_iid(id, ctx, b, sizeof b, 2);
    assert_true(
        test_is_hex(id, 32, "52fa430ae099085ae04405e06f2bfcb5242d69398138ab945438b04d6154fd17"));
    qrt_intent_req(id, ctx, b, sizeof b, 2);
    assert_true(
        test_is_hex(id, 32, "0444a10b7922a079dc4cf3f035f7327555b7760ab0028099b25b49d91bcf6139"));
}

/* The encoder refuses |in|; so does the decoder once the bytes exist (see the next test). */
static void refuse(const struct qrt_intent *in)
{
    size_t len;

    assert_int_equal(encode(in, &len), QRT_E_INTENT_FORMAT);
    assert_int_equal(len, 0);
}

#define REFUSE(start, change)                                                                      \
    do {                                                                                           \
        struct qrt_intent in = start;                                                              \
        change;                                                                                    \
        refuse(&in);                                                                               \
    } while (0)

static void test_every_field_out_of_range_is_refused_by_the_encoder(void **state)
{
    (void)state;
    REFUSE(example(), in.operation = 0);
    REFUSE(example(), in.operation = 4);
    REFUSE(example(), in.suite = 0);
    REFUSE(example(), in.suite = 0x11);
    REFUSE(example(), in.profile = 2);
    REFUSE(example(), in.purpose = 0);
    REFUSE(example(), in.purpose = 3);
    REFUSE(example(), in.attempts = 0);
    REFUSE(example(), in.attempts = 17);
    REFUSE(presign_example(), in.attempts = 65536);
    REFUSE(example(), in.t = 1);
    REFUSE(example(), in.t = 4);
    REFUSE(example(), in.parties_n = 65);
    REFUSE(example(), in.parties[0] = 0);
    REFUSE(example(), in.parties[2] = 65535);
    REFUSE(example(), in.parties[1] = 1);
    REFUSE(example(), in.parties[1] = 301);
    REFUSE(example(), in.path_n = 17);
    REFUSE(example(), in.path[2] = 0x80000000);
    REFUSE(example(), memset(in.keyid, 0, 32));
    REFUSE(presign_example(), memset(in.keyid, 0, 32));
    REFUSE(keygen_example(), in.keyid[31] = 1);
    REFUSE(keygen_example(), in.path_n = 1);
    REFUSE(keygen_example(), in.digest = 1);
    REFUSE(keygen_example(), in.message_len = 1);
    REFUSE(keygen_example(), memcpy(in.idk[2], in.idk[0], 32));
    REFUSE(presign_example(), in.digest = 1);
    REFUSE(presign_example(), in.message_len = 1);
    REFUSE(example(), in.digest = 3);
    REFUSE(example(), in.message_len = 0);
    REFUSE(example(), (in.message_len = QRT_MESSAGE_MAX + 1, in.message = message));
    REFUSE(example(), (in.digest = 0, in.message_len = 31, in.message = message));
    REFUSE(example(), (in.digest = 0, in.message_len = 33, in.message = message));
}

/* Single values of the golden bytes that no encoder makes. */
static void test_every_field_out_of_range_is_refused_by_the_decoder(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } cases[] = {
        {0, 'd', "magic"},
        {4, 2, "version"},
        {5, 0, "operation"},
        {5, 4, "operation"},
        {5, 1, "keygen with a key"},
        {5, 3, "presign with a message"},
        {6, 2, "suite"},
        {7, 2, "profile"},
        {8, 0, "purpose"},
        {8, 3, "purpose"},
        {116, 17, "attempts"},
        {116, 0, "attempts"},
        {118, 1, "t"},
        {118, 4, "t above n"},
        {119, 1, "n of 259"},
        {120, 2, "n"},
        {122, 2, "not ascending"},
        {122, 0, "index zero"},
        {128, 2, "path count"},
        {128, 17, "path count"},
        {137, 0xff, "hardened"},
        {141, 3, "digest"},
        {141, 0, "LOCAL of 5 bytes"},
        {145, 4, "length"},
        {145, 6, "length"},
        {142, 1, "huge length"},
    };
    struct qrt_intent out;

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(cases); i++) {
        uint8_t b[GOLDEN_LEN];

        test_unhex(b, sizeof b, golden);
        b[cases[i].at] = cases[i].value;
        assert_int_equal(qrt_intent_decode(&out, b, sizeof b), QRT_E_INTENT_FORMAT);
    }
}

static void test_a_buffer_that_is_too_small_is_refused(void **state)
{
    struct qrt_intent in = example();
    uint8_t b[GOLDEN_LEN];
    size_t len;

    (void)state;
    for (size_t cap = 0; cap < sizeof b; cap++)
        assert_int_equal(qrt_intent_encode(&in, b, cap, &len), QRT_E_SPACE);
    assert_int_equal(qrt_intent_encode(&in, b, sizeof b, &len), QRT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_encoding_is_the_known_one),
        cmocka_unit_test(test_what_was_encoded_decodes_to_the_same),
        cmocka_unit_test(test_the_largest_intent_has_a_round_trip),
        cmocka_unit_test(test_the_largest_keygen_has_a_round_trip),
        cmocka_unit_test(test_every_cut_and_every_extension_is_refused),
        cmocka_unit_test(test_lesson_1_20_every_changed_byte_breaks_the_signature_and_the_iid),
        cmocka_unit_test(test_what_decodes_is_canonical),
        cmocka_unit_test(test_every_byte_of_every_identity_is_read_into_its_place),
        cmocka_unit_test(test_swapped_identities_are_another_intent),
        cmocka_unit_test(test_an_identity_that_stands_twice_is_refused),
        cmocka_unit_test(test_only_a_keygen_names_identities),
        cmocka_unit_test(test_signature_and_ids_are_the_known_ones),
        cmocka_unit_test(test_every_field_out_of_range_is_refused_by_the_encoder),
        cmocka_unit_test(test_every_field_out_of_range_is_refused_by_the_decoder),
        cmocka_unit_test(test_a_buffer_that_is_too_small_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
