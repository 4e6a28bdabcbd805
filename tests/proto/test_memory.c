/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a run's memory, and when it is not there any more (protocol.md B.8, F.10, G.7; style
 * rule 7): seeds are wiped by the start, secrets by the step that needs them last, everything by a
 * failure and by wipe; and a copy of a run dies. Each scan has found its needle before. */
#include "hash/drbg.h"
#include "key/share.h"
#include "math/scalar.h"
#include "rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

static struct world world;
static struct keyring key;
static const uint16_t pair[] = {1, 2};

static int make_key(void **state)
{
    (void)state;
    world_init(&world, 2);
    keyring_make(&key, &world, 2, 1);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    keyring_free(&key);
    return 0;
}

static bool holds(const void *memory, size_t len, const void *needle, size_t needle_len)
{
    const uint8_t *m = memory;

    for (size_t i = 0; i + needle_len <= len; i++)
        if (m[i] == *(const uint8_t *)needle && memcmp(m + i, needle, needle_len) == 0)
            return true;
    return false;
}

/* A scalar, big-endian or as limbs. */
static bool holds_scalar(const void *memory, size_t len, const struct qrt_sc *s)
{
    uint8_t b[32];

    qrt_sc_encode(b, s);
    return holds(memory, len, b, 16) || holds(memory, len, s, 16);
}

static bool is_zero(const void *memory, size_t len)
{
    const uint8_t *m = memory;

    for (size_t i = 0; i < len; i++)
        if (m[i])
            return false;
    return true;
}

/* What the victim of |r| drew: for signing r, phi, beta; for keygen a_0, a_1, and in |beta| the
 * opening of the chain code part. */
struct drawn {
    struct qrt_drbg rng; /* its key is one of the needles */
    struct qrt_sc first, second;
    uint8_t beta[64];
    struct qrt_entropy entropy;
};

static void draw(const struct rig *r, struct drawn *d)
{
    uint8_t seed[32], rho[32];

    session_entropy(&r->s, r->victim, &d->entropy);
    memcpy(seed, d->entropy.seed, 32);
    qrt_drbg_start(&d->rng, full_ctx(), seed);
    assert_true(is_zero(seed, 32));
    qrt_drbg_scalar(&d->rng, full_ctx(), &d->first);
    if (r->s.protocol == QRT_KEYGEN)
        qrt_drbg_bytes(&d->rng, full_ctx(), rho, 32); /* the nonce, which is sent */
    qrt_drbg_scalar(&d->rng, full_ctx(), &d->second);
    qrt_drbg_bytes(&d->rng, full_ctx(), rho, 32);
    qrt_drbg_bytes(&d->rng, full_ctx(), d->beta, 64);
}

static void bench(struct rig *r, enum qrt_protocol protocol, enum level level)
{
    static struct session s;

    if (protocol == QRT_KEYGEN)
        session_keygen(&s, &world, 2, 2);
    else
        session_sign(&s, protocol, &key, pair, 2);
    s.level = level;
    rig_make(r, &s, 1);
}

/* ---- seeds ---- */

static void params_of(struct qrt_sign_params *p, const uint16_t *signers)
{
    *p = (struct qrt_sign_params){.share = keyring_share(&key, 1), .signers = signers};
    p->signers_n = 2;
    p->message = (struct qrt_message){QRT_DIGEST_SHA256, (const uint8_t *)"x", 1};
}

