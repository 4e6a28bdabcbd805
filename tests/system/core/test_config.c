/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration of a program: where values come from, what is missing, what is refused, and that
 * secrets leave the environment. Runs in a directory of its own. */
#include "system/core/config.h"
#include "system/core/config_table.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET "a-secret-of-more-than-32-characters"
#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char error[CONFIG_ERROR_MAX];

static void write_env(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), 0600), 0);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* Nothing of the table is set, and there is no .env. */
static int clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_rows_n; i++)
        unsetenv(config_rows[i].name);
    unlink(".env");
    unlink("other.env");
    error[0] = 0;
    return 0;
}

static void set_router(void)
{
    setenv("JWT_SECRET_KEY", SECRET, 1);
    setenv("MPC_API_KEY", "first, second", 1);
    setenv("ALLOWED_IPS", "127.0.0.1, ::1", 1);
    setenv("CA_KEY", KEY, 1);
}

static void test_values(void **state)
{
    struct config *config;

    (void)state;
    set_router();
    setenv("HTTP_PORT", "0", 1);
    setenv("TLS_CERT", "", 1);
    config = config_load(CONFIG_ROUTER, NULL, error);
    assert_string_equal(error, "");
    assert_non_null(config);
    assert_string_equal(config_text(config, "JWT_SECRET_KEY"), SECRET);
    assert_string_equal(config_text(config, "LOG_LEVEL"), "info");
    assert_string_equal(config_text(config, "TLS_CERT"), "");
    assert_int_equal(config_int(config, "HTTP_PORT"), 0);
    assert_int_equal(config_int(config, "MAILBOX_BYTES"), 268435456);
    assert_int_equal(config_list_n(config, "MPC_API_KEY"), 2);
    assert_string_equal(config_list_item(config, "MPC_API_KEY", 1), "second");
    assert_string_equal(config_list_item(config, "ALLOWED_IPS", 0), "127.0.0.1");
    assert_int_equal(config_list_n(config, "TRUSTED_PROXIES"), 0);
    assert_memory_equal(config_key(config, "CA_KEY", 32), "\x00\x11\x22\x33\x44\x55\x66\x77", 8);
    assert_true(config_is_production(config));
    config_free(config);
    config_free(NULL);
}

static void test_optional_key(void **state)
{
    struct config *config;

    (void)state;
    set_router();
    config = config_load(CONFIG_COORDINATOR, NULL, error);
    assert_non_null(config);
    assert_null(config_key(config, "OPERATOR_KEY", 32));
    config_free(config);
}

#define OTHER_KEY "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

static void test_list_of_keys(void **state)
{
    struct config *config;
    const uint8_t *keys;
    size_t n = 7;

    (void)state;
    set_router();
    setenv("INITIATOR_KEY_FILE", "/nowhere", 1);
    config = config_load(CONFIG_ACCOUNT, NULL, error);
    assert_string_equal(error, "");
    assert_non_null(config);
    assert_null(config_keys(config, "CALLER_KEYS", 32, &n));
    assert_int_equal(n, 0);
    config_free(config);
    set_router(); /* secrets left the environment when they were read */
    setenv("CALLER_KEYS", KEY " , " OTHER_KEY, 1);
    config = config_load(CONFIG_ACCOUNT, NULL, error);
    assert_string_equal(error, "");
    assert_non_null(config);
    keys = config_keys(config, "CALLER_KEYS", 32, &n);
    assert_int_equal(n, 2);
    assert_memory_equal(keys, config_key(config, "CA_KEY", 32), 32);
    assert_memory_equal(keys + 32, "\xff\xee\xdd\xcc\xbb\xaa\x99\x88", 8);
    assert_memory_equal(keys + 56, "\x77\x66\x55\x44\x33\x22\x11\x00", 8);
    config_free(config);
    set_router();
    setenv("CALLER_KEYS", KEY ",short", 1);
    assert_null(config_load(CONFIG_ACCOUNT, NULL, error));
    assert_non_null(strstr(error, "CALLER_KEYS"));
}

