/* SPDX-License-Identifier: Apache-2.0 */
/* Presignatures: filled by sessions, used once, by the same signers in the same lives, lost with a
 * process; and a signature without one always works. */
#include "keepers.h"

#include "participant/presigs.h"
#include "system/core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct keepers *k;
static struct job keygen;
static uint8_t key_id[32], pk[33];
static const size_t quorum[] = {0, 1}, other[] = {0, 2};

static void test_a_pool_gives_each_once_and_only_in_its_place(void **state)
{
    struct presigs *presigs = presigs_new(2);
    const uint8_t here[32] = {1}, there[32] = {2};
    uint8_t id[32] = {0};
    struct presig *p;

    (void)state;
    assert_true(presigs_keeps(presigs));
    for (uint8_t i = 1; i <= 3; i++) {
        p = presig_new(64);
        p->id[0] = i;
        memcpy(p->place, here, 32);
        presigs_put(presigs, p);
    }
    assert_int_equal(presigs_count(presigs), 2);
    id[0] = 1;
    assert_null(presigs_take(presigs, id, here)); /* the oldest went */
    id[0] = 2;
    assert_null(presigs_take(presigs, id, there));
    p = presigs_take(presigs, id, here);
    assert_non_null(p);
    presig_free(p);
    assert_null(presigs_take(presigs, id, here));
    presigs_free(presigs);

    presigs = presigs_new(0);
    assert_false(presigs_keeps(presigs));
    presigs_free(presigs);
}

static void put(struct presigs *presigs, unsigned id, unsigned place)
{
    struct presig *p = presig_new(64);

    p->id[0] = (uint8_t)(id >> 8);
    p->id[1] = (uint8_t)id;
    p->place[0] = (uint8_t)place;
    presigs_put(presigs, p);
}

static void test_all_places_together_are_bounded(void **state)
{
    const uint8_t place[32] = {0};
    const uint8_t first[32] = {0};
    struct presigs *presigs = presigs_new(PRESIGS_MAX);

    (void)state;
    for (unsigned i = 0; i < PRESIGS_MAX; i++)
        put(presigs, i, i % 4);
    assert_int_equal(presigs_count(presigs), PRESIGS_MAX);
    put(presigs, PRESIGS_MAX, 1);
    assert_int_equal(presigs_count(presigs), PRESIGS_MAX);
    assert_null(presigs_take(presigs, first, place)); /* the oldest went */
    presigs_free(presigs);
}

static void test_what_is_too_old_is_wiped(void **state)
{
    struct presigs *presigs = presigs_new(4);
    uint64_t before = clock_steady_us(), after;

    (void)state;
    put(presigs, 1, 1);
    put(presigs, 2, 2);
    after = clock_steady_us();
    presigs_expire(presigs, before + PRESIGS_LIFE_US - 1);
    assert_int_equal(presigs_count(presigs), 2);
    presigs_expire(presigs, after + PRESIGS_LIFE_US);
    assert_int_equal(presigs_count(presigs), 0);
    presigs_free(presigs);
}

static struct job presign(const size_t *members)
{
    struct job job = keepers_sign(&keygen, key_id, members, 2);

    job.type = "presign";
    job.intent.operation = QRT_OP_PRESIGN;
    job.intent.digest = QRT_DIGEST_LOCAL;
    job.intent.message = NULL;
    job.intent.message_len = 0;
    return job;
}

static void fill(uint8_t id[32])
{
    struct job job = presign(quorum);
    const struct told *a, *b;

    keepers_open_all(k, &job);
    keepers_play(k, &job);
    a = keepers_told(k, 0, job.session_id, 0);
    b = keepers_told(k, 1, job.session_id, 0);
    if (a->kind != MPC__KEEPER__V1__OUTCOME__OUTCOME_PRESIGNATURE)
        fail_msg("%s: %s", a->code, a->text);
    assert_int_equal(b->kind, MPC__KEEPER__V1__OUTCOME__OUTCOME_PRESIGNATURE);
    assert_int_equal(a->len, 32);
    assert_memory_equal(a->b, b->b, 32);
    memcpy(id, a->b, 32);
}

static size_t letters;

static bool count(struct keepers *keepers, const struct letter *letter, void *arg)
{
    (void)keepers;
    (void)letter;
    (void)arg;
    letters++;
    return true;
}

/* How many letters it took is counted. */
static const struct told *use(const uint8_t id[32], const size_t *members)
{
    struct job job = keepers_sign(&keygen, key_id, members, 2);
    const struct told *told;

    job.has_presignature = true;
    memcpy(job.presignature_id, id, 32);
    letters = 0;
    keepers_watch(k, &job, count);
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    keepers_watch(k, NULL, NULL);
    told = keepers_told(k, 0, job.session_id, 0);
    if (told->kind == MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE)
        assert_true(keepers_is_signed(told, &job, pk));
    return told;
}

static void expect_missing(const uint8_t id[32], const size_t *members)
{
    const struct told *told = use(id, members);

    assert_string_equal(told->code, "PRESIGNATURE_MISSING");
    assert_true(told->retry);
}

static void test_a_presignature_signs_in_one_round_once(void **state)
{
    uint8_t id[32];

    (void)state;
    fill(id);
    keepers_sync(k, 0);
    assert_int_equal(k->last_stats->stats->presignatures, 1);
    assert_int_equal(use(id, quorum)->kind, MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE);
    assert_int_equal(letters, 2);
    keepers_sync(k, 0);
    assert_int_equal(k->last_stats->stats->signatures_online, 1);
    expect_missing(id, quorum);
}

static void test_lesson_1_11_another_quorum_or_life_does_not_get_it(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);
    uint8_t id[32];

    (void)state;
    fill(id);
    expect_missing(id, other);
    keepers_kill(k, 1);
    assert_true(keepers_start(k, 1));
    expect_missing(id, quorum);
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    assert_true(keepers_is_signed(keepers_told(k, 0, job.session_id, 0), &job, pk));
}

/* What nobody's book has any more must not keep the pool shut: the others may not know of it. */
static void test_lesson_1_11_a_full_pool_lets_the_oldest_go(void **state)
{
    uint8_t ids[4][32];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        fill(ids[i]);
    keepers_sync(k, 0);
    keepers_sync(k, 1);
    expect_missing(ids[0], quorum);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(use(ids[i], quorum)->kind, MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pool_gives_each_once_and_only_in_its_place),
        cmocka_unit_test(test_all_places_together_are_bounded),
        cmocka_unit_test(test_what_is_too_old_is_wiped),
        cmocka_unit_test(test_a_presignature_signs_in_one_round_once),
        cmocka_unit_test(test_lesson_1_11_another_quorum_or_life_does_not_get_it),
        cmocka_unit_test(test_lesson_1_11_a_full_pool_lets_the_oldest_go),
    };
    const struct keepers_options options = {.settings = "PRESIGN_POOL=3\n"};
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(3, &options);
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
