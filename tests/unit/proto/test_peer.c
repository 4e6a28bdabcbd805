/* SPDX-License-Identifier: Apache-2.0 */
/* Peers: sizes, identities, what every start wipes, keys that serve once, copies that die. */
#include "../base/panics.h"
#include "proto/peer.h"
#include "toy.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { CANARY = 256 };

static struct world world;
static struct keyring key; /* 2 of 3 */
static const uint16_t pair[] = {1, 2};

static int make_key(void **state)
{
    (void)state;
    world_init(&world, 3);
    keyring_make(&key, &world, 2, 1);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    keyring_free(&key);
    return 0;
}

static void test_sizes_hold_the_run_and_grow(void **state)
{
    static const enum qrt_protocol protocols[] = {QRT_KEYGEN, QRT_SIGN, QRT_PRESIGN, QRT_ONLINE};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t n = 2; n <= 64; n++) {
            size_t t = i ? n : 2, size = qrt_peer_size(protocols[i], n, t);

            assert_true(size > sizeof(struct qrt_peer) + qrt_run_size(protocols[i], n, t));
            assert_int_equal(size % QRT_ALIGN, 0);
            if (n < 64)
                assert_true(qrt_peer_size(protocols[i], n + 1, i ? n + 1 : 2) > size);
        }
        assert_int_equal(qrt_peer_size(protocols[i], 1, 1), 0);
        assert_int_equal(qrt_peer_size(protocols[i], 65, 65), 0);
        assert_int_equal(qrt_peer_size(protocols[i], 3, 4), 0);
    }
    assert_int_equal(qrt_peer_size(QRT_SIGN, 3, 2), 0);
}

/* ---- starts ---- */

struct start {
    enum qrt_protocol protocol;
    struct qrt_keygen_params keygen;
    struct qrt_sign_params sign;
    struct qrt_peer_params envelope;
    struct qrt_peer_key keys[3];
    uint8_t identity[64];
};

static void prepare(struct start *s, enum qrt_protocol protocol)
{
    memset(s, 0, sizeof *s);
    s->protocol = protocol;
    s->keygen = (struct qrt_keygen_params){.parties = world.roster, .n = 3, .t = 2, .own = 1};
    s->sign =
        (struct qrt_sign_params){.share = keyring_share(&key, 1), .signers = pair, .signers_n = 2};
    s->sign.message = (struct qrt_message){QRT_DIGEST_SHA256, (const uint8_t *)"pay", 3};
    memcpy(s->keys, world.keys, sizeof s->keys);
    memcpy(s->identity, world.identity[0], 64);
    s->envelope = (struct qrt_peer_params){s->identity, s->keys, 3};
}

static size_t size_of(const struct start *s)
{
    return s->protocol == QRT_KEYGEN ? qrt_peer_size(QRT_KEYGEN, 3, 2)
                                     : qrt_peer_size(s->protocol, 2, 2);
}

/* In memory with a canary behind it. Seeds are gone whatever comes; a refused peer leaves either
 * nothing or what was there. */
static enum qrt_err start(const struct start *s, struct qrt_peer **out)
{
    size_t size = size_of(s);
    uint8_t *b = aligned_alloc(QRT_ALIGN, size + CANARY);
    struct qrt_peer *peer = (struct qrt_peer *)(void *)b;
    struct qrt_entropy entropy;
    enum qrt_err e;

    assert_non_null(b);
    memset(b, 0x5A, size + CANARY);
    memset(&entropy, 0xEE, sizeof entropy);
    if (s->protocol == QRT_KEYGEN)
        e = qrt_peer_keygen(peer, full_ctx(), &s->keygen, &s->envelope, &entropy);
    else if (s->protocol == QRT_SIGN)
        e = qrt_peer_sign(peer, full_ctx(), &s->sign, &s->envelope, &entropy);
    else
        e = qrt_peer_presign(peer, full_ctx(), &s->sign, &s->envelope, &entropy);
    toy_expect_all((const uint8_t *)&entropy, sizeof entropy, 0);
    toy_expect_all(b + size, CANARY, 0x5A);
    if (e != QRT_OK)
        toy_expect_all(b, size, b[0] ? 0x5A : 0);
    if (out && e == QRT_OK) {
        *out = peer;
        return e;
    }
    if (e == QRT_OK)
        qrt_peer_wipe(peer);
    free(b);
    return e;
}

static const enum qrt_protocol with_entropy[] = {QRT_KEYGEN, QRT_SIGN, QRT_PRESIGN};

static void test_a_good_start_wipes_what_it_was_given(void **state)
{
    struct start s;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        prepare(&s, with_entropy[i]);
        assert_int_equal(start(&s, NULL), QRT_OK);
    }
}

