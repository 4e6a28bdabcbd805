/* SPDX-License-Identifier: Apache-2.0 */
/* From variables to a database: what is refused, in a line that says what to set; and the file that
 * is used without a server. What a server is told is tested with a whole system (stack/postgres). */
#include "system/core/log.h"
#include "system/db/configured.h"
#include "tests/support/db_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVER "POSTGRES_HOST=127.0.0.1\nPOSTGRES_PASSWORD=p\n"

static char dir[] = "/tmp/quorate-configured-XXXXXX", error[DB_ERROR_MAX];

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"env", "x.db", "x.db-wal", "x.db-shm", "x.db.lock"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static struct config *configure(const char *lines)
{
    char path[128], fault[CONFIG_ERROR_MAX];
    struct config *config;
    FILE *file;

    snprintf(path, sizeof path, "%s/env", dir);
    file = fopen(path, "w");
    (void)fchmod(fileno(file), 0600);
    fprintf(file,
            "ENVIRONMENT=development\nDATA_DIR=%s\nMPC_API_KEY=key\nALLOWED_IPS=127.0.0.1\n"
            "JWT_SECRET_KEY=0123456789012345678901234567890123456789\nCA_KEY=%064d\n%s",
            dir, 1, lines);
    fclose(file);
    config = config_load(CONFIG_COORDINATOR, path, fault);
    if (!config)
        fail_msg("%s", fault);
    return config;
}

static void expect_refusal(const char *lines, const char *line)
{
    struct config *config = configure(lines);

    error[0] = '\0';
    assert_false(db_configured_check(config, error));
    assert_non_null(strstr(error, line));
    config_free(config);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    expect_refusal("POSTGRES_HOST=db\n", "POSTGRES_PASSWORD must be set");
    expect_refusal("POSTGRES_PASSWORD=p\n", "POSTGRES_HOST is not");
    expect_refusal(SERVER, "needs POSTGRES_TLS_CA");
    expect_refusal("POSTGRES_HOST=db\nPOSTGRES_PASSWORD=p\nPOSTGRES_TLS=off\n", "loopback");
    expect_refusal(SERVER "POSTGRES_TLS=off\nPOSTGRES_TLS_CA=/ca\nPOSTGRES_TLS_CRL=/crl\n",
                   "POSTGRES_TLS_CRL");
    expect_refusal(SERVER "POSTGRES_TLS=require\nPOSTGRES_TLS_CRL=/crl\n", "POSTGRES_TLS_CRL");
}

/* A party's server proves itself, unless it is on the party's machine. */
static void test_a_partys_server_is_proven(void **state)
{
    const struct db_names names = {.file = "x", .schema = "x"};
    const struct db_params params = {.is_alone = true};
    struct config *config =
        configure("POSTGRES_HOST=db.invalid\nPOSTGRES_PASSWORD=p\nPOSTGRES_TLS=require\n"
                  "RETRY_MAX=1\nRETRY_DELAY_MS=1\n");

    (void)state;
    assert_null(db_configured_open(NULL, config, &names, &params, error));
    assert_non_null(strstr(error, "POSTGRES_TLS=require does not prove"));
    config_free(config);
}

static void test_plain_text_stays_on_this_machine(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "::1", "/run/postgresql"};
    char lines[128];

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct config *config;

        snprintf(lines, sizeof lines, "POSTGRES_HOST=%s\nPOSTGRES_PASSWORD=p\nPOSTGRES_TLS=off\n",
                 hosts[i]);
        config = configure(lines);
        assert_true(db_configured_check(config, error));
        assert_true(db_configured_is_server(config));
        config_free(config);
    }
}

static void test_without_a_server_it_is_a_file(void **state)
{
    const struct db_names names = {.file = "x", .schema = "x"};
    const struct db_params params = {0};
    struct config *config = configure("");
    char path[128];
    struct db *db;

    (void)state;
    assert_false(db_configured_is_server(config));
    db = db_configured_open(NULL, config, &names, &params, error);
    assert_non_null(db);
    snprintf(path, sizeof path, "%s/x.db", dir);
    assert_int_equal(access(path, F_OK), 0);
    db_close(db);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_a_partys_server_is_proven),
        cmocka_unit_test(test_plain_text_stays_on_this_machine),
        cmocka_unit_test(test_without_a_server_it_is_a_file),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
