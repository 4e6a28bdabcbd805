/* SPDX-License-Identifier: Apache-2.0 */
/* Pending shares (protocol.md F.7): after a restart the very same fourth-round message, the missing
 * confirmations from anybody, and no signature before the certificate is complete. */
#include "fixture.h"
#include "key/share.h"
#include "rig.h"

#include <stdlib.h>
#include <string.h>

static const uint16_t pair[] = {1, 2};

/* A whole keygen. What the tests take from it are the pending records, as a party finds its own
 * that died right after storing it. */
static void die_pending(struct network *net, struct session *s)
{
    network_init(net, 1, &fair_weather);
    session_keygen(s, &world, 2, 40);
    session_run(s, net);
}

static enum qrt_err resume(struct node *node, const struct qrt_share *share)
{
    struct qrt_peer_params envelope = {world.identity[world_at(&world, share->own)], world.keys,
                                       world.n};

    *node = (struct node){.index = share->own, .is_peer = true};
    node->size = qrt_peer_size(QRT_KEYGEN, share->n, share->t);
    node->memory = aligned_alloc(QRT_ALIGN, node->size);
    memset(node->memory, 0x33, node->size);
    return qrt_peer_resume(node->memory, full_ctx(), share, &envelope);
}

static const struct parcel *confirmation_of(const struct network *net, uint16_t from)
{
    for (size_t i = 0; i < net->log.n; i++)
        if (net->log.p[i].round == 4 && net->log.p[i].from == from)
            return &net->log.p[i];
    fail();
    return NULL;
}

static void test_a_pending_share_resumes_with_the_same_bytes_and_completes(void **state)
{
    struct session s;
    struct network net;
    const struct note *pending, *full;
    struct qrt_share share;
    const struct qrt_msg *m;
    struct node node;

    (void)state;
    die_pending(&net, &s);
    pending = node_noted(&net.nodes[0], QRT_RECORD_SHARE_PENDING);
    full = node_noted(&net.nodes[0], QRT_RECORD_SHARE);
    assert_int_equal(qrt_share_open(&share, full_ctx(), pending->b, pending->len), QRT_E_PENDING);
    assert_int_not_equal(qrt_share_open_pending(&share, full_ctx(), full->b, full->len), QRT_OK);
    assert_int_equal(qrt_share_open_pending(&share, full_ctx(), pending->b, pending->len), QRT_OK);
    assert_int_equal(resume(&node, &share), QRT_OK);
    m = node_say(&node);
    assert_non_null(m);
    assert_int_equal(m->len, confirmation_of(&net, 1)->len);
    assert_memory_equal(m->b, confirmation_of(&net, 1)->b, m->len);
    assert_null(node_say(&node));
    for (uint16_t from = 2; from <= 3; from++) {
        const struct parcel *p = confirmation_of(&net, from);

        assert_null(node_record(&node));
        assert_int_equal(node_recv(&node, from, p->b, p->len), QRT_OK);
    }
    assert_true(node_settle(&node));
    assert_int_equal(node.records[0].kind, QRT_RECORD_SHARE);
    assert_int_equal(node.records[0].len, full->len);
    assert_memory_equal(node.records[0].b, full->b, full->len);
    assert_int_equal(qrt_run_phase(node_run(&node)), QRT_PHASE_DONE);
    assert_non_null(qrt_keygen_share(node_run(&node)));
    node_free(&node);
    network_free(&net);
}

static void test_a_certificate_gives_the_missing_confirmations(void **state)
{
    struct session s;
    struct network net;
    const struct note *pending, *full;
    struct qrt_share share, complete;
    uint8_t wire[QRT_CONFIRMATION_BYTES];
    struct node node;

    (void)state;
    die_pending(&net, &s);
    pending = node_noted(&net.nodes[2], QRT_RECORD_SHARE_PENDING);
    assert_int_equal(qrt_share_open_pending(&share, full_ctx(), pending->b, pending->len), QRT_OK);
    assert_int_equal(resume(&node, &share), QRT_OK);
    assert_non_null(node_say(&node));
    full = node_noted(&net.nodes[0], QRT_RECORD_SHARE);
    assert_int_equal(qrt_share_open(&complete, full_ctx(), full->b, full->len), QRT_OK);
    for (uint16_t from = 1; from <= 2; from++) {
        assert_int_equal(qrt_share_confirmation(&complete, full_ctx(), from, wire), QRT_OK);
        assert_memory_equal(wire, confirmation_of(&net, from)->b, sizeof wire);
        assert_int_equal(node_recv(&node, from, wire, sizeof wire), QRT_OK);
    }
    assert_int_equal(qrt_share_confirmation(&complete, full_ctx(), 4, wire), QRT_E_SIGNER);
    assert_true(node_settle(&node));
    assert_int_equal(qrt_run_phase(node_run(&node)), QRT_PHASE_DONE);
    node_free(&node);
    network_free(&net);
}

static void test_a_resumed_party_takes_no_wrong_confirmation(void **state)
{
    struct session s;
    struct network net;
    const struct note *pending;
    struct qrt_share share;
    struct parcel bad;
    struct node node;

    (void)state;
    die_pending(&net, &s);
    pending = node_noted(&net.nodes[0], QRT_RECORD_SHARE_PENDING);
    assert_int_equal(qrt_share_open_pending(&share, full_ctx(), pending->b, pending->len), QRT_OK);
    assert_int_equal(resume(&node, &share), QRT_OK);
    bad = rig_copy(confirmation_of(&net, 2), 0);
    for (size_t at = 0; at < bad.len; at++) {
        bad.b[at] ^= 1;
        assert_int_equal(qrt_err_class(node_recv(&node, 2, bad.b, bad.len)), QRT_CLASS_DROP);
        bad.b[at] ^= 1;
    }
    assert_int_equal(qrt_run_phase(node_run(&node)), QRT_PHASE_RUNNING);
    free(bad.b);
    node_free(&node);
    network_free(&net);
}

static void test_a_pending_share_signs_nothing(void **state)
{
    struct session s;
    struct network net;
    const struct note *pending;
    struct keyring k = key;
    struct node node;

    (void)state;
    die_pending(&net, &s);
    pending = node_noted(&net.nodes[0], QRT_RECORD_SHARE_PENDING);
    assert_int_equal(qrt_share_open_pending(&k.share[0], full_ctx(), pending->b, pending->len),
                     QRT_OK);
    for (unsigned level = RUNS; level <= PEERS; level++) {
        session_sign(&s, QRT_SIGN, &k, pair, 41);
        s.level = (enum level)level;
        assert_int_equal(session_start(&s, &node, 1), QRT_E_PENDING);
        s.protocol = QRT_PRESIGN;
        assert_int_equal(session_start(&s, &node, 1), QRT_E_PENDING);
    }
    network_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pending_share_resumes_with_the_same_bytes_and_completes),
        cmocka_unit_test(test_a_certificate_gives_the_missing_confirmations),
        cmocka_unit_test(test_a_resumed_party_takes_no_wrong_confirmation),
        cmocka_unit_test(test_a_pending_share_signs_nothing),
    };

    return cmocka_run_group_tests_name("pending", tests, make_key, free_key);
}