static void test_identities_are_those_of_the_roster(void **state)
{
    struct start s;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t members = with_entropy[i] == QRT_KEYGEN ? 3 : 2;

        for (size_t k = 0; k < members; k++) {
            prepare(&s, with_entropy[i]);
            s.keys[k].idpk[31] ^= 1;
            assert_int_equal(start(&s, NULL), QRT_E_IDENTITY);
            prepare(&s, with_entropy[i]);
            s.keys[k].index = 9;
            assert_int_equal(start(&s, NULL), QRT_E_IDENTITY);
        }
        prepare(&s, with_entropy[i]);
        s.envelope.keys_n = 1;
        assert_int_equal(start(&s, NULL), QRT_E_IDENTITY);
        prepare(&s, with_entropy[i]);
        memcpy(s.identity, world.identity[1], 64);
        assert_int_equal(start(&s, NULL), QRT_E_IDENTITY);
    }
    prepare(&s, QRT_SIGN); /* who does not sign needs no key, and the order of keys is free */
    s.keys[2] = s.keys[0];
    s.keys[0] = world.keys[1];
    s.keys[1].index = 77;
    assert_int_equal(start(&s, NULL), QRT_OK);
}

static void test_what_the_run_refuses_the_peer_refuses(void **state)
{
    static const uint16_t three[] = {1, 2, 3}, twice[] = {1, 1};
    struct start s;

    (void)state;
    prepare(&s, QRT_KEYGEN);
    s.keygen.own = 9;
    assert_int_equal(start(&s, NULL), QRT_E_NOT_A_PARTY);
    prepare(&s, QRT_KEYGEN);
    s.keygen.t = 1;
    assert_int_equal(start(&s, NULL), QRT_E_THRESHOLD);
    s.keygen.n = 65;
    assert_int_equal(start(&s, NULL), QRT_E_THRESHOLD);
    for (size_t i = 1; i < 3; i++) {
        prepare(&s, with_entropy[i]);
        s.sign.signers = three; /* more than the memory was made for */
        s.sign.signers_n = 3;
        assert_int_equal(start(&s, NULL), QRT_E_QUORUM);
        s.sign.signers_n = 1;
        assert_int_equal(start(&s, NULL), QRT_E_QUORUM);
        s.sign.signers_n = 2;
        s.sign.signers = twice;
        assert_int_equal(start(&s, NULL), QRT_E_SIGNER);
    }
}

static void test_a_refused_online_peer_has_wiped_the_presignature(void **state)
{
    static struct session s, online;
    struct network net;
    struct qrt_peer_params envelope = {world.identity[1], world.keys, 3}; /* not party 1's */
    struct qrt_online_params p = {.share = keyring_share(&key, 1)};
    size_t size = qrt_peer_size(QRT_ONLINE, 2, 2);
    void *memory = aligned_alloc(QRT_ALIGN, size);

    (void)state;
    session_sign(&s, QRT_PRESIGN, &key, pair, 3);
    network_init(&net, 1, &fair_weather);
    session_run(&s, &net);
    session_take_presigs(&s, &net, &online);
    network_free(&net);
    p.presig = online.presig[0];
    p.presig_len = QRT_PRESIG_BYTES(2);
    p.message = s.text ? (struct qrt_message){QRT_DIGEST_SHA256, s.text, s.text_len}
                       : (struct qrt_message){QRT_DIGEST_SHA256, (const uint8_t *)"pay", 3};
    assert_int_equal(qrt_peer_online(memory, full_ctx(), &p, &envelope), QRT_E_IDENTITY);
    toy_expect_all(online.presig[0], QRT_PRESIG_BYTES(2), 0);
    toy_expect_all(memory, size, 0);
    free(memory);
}

/* ---- keys ---- */

static struct network net;

static void join(enum qrt_protocol protocol)
{
    static struct session s;

    if (protocol == QRT_KEYGEN)
        session_keygen(&s, &world, 2, 5);
    else
        session_sign(&s, protocol, &key, pair, 5);
    network_init(&net, 1, &fair_weather);
    session_join(&s, &net);
}

static bool is_zero(const void *b, size_t len)
{
    const uint8_t *p = b;
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= p[i];
    return !any;
}

static void test_the_ephemeral_secret_goes_with_the_last_agreement(void **state)
{
    struct qrt_peer *peer;
    const struct qrt_msg *m;

    (void)state;
    join(QRT_KEYGEN);
    peer = net.nodes[0].memory;
    for (size_t i = 1; i < 3; i++) {
        assert_false(is_zero(peer->esk, 32));
        m = node_say(&net.nodes[i]);
        assert_int_equal(qrt_peer_recv(peer, m->b, m->len), QRT_OK);
    }
    assert_true(is_zero(peer->esk, 32));
    network_free(&net);
}

/* Keys exist for the sealed rounds, in both directions, all different; each goes with its message.
 */
