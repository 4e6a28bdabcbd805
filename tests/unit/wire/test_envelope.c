/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope. Known answers come from envelope_vectors.py, which is built on other code. */
#include "support.h"

#include "quorate/wire.h"
#include "wire/envelope.h"

#include <sodium.h>
#include <string.h>

static const char text[] = "the quick brown fox jumps over the lazy dog";

enum { TEXT_LEN = sizeof text - 1, WIRE_LEN = QRT_HEADER_BYTES + TEXT_LEN + QRT_TAG_BYTES };

static void fill(uint8_t *out, size_t len, unsigned first)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(first + i);
}

/* Parties 2 and 7 of the vectors. */
struct pair {
    struct qrt_ctx *ctx;
    uint8_t esk[2][32], ek[2][32], idk[2][32], sid[32];
    struct qrt_seal_side side[2];
};

static struct pair *setup(void)
{
    static struct pair p;
    static const uint16_t index[2] = {2, 7};

    p.ctx = test_ctx(QRT_CPU_ALL);
    fill(p.sid, 32, 0x20);
    for (unsigned i = 0; i < 2; i++) {
        fill(p.esk[i], 32, i ? 101 : 1);
        fill(p.idk[i], 32, i ? 0x80 : 0x60);
        qrt_seal_ephemeral(p.ek[i], p.esk[i]);
        p.side[i] = (struct qrt_seal_side){index[i], p.idk[i], p.ek[i]};
    }
    return &p;
}

static void header(uint8_t out[QRT_HEADER_BYTES], uint16_t from, uint16_t to)
{
    struct qrt_header h = {.protocol = QRT_SIGN,
                           .profile = 1,
                           .round = 2,
                           .kind = QRT_KIND_PRIVATE,
                           .sender = from,
                           .receiver = to,
                           .payload_len = TEXT_LEN};

    fill(h.sid, 32, 0x20);
    fill(h.echo, 32, 0x40);
    qrt_header_encode(out, &h);
}

static void agree(const struct pair *p, unsigned own, uint8_t prk[32])
{
    assert_true(
        qrt_seal_agree(p->ctx, prk, p->esk[own], &p->side[own], &p->side[!own], p->sid, QRT_SIGN));
}

static void sealed_message(uint8_t wire[WIRE_LEN], uint8_t key[32])
{
    uint8_t prk[32];

    agree(setup(), 0, prk);
    qrt_seal_key(key, prk, 2, 2, 7);
    header(wire, 2, 7);
    memcpy(wire + QRT_HEADER_BYTES, text, TEXT_LEN);
    qrt_seal(wire, TEXT_LEN, key);
    qrt_seal_key(key, prk, 2, 2, 7);
}

static void test_keys_and_sealed_bytes_are_the_known_ones(void **state)
{
    struct pair *p = setup();
    uint8_t prk[2][32], key[32], wire[WIRE_LEN];

    (void)state;
    assert_true(test_is_hex(p->ek[0], 32,
                            "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"));
    assert_true(test_is_hex(p->ek[1], 32,
                            "5714769d116bf76436ae74bc793d2c30ad1903c59ac5273805c7e2698b410c36"));
    agree(p, 0, prk[0]);
    agree(p, 1, prk[1]);
    assert_memory_equal(prk[0], prk[1], 32);
    assert_true(test_is_hex(prk[0], 32,
                            "4dd9a86fac129f323814a93a93ca0e00cfcd46a8c6fe2fb9190ddffbff5dc8bd"));
    sealed_message(wire, key);
    assert_true(
        test_is_hex(key, 32, "cbb1d16aec070095fadcf3f4d64fa395a74449a9e7455222f42e1a43faf957af"));
    assert_true(test_is_hex(
        wire + QRT_HEADER_BYTES, TEXT_LEN + QRT_TAG_BYTES,
        "30b67bbdf98b29a20b9bb929bf90c501745fad1b300802e3b8428e2d25ed3f006a19699f0fd9e75c359f015e5f"
        "0ae557a356a426d881ff12b789b8"));
}