static void test_file_and_environment(void **state)
{
    struct config *config;

    (void)state;
    write_env(".env", "JWT_SECRET_KEY=" SECRET "\nMPC_API_KEY=k\nALLOWED_IPS=::1\nCA_KEY=" KEY
                      "\nHTTP_PORT=1000\nGRPC_PORT=1001\nINITIATOR_KEY_FILE=of-another-program\n");
    setenv("HTTP_PORT", "2000", 1);
    setenv("GRPC_PORT", "", 1);
    config = config_load(CONFIG_ROUTER, NULL, error);
    assert_non_null(config);
    assert_int_equal(config_int(config, "HTTP_PORT"), 2000);
    assert_int_equal(config_int(config, "GRPC_PORT"), 1001);
    config_free(config);

    write_env("other.env", "HTTP_PORT=1\n");
    assert_null(config_load(CONFIG_ROUTER, "other.env", error));
    assert_string_equal(error,
                        "JWT_SECRET_KEY is not set; it must be text of 32 characters or more");
    assert_null(config_load(CONFIG_ROUTER, "missing.env", error));
    assert_string_equal(error, "cannot read missing.env: No such file or directory");
}

static void test_unknown_name(void **state)
{
    (void)state;
    set_router();
    setenv("QUORATE_NOT_OURS", "1", 1);
    write_env(".env", "HEARTBEAT_SM=5\n");
    assert_null(config_load(CONFIG_ROUTER, NULL, error));
    assert_string_equal(error,
                        ".env line 1: HEARTBEAT_SM is not a variable; did you mean HEARTBEAT_MS?");
}

/* Each required variable of each program is missed, also in development. */
static void test_required(void **state)
{
    (void)state;
    for (unsigned program = CONFIG_ACCOUNT; program < CONFIG_ALL; program *= 2) {
        for (size_t i = 0; i < config_rows_n; i++) {
            const struct config_row *row = &config_rows[i];

            clean(NULL);
            setenv("ENVIRONMENT", "development", 1);
            for (size_t j = 0; j < config_rows_n; j++) {
                if (config_rows[j].flags & CONFIG_REQUIRED && j != i)
                    setenv(config_rows[j].name,
                           config_rows[j].placeholder ? config_rows[j].placeholder : KEY, 1);
            }
            if (row->programs & program && row->flags & CONFIG_REQUIRED) {
                assert_null(config_load((enum config_program)program, NULL, error));
                assert_memory_equal(error, row->name, strlen(row->name));
                assert_non_null(strstr(error, " is not set; it must be "));
            }
        }
    }
}

static void assert_refused(const char *name, const char *value, const char *want)
{
    clean(NULL);
    set_router();
    setenv(name, value, 1);
    assert_null(config_load(CONFIG_ROUTER, NULL, error));
    assert_string_equal(error, want);
}

static void test_malformed(void **state)
{
    (void)state;
    assert_refused("JWT_SECRET_KEY", "hunter2",
                   "JWT_SECRET_KEY is not of the right form; it must be text of 32 characters or "
                   "more");
    assert_refused("MPC_API_KEY", "a,b,c",
                   "MPC_API_KEY is not of the right form; it must be 1 to 2 texts, comma "
                   "separated");
    assert_refused("HTTP_PORT", "http",
                   "HTTP_PORT is not of the right form; it must be a whole number from 0 to "
                   "65535");
    assert_refused("CA_KEY", "abc",
                   "CA_KEY is not of the right form; it must be exactly 64 hex digits");
    assert_refused("TLS", "maybe", "TLS is not of the right form; it must be on or off");
}

