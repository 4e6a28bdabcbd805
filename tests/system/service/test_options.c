/* SPDX-License-Identifier: Apache-2.0 */
/* Options: what each makes of the program, and what it says on which stream. */
#include "system/service/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char said[65536];

/* options_parse with stream |number| caught in |said|. */
static int parse(struct options *out, int number, FILE *stream, int argc, const char *const *argv)
{
    FILE *file = tmpfile();
    int saved = dup(number), code;
    size_t n;

    assert_non_null(file);
    fflush(stream);
    dup2(fileno(file), number);
    code = options_parse(out, argc, (char **)(uintptr_t)argv, CONFIG_ROUTER);
    fflush(stream);
    dup2(saved, number);
    close(saved);
    rewind(file);
    n = fread(said, 1, sizeof said - 1, file);
    said[n] = '\0';
    fclose(file);
    return code;
}

static int parse_out(struct options *out, int argc, const char *const *argv)
{
    return parse(out, STDOUT_FILENO, stdout, argc, argv);
}

static int parse_err(struct options *out, int argc, const char *const *argv)
{
    return parse(out, STDERR_FILENO, stderr, argc, argv);
}

static void test_nothing_given_goes_on(void **state)
{
    const char *argv[] = {"/bin/quorate-x", NULL};
    struct options out;

    (void)state;
    assert_int_equal(parse_out(&out, 1, argv), -1);
    assert_null(out.env_file);
    assert_false(out.check);
}

static void test_file_and_check_are_taken(void **state)
{
    const char *argv[] = {"quorate-x", "--check", "--env-file", "a.env", NULL};
    struct options out;

    (void)state;
    assert_int_equal(parse_out(&out, 4, argv), -1);
    assert_string_equal(out.env_file, "a.env");
    assert_true(out.check);
}

static void test_help_names_options_and_variables(void **state)
{
    const char *argv[] = {"/bin/quorate-x", "--help", NULL};
    struct options out;

    (void)state;
    assert_int_equal(parse_out(&out, 2, argv), 0);
    assert_non_null(strstr(said, "usage: quorate-x"));
    assert_non_null(strstr(said, "JWT_SECRET_KEY"));
    assert_null(strstr(said, "CRYPTO_MASTER_KEY"));
}

static void test_version_is_told(void **state)
{
    const char *argv[] = {"quorate-x", "--version", NULL};
    struct options out;

    (void)state;
    assert_int_equal(parse_out(&out, 2, argv), 0);
    assert_string_equal(said, "quorate-x " QRT_VERSION "\n");
}

static void test_wrong_usage_is_told_on_stderr(void **state)
{
    const char *unknown[] = {"quorate-x", "--nonsense", NULL};
    const char *extra[] = {"quorate-x", "start", NULL};
    const char *missing[] = {"quorate-x", "--env-file", NULL};
    struct options out;

    (void)state;
    assert_int_equal(parse_err(&out, 2, unknown), 2);
    assert_non_null(strstr(said, "usage: quorate-x"));
    assert_int_equal(parse_err(&out, 2, extra), 2);
    assert_int_equal(parse_err(&out, 2, missing), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_given_goes_on),
        cmocka_unit_test(test_file_and_check_are_taken),
        cmocka_unit_test(test_help_names_options_and_variables),
        cmocka_unit_test(test_version_is_told),
        cmocka_unit_test(test_wrong_usage_is_told_on_stderr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
