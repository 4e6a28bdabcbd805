/* SPDX-License-Identifier: Apache-2.0 */
/* From variables to a broker: what is refused, in a line that says what to set. What a broker is
 * told is tested with a real one (test_broker.c, stack/routers). */
#include "system/bus/broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER "RABBITMQ_HOST=10.0.0.1\nRABBITMQ_PASSWORD=p\n"
#define HERE "RABBITMQ_HOST=127.0.0.1\nRABBITMQ_PASSWORD=p\n"

static char error[BROKER_ERROR_MAX];

static bool is_good(const char *lines)
{
    char path[] = "/tmp/quorate-broker-XXXXXX", fault[CONFIG_ERROR_MAX];
    int fd = mkstemp(path);
    struct config *config;
    bool ok;

    assert_true(fd >= 0);
    dprintf(fd,
            "ENVIRONMENT=development\nMPC_API_KEY=key\nALLOWED_IPS=127.0.0.1\n"
            "JWT_SECRET_KEY=0123456789012345678901234567890123456789\nCA_KEY=%064d\n%s",
            1, lines);
    close(fd);
    config = config_load(CONFIG_ROUTER, path, fault);
    unlink(path);
    if (!config)
        fail_msg("%s", fault);
    error[0] = 0;
    ok = broker_check(config, error);
    config_free(config);
    return ok;
}

static void expect_fault(const char *lines, const char *word)
{
    assert_false(is_good(lines));
    assert_non_null(strstr(error, word));
    assert_null(strchr(error, '\n'));
}

static void test_without_a_host_there_is_none(void **state)
{
    (void)state;
    assert_true(is_good(""));
    expect_fault("RABBITMQ_PASSWORD=p\n", "RABBITMQ_HOST is not");
}

static void test_a_password_is_needed(void **state)
{
    (void)state;
    expect_fault("RABBITMQ_HOST=127.0.0.1\nRABBITMQ_TLS=off\n", "RABBITMQ_PASSWORD must be set");
}

static void test_plain_text_stays_on_this_machine(void **state)
{
    (void)state;
    assert_true(is_good(HERE "RABBITMQ_TLS=off\n"));
    assert_true(is_good("RABBITMQ_HOST=localhost\nRABBITMQ_PASSWORD=p\nRABBITMQ_TLS=off\n"));
    expect_fault(SERVER "RABBITMQ_TLS=off\n", "RABBITMQ_TLS=off is allowed on loopback");
    expect_fault(HERE "RABBITMQ_TLS=off\nRABBITMQ_TLS_CRL=/dev/null\n", "RABBITMQ_TLS_CRL counts");
    expect_fault("RABBITMQ_HOST=1270.example\nRABBITMQ_PASSWORD=p\nRABBITMQ_TLS=off\n",
                 "RABBITMQ_TLS=off is allowed on loopback");
}

static void test_tls_needs_its_authority(void **state)
{
    (void)state;
    expect_fault(SERVER, "RABBITMQ_TLS=verify-full needs RABBITMQ_TLS_CA");
    expect_fault(SERVER "RABBITMQ_TLS=verify-ca\n", "RABBITMQ_TLS=verify-ca needs");
    expect_fault(SERVER "RABBITMQ_TLS_CA=/nonexistent/ca.pem\n", "/nonexistent/ca.pem cannot be");
    assert_true(is_good(SERVER "RABBITMQ_TLS_CA=/dev/null\n"));
    expect_fault(SERVER "RABBITMQ_TLS_CA=/dev/null\nRABBITMQ_TLS_CRL=/nonexistent/crl.pem\n",
                 "RABBITMQ_TLS_CRL: the file /nonexistent/crl.pem cannot be");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_host_there_is_none),
        cmocka_unit_test(test_a_password_is_needed),
        cmocka_unit_test(test_plain_text_stays_on_this_machine),
        cmocka_unit_test(test_tls_needs_its_authority),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
