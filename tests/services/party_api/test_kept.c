/* SPDX-License-Identifier: Apache-2.0 */
/* Shares are kept until confirmed or for an hour, and never come back. */
#include "services/party_api/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ONE "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"
#define TWO "7f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"

static const uint8_t key[KEPT_KEY_BYTES] = {2, 9};

static bool put(struct kept_list *list, const char *id, const char *sealed, int64_t now)
{
    return kept_put(list, id, (const uint8_t *)sealed, strlen(sealed), key, now);
}

static void test_a_share_is_kept_for_an_hour(void **state)
{
    struct kept_list list = {0};

    (void)state;
    assert_true(put(&list, ONE, "one", 1000));
    assert_true(put(&list, TWO, "two", 2000));
    kept_expire(&list, 1000 + KEPT_MS - 1);
    assert_non_null(kept_find(&list, ONE));
    kept_expire(&list, 1000 + KEPT_MS);
    assert_null(kept_find(&list, ONE));
    assert_memory_equal(kept_find(&list, TWO)->sealed, "two", 3);
    assert_int_equal(list.n, 1);
    kept_free(&list);
    assert_int_equal(list.n, 0);
}

static void test_a_later_share_of_a_session_replaces_the_earlier(void **state)
{
    struct kept_list list = {0};

    (void)state;
    assert_true(put(&list, ONE, "one", 0));
    assert_true(put(&list, ONE, "another", 0));
    assert_int_equal(list.n, 1);
    assert_int_equal(kept_find(&list, ONE)->sealed_len, 7);
    kept_remove(&list, ONE);
    kept_remove(&list, TWO);
    assert_int_equal(list.n, 0);
}

static void test_a_confirmed_share_is_gone_and_stays_gone(void **state)
{
    struct kept_list list = {0};

    (void)state;
    assert_true(put(&list, ONE, "one", 0));
    kept_confirm(kept_find(&list, ONE));
    assert_null(kept_find(&list, ONE)->sealed);
    assert_false(put(&list, ONE, "one", 0));
    assert_null(kept_find(&list, ONE)->sealed);
    kept_free(&list);
}

static void test_an_id_that_is_none_is_not_kept(void **state)
{
    struct kept_list list = {0};

    (void)state;
    assert_false(put(&list, ONE "x", "one", 0));
    assert_int_equal(list.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_share_is_kept_for_an_hour),
        cmocka_unit_test(test_a_later_share_of_a_session_replaces_the_earlier),
        cmocka_unit_test(test_a_confirmed_share_is_gone_and_stays_gone),
        cmocka_unit_test(test_an_id_that_is_none_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