static void test_each_key_serves_one_message(void **state)
{
    struct qrt_peer *peer;
    const uint8_t *keys[8];
    size_t n = 0;

    (void)state;
    join(QRT_KEYGEN);
    peer = net.nodes[0].memory;
    for (size_t i = 1; i < 3; i++) {
        const struct qrt_msg *m = node_say(&net.nodes[i]);

        assert_int_equal(qrt_peer_recv(peer, m->b, m->len), QRT_OK);
        assert_true(is_zero(peer->links[i].send[1], 32) && is_zero(peer->links[i].send[4], 32));
        assert_true(is_zero(peer->links[i].recv[1], 32) && is_zero(peer->links[i].recv[4], 32));
        for (size_t round = 2; round <= 3; round++) {
            keys[n++] = peer->links[i].send[round];
            keys[n++] = peer->links[i].recv[round];
        }
    }
    for (size_t i = 0; i < n; i++) {
        assert_false(is_zero(keys[i], 32));
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(keys[i], keys[k], 32);
    }
    assert_int_equal(node_say(&net.nodes[0])->round, 1);
    assert_int_equal(node_say(&net.nodes[0])->kind, QRT_KIND_BROADCAST);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(node_say(&net.nodes[0])->kind, QRT_KIND_PRIVATE);
        assert_true(is_zero(peer->links[i].send[2], 32));
        assert_false(is_zero(peer->links[i].recv[2], 32));
    }
    network_free(&net);
}

static void test_a_failed_peer_has_no_keys(void **state)
{
    struct qrt_peer *peer;
    const struct qrt_msg *m;
    size_t len;

    (void)state;
    join(QRT_SIGN);
    peer = net.nodes[0].memory;
    while ((m = node_say(&net.nodes[1])))
        assert_int_equal(qrt_peer_recv(peer, m->b, m->len), QRT_OK);
    assert_false(is_zero(peer->links, 2 * sizeof *peer->links));
    assert_int_equal(qrt_peer_record(peer)->kind, QRT_RECORD_GATE);
    qrt_peer_refuse(peer);
    assert_true(is_zero(peer->links, 2 * sizeof *peer->links));
    assert_true(is_zero(peer->esk, 32));
    assert_null(qrt_peer_evidence(peer, &len));
    assert_int_equal(len, 0);
    network_free(&net);
}

/* ---- misuse ---- */

static struct qrt_peer *moved;

static void next_copy(void)
{
    (void)qrt_peer_next(moved);
}

static void recv_copy(void)
{
    uint8_t b[10] = {0};

    (void)!qrt_peer_recv(moved, b, sizeof b);
}

static void confirm_copy(void)
{
    (void)!qrt_peer_confirm(moved);
}

static void refuse_copy(void)
{
    qrt_peer_refuse(moved);
}

static void misaligned(void)
{
    struct start s;
    struct qrt_entropy entropy = {{0}, {0}};

    prepare(&s, QRT_KEYGEN);
    (void)!qrt_peer_keygen((struct qrt_peer *)(void *)((uint8_t *)moved + 32), full_ctx(),
                           &s.keygen, &s.envelope, &entropy);
}

static void test_a_copied_peer_dies(void **state)
{
    struct qrt_peer *peer;
    struct start s;

    (void)state;
    prepare(&s, QRT_KEYGEN);
    assert_int_equal(start(&s, &peer), QRT_OK);
    moved = aligned_alloc(QRT_ALIGN, peer->size);
    memcpy(moved, peer, peer->size);
    assert_true(panics(next_copy));
    assert_true(panics(recv_copy));
    assert_true(panics(confirm_copy));
    assert_true(panics(refuse_copy));
    assert_true(panics(misaligned));
    free(moved);
    moved = peer;
    assert_false(panics(next_copy));
    assert_false(panics(recv_copy));
    qrt_peer_wipe(peer);
    free(peer);
}

static void test_wiping_leaves_no_byte(void **state)
{
    struct qrt_peer *peer;
    struct start s;
    size_t size;

    (void)state;
    prepare(&s, QRT_SIGN);
    assert_int_equal(start(&s, &peer), QRT_OK);
    size = peer->size;
    assert_int_equal(size, size_of(&s));
    assert_non_null(qrt_peer_next(peer));
    qrt_peer_wipe(peer);
    toy_expect_all((const uint8_t *)peer, size, 0);
    free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_hold_the_run_and_grow),
        cmocka_unit_test(test_a_good_start_wipes_what_it_was_given),
        cmocka_unit_test(test_identities_are_those_of_the_roster),
        cmocka_unit_test(test_what_the_run_refuses_the_peer_refuses),
        cmocka_unit_test(test_a_refused_online_peer_has_wiped_the_presignature),
        cmocka_unit_test(test_the_ephemeral_secret_goes_with_the_last_agreement),
        cmocka_unit_test(test_each_key_serves_one_message),
        cmocka_unit_test(test_a_failed_peer_has_no_keys),
        cmocka_unit_test(test_a_copied_peer_dies),
        cmocka_unit_test(test_wiping_leaves_no_byte),
    };

    return cmocka_run_group_tests_name("peer", tests, make_key, free_key);
}