static void test_what_is_sealed_opens_and_the_key_is_gone(void **state)
{
    uint8_t wire[WIRE_LEN], key[32], out[TEXT_LEN];

    (void)state;
    sealed_message(wire, key);
    assert_true(qrt_open(out, wire, TEXT_LEN, key));
    assert_memory_equal(out, text, TEXT_LEN);
    assert_true(sodium_is_zero(key, 32));
    assert_false(qrt_open(out, wire, TEXT_LEN, key));
}

static void test_sealing_takes_the_key_away(void **state)
{
    uint8_t wire[WIRE_LEN] = {0}, key[32] = {7};

    (void)state;
    qrt_seal(wire, TEXT_LEN, key);
    assert_true(sodium_is_zero(key, 32));
}

static void test_an_empty_payload_is_sealed_and_opened(void **state)
{
    uint8_t wire[QRT_HEADER_BYTES + QRT_TAG_BYTES] = {1}, key[32] = {7}, again[32] = {7}, out[1];

    (void)state;
    qrt_seal(wire, 0, key);
    assert_true(qrt_open(out, wire, 0, again));
}

/* Every bit of header, ciphertext and tag. */
static void test_every_flipped_bit_is_refused_and_the_key_survives(void **state)
{
    uint8_t wire[WIRE_LEN], key[32], kept[32], out[TEXT_LEN];

    (void)state;
    sealed_message(wire, key);
    memcpy(kept, key, 32);
    for (size_t bit = 0; bit < 8 * WIRE_LEN; bit++) {
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(out, 0xee, sizeof out);
        assert_false(qrt_open(out, wire, TEXT_LEN, key));
        assert_true(sodium_is_zero(out, sizeof out));
        assert_memory_equal(key, kept, 32);
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(qrt_open(out, wire, TEXT_LEN, key));
}

static void test_another_length_is_refused(void **state)
{
    uint8_t wire[WIRE_LEN + 1] = {0}, key[32], out[TEXT_LEN + 1];

    (void)state;
    sealed_message(wire, key);
    assert_false(qrt_open(out, wire, TEXT_LEN - 1, key));
    assert_false(qrt_open(out, wire, TEXT_LEN + 1, key));
    assert_false(qrt_open(out, wire, 0, key));
    assert_true(qrt_open(out, wire, TEXT_LEN, key));
}

/* lessons.md part 2, row 11: one key for both directions lets a relay see a nonce used twice. */
static void test_lesson_2_11_directions_and_rounds_have_keys_of_their_own(void **state)
{
    static const struct {
        uint8_t round;
        uint16_t from, to;
    } use[] = {{2, 2, 7}, {2, 7, 2}, {3, 2, 7}, {3, 7, 2}, {1, 2, 7}, {2, 2, 8}, {2, 3, 7}};
    enum { N = sizeof use / sizeof use[0] };
    uint8_t prk[32], key[N][32], stream[2][QRT_HEADER_BYTES + 32 + QRT_TAG_BYTES] = {{0}};

    (void)state;
    agree(setup(), 0, prk);
    for (size_t i = 0; i < N; i++) {
        qrt_seal_key(key[i], prk, use[i].round, use[i].from, use[i].to);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(key[i], key[j], 32);
    }
    /* Both seal 32 zero bytes at once: the ciphertexts are the key streams. */
    qrt_seal(stream[0], 32, key[0]);
    qrt_seal(stream[1], 32, key[1]);
    assert_memory_not_equal(stream[0] + QRT_HEADER_BYTES, stream[1] + QRT_HEADER_BYTES, 32);
}

static void test_the_agreed_key_binds_session_protocol_indices_and_identities(void **state)
{
    struct pair *p = setup();
    uint8_t prk[32], other[32], sid[32], idk[32];
    struct qrt_seal_side own = p->side[0], peer = p->side[1];

    (void)state;
    agree(p, 0, prk);
    memcpy(sid, p->sid, 32);
    sid[31] ^= 1;
    assert_true(qrt_seal_agree(p->ctx, other, p->esk[0], &own, &peer, sid, QRT_SIGN));
    assert_memory_not_equal(prk, other, 32);
    assert_true(qrt_seal_agree(p->ctx, other, p->esk[0], &own, &peer, p->sid, QRT_PRESIGN));
    assert_memory_not_equal(prk, other, 32);
    own.index = 3;
    assert_true(qrt_seal_agree(p->ctx, other, p->esk[0], &own, &peer, p->sid, QRT_SIGN));
    assert_memory_not_equal(prk, other, 32);
    own = p->side[0];
    memcpy(idk, peer.idk, 32);
    idk[0] ^= 1;
    peer.idk = idk;
    assert_true(qrt_seal_agree(p->ctx, other, p->esk[0], &own, &peer, p->sid, QRT_SIGN));
    assert_memory_not_equal(prk, other, 32);
}

static void test_ephemeral_keys_of_small_order_are_refused(void **state)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct pair *p = setup();
    uint8_t ek[32], prk[32];
    struct qrt_seal_side peer = p->side[1];

    (void)state;
    peer.ek = ek;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        test_unhex(ek, 32, points[i]);
        memset(prk, 0xee, sizeof prk);
        assert_false(qrt_seal_agree(p->ctx, prk, p->esk[0], &p->side[0], &peer, p->sid, QRT_SIGN));
        assert_true(sodium_is_zero(prk, 32));
    }
}

