/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions by id: bounds, what stays of an ended one, removal while visiting. */
#include "participant/front_table.h"

#include "system/core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void id_of(char out[ID_TEXT_MAX], unsigned i)
{
    snprintf(out, ID_TEXT_MAX, "%08x-3b0e-4f0c-9a53-0a1b2c3d4e5f", i);
}

static struct front_entry *add(struct front_table *table, unsigned i)
{
    char id[ID_TEXT_MAX];

    id_of(id, i);
    return front_table_add(table, id);
}

static void end(struct front_table *table, struct front_entry *entry)
{
    entry->core.has_ended = true;
    front_table_end(table, entry);
}

static bool keep_live(void *arg, struct front_entry *entry)
{
    (void)arg;
    return !entry->core.has_ended;
}

static void test_live_sessions_are_bounded_ended_ones_make_room(void **state)
{
    struct front_table table;
    struct front_entry *first;

    (void)state;
    front_table_init(&table);
    first = add(&table, 0);
    for (unsigned i = 1; i < FRONT_SESSIONS_MAX; i++)
        assert_non_null(add(&table, i));
    assert_null(add(&table, FRONT_SESSIONS_MAX));
    end(&table, first);
    assert_non_null(add(&table, FRONT_SESSIONS_MAX));
    assert_null(add(&table, FRONT_SESSIONS_MAX + 1));
    assert_ptr_equal(front_table_find(&table, first->id), first);
    front_table_free(&table);
}

static void test_remnants_are_bounded(void **state)
{
    struct front_table table;

    (void)state;
    front_table_init(&table);
    for (unsigned i = 0; i < FRONT_REMNANTS_MAX; i++)
        end(&table, add(&table, i));
    assert_null(add(&table, FRONT_REMNANTS_MAX));
    front_table_each(&table, keep_live, NULL);
    assert_int_equal(table.all, 0);
    assert_non_null(add(&table, FRONT_REMNANTS_MAX));
    front_table_free(&table);
}

static void test_what_is_removed_is_not_found_and_the_others_are(void **state)
{
    struct front_table table;
    char id[ID_TEXT_MAX];

    (void)state;
    front_table_init(&table);
    for (unsigned i = 0; i < 1000; i++) {
        struct front_entry *entry = add(&table, i);

        entry->session_token = text_copy("secret");
        if (i % 3 == 0)
            end(&table, entry);
    }
    front_table_each(&table, keep_live, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        id_of(id, i);
        assert_int_equal(front_table_find(&table, id) != NULL, i % 3 != 0);
    }
    assert_int_equal(table.live, table.all);
    front_table_free(&table);
}

static void test_tokens_go_with_the_end(void **state)
{
    struct front_table table;
    struct front_entry *entry;

    (void)state;
    front_table_init(&table);
    entry = add(&table, 1);
    entry->join_token = text_copy("join");
    entry->session_token = text_copy("session");
    end(&table, entry);
    assert_null(entry->join_token);
    assert_null(entry->session_token);
    front_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_sessions_are_bounded_ended_ones_make_room),
        cmocka_unit_test(test_remnants_are_bounded),
        cmocka_unit_test(test_what_is_removed_is_not_found_and_the_others_are),
        cmocka_unit_test(test_tokens_go_with_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
