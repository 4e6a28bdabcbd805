/* SPDX-License-Identifier: Apache-2.0 */
/* The book of presignatures: each is given once, to whom it fits, while its signers live. */
#include "services/coordinator/presig_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PARTIES = 3 };

/* What parties 0 to 2 are now; their boot ids are their lives. */
struct world {
    enum presig_state states[PARTIES];
    uint8_t lives[PARTIES];
};

static struct world world;
static struct presig_book *book;

static int reset(void **state)
{
    (void)state;
    world = (struct world){0};
    book = presig_book_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    presig_book_free(book);
    return 0;
}

static enum presig_state look(const struct presig_signer *signer, void *arg)
{
    const struct world *w = arg;
    size_t i = (size_t)(signer->party_id[0] - 'a');

    return signer->boot_id[0] == w->lives[i] ? w->states[i] : PRESIG_GONE;
}

static struct presig_signer signer_of(size_t party)
{
    return (struct presig_signer){.party_id = {(char)('a' + party)},
                                  .boot_id = {world.lives[party]}};
}

/* Number |id| for |key| by parties |a| and |b| as they are now. */
static bool put(unsigned id, uint8_t key, size_t a, size_t b, int64_t now_ms)
{
    struct presig_signer signers[2] = {signer_of(a), signer_of(b)};
    struct presig presig = {.key = {key}, .signers_n = 2, .signers = signers};

    presig.id[0] = (uint8_t)(id >> 8);
    presig.id[1] = (uint8_t)id;
    return presig_book_put(book, &presig, now_ms);
}

/* The number taken, -1 for none. */
static int take(uint8_t key)
{
    const uint8_t wanted[32] = {key};
    struct presig out;

    if (!presig_book_take(book, &out, wanted, look, &world))
        return -1;
    assert_memory_equal(out.key, wanted, 32);
    assert_int_equal(out.signers_n, 2);
    free(out.signers);
    return out.id[0] << 8 | out.id[1];
}

static size_t count(uint8_t key)
{
    const uint8_t wanted[32] = {key};

    return presig_book_count(book, wanted);
}

static void test_each_is_given_once_the_newest_first(void **state)
{
    (void)state;
    assert_true(put(1, 1, 0, 1, 0));
    assert_true(put(2, 1, 0, 2, 0));
    assert_false(put(2, 1, 0, 2, 0));
    assert_true(put(3, 2, 0, 1, 0));
    assert_int_equal(count(1), 2);
    assert_int_equal(presig_book_count(book, NULL), 3);
    assert_int_equal(take(1), 2);
    assert_int_equal(take(1), 1);
    assert_int_equal(take(1), -1);
    assert_int_equal(take(9), -1);
    assert_int_equal(take(2), 3);
    assert_int_equal(presig_book_count(book, NULL), 0);
}

static void test_who_is_away_is_waited_for(void **state)
{
    (void)state;
    put(1, 1, 0, 1, 0);
    put(2, 1, 0, 2, 0);
    world.states[2] = PRESIG_AWAY;
    assert_int_equal(take(1), 1);
    assert_int_equal(take(1), -1);
    world.states[2] = PRESIG_FITS;
    assert_int_equal(take(1), 2);
}

static void test_lesson_1_11_another_life_of_a_signer_is_the_end(void **state)
{
    (void)state;
    put(1, 1, 0, 1, 0);
    put(2, 1, 1, 2, 0);
    world.lives[0]++;
    assert_int_equal(take(1), 2);
    assert_int_equal(take(1), -1);
    assert_int_equal(presig_book_count(book, NULL), 0);
    world.lives[0]--;
    assert_int_equal(take(1), -1);
}