static void test_every_start_wipes_its_seeds_even_if_it_refuses(void **state)
{
    static const uint16_t wrong[] = {1, 9};
    struct qrt_peer_params envelope = {world.identity[0], world.keys, world.n};
    struct qrt_keygen_params kg = {.parties = world.roster, .n = 2, .t = 2, .own = 1};
    void *memory =
        aligned_alloc(QRT_ALIGN, qrt_peer_size(QRT_KEYGEN, 2, 2) + qrt_peer_size(QRT_SIGN, 2, 2));
    struct qrt_sign_params sg;

    (void)state;
    for (unsigned bad = 0; bad < 2; bad++) {
        struct qrt_entropy e[6];
        enum qrt_err expected = bad ? QRT_E_SIGNER : QRT_OK;

        memset(e, 0x77, sizeof e);
        params_of(&sg, bad ? wrong : pair);
        kg.own = bad ? 5 : 1;
        assert_int_equal(qrt_sign_start(memory, full_ctx(), &sg, e[0].seed), expected);
        assert_int_equal(qrt_presign_start(memory, full_ctx(), &sg, e[1].seed), expected);
        assert_int_equal(qrt_keygen_start(memory, full_ctx(), &kg, e[2].seed),
                         bad ? QRT_E_NOT_A_PARTY : QRT_OK);
        assert_int_equal(qrt_peer_sign(memory, full_ctx(), &sg, &envelope, &e[3]), expected);
        assert_int_equal(qrt_peer_presign(memory, full_ctx(), &sg, &envelope, &e[4]), expected);
        assert_int_equal(qrt_peer_keygen(memory, full_ctx(), &kg, &envelope, &e[5]),
                         bad ? QRT_E_NOT_A_PARTY : QRT_OK);
        for (size_t i = 0; i < 6; i++)
            assert_true(is_zero(e[i].seed, 32));
        for (size_t i = 3; i < 6; i++)
            assert_true(is_zero(e[i].ephemeral, 32));
    }
    free(memory);
}

/* A key that is not the roster's: nothing starts, nothing stays. */
static void test_a_start_with_a_wrong_identity_leaves_nothing(void **state)
{
    struct qrt_peer_key keys[2];
    struct qrt_peer_params envelope = {world.identity[0], keys, 2};
    size_t size = qrt_peer_size(QRT_SIGN, 2, 2);
    void *memory = aligned_alloc(QRT_ALIGN, size);
    struct qrt_sign_params sg;

    (void)state;
    params_of(&sg, pair);
    for (size_t wrong = 0; wrong < 4; wrong++) {
        struct qrt_entropy e;

        memset(&e, 0x77, sizeof e);
        memcpy(keys, world.keys, sizeof keys);
        envelope.identity = world.identity[wrong == 2 ? 1 : 0];
        envelope.keys_n = wrong == 3 ? 1 : 2;
        if (wrong < 2)
            keys[wrong].idpk[5] ^= 1;
        assert_int_equal(qrt_peer_sign(memory, full_ctx(), &sg, &envelope, &e), QRT_E_IDENTITY);
        assert_true(is_zero(&e, sizeof e));
        assert_true(is_zero(memory, size));
    }
    free(memory);
}

/* ---- erasing on the way ---- */

static void test_signing_forgets_each_secret_with_its_last_use(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct drawn d;
        struct rig r;
        size_t size;

        bench(&r, QRT_SIGN, (enum level)level);
        draw(&r, &d);
        size = r.node.size;
        assert_true(holds(r.image[1], size, d.rng.key, 32));
        assert_true(holds_scalar(r.image[1], size, &d.first));
        assert_true(holds_scalar(r.image[1], size, &d.second));
        assert_true(holds(r.image[1], size, d.beta, 64));
        assert_false(holds(r.image[1], size, d.entropy.seed, 32));
        assert_int_equal(holds(r.image[1], size, d.entropy.ephemeral, 32), level == PEERS);
        assert_false(holds(r.image[2], size, d.rng.key, 32)); /* B.8: the second round is made */
        assert_false(holds(r.image[2], size, d.entropy.ephemeral, 32));
        assert_true(holds_scalar(r.image[2], size, &d.first));
        assert_true(holds_scalar(r.image[2], size, &d.second));
        assert_false(holds_scalar(r.image[3], size, &d.first)); /* G.7 */
        assert_false(holds_scalar(r.image[3], size, &d.second));
        assert_false(holds(r.image[3], size, d.beta, 64));
        rig_free(&r);
    }
}

