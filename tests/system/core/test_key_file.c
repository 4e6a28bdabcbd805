/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds and PINs in files: what is read, and every file that is refused with a sentence that names it. */
#include "system/core/key_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static const uint8_t zeroes[KEY_FILE_SEED];
static char dir[] = "/tmp/quorate-key-XXXXXX", path[64];
static char error[KEY_FILE_ERROR_MAX];
static uint8_t seed[KEY_FILE_SEED];

static void put(const char *b, size_t len, mode_t mode)
{
    FILE *file;

    (void)unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(b, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* Nothing of a refused file is left in the seed. */
static void assert_refused(const char *why)
{
    memset(seed, 0xa5, sizeof seed);
    memset(error, 0, sizeof error);
    assert_false(key_file_read(seed, path, error));
    assert_memory_equal(seed, zeroes, sizeof seed);
    assert_non_null(strstr(error, path));
    assert_non_null(strstr(error, why));
    assert_null(strchr(error, '\n'));
}

static void test_what_may_follow(void **state)
{
    static const char *const ends[] = {"", "\n", "\r\n", " \t\n\n"};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char text[128];

        snprintf(text, sizeof text, "%s%s", DIGITS, ends[i]);
        put(text, strlen(text), i % 2 ? 0400 : 0600);
        assert_true(key_file_read(seed, path, error));
        for (size_t j = 0; j < sizeof seed; j++)
            assert_int_equal(seed[j], j);
    }
}

static void test_pair(void **state)
{
    /* of this seed, by another program (openssl pkey) */
    static const uint8_t public_key[32] = {0x03, 0xa1, 0x07, 0xbf, 0xf3, 0xce, 0x10, 0xbe,
                                           0x1d, 0x70, 0xdd, 0x18, 0xe7, 0x4b, 0xc0, 0x99,
                                           0x67, 0xe4, 0xd6, 0x30, 0x9b, 0xa5, 0x0d, 0x5f,
                                           0x1d, 0xdc, 0x86, 0x64, 0x12, 0x55, 0x31, 0xb8};
    static const uint8_t zero[KEY_FILE_PAIR];
    uint8_t pair[KEY_FILE_PAIR];

    (void)state;
    put(DIGITS, 64, 0600);
    assert_true(key_file_read_pair(pair, path, error));
    for (size_t i = 0; i < KEY_FILE_SEED; i++)
        assert_int_equal(pair[i], i);
    assert_memory_equal(pair + KEY_FILE_SEED, public_key, sizeof public_key);
    put(DIGITS, 64, 0604);
    assert_false(key_file_read_pair(pair, path, error));
    assert_memory_equal(pair, zero, sizeof pair);
}

static void test_other_text_is_refused(void **state)
{
    char longer[4096];
    static const char zero[] = DIGITS "\0\n";
    static const char *const wrong[] = {
        "", "\n", "00", " " DIGITS, DIGITS "0", DIGITS "\n0", DIGITS "\n" DIGITS};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put(wrong[i], strlen(wrong[i]), 0600);
        assert_refused("64 hex digits");
    }
    put(DIGITS, 63, 0600);
    assert_refused("64 hex digits");
    put(zero, sizeof zero - 1, 0600);
    assert_refused("64 hex digits");
    memset(longer, '\n', sizeof longer);
    memcpy(longer, DIGITS, 64);
    put(longer, sizeof longer, 0600);
    assert_refused("64 hex digits");
}

static void test_a_file_of_others_is_refused(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit < 0100; bit <<= 1) {
        put(DIGITS, 64, 0600 | bit);
        assert_refused("chmod 600");
    }
}

static void test_what_is_no_file(void **state)
{
    char other[96];

    (void)state;
    (void)unlink(path);
    assert_refused("cannot open");
    put(DIGITS, 64, 0600);
    snprintf(other, sizeof other, "%s.target", path);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_refused("symbolic link");
    assert_int_equal(unlink(path) | unlink(other), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused("regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused("regular file");
}

static void assert_no_text(const char *why)
{
    char text[9] = "........";
    size_t len;

    assert_false(key_file_read_text(text, sizeof text, &len, path, error));
    assert_memory_equal(text, zeroes, sizeof text);
    assert_non_null(strstr(error, path));
    assert_non_null(strstr(error, why));
    assert_null(strchr(error, '\n'));
}

static void test_a_text_is_read_without_the_white_space_after_it(void **state)
{
    char text[9];
    size_t len;

    (void)state;
    put("1 34567\n", 8, 0400);
    assert_true(key_file_read_text(text, sizeof text, &len, path, error));
    assert_int_equal(len, 7);
    assert_string_equal(text, "1 34567");
    put("12345678", 8, 0600);
    assert_true(key_file_read_text(text, sizeof text, &len, path, error));
    assert_string_equal(text, "12345678");
    put("123456789", 9, 0600);
    assert_no_text("not more than 8 bytes");
    put("12\0", 3, 0600);
    assert_no_text("one line of text");
    put(" \n", 2, 0600);
    assert_no_text("one line of text");
    put("", 0, 0600);
    assert_no_text("one line of text");
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/seed", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_follow),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_other_text_is_refused),
        cmocka_unit_test(test_a_file_of_others_is_refused),
        cmocka_unit_test(test_a_text_is_read_without_the_white_space_after_it),
        cmocka_unit_test(test_what_is_no_file),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
