/* SPDX-License-Identifier: Apache-2.0 */
/* The reserve for burns: what is put stays through the end of the process, in a file that never
 * grows; and the store that has one, whose database takes nothing. */
#include "participant/reserve.h"

#include "party_db.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILE_BYTES = 4096 };

static char directory[] = "/tmp/quorate-reserve-XXXXXX";
static char error[STORE_ERROR_MAX];

static const char *path(void)
{
    static char text[64];

    snprintf(text, sizeof text, "%s/burns.reserve", directory);
    return text;
}

static int begin(void **state)
{
    (void)unlink(path());
    *state = reserve_open(directory, error);
    return *state ? 0 : -1;
}

static int end(void **state)
{
    reserve_close(*state);
    return 0;
}

static struct reserve *again(void **state)
{
    reserve_close(*state);
    *state = reserve_open(directory, error);
    if (!*state)
        fail_msg("%s", error);
    return *state;
}

static struct store_burn burn_of(uint8_t number)
{
    struct store_burn burn = {.epoch = 0x01020304, .own = 0x0506, .peer = number};

    memset(burn.kgid, number, sizeof burn.kgid);
    return burn;
}

static bool put(struct reserve *r, uint8_t number)
{
    struct store_burn burn = burn_of(number);

    return reserve_put(r, &burn);
}

static bool has(struct reserve *r, uint8_t number)
{
    struct store_burn burn = burn_of(number);

    return reserve_has(r, &burn);
}

static void drop(struct reserve *r, uint8_t number)
{
    struct store_burn burn = burn_of(number);

    reserve_drop(r, &burn);
}