static void test_keygen_forgets_each_secret_with_its_last_use(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        const struct qrt_share_pair *row;
        const struct qrt_share *share;
        struct qrt_share copy;
        struct drawn d;
        struct rig r;
        size_t size;

        bench(&r, QRT_KEYGEN, (enum level)level);
        draw(&r, &d);
        size = r.node.size;
        share = qrt_keygen_share(node_run(&r.node));
        copy = *share;
        row = qrt_share_pair(&copy, 2);
        for (uint8_t round = 1; round <= 2; round++) {
            assert_true(holds(r.image[round], size, d.rng.key, 32));
            assert_true(holds_scalar(r.image[round], size, &d.first));
        }
        assert_false(holds(r.image[3], size, d.rng.key, 32)); /* F.10: R3 is made */
        assert_false(holds_scalar(r.image[3], size, &d.first));
        assert_true(holds(r.image[4], size, copy.s, 32));
        assert_true(holds(r.image[4], size, row->delta, 16));
        assert_false(holds(r.image[4], size, rig_plain(&r, 3, P, 2)->b + QRT_HEADER_BYTES,
                           32)); /* dealt share */
        rig_free(&r);
    }
}

static void test_a_presigning_run_forgets_what_was_taken(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        uint8_t presig[QRT_PRESIG_BYTES(2)];
        struct drawn d;
        struct rig r;

        bench(&r, QRT_PRESIGN, (enum level)level);
        draw(&r, &d);
        assert_true(holds_scalar(r.node.memory, r.node.size, &d.second));
        assert_int_equal(
            qrt_presign_take(level == PEERS ? qrt_peer_run_mut(r.node.memory) : r.node.memory, 1,
                             presig, sizeof presig),
            QRT_OK);
        assert_true(holds_scalar(presig, sizeof presig, &d.second));
        assert_false(holds_scalar(r.node.memory, r.node.size, &d.first));
        assert_false(holds_scalar(r.node.memory, r.node.size, &d.second));
        assert_false(holds(r.node.memory, r.node.size, presig + sizeof presig - 104, 16)); /* phi */
        assert_false(holds(r.node.memory, r.node.size, presig + sizeof presig - 72, 16));  /* u */
        assert_false(holds(r.node.memory, r.node.size, presig + sizeof presig - 40, 16));  /* v */
        rig_free(&r);
    }
}

/* ---- failure and wiping ---- */

static void expect_nothing_left(const struct rig *r, const struct drawn *d,
                                const struct qrt_share *share)
{
    const void *m = r->node.memory;
    size_t size = r->node.size;
    const struct qrt_share_pair *row = qrt_share_pair(share, 2);

    assert_false(holds(m, size, d->entropy.seed, 16));
    assert_false(holds(m, size, d->entropy.ephemeral, 16));
    assert_false(holds(m, size, d->rng.key, 16));
    assert_false(holds_scalar(m, size, &d->first));
    assert_false(holds_scalar(m, size, &d->second));
    if (r->s.protocol !=
        QRT_KEYGEN) /* the chain code is no secret, its opening stays as evidence */
        assert_false(holds(m, size, d->beta, 16));
    assert_false(holds(m, size, share->s, 16));
    assert_false(holds(m, size, row->delta, 16));
    assert_false(holds(m, size, row->zs, 16));
    assert_false(holds(m, size, row->bob_seeds, 16));
    assert_false(holds(m, size, row->alice_seeds + 16 * 3, 16) &&
                 !is_zero(row->alice_seeds + 16 * 3, 16));
}

static void fail_each_round(enum qrt_protocol protocol, enum level level, uint8_t rounds)
{
    struct qrt_share share;
    struct drawn d;
    struct rig r;
    uint8_t *record;

    bench(&r, protocol, level);
    draw(&r, &d);
    share = *keyring_share(&key, 1);
    if (protocol == QRT_KEYGEN)
        share = *qrt_keygen_share(node_run(&r.node));
    record = malloc(share.record_len); /* in keygen it lies in the run's own memory */
    assert_non_null(record);
    memcpy(record, share.record, share.record_len);
    qrt_share_view(&share, record, share.record_len);
    for (uint8_t round = 1; round <= rounds; round++) {
        uint8_t kind = protocol == QRT_KEYGEN && round == 3 ? P : B;
        struct parcel p = rig_copy(rig_plain(&r, round, kind, 2), 0);

        p.b[QRT_HEADER_BYTES - 1] ^= 1; /* another echo */
        rig_attack(&r, &p);
        rig_expect_failure(&r, QRT_E_ECHO, 0);
        expect_nothing_left(&r, &d, &share);
        free(p.b);
    }
    free(record);
    rig_free(&r);
}