static void test_what_lost_a_signer_expires(void **state)
{
    (void)state;
    put(1, 1, 0, 1, 0);
    put(2, 1, 1, 2, 0);
    put(3, 1, 0, 2, 0);
    world.states[1] = PRESIG_AWAY;
    presig_book_expire(book, look, &world, 0);
    assert_int_equal(count(1), 3);
    world.states[1] = PRESIG_GONE;
    presig_book_expire(book, look, &world, 0);
    assert_int_equal(count(1), 1);
    assert_int_equal(take(1), 3);
}

static void test_an_hour_is_enough(void **state)
{
    (void)state;
    put(1, 1, 0, 1, 1000);
    put(2, 1, 0, 1, 2000);
    presig_book_expire(book, look, &world, 999 + PRESIG_BOOK_LIFE_MS);
    assert_int_equal(count(1), 2);
    presig_book_expire(book, look, &world, 1000 + PRESIG_BOOK_LIFE_MS);
    assert_int_equal(count(1), 1);
    assert_int_equal(take(1), 2);
}

static void test_each_place_is_bounded_and_the_oldest_goes(void **state)
{
    unsigned id = 0;

    (void)state;
    put(9999, 1, 1, 2, 0);
    for (; id < PRESIG_BOOK_PLACE_MAX + 2; id++)
        assert_true(put(id, 1, 0, 1, 0));
    assert_int_equal(count(1), PRESIG_BOOK_PLACE_MAX + 1);
    world.lives[1]++; /* another life is another place */
    assert_true(put(id, 1, 0, 1, 0));
    assert_int_equal(count(1), PRESIG_BOOK_PLACE_MAX + 2);
    world.lives[1]--;
    for (unsigned i = PRESIG_BOOK_PLACE_MAX + 2; i-- > 2;)
        assert_int_equal(take(1), i);
    assert_int_equal(take(1), 9999);
    assert_int_equal(take(1), -1);
}

static void test_the_book_is_bounded(void **state)
{
    (void)state;
    for (unsigned id = 0; id < PRESIG_BOOK_MAX + 1; id++)
        assert_true(put(id, (uint8_t)(id % 64), 0, 1, 0));
    assert_int_equal(presig_book_count(book, NULL), PRESIG_BOOK_MAX);
    assert_int_equal(count(0), PRESIG_BOOK_MAX / 64); /* number 0 went for the last one */
    assert_int_equal(take(0), PRESIG_BOOK_MAX);
}

static void test_a_key_is_all_that_a_presignature_is_bound_to(void **state)
{
    const struct qrt_intent base = {.account = {1},
                                    .keyid = {2},
                                    .purpose = QRT_PURPOSE_TRANSACTION,
                                    .t = 2,
                                    .path_n = 2,
                                    .path = {44, 60}};
    struct qrt_intent others[6], same = base;
    uint8_t key[32], other[32];

    (void)state;
    presig_book_key(key, &base);
    for (size_t i = 0; i < 6; i++)
        others[i] = base;
    others[0].account[15] = 1;
    others[1].keyid[31] = 1;
    others[2].purpose = QRT_PURPOSE_MESSAGE;
    others[3].t = 3;
    others[4].path[1] = 61;
    others[5].path_n = 1;
    for (size_t i = 0; i < 6; i++) {
        presig_book_key(other, &others[i]);
        assert_memory_not_equal(other, key, 32);
    }
    same.request[0] = same.nonce[0] = 1;
    same.operation = QRT_OP_PRESIGN;
    same.path[2] = 7; /* beyond path_n */
    presig_book_key(other, &same);
    assert_memory_equal(other, key, 32);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_is_given_once_the_newest_first),
        TEST(test_who_is_away_is_waited_for),
        TEST(test_lesson_1_11_another_life_of_a_signer_is_the_end),
        TEST(test_what_lost_a_signer_expires),
        TEST(test_an_hour_is_enough),
        TEST(test_each_place_is_bounded_and_the_oldest_goes),
        TEST(test_the_book_is_bounded),
        TEST(test_a_key_is_all_that_a_presignature_is_bound_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