static off_t file_size(void)
{
    struct stat st;

    assert_int_equal(stat(path(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* no holes: its room is its own */
    assert_true(st.st_blocks * 512 >= st.st_size);
    return st.st_size;
}

static void test_what_is_put_is_there_after_the_end_of_the_process(void **state)
{
    struct store_burn burn = burn_of(1), list[2];
    struct reserve *r = *state;

    assert_int_equal(file_size(), FILE_BYTES);
    assert_false(has(r, 1));
    assert_true(put(r, 1));
    assert_true(has(r, 1));
    assert_false(has(r, 2));
    r = again(state);
    assert_int_equal(reserve_list(r, list, 2), 1);
    assert_memory_equal(list[0].kgid, burn.kgid, 32);
    assert_int_equal(list[0].epoch, burn.epoch);
    assert_int_equal(list[0].own, burn.own);
    assert_int_equal(list[0].peer, burn.peer);
}

/* Of the same key, but another pair, role or epoch. */
static void test_each_field_counts(void **state)
{
    struct store_burn other = burn_of(1);

    assert_true(put(*state, 1));
    other.epoch++;
    assert_false(reserve_has(*state, &other));
    other = burn_of(1);
    other.own++;
    assert_false(reserve_has(*state, &other));
    other = burn_of(1);
    other.peer++;
    assert_false(reserve_has(*state, &other));
    other = burn_of(1);
    other.kgid[31]++;
    assert_false(reserve_has(*state, &other));
}

static void test_what_is_dropped_makes_room(void **state)
{
    struct store_burn list[RESERVE_BURNS];
    struct reserve *r = *state;

    for (uint8_t i = 1; i <= RESERVE_BURNS; i++)
        assert_true(put(r, i));
    assert_false(put(r, 200));
    assert_false(has(r, 200));
    assert_true(put(r, 7)); /* it has it */
    drop(r, 7);
    drop(r, 201); /* never there */
    assert_true(put(r, 200));
    r = again(state);
    assert_int_equal(reserve_list(r, list, RESERVE_BURNS), RESERVE_BURNS);
    assert_false(has(r, 7));
    for (uint8_t i = 1; i <= RESERVE_BURNS; i++)
        assert_int_equal(has(r, i), i != 7);
    assert_int_equal(file_size(), FILE_BYTES);
}

static void change_byte(off_t at)
{
    int fd = open(path(), O_RDWR);
    uint8_t b;

    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 1;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    close(fd);
}

static void test_a_damaged_file_is_not_opened(void **state)
{
    static const off_t places[] = {0, 4, 36, 40, 42, 44, 63, 64, FILE_BYTES - 1};

    assert_true(put(*state, 1));
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        change_byte(places[i]);
        assert_null(reserve_open(directory, error));
        assert_non_null(strstr(error, "burns.reserve is damaged"));
        change_byte(places[i]);
    }
    assert_true(has(again(state), 1));
}

/* It may be burns that are missing. */
static void test_a_file_that_was_cut_is_not_opened(void **state)
{
    static const off_t lengths[] = {0, 100, FILE_BYTES - 64, FILE_BYTES + 64};

    reserve_close(*state);
    *state = NULL;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(truncate(path(), lengths[i]), 0);
        assert_null(reserve_open(directory, error));
        assert_non_null(strstr(error, "burns.reserve is damaged"));
    }
    assert_int_equal(unlink(path()), 0);
    assert_non_null(again(state));
}

/* The end of the process while it was made leaves a file of another name. */
static void test_what_was_left_of_a_making_does_no_harm(void **state)
{
    char unnamed[80];
    FILE *f;

    reserve_close(*state);
    *state = NULL;
    snprintf(unnamed, sizeof unnamed, "%s.new", path());
    assert_int_equal(unlink(path()), 0);
    f = fopen(unnamed, "w");
    assert_true(fputs("half", f) >= 0);
    fclose(f);
    assert_int_equal(reserve_list(again(state), NULL, 0), 0);
    assert_int_equal(file_size(), FILE_BYTES);
    assert_int_not_equal(access(unnamed, F_OK), 0);
}

static void test_without_its_directory_there_is_none(void **state)
{
    (void)state;
    assert_null(reserve_open("/nowhere", error));
    assert_non_null(strstr(error, "/nowhere/burns.reserve"));
}

/* With the store */

static size_t reserved(void)
{
    struct reserve *r = reserve_open(directory, error);
    size_t n = reserve_list(r, NULL, 0);

    reserve_close(r);
    return n;
}

static void test_the_store_knows_it_and_moves_it_when_the_database_takes_it(void **state)
{
    struct store_burn burn = burn_of(1), other = burn_of(2);
    struct party_db place;
    struct store *store;

    again(state);
    drop(*state, 1);
    party_db_make(&place, directory);
    store = party_db_open(&place);
    store_close(store);
    party_db_refuse(&place, "INSERT ON tombstones");
    assert_true(put(*state, 1));
    assert_true(put(*state, 2));
    store = party_db_open(&place);
    assert_int_equal(store_put_burn(store, NULL, &burn), STORE_FAILED);
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    assert_int_equal(reserved(), 2);
    party_db_allow(&place, "tombstones");
    assert_int_equal(store_put_burn(store, NULL, &burn), STORE_OK);
    assert_int_equal(reserved(), 1);
    assert_true(store_expire(store, 0));
    assert_int_equal(reserved(), 0);
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    assert_int_equal(store_is_burned(store, &other), STORE_OK);
    store_close(store);
    party_db_remove(&place);
}

static void test_a_store_opens_not_without_its_reserve(void **state)
{
    assert_true(put(*state, 1));
    change_byte(4);
    assert_null(store_open(directory, error));
    assert_non_null(strstr(error, "burns.reserve"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_put_is_there_after_the_end_of_the_process,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_each_field_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_dropped_makes_room, begin, end),
        cmocka_unit_test_setup_teardown(test_a_damaged_file_is_not_opened, begin, end),
        cmocka_unit_test_setup_teardown(test_a_file_that_was_cut_is_not_opened, begin, end),
        cmocka_unit_test_setup_teardown(test_what_was_left_of_a_making_does_no_harm, begin, end),
        cmocka_unit_test(test_without_its_directory_there_is_none),
        cmocka_unit_test_setup_teardown(
            test_the_store_knows_it_and_moves_it_when_the_database_takes_it, begin, end),
        cmocka_unit_test_setup_teardown(test_a_store_opens_not_without_its_reserve, begin, end),
    };
    char command[64];
    int result;

    if (!mkdtemp(directory))
        return 1;
    result = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command) != 0 ? 1 : result;
}