static void test_placeholders(void **state)
{
    struct config *config;

    (void)state;
    assert_refused("MPC_API_KEY", "mine, change-me",
                   "MPC_API_KEY is still the placeholder of .env.example: set one of your own; it "
                   "must be 1 to 2 texts, comma separated");
    assert_refused(
        "JWT_SECRET_KEY", "change-me-to-32-characters-or-more",
        "JWT_SECRET_KEY is still the placeholder of .env.example: set one of your own; it "
        "must be text of 32 characters or more");
    clean(NULL);
    set_router();
    setenv("MPC_API_KEY", "change-me", 1);
    setenv("ENVIRONMENT", "development", 1);
    config = config_load(CONFIG_ROUTER, NULL, error);
    assert_non_null(config);
    assert_false(config_is_production(config));
    config_free(config);

    /* the path of a file may well be the one of the example */
    set_router();
    setenv("ENVIRONMENT", "production", 1);
    setenv("MPC_API_KEY", "mine", 1);
    setenv("INITIATOR_KEY_FILE", "/run/secrets/initiator.key", 1);
    config = config_load(CONFIG_ACCOUNT, NULL, error);
    assert_non_null(config);
    config_free(config);
}

static void test_secrets_leave_the_environment(void **state)
{
    const char *jwt, *api, *master;
    struct config *config;

    (void)state;
    set_router();
    setenv("CRYPTO_MASTER_KEY", KEY, 1);
    jwt = getenv("JWT_SECRET_KEY");
    api = getenv("MPC_API_KEY");
    master = getenv("CRYPTO_MASTER_KEY");
    config = config_load(CONFIG_ROUTER, NULL, error);
    assert_non_null(config);
    for (size_t i = 0; i < strlen(SECRET); i++)
        assert_int_equal(jwt[i], 0);
    for (size_t i = 0; i < strlen("first, second"); i++)
        assert_int_equal(api[i], 0);
    /* what is for another program is that program's */
    assert_string_equal(master, KEY);
    assert_string_equal(config_text(config, "JWT_SECRET_KEY"), SECRET);
    config_free(config);
}

/* Does |ask| end the process? */
static bool dies(const struct config *config, void (*ask)(const struct config *))
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        close(STDERR_FILENO);
        ask(config);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void ask_unknown(const struct config *config)
{
    config_text(config, "NO_SUCH");
}

static void ask_of_another_program(const struct config *config)
{
    config_int(config, "WORKERS");
}

static void ask_as_another_type(const struct config *config)
{
    config_text(config, "HTTP_PORT");
}

static void ask_another_length(const struct config *config)
{
    config_key(config, "CA_KEY", 33);
}

static void ask_one_key_as_a_list(const struct config *config)
{
    size_t n;

    config_keys(config, "CA_KEY", 32, &n);
}

static void ask_past_the_end(const struct config *config)
{
    config_list_item(config, "MPC_API_KEY", 2);
}

static void ask_rightly(const struct config *config)
{
    config_list_item(config, "MPC_API_KEY", 1);
}

static void test_wrong_questions_are_bugs(void **state)
{
    struct config *config;

    (void)state;
    set_router();
    config = config_load(CONFIG_ROUTER, NULL, error);
    assert_non_null(config);
    assert_true(dies(config, ask_unknown));
    assert_true(dies(config, ask_of_another_program));
    assert_true(dies(config, ask_as_another_type));
    assert_true(dies(config, ask_another_length));
    assert_true(dies(config, ask_one_key_as_a_list));
    assert_true(dies(config, ask_past_the_end));
    assert_false(dies(config, ask_rightly));
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_values, clean),
        cmocka_unit_test_setup(test_optional_key, clean),
        cmocka_unit_test_setup(test_list_of_keys, clean),
        cmocka_unit_test_setup(test_file_and_environment, clean),
        cmocka_unit_test_setup(test_unknown_name, clean),
        cmocka_unit_test_setup(test_required, clean),
        cmocka_unit_test_setup(test_malformed, clean),
        cmocka_unit_test_setup(test_placeholders, clean),
        cmocka_unit_test_setup(test_secrets_leave_the_environment, clean),
        cmocka_unit_test_setup(test_wrong_questions_are_bugs, clean),
    };
    char dir[] = "/tmp/test_config_XXXXXX";
    int code;

    if (!mkdtemp(dir) || chdir(dir) != 0)
        return 1;
    code = cmocka_run_group_tests(tests, NULL, NULL);
    clean(NULL);
    if (chdir("/") != 0 || rmdir(dir) != 0)
        return 1;
    return code;
}
