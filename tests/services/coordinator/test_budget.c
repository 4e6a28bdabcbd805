/* SPDX-License-Identifier: Apache-2.0 */
/* Room for all and for each: nobody takes the others'. */
#include "services/coordinator/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_one_caller_leaves_room_for_the_others(void **state)
{
    struct budget *b = budget_new(100, 40);

    (void)state;
    assert_true(budget_take(b, "a", 30));
    assert_true(budget_take(b, "a", 10));
    assert_false(budget_take(b, "a", 1));
    assert_true(budget_take(b, "a", 0));
    assert_false(budget_take(b, "b", 41));
    assert_false(budget_take(b, "b", SIZE_MAX));
    assert_true(budget_take(b, "b", 40));
    budget_free(b);
}

static void test_all_together_are_bounded(void **state)
{
    struct budget *b = budget_new(100, 40);

    (void)state;
    assert_true(budget_take(b, "a", 40));
    assert_true(budget_take(b, "b", 40));
    assert_false(budget_take(b, "c", 21));
    assert_true(budget_take(b, "c", 20));
    assert_false(budget_take(b, "d", 1));
    budget_give(b, "a", 40);
    assert_true(budget_take(b, "d", 40));
    budget_free(b);
}

static void test_what_is_given_back_is_there_again(void **state)
{
    struct budget *b = budget_new(100, 40);

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(budget_take(b, "a", 15));
        assert_true(budget_take(b, "a", 25));
        assert_false(budget_take(b, "a", 1));
        budget_give(b, "a", 15);
        assert_true(budget_take(b, "a", 15));
        budget_give(b, "a", 25);
        budget_give(b, "a", 15);
    }
    budget_give(b, "nobody", 1000);
    assert_true(budget_take(b, "b", 40));
    budget_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_caller_leaves_room_for_the_others),
        cmocka_unit_test(test_all_together_are_bounded),
        cmocka_unit_test(test_what_is_given_back_is_there_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
