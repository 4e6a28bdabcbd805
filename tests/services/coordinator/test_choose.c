/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of parties. */
#include "services/coordinator/choose.h"

#include "quorate/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct candidate able(uint32_t load)
{
    return (struct candidate){.is_able = true, .load = load, .capacity = 10};
}

static void test_least_loaded_first(void **state)
{
    struct candidate c[3] = {able(5), able(1), able(3)};
    uint8_t out[3];

    (void)state;
    assert_true(choose_quorum(out, c, 3, 2));
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 2);
}

static void test_load_is_relative_to_capacity(void **state)
{
    struct candidate c[2] = {able(5), able(6)};
    uint8_t out[2];

    (void)state;
    c[1].capacity = 100;
    assert_true(choose_quorum(out, c, 2, 1));
    assert_int_equal(out[0], 1);
}

static void test_equal_loads_take_turns(void **state)
{
    struct candidate c[3] = {able(0), able(0), able(0)};
    uint8_t out[3];

    (void)state;
    c[0].turn = 7;
    c[1].turn = 8;
    c[2].turn = 3;
    assert_true(choose_quorum(out, c, 3, 2));
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 2);
}

/* Less is passed on between routers. */
static void test_equal_loads_at_one_router_come_together(void **state)
{
    struct candidate c[4] = {able(0), able(0), able(0), able(0)};
    uint8_t out[3];

    (void)state;
    c[0].router = c[3].router = "a";
    c[1].router = c[2].router = "b";
    c[0].turn = 1;
    c[1].turn = 2;
    c[2].turn = 3;
    c[3].turn = 4;
    assert_true(choose_quorum(out, c, 4, 2));
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 3);
    assert_true(choose_quorum(out, c, 4, 3)); /* of the others the one whose turn it is */
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 1);
    assert_int_equal(out[2], 3);
    /* whoever has less to do counts more, and so does a turn where nobody says the router */
    c[3].load = 1;
    assert_true(choose_quorum(out, c, 4, 2));
    assert_int_equal(out[1], 1);
    c[3].load = 0;
    c[0].router = NULL;
    assert_true(choose_quorum(out, c, 4, 2));
    assert_int_equal(out[1], 1);
}

static void test_suspects_and_full_ones_come_last(void **state)
{
    struct candidate c[3] = {able(0), able(10), able(9)};
    uint8_t out[3];

    (void)state;
    c[0].suspicion = 1;
    assert_true(choose_quorum(out, c, 3, 2));
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 2);
    assert_true(choose_quorum(out, c, 3, 3));
}

/* Whoever says no at once has nothing to do. */
static void test_the_more_suspect_comes_later_however_idle(void **state)
{
    struct candidate c[3] = {able(0), able(10), able(3)};
    uint8_t out[3];

    (void)state;
    c[0].suspicion = 6;
    c[1].suspicion = 5;
    assert_true(choose_quorum(out, c, 3, 2));
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 2);
    c[1].suspicion = 7;
    assert_true(choose_quorum(out, c, 3, 2));
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 2);
}

static void test_who_is_not_able_is_never_chosen(void **state)
{
    struct candidate c[3] = {able(0), able(0), able(0)};
    uint8_t out[3];

    (void)state;
    c[1].is_able = false;
    assert_true(choose_quorum(out, c, 3, 2));
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 2);
    assert_false(choose_quorum(out, c, 3, 3));
    assert_false(choose_quorum(out, c, 0, 1));
    assert_false(choose_quorum(out, c, 3, 0));
}

static void test_bad_pairs_are_kept_apart(void **state)
{
    struct candidate c[3] = {able(0), able(1), able(2)};
    uint8_t out[3];

    (void)state;
    c[0].bad_pairs = 1U << 1;
    c[1].bad_pairs = 1U << 0;
    assert_true(choose_quorum(out, c, 3, 2));
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 2);
    assert_false(choose_quorum(out, c, 3, 3));
    /* the best one gets along with nobody: begin with the next */
    c[0].bad_pairs = 3U << 1;
    c[1].bad_pairs = c[2].bad_pairs = 1U << 0;
    assert_true(choose_quorum(out, c, 3, 2));
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 2);
}

static void test_as_many_as_there_can_be(void **state)
{
    struct candidate c[QRT_PARTIES_MAX];
    uint8_t out[QRT_PARTIES_MAX];

    (void)state;
    for (size_t i = 0; i < QRT_PARTIES_MAX; i++)
        c[i] = able((uint32_t)i % 7);
    assert_true(choose_quorum(out, c, QRT_PARTIES_MAX, QRT_PARTIES_MAX));
    for (size_t i = 0; i < QRT_PARTIES_MAX; i++)
        assert_int_equal(out[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_loaded_first),
        cmocka_unit_test(test_load_is_relative_to_capacity),
        cmocka_unit_test(test_equal_loads_take_turns),
        cmocka_unit_test(test_equal_loads_at_one_router_come_together),
        cmocka_unit_test(test_suspects_and_full_ones_come_last),
        cmocka_unit_test(test_the_more_suspect_comes_later_however_idle),
        cmocka_unit_test(test_who_is_not_able_is_never_chosen),
        cmocka_unit_test(test_bad_pairs_are_kept_apart),
        cmocka_unit_test(test_as_many_as_there_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
