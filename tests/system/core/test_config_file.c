/* SPDX-License-Identifier: Apache-2.0 */
/* .env files: what is read, and one clear line for what is not. */
#include "system/core/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/test_config_file_XXXXXX";
static char error[CONFIG_ERROR_MAX];

static struct config_file *read_len(const char *text, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
    error[0] = 0;
    return config_file_read(path, error);
}

static struct config_file *read_text(const char *text)
{
    return read_len(text, strlen(text));
}

static void test_reads(void **state)
{
    struct config_file *file = read_text("# a comment\r\n"
                                         "\n"
                                         "  HTTP_PORT = 81 \r\n"
                                         "export LOG_LEVEL=debug\n"
                                         "TZ='Europe/Berlin'\n"
                                         "DATA_DIR=\"/a b/#c\"\n"
                                         "MPC_API_KEY=a=b=\n"
                                         "TLS=\n"
                                         "LISTEN_HOST=\"");

    (void)state;
    assert_non_null(file);
    assert_string_equal(config_file_value(file, "HTTP_PORT"), "81");
    assert_string_equal(config_file_value(file, "LOG_LEVEL"), "debug");
    assert_string_equal(config_file_value(file, "TZ"), "Europe/Berlin");
    assert_string_equal(config_file_value(file, "DATA_DIR"), "/a b/#c");
    assert_string_equal(config_file_value(file, "MPC_API_KEY"), "a=b=");
    assert_string_equal(config_file_value(file, "TLS"), "");
    assert_string_equal(config_file_value(file, "LISTEN_HOST"), "\"");
    assert_null(config_file_value(file, "GRPC_PORT"));
    assert_null(config_file_value(file, "NO_SUCH"));
    config_file_free(file);
    file = read_text("");
    assert_non_null(file);
    config_file_free(file);
    config_file_free(NULL);
}

static void assert_refused(const char *text, const char *why)
{
    char want[512];

    assert_null(read_text(text));
    snprintf(want, sizeof want, why, path);
    assert_string_equal(error, want);
}

static void test_unknown_names(void **state)
{
    char text[300];

    (void)state;
    assert_refused("MPC_API_KEI=x\n",
                   "%s line 1: MPC_API_KEI is not a variable; did you mean MPC_API_KEY?");
    assert_refused("TZ=UTC\n\nHTPP_PORT=1",
                   "%s line 3: HTPP_PORT is not a variable; did you mean HTTP_PORT?");
    assert_refused("coordinator_addr=a:1",
                   "%s line 1: coordinator_addr is not a variable; did you mean "
                   "COORDINATOR_ADDR?");
    memset(text, 'X', sizeof text - 3);
    strcpy(text + sizeof text - 3, "=1");
    assert_null(read_text(text));
    assert_non_null(strstr(error, "is not a variable; did you mean "));
}

static void test_malformed(void **state)
{
    static const char zero[] = "TZ=U\0C\n";

    (void)state;
    assert_refused("TZ\n", "%s line 1 is not of the form NAME=VALUE");
    assert_refused("=UTC\n", "%s line 1 is not of the form NAME=VALUE");
    assert_refused("TZ=UTC\nA B=1\n", "%s line 2 is not of the form NAME=VALUE");
    assert_refused("TZ=UTC\nTLS=on\nTZ=UTC\n", "%s line 3: TZ is set already, in line 1");
    assert_null(read_len(zero, sizeof zero - 1));
    assert_non_null(strstr(error, "zero byte"));
}

static void test_attack_value_is_not_shown(void **state)
{
    (void)state;
    assert_null(read_text("MPC_API_KEI=hunter2\n"));
    assert_null(strstr(error, "hunter2"));
    assert_null(read_text("TZ=UTC\nMPC_API_KEY hunter2\n"));
    assert_null(strstr(error, "hunter2"));
}

static void test_unreadable(void **state)
{
    char *large = malloc((1 << 20) + 1);

    (void)state;
    memset(large, '\n', (1 << 20) + 1);
    assert_null(read_len(large, (1 << 20) + 1));
    assert_non_null(strstr(error, "larger than 1 MiB"));
    large[0] = '#';
    config_file_free(read_len(large, 1 << 20));
    assert_string_equal(error, "");
    free(large);
    assert_null(config_file_read("/no/such/file", error));
    assert_string_equal(error, "cannot read /no/such/file: No such file or directory");
    assert_null(config_file_read("/tmp", error));
    assert_string_equal(error, "cannot read /tmp: it is a directory");
}

static void expect_mode(const char *text, mode_t mode, bool ok)
{
    char line[CONFIG_ERROR_MAX];
    struct config_file *file;

    config_file_free(read_text(text));
    error[0] = 0;
    assert_int_equal(chmod(path, mode), 0);
    file = config_file_read(path, error);
    assert_int_equal(file != NULL, ok);
    config_file_free(file);
    snprintf(line, sizeof line, "%s has secrets and can be read by others: chmod 600 it", path);
    assert_string_equal(error, ok ? "" : line);
    assert_int_equal(chmod(path, 0600), 0);
}

static void test_secrets_are_for_their_owner(void **state)
{
    const char *secret = "JWT_SECRET_KEY=0123456789abcdef0123456789abcdef\n";

    (void)state;
    expect_mode(secret, 0600, true);
    expect_mode(secret, 0400, true);
    expect_mode(secret, 0640, false);
    expect_mode(secret, 0604, false);
    expect_mode(secret, 0620, false);
    expect_mode("HTTP_PORT=1\nJWT_SECRET_KEY=\n", 0644, true);
    /* Another user's, as a mounted secret is: for our group, for nobody else. */
    if (geteuid() != 0)
        return;
    config_file_free(read_text(secret));
    assert_int_equal(chown(path, 12345, getegid()), 0);
    assert_int_equal(chmod(path, 0440), 0);
    config_file_free(config_file_read(path, error));
    assert_string_equal(error, "");
    assert_int_equal(chmod(path, 0444), 0);
    assert_null(config_file_read(path, error));
    assert_int_equal(chown(path, geteuid(), getegid()), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets_are_for_their_owner),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_attack_value_is_not_shown),
        cmocka_unit_test(test_unreadable),
    };
    int code, fd = mkstemp(path);

    close(fd);
    code = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return code;
}
