/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the log: stderr is a file for the time of each line. */
#include "system/core/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char text[16384];
static int real_stderr;
static FILE *file;

static void catch_stderr(void)
{
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    file = tmpfile();
    assert_non_null(file);
    assert_return_code(dup2(fileno(file), STDERR_FILENO), 0);
}

/* What was written since catch_stderr. */
static const char *written(void)
{
    size_t n;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(file);
    n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    fclose(file);
    return text;
}

/* A line without its time, which must have the right form. */
static const char *after_time(const char *line)
{
    assert_int_equal(strspn(line, "0123456789-T:."), 23);
    assert_int_equal(line[23], 'Z');
    return line + 25;
}

static void test_line(void **state)
{
    (void)state;
    log_setup("router", LOG_INFO);
    catch_stderr();
    log_event(LOG_WARN, "party is gone", LOG_S("party", "party-1"), LOG_I("left", -3));
    assert_string_equal(after_time(written()), "warn router party is gone party=party-1 left=-3\n");
}

static void test_levels(void **state)
{
    (void)state;
    log_setup("x", LOG_WARN);
    catch_stderr();
    log_line(LOG_DEBUG, "d");
    log_line(LOG_INFO, "i");
    log_line(LOG_ERROR, "e");
    assert_string_equal(after_time(written()), "error x e\n");
    assert_int_equal(log_level_of("debug"), LOG_DEBUG);
    assert_int_equal(log_level_of("warn"), LOG_WARN);
    assert_int_equal(log_level_of("error"), LOG_ERROR);
    assert_int_equal(log_level_of("loud"), LOG_INFO);
}

static void test_values_are_quoted(void **state)
{
    (void)state;
    log_setup("x", LOG_INFO);
    catch_stderr();
    log_event(LOG_INFO, "m", LOG_S("a", "two words"), LOG_S("b", ""), LOG_S("c", NULL),
              LOG_S("d", "say \"no\" \\"), LOG_S("e", "k=v"));
    assert_string_equal(after_time(written()),
                        "info x m a=\"two words\" b=\"\" c=\"\" d=\"say \\\"no\\\" \\\\\" "
                        "e=\"k=v\"\n");
}

static void test_attack_forged_line(void **state)
{
    (void)state;
    log_setup("x", LOG_INFO);
    catch_stderr();
    log_event(LOG_INFO, "m\nforged", LOG_S("a", "1\nforged\x1b[2J\x7f\xc2\x9b"));
    assert_string_equal(after_time(written()),
                        "info x m\\nforged a=\"1\\nforged\\x1b[2J\\x7f\\xc2\\x9b\"\n");
}

static void test_long_line_is_cut(void **state)
{
    char *value = malloc(9000);
    const char *line;

    (void)state;
    memset(value, 'y', 8999);
    value[8999] = 0;
    log_setup("x", LOG_INFO);
    catch_stderr();
    log_event(LOG_INFO, "m", LOG_S("a", "1"), LOG_S("b", value), LOG_S("c", "3"));
    line = written();
    assert_true(strlen(line) <= 4096);
    assert_string_equal(line + strlen(line) - 5, " ...\n");
    assert_non_null(strstr(line, "a=1"));
    /* one that fills with escapes is cut as well, and still one line */
    memset(value, '\n', 8999);
    catch_stderr();
    log_event(LOG_INFO, "m", LOG_S("b", value));
    line = written();
    assert_true(strlen(line) <= 4096);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    free(value);
}

static void test_time_zone(void **state)
{
    (void)state;
    setenv("TZ", "XYZ-05:30", 1);
    tzset();
    catch_stderr();
    log_line(LOG_INFO, "m");
    assert_memory_equal(written() + 23, "+05:30 info", 11);
    setenv("TZ", "UTC", 1);
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_values_are_quoted),
        cmocka_unit_test(test_attack_forged_line),
        cmocka_unit_test(test_long_line_is_cut),
        cmocka_unit_test(test_time_zone),
    };

    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
