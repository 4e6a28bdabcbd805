/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of listening: plain text on loopback only, TLS with all of its files. */
#include "pki.h"
#include "system/service/listen.h"
#include "variables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static char error[RPC_TEXT_MAX];

static bool check(enum config_program program)
{
    struct config *config = variables_load(program);
    bool is_good;

    error[0] = '\0';
    is_good = listen_check(config, program, error);
    config_free(config);
    return is_good;
}

static void expect_good(enum config_program program, const char *name, const char *value)
{
    variables_set();
    setenv(name, value, 1);
    if (!check(program))
        fail_msg("%s=%s: %s", name, value, error);
}

static void expect_fault(enum config_program program, const char *name, const char *value)
{
    variables_set();
    setenv(name, value, 1);
    assert_false(check(program));
    assert_non_null(strstr(error, name));
    assert_null(strchr(error, '\n'));
}

static void test_plain_text_listens_on_loopback_only(void **state)
{
    (void)state;
    expect_good(CONFIG_ROUTER, "LISTEN_HOST", "127.0.0.1");
    expect_good(CONFIG_ROUTER, "LISTEN_HOST", "127.8.8.8");
    expect_good(CONFIG_ROUTER, "LISTEN_HOST", "::1");
    expect_fault(CONFIG_ROUTER, "LISTEN_HOST", "0.0.0.0");
    expect_fault(CONFIG_ROUTER, "LISTEN_HOST", "::");
    expect_fault(CONFIG_ROUTER, "LISTEN_HOST", "10.0.0.1");
    expect_fault(CONFIG_ROUTER, "LISTEN_HOST", "128.0.0.1");
    expect_fault(CONFIG_ROUTER, "LISTEN_HOST", "localhost.example");
}

static void test_redis_elsewhere_is_plain_text_that_was_asked_for(void **state)
{
    (void)state;
    expect_good(CONFIG_ROUTER, "REDIS_HOST", "127.0.0.1");
    expect_good(CONFIG_ROUTER, "REDIS_HOST", "::1");
    expect_good(CONFIG_ROUTER, "REDIS_HOST", "localhost");
    expect_fault(CONFIG_ROUTER, "REDIS_HOST", "redis");
    expect_fault(CONFIG_ROUTER, "REDIS_HOST", "10.0.0.1");
    variables_set();
    setenv("REDIS_HOST", "10.0.0.1", 1);
    setenv("REDIS_PLAINTEXT", "true", 1);
    assert_true(check(CONFIG_ROUTER));
    unsetenv("REDIS_PLAINTEXT");
    unsetenv("REDIS_HOST");
}

static void test_plain_text_goes_to_loopback_only(void **state)
{
    (void)state;
    expect_good(CONFIG_COORDINATOR, "ROUTER_ADDR", "localhost:50051");
    expect_good(CONFIG_COORDINATOR, "ROUTER_ADDR", "[::1]:50051");
    expect_fault(CONFIG_COORDINATOR, "ROUTER_ADDR", "mpc-message-router:50051");
    expect_fault(CONFIG_COORDINATOR, "ROUTER_ADDR", "10.0.0.1:50051");
    expect_good(CONFIG_COORDINATOR, "ROUTER_ADDR", "127.0.0.1:1,127.0.0.2:2");
    expect_fault(CONFIG_COORDINATOR, "ROUTER_ADDR", "127.0.0.1:1,10.0.0.1:50051");
    /* spoken to with TLS */
    expect_good(CONFIG_ROUTER, "KUBERNETES_API", "10.0.0.1:443");
    /* not a variable of the router */
    expect_good(CONFIG_ROUTER, "ROUTER_ADDR", "mpc-message-router:50051");
}

static void set_tls(const struct pki *pki)
{
    setenv("TLS", "on", 1);
    setenv("TLS_CERT", pki->certificate, 1);
    setenv("TLS_KEY", pki->key, 1);
    setenv("GRPC_TLS_CERT", pki->certificate, 1);
    setenv("GRPC_TLS_KEY", pki->key, 1);
    setenv("GRPC_TLS_CA", pki->ca, 1);
    unsetenv("GRPC_TLS_CRL");
}

static void test_tls_needs_every_file(void **state)
{
    static const char *const names[] = {"TLS_CERT", "TLS_KEY", "GRPC_TLS_CERT", "GRPC_TLS_KEY",
                                        "GRPC_TLS_CA"};
    struct pki pki;

    (void)state;
    pki_make(&pki);
    for (size_t missing = 0; missing < 5; missing++) {
        variables_set();
        set_tls(&pki);
        unsetenv(names[missing]);
        assert_false(check(CONFIG_ROUTER));
        assert_non_null(strstr(error, names[missing]));
        variables_set();
        set_tls(&pki);
        setenv(names[missing], "/nowhere/x.pem", 1);
        assert_false(check(CONFIG_ROUTER));
        assert_non_null(strstr(error, "/nowhere/x.pem"));
    }
    variables_set();
    set_tls(&pki);
    setenv("LISTEN_HOST", "0.0.0.0", 1);
    assert_true(check(CONFIG_ROUTER));
    variables_set();
    set_tls(&pki);
    setenv("GRPC_TLS_CRL", "/nowhere/crl.pem", 1);
    assert_false(check(CONFIG_ROUTER));
    assert_non_null(strstr(error, "/nowhere/crl.pem"));
    variables_set();
    unsetenv("GRPC_TLS_CRL");
    pki_remove(&pki);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_listens_on_loopback_only),
        cmocka_unit_test(test_redis_elsewhere_is_plain_text_that_was_asked_for),
        cmocka_unit_test(test_plain_text_goes_to_loopback_only),
        cmocka_unit_test(test_tls_needs_every_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