static void test_a_failed_run_holds_no_secret(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        fail_each_round(QRT_SIGN, (enum level)level, 3);
        fail_each_round(QRT_PRESIGN, (enum level)level, 2);
        fail_each_round(QRT_KEYGEN, (enum level)level, 4);
    }
}

static void test_a_run_ended_by_an_abort_or_a_refusal_holds_no_secret(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct drawn d;
        struct rig r;

        bench(&r, QRT_SIGN, (enum level)level);
        draw(&r, &d);
        rig_rewind(&r, 1);
        r.node.refuse[QRT_RECORD_GATE] = true;
        rig_round(&r, 1, NULL);
        rig_expect_failure(&r, QRT_E_REFUSED, 0);
        expect_nothing_left(&r, &d, keyring_share(&key, 1));
        rig_free(&r);
    }
}

static void test_wiped_memory_is_zero(void **state)
{
    static const enum qrt_protocol protocols[] = {QRT_KEYGEN, QRT_SIGN, QRT_PRESIGN};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (unsigned level = RUNS; level <= PEERS; level++)
            for (uint8_t round = 1; round <= 2; round++) {
                struct rig r;

                bench(&r, protocols[i], (enum level)level);
                rig_rewind(&r, round);
                if (level == PEERS)
                    qrt_peer_wipe(r.node.memory);
                else
                    qrt_run_wipe(r.node.memory);
                assert_true(is_zero(r.node.memory, r.node.size));
                free(r.node.memory); /* a wiped run is no run */
                r.node.memory = NULL;
                rig_free(&r);
            }
}

/* ---- copies ---- */

enum call { NEXT, RECV, CONFIRM, REFUSE, CALLS };

static void use_copy(const struct rig *r, void *copy, enum call call)
{
    const struct parcel *p = &r->tape.p[0];
    struct node node = r->node;

    node.memory = copy;
    switch (call) {
    case NEXT:
        (void)node_next(&node);
        return;
    case RECV:
        (void)node_recv(&node, p->from, p->b, p->len);
        return;
    case CONFIRM:
        node.last = node.is_peer ? qrt_peer_confirm(copy) : qrt_run_confirm(copy);
        return;
    default:
        if (node.is_peer)
            qrt_peer_refuse(copy);
        else
            qrt_run_refuse(copy);
        return;
    }
}

/* In a child process, whose panic is the expected end. */
static bool dies(const struct rig *r, enum call call)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        void *copy = aligned_alloc(QRT_ALIGN, r->node.size);

        signal(SIGABRT, SIG_DFL);
        if (!copy || !freopen("/dev/null", "w", stderr))
            _exit(1);
        memcpy(copy, r->image[1], r->node.size);
        use_copy(r, copy, call);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_a_copy_of_a_run_dies_at_its_first_use(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct rig r;

        bench(&r, QRT_SIGN, (enum level)level);
        for (unsigned call = NEXT; call < CALLS; call++)
            assert_true(dies(&r, (enum call)call));
        rig_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_start_wipes_its_seeds_even_if_it_refuses),
        cmocka_unit_test(test_a_start_with_a_wrong_identity_leaves_nothing),
        cmocka_unit_test(test_signing_forgets_each_secret_with_its_last_use),
        cmocka_unit_test(test_keygen_forgets_each_secret_with_its_last_use),
        cmocka_unit_test(test_a_presigning_run_forgets_what_was_taken),
        cmocka_unit_test(test_a_failed_run_holds_no_secret),
        cmocka_unit_test(test_a_run_ended_by_an_abort_or_a_refusal_holds_no_secret),
        cmocka_unit_test(test_wiped_memory_is_zero),
        cmocka_unit_test(test_a_copy_of_a_run_dies_at_its_first_use),
    };

    return cmocka_run_group_tests_name("memory", tests, make_key, free_key);
}
