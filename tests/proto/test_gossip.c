/* SPDX-License-Identifier: Apache-2.0 */
/* After an echo mismatch nobody is blamed; parties then show each other what they got, and two
 * signed broadcasts for one round name the one who said two things (protocol.md B.4, F.9, J). */
#include "cheats.h"
#include "session.h"

#include <string.h>

static struct world world;

/* Party 3 signs another broadcast of round 1 for party 1 than for party 2. */
static void split_first_round(struct network *net, struct session *s)
{
    static struct lie lie;

    lie = (struct lie){s, 3, 1, 1, 0};
    network_init(net, 1, &fair_weather);
    net->hook = cheat_lie;
    net->hook_arg = &lie;
    session_join(s, net);
    network_run(net);
}

/* What |holder| got from |speaker| in round 1. */
static struct qrt_bytes got(struct network *net, uint16_t holder, uint16_t speaker, uint8_t *b)
{
    struct qrt_bytes out = {.b = b, .cap = 2000};
    const struct qrt_peer *peer = network_node(net, holder)->memory;

    assert_int_equal(qrt_peer_broadcast(peer, &out, 1, speaker), QRT_OK);
    return out;
}

static enum qrt_err compare(const struct qrt_bytes *a, const struct qrt_bytes *b,
                            const uint8_t *idpk, struct qrt_evidence *found)
{
    static uint8_t memory[5000];
    struct qrt_bytes out = {.b = memory, .cap = sizeof memory};
    struct qrt_said_twice said = {a->b, b->b, a->len, b->len, idpk};
    enum qrt_err e = qrt_evidence_compare(&out, full_ctx(), &said);

    if (!e)
        assert_int_equal(qrt_evidence_verify(found, full_ctx(), out.b, out.len), QRT_OK);
    else
        assert_int_equal(out.len, 0);
    return e;
}

static void test_parties_that_compare_find_the_one_who_said_two_things(void **state)
{
    uint8_t at1[2000], at2[2000];
    struct session s;
    struct network net;
    struct qrt_evidence found;
    struct qrt_bytes a, b;

    (void)state;
    session_keygen(&s, &world, 2, 31);
    split_first_round(&net, &s);
    a = got(&net, 1, 3, at1);
    b = got(&net, 2, 3, at2);
    assert_int_equal(compare(&a, &b, world.keys[2].idpk, &found), QRT_OK);
    assert_int_equal(found.accused, 3);
    assert_int_equal(found.error, QRT_E_EQUIVOCATION);
    assert_true(found.proven);
    assert_memory_equal(found.idpk, world.keys[2].idpk, 32);
    network_free(&net);
}

static void test_comparing_never_accuses_the_honest(void **state)
{
    uint8_t at1[2000], at2[2000];
    struct session s;
    struct network net;
    struct qrt_evidence found;

    (void)state;
    session_keygen(&s, &world, 2, 32);
    split_first_round(&net, &s);
    for (uint16_t honest = 1; honest <= 2; honest++) {
        struct qrt_bytes a = got(&net, 1, honest, at1), b = got(&net, 2, honest, at2);

        assert_memory_equal(a.b, b.b, a.len);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(compare(&a, &b, world.keys[i].idpk, &found), QRT_E_EVIDENCE);
        b.b[b.len - 70] ^= 1;
        assert_int_equal(compare(&a, &b, world.keys[honest - 1].idpk, &found), QRT_E_EVIDENCE);
    }
    network_free(&net);
}

static void test_a_peer_shows_what_it_has_and_nothing_else(void **state)
{
    uint8_t b[2000];
    struct qrt_bytes out = {.b = b, .cap = sizeof b};
    struct session s;
    struct network net;
    const struct qrt_peer *peer;

    (void)state;
    session_keygen(&s, &world, 2, 33);
    split_first_round(&net, &s);
    peer = network_node(&net, 1)->memory;
    assert_int_equal(qrt_peer_broadcast(peer, &out, 4, 2), QRT_E_STATE); /* never came */
    assert_int_equal(qrt_peer_broadcast(peer, &out, 3, 2), QRT_E_STATE); /* there is none */
    assert_int_equal(qrt_peer_broadcast(peer, &out, 0, 2), QRT_E_STATE);
    assert_int_equal(qrt_peer_broadcast(peer, &out, 1, 9), QRT_E_STATE); /* a stranger */
    out.cap = qrt_wire_size(QRT_KEYGEN, 1, QRT_KIND_BROADCAST, 3, 2) - 1;
    assert_int_equal(qrt_peer_broadcast(peer, &out, 1, 2), QRT_E_SPACE);
    assert_int_equal(out.len, 0);
    out.cap++;
    assert_int_equal(qrt_peer_broadcast(peer, &out, 1, 2), QRT_OK);
    assert_int_equal(out.len, out.cap);
    network_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parties_that_compare_find_the_one_who_said_two_things),
        cmocka_unit_test(test_comparing_never_accuses_the_honest),
        cmocka_unit_test(test_a_peer_shows_what_it_has_and_nothing_else),
    };

    world_init(&world, 3);
    return cmocka_run_group_tests_name("gossip", tests, NULL, NULL);
}