/* A round-1 broadcast: header, ephemeral key, payload. */
struct broadcast {
    uint8_t header[QRT_HEADER_BYTES], ext[32], payload[64], sig[64], idpk[32];
    struct qrt_signed m;
};

static struct broadcast *signed_broadcast(void)
{
    static struct broadcast b;
    struct qrt_header h = {.protocol = QRT_KEYGEN,
                           .profile = 1,
                           .round = 1,
                           .sender = 2,
                           .receiver = QRT_EVERYBODY,
                           .payload_len = 64};
    uint8_t seed[32], sk[64];
    struct pair *p = setup();

    fill(seed, 32, 0xa0);
    assert_int_equal(crypto_sign_seed_keypair(b.idpk, sk, seed), 0);
    fill(h.sid, 32, 0x20);
    qrt_header_encode(b.header, &h);
    memcpy(b.ext, p->ek[0], 32);
    fill(b.payload, 64, 0);
    b.m = (struct qrt_signed){b.header, b.ext, 32, b.payload, 64};
    qrt_envelope_sign(p->ctx, b.sig, &b.m, sk);
    return &b;
}

static void test_the_signature_is_the_known_one(void **state)
{
    struct broadcast *b = signed_broadcast();

    (void)state;
    assert_true(test_is_hex(b->idpk, 32,
                            "4fd099ccd47d7893dfe9ec24414ecb0d9b5420232aad30d91c465be33cbe65c4"));
    assert_true(test_is_hex(
        b->sig, 64,
        "7ae72736975401a214cf4681d99b1b942cdd98cece1f62f497ca07674e8641cca7429cb0c8ceb8f91921a49d96"
        "8972c96deb1beb6ac861c6c6b68c9472012a07"));
    assert_true(qrt_envelope_verify(test_ctx(QRT_CPU_ALL), b->sig, &b->m, b->idpk));
}

