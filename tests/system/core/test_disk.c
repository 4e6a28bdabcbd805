/* SPDX-License-Identifier: Apache-2.0 */
/* Whole writes, at their place; a device that takes nothing more; directories by name and by what
 * they hold. */
#include "system/core/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static void test_bytes_are_where_they_belong(void **state)
{
    static uint8_t b[100000], seen[sizeof b + 7];
    FILE *file = tmpfile();
    int fd = fileno(file);

    (void)state;
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)(i * 7);
    assert_true(disk_write(fd, b, sizeof b, 7));
    assert_true(disk_write(fd, "", 0, 0));
    assert_int_equal(pread(fd, seen, sizeof seen, 0), sizeof seen);
    assert_memory_equal(seen, "\0\0\0\0\0\0\0", 7);
    assert_memory_equal(seen + 7, b, sizeof b);
    fclose(file);
}

static void test_what_was_not_written_failed(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_false(disk_write(fd, "x", 1, 0));
    assert_int_equal(errno, ENOSPC);
    close(fd);
    assert_false(disk_write(fd, "x", 1, 0));
    assert_int_equal(errno, EBADF);
}

static void test_pipes_are_read_to_their_end(void **state)
{
    uint8_t b[16];
    size_t got;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true(disk_append(ends[1], "abc", 3));
    assert_true(disk_append(ends[1], "defgh", 5));
    close(ends[1]);
    assert_true(disk_read(ends[0], b, 5, &got));
    assert_int_equal(got, 5);
    assert_memory_equal(b, "abcde", 5);
    assert_true(disk_read(ends[0], b, sizeof b, &got));
    assert_int_equal(got, 3);
    assert_memory_equal(b, "fgh", 3);
    close(ends[0]);
    assert_false(disk_read(ends[0], b, sizeof b, &got));
    assert_int_equal(errno, EBADF);
    assert_int_equal(got, 0);
    assert_false(disk_append(ends[0], "x", 1));
}

static void test_directories(void **state)
{
    char directory[] = "/tmp/quorate-disk-XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
    assert_true(disk_sync_directory(directory));
    assert_true(disk_sync_parent(path));
    assert_true(disk_sync_parent("/file"));
    assert_true(disk_sync_parent("file"));
    assert_int_equal(rmdir(directory), 0);
    assert_false(disk_sync_directory(directory));
    assert_int_equal(errno, ENOENT);
    assert_false(disk_sync_parent(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_where_they_belong),
        cmocka_unit_test(test_what_was_not_written_failed),
        cmocka_unit_test(test_pipes_are_read_to_their_end),
        cmocka_unit_test(test_directories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
