/* SPDX-License-Identifier: Apache-2.0 */
/* The watch over TLS files: a good change counts, a broken one does not and is told
 * once. What is in use is known by the metric. */
#include "pki.h"
#include "system/service/certificates.h"
#include "system/service/listen.h"
#include "variables.h"

#include "system/core/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pki pki;
static uv_loop_t loop;
static struct config *config;
static struct rpc_server *server;
static struct certificates *certificates;

static int set_up(void **state)
{
    char error[RPC_TEXT_MAX];

    (void)state;
    pki_make(&pki);
    variables_set();
    setenv("TLS", "on", 1);
    setenv("TLS_CERT", pki.certificate, 1);
    setenv("TLS_KEY", pki.key, 1);
    setenv("GRPC_TLS_CERT", pki.certificate, 1);
    setenv("GRPC_TLS_KEY", pki.key, 1);
    setenv("GRPC_TLS_CA", pki.ca, 1);
    setenv("GRPC_TLS_CRL", pki.crl, 1);
    config = variables_load(CONFIG_ROUTER);
    uv_loop_init(&loop);
    server = rpc_server_new(&loop, &(struct rpc_limits){0});
    certificates = certificates_new(config);
    assert_non_null(certificates);
    if (!listen_start(server, config, error))
        fail_msg("%s", error);
    certificates_watch(certificates, &loop, server);
    return 0;
}

static void on_stopped(void *arg)
{
    uv_stop(arg);
}

static int tear_down(void **state)
{
    (void)state;
    certificates_free(certificates);
    rpc_server_stop(server, 1000, on_stopped, &loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    rpc_server_free(server);
    uv_run(&loop, UV_RUN_DEFAULT);
    config_free(config);
    pki_remove(&pki);
    return uv_loop_close(&loop);
}

static int64_t told_end(void)
{
    return metric_value(metric_new(METRIC_GAUGE, "quorate_tls_certificate_expiry_seconds",
                                   "file=\"GRPC_TLS_CERT\"", ""));
}

static void run_until_told(int64_t end)
{
    while (told_end() != end)
        uv_run(&loop, UV_RUN_ONCE);
}

static void test_files_are_checked_as_one(void **state)
{
    char error[RPC_TEXT_MAX];

    (void)state;
    assert_true(certificates_check(config, error));
    pki_renew(&pki, "IP:127.0.0.1", -7200, -3600);
    assert_false(certificates_check(config, error));
    assert_non_null(strstr(error, "TLS_CERT"));
    assert_non_null(strstr(error, "expired"));
}

static void test_a_change_counts(void **state)
{
    const int64_t first = told_end();

    (void)state;
    assert_int_equal(first, tls_file_ends(pki.certificate));
    pki_renew(&pki, "IP:127.0.0.1", -60, 1800);
    assert_int_not_equal(first, tls_file_ends(pki.certificate));
    run_until_told(tls_file_ends(pki.certificate));
}

/* How often the log told it. */
static unsigned count(FILE *log, const char *what)
{
    char line[1024];
    unsigned n = 0;

    rewind(log);
    while (fgets(line, sizeof line, log))
        n += strstr(line, what) != NULL;
    return n;
}

static FILE *begin_log(int *keep)
{
    FILE *log = tmpfile();

    fflush(stderr);
    *keep = dup(2);
    dup2(fileno(log), 2);
    return log;
}

static void end_log(int keep)
{
    dup2(keep, 2);
    close(keep);
}

/* Nothing has changed, so that the timer does nothing. */
static void test_sighup_reads_again(void **state)
{
    int keep;
    FILE *log = begin_log(&keep);

    (void)state;
    raise(SIGHUP);
    while (count(log, "TLS files were read again") == 0)
        uv_run(&loop, UV_RUN_ONCE);
    end_log(keep);
    fclose(log);
}

static void expect_refused_once(const char *why)
{
    const int64_t before = told_end();
    int keep;
    FILE *log = begin_log(&keep);

    while (count(log, "the old ones stay in use") == 0)
        uv_run(&loop, UV_RUN_ONCE);
    /* Three looks more. */
    for (int64_t end = (int64_t)uv_now(&loop) + 3100; (int64_t)uv_now(&loop) < end;)
        uv_run(&loop, UV_RUN_ONCE);
    end_log(keep);
    assert_int_equal(count(log, "the old ones stay in use"), 1);
    assert_int_equal(count(log, why), 1);
    assert_int_equal(told_end(), before);
    fclose(log);
}

static void test_broken_files_are_told_once(void **state)
{
    FILE *file;

    (void)state;
    pki_renew(&pki, "IP:127.0.0.1", -7200, -3600);
    expect_refused_once("expired");
    file = fopen(pki.certificate, "w");
    fputs("nothing\n", file);
    fclose(file);
    expect_refused_once(pki.certificate);
    pki_renew(&pki, "IP:127.0.0.1", -60, 1700);
    run_until_told(tls_file_ends(pki.certificate));
}

static void test_a_party_stays_that_party(void **state)
{
    (void)state;
    pki_renew(&pki, "IP:127.0.0.1,URI:quorate:party:party-2", -60, 1600);
    expect_refused_once("party-2");
}

static void test_without_tls_there_is_nothing(void **state)
{
    struct config *plain;
    char party[TLS_PARTY_MAX] = "x";

    (void)state;
    variables_set();
    plain = variables_load(CONFIG_ROUTER);
    assert_null(certificates_new(plain));
    certificates_watch(NULL, &loop, NULL);
    certificates_free(NULL);
    certificates_party(party, plain);
    assert_string_equal(party, "");
    config_free(plain);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files_are_checked_as_one), TEST(test_a_change_counts),
        TEST(test_sighup_reads_again),       TEST(test_broken_files_are_told_once),
        TEST(test_a_party_stays_that_party), cmocka_unit_test(test_without_tls_there_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