static void flip_all(struct broadcast *b, uint8_t *part, size_t len)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);

    for (size_t i = 0; i < len; i++) {
        part[i] ^= (uint8_t)(1 << i % 8);
        assert_false(qrt_envelope_verify(ctx, b->sig, &b->m, b->idpk));
        part[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(qrt_envelope_verify(ctx, b->sig, &b->m, b->idpk));
}

static void test_the_signature_covers_header_ext_and_payload(void **state)
{
    struct broadcast *b = signed_broadcast();

    (void)state;
    flip_all(b, b->header, sizeof b->header);
    flip_all(b, b->ext, sizeof b->ext);
    flip_all(b, b->payload, sizeof b->payload);
    flip_all(b, b->sig, sizeof b->sig);
    flip_all(b, b->idpk, sizeof b->idpk);
}

/* The same bytes, cut elsewhere. */
static void test_the_border_of_ext_and_payload_is_signed(void **state)
{
    struct broadcast *b = signed_broadcast();
    uint8_t joined[96];
    struct qrt_signed m = {b->header, joined, 31, joined + 31, 65};

    (void)state;
    memcpy(joined, b->ext, 32);
    memcpy(joined + 32, b->payload, 64);
    assert_false(qrt_envelope_verify(test_ctx(QRT_CPU_ALL), b->sig, &m, b->idpk));
    m = (struct qrt_signed){b->header, joined, 32, joined + 32, 64};
    assert_true(qrt_envelope_verify(test_ctx(QRT_CPU_ALL), b->sig, &m, b->idpk));
}

/* S + L is the same number mod L: whoever accepts it lets a relay change signed bytes. */
static void test_a_signature_with_uncanonical_s_is_refused(void **state)
{
    static const char order[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    struct broadcast *b = signed_broadcast();
    uint8_t l[32];
    unsigned carry = 0;

    (void)state;
    test_unhex(l, 32, order);
    for (size_t i = 0; i < 32; i++) {
        carry += b->sig[32 + i] + (unsigned)l[i];
        b->sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_false(qrt_envelope_verify(test_ctx(QRT_CPU_ALL), b->sig, &b->m, b->idpk));
}

static void test_the_open_hash_covers_header_and_payload(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t wire[QRT_HEADER_BYTES + TEXT_LEN], hash[32], other[32];

    (void)state;
    header(wire, 2, 7);
    memcpy(wire + QRT_HEADER_BYTES, text, TEXT_LEN);
    qrt_envelope_open_hash(ctx, hash, wire, wire + QRT_HEADER_BYTES, TEXT_LEN);
    assert_true(
        test_is_hex(hash, 32, "c36cb8fb0c7a28dac0f9eabce9e08851c68ae50f7aa1c6fd614c1260e81ce8d7"));
    for (size_t i = 0; i < sizeof wire; i++) {
        wire[i] ^= 1;
        qrt_envelope_open_hash(ctx, other, wire, wire + QRT_HEADER_BYTES, TEXT_LEN);
        assert_memory_not_equal(hash, other, 32);
        wire[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_and_sealed_bytes_are_the_known_ones),
        cmocka_unit_test(test_what_is_sealed_opens_and_the_key_is_gone),
        cmocka_unit_test(test_sealing_takes_the_key_away),
        cmocka_unit_test(test_an_empty_payload_is_sealed_and_opened),
        cmocka_unit_test(test_every_flipped_bit_is_refused_and_the_key_survives),
        cmocka_unit_test(test_another_length_is_refused),
        cmocka_unit_test(test_lesson_2_11_directions_and_rounds_have_keys_of_their_own),
        cmocka_unit_test(test_the_agreed_key_binds_session_protocol_indices_and_identities),
        cmocka_unit_test(test_ephemeral_keys_of_small_order_are_refused),
        cmocka_unit_test(test_the_signature_is_the_known_one),
        cmocka_unit_test(test_the_signature_covers_header_ext_and_payload),
        cmocka_unit_test(test_the_border_of_ext_and_payload_is_signed),
        cmocka_unit_test(test_a_signature_with_uncanonical_s_is_refused),
        cmocka_unit_test(test_the_open_hash_covers_header_and_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
