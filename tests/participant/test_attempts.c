/* SPDX-License-Identifier: Apache-2.0 */
/* What was begun is known to every later process, whatever state the files were left in. */
#include "participant/attempts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/quorate-attempts-XXXXXX";
static struct attempts *attempts;

/* A new life; the old one ends without a word. */
static void restart(int64_t now_ms)
{
    char error[ATTEMPTS_ERROR_MAX];

    attempts_close(attempts);
    attempts = attempts_open(directory, now_ms, error);
    if (!attempts)
        fail_msg("%s", error);
}

static void clear(void)
{
    char command[128];

    attempts_close(attempts);
    attempts = NULL;
    snprintf(command, sizeof command, "rm -f %s/*", directory);
    assert_int_equal(system(command), 0);
    restart(0);
}

static void hash_of(uint8_t hash[32], unsigned intent)
{
    memset(hash, 0, 32);
    memcpy(hash, &intent, sizeof intent);
}

static void begin(unsigned intent, uint32_t number, int64_t until_ms, int64_t now_ms)
{
    uint8_t hash[32];
    const struct attempt attempt = {hash, number, until_ms};

    hash_of(hash, intent);
    assert_true(attempts_begin(attempts, &attempt, now_ms));
}

static bool is_old(unsigned intent, uint32_t number)
{
    uint8_t hash[32];
    const struct attempt attempt = {hash, number, 0};

    hash_of(hash, intent);
    return attempts_is_old(attempts, &attempt);
}

static const char *path_of(int file)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/attempts.%d", directory, file);
    return path;
}

static off_t size_of(int file)
{
    struct stat info;

    assert_int_equal(stat(path_of(file), &info), 0);
    return info.st_size;
}

static void copy(const char *from, const char *to)
{
    char command[256];

    snprintf(command, sizeof command, "cd %s && cp %s %s", directory, from, to);
    assert_int_equal(system(command), 0);
}

static void test_what_was_begun_is_old_in_the_next_life(void **state)
{
    (void)state;
    clear();
    begin(1, 2, 1000, 0);
    for (int i = 0; i < 3; i++) {
        restart(0);
        assert_true(is_old(1, 2));
        assert_true(is_old(1, 0));
        assert_false(is_old(1, 3));
        assert_false(is_old(2, 0));
    }
    begin(1, 3, 1000, 0);
    restart(0);
    assert_true(is_old(1, 3));
    restart(1000);
    assert_true(is_old(1, 3));
    restart(1001);
    assert_false(is_old(1, 3));
}

/* What else remembers it forgets by the clock, which may be set back. */
static void test_what_was_begun_is_old_in_the_same_life(void **state)
{
    (void)state;
    clear();
    assert_false(is_old(1, 0));
    begin(1, 2, 1000, 0);
    assert_true(is_old(1, 0));
    assert_true(is_old(1, 2));
    assert_false(is_old(1, 3));
    assert_false(is_old(2, 0));
}

static void test_files_stay_small_and_forget_nothing_that_matters(void **state)
{
    (void)state;
    clear();
    begin(0, 1, 1000000, 0);
    for (unsigned i = 1; i < 50000; i++)
        begin(i, 0, i, i);
    assert_true(size_of(0) + size_of(1) < 52 * 20000);
    restart(49999);
    assert_true(is_old(0, 1));
    assert_true(is_old(49999, 0));
    assert_false(is_old(49998, 0));
}

/* Ends in the middle of a compaction, and of a row. */
static void test_any_state_of_the_files_is_read(void **state)
{
    (void)state;
    clear();
    begin(1, 0, 1000, 0);
    begin(2, 0, 1000, 0);
    copy("attempts.1", "attempts.0");
    assert_int_equal(truncate(path_of(0), 52), 0);
    restart(0);
    assert_true(is_old(1, 0) && is_old(2, 0));
    copy("attempts.1", "attempts.0");
    assert_int_equal(truncate(path_of(1), 60), 0);
    restart(0);
    assert_true(is_old(1, 0) && is_old(2, 0));
    assert_int_equal(truncate(path_of(1), 103), 0);
    restart(0);
    assert_int_equal(is_old(1, 0) + is_old(2, 0), 1);
    begin(3, 0, 1000, 0);
    restart(0);
    assert_true(is_old(3, 0));
}

/* A number that was half written is nobody's. */
static void test_a_row_that_was_torn_does_not_count(void **state)
{
    enum { LOW_BYTE_OF_NUMBER = 43 };
    FILE *file;

    (void)state;
    clear();
    begin(1, 0, 1000, 0);
    file = fopen(path_of(1), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, LOW_BYTE_OF_NUMBER, SEEK_SET), 0);
    assert_int_equal(fputc(7, file), 7);
    assert_int_equal(fclose(file), 0);
    restart(0);
    assert_false(is_old(1, 7));
}

static void test_what_cannot_be_written_down_does_not_begin(void **state)
{
    char error[ATTEMPTS_ERROR_MAX];

    (void)state;
    assert_null(attempts_open("/nonexistent", 0, error));
    assert_non_null(strstr(error, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_begun_is_old_in_the_next_life),
        cmocka_unit_test(test_what_was_begun_is_old_in_the_same_life),
        cmocka_unit_test(test_files_stay_small_and_forget_nothing_that_matters),
        cmocka_unit_test(test_any_state_of_the_files_is_read),
        cmocka_unit_test(test_a_row_that_was_torn_does_not_count),
        cmocka_unit_test(test_what_cannot_be_written_down_does_not_begin),
    };
    char command[64];
    int result;

    if (!mkdtemp(directory))
        return 1;
    result = cmocka_run_group_tests(tests, NULL, NULL);
    attempts_close(attempts);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command) != 0 ? 1 : result;
}
