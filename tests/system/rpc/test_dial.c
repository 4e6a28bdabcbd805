/* SPDX-License-Identifier: Apache-2.0 */
/* Dialling: forms of a target, addresses one after the other, and cancelling at every moment. */
#include "system/rpc/dial.h"

#include "tests/support/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct outcome {
    unsigned done;
    uv_tcp_t *tcp;
    char why[128];
};

static void on_done(void *arg, uv_tcp_t *tcp, const char *why)
{
    struct outcome *outcome = arg;

    outcome->done++;
    outcome->tcp = tcp;
    snprintf(outcome->why, sizeof outcome->why, "%s", why);
}

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static void on_connection(uv_stream_t *listener, int error)
{
    (void)listener;
    assert_int_equal(error, 0);
}

/* A port on 127.0.0.1 that answers. */
static void listen_on(uv_loop_t *loop, uv_tcp_t *listener, char port[DIAL_PORT_MAX])
{
    struct sockaddr_in address;
    int len = sizeof address;

    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, listener);
    assert_int_equal(uv_tcp_bind(listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)listener, 16, on_connection), 0);
    uv_tcp_getsockname(listener, (struct sockaddr *)&address, &len);
    snprintf(port, DIAL_PORT_MAX, "%u", (unsigned)ntohs(address.sin_port));
}

static void test_forms_of_a_target(void **state)
{
    static const struct {
        const char *target, *host, *port;
    } rows[] = {
        {"localhost:80", "localhost", "80"},
        {"10.1.2.3:65535", "10.1.2.3", "65535"},
        {"[::1]:443", "::1", "443"},
        {"::1:443", "::1", "443"},
        {"a", NULL, NULL},
        {"a:", NULL, NULL},
        {":1", NULL, NULL},
        {"[]:1", NULL, NULL},
        {"a:b", NULL, NULL},
        {"a:12x", NULL, NULL},
        {"a:-1", NULL, NULL},
        {"a:12345678", NULL, NULL},
        {"", NULL, NULL},
    };
    char host[DIAL_HOST_MAX], port[DIAL_PORT_MAX], longest[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(dial_split(rows[i].target, host, port), rows[i].host != NULL);
        if (rows[i].host == NULL)
            continue;
        assert_string_equal(host, rows[i].host);
        assert_string_equal(port, rows[i].port);
    }
    memset(longest, 'a', sizeof longest);
    memcpy(longest + DIAL_HOST_MAX, ":1", 3);
    assert_false(dial_split(longest, host, port));
    memcpy(longest + DIAL_HOST_MAX - 1, ":1", 3);
    assert_true(dial_split(longest, host, port));
}

static void test_connects_by_address_and_by_name(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    uv_loop_t loop;
    uv_tcp_t listener;
    char port[DIAL_PORT_MAX];

    (void)state;
    alarm(600);
    uv_loop_init(&loop);
    listen_on(&loop, &listener, port);
    for (size_t i = 0; i < 2; i++) {
        struct outcome outcome = {0};

        assert_non_null(dial_start(&loop, hosts[i], port, on_done, &outcome));
        assert_int_equal(outcome.done, 0);
        while (outcome.done == 0)
            uv_run(&loop, UV_RUN_ONCE);
        assert_non_null(outcome.tcp);
        uv_close((uv_handle_t *)outcome.tcp, on_close);
    }
    uv_close((uv_handle_t *)&listener, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_says_why_not(void **state)
{
    static const struct {
        const char *host, *why;
    } rows[] = {{"127.0.0.1", "connection refused"}, {"no.such.host.invalid", ""}};
    uv_loop_t loop;
    char port[DIAL_PORT_MAX];
    int number, holder = port_hold(&number);

    (void)state;
    alarm(600);
    uv_loop_init(&loop);
    snprintf(port, sizeof port, "%d", number);
    for (size_t i = 0; i < 2; i++) {
        struct outcome outcome = {0};

        dial_start(&loop, rows[i].host, port, on_done, &outcome);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(outcome.done, 1);
        assert_null(outcome.tcp);
        assert_non_null(strstr(outcome.why, rows[i].why));
        assert_true(outcome.why[0] != 0);
    }
    close(holder);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* After |turns| turns of the loop, whatever it is at. */
static void test_cancel_at_every_moment(void **state)
{
    uv_loop_t loop;
    uv_tcp_t listener;
    char port[DIAL_PORT_MAX];

    (void)state;
    alarm(600);
    uv_loop_init(&loop);
    listen_on(&loop, &listener, port);
    uv_unref((uv_handle_t *)&listener);
    for (int turns = 0; turns < 3; turns++) {
        struct outcome outcome = {0};
        struct dial *dial = dial_start(&loop, "localhost", port, on_done, &outcome);

        for (int i = 0; i < turns && outcome.done == 0; i++)
            uv_run(&loop, UV_RUN_ONCE);
        if (outcome.done == 0)
            dial_cancel(dial);
        else
            uv_close((uv_handle_t *)outcome.tcp, on_close);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_in_range(outcome.done, 0, turns);
    }
    uv_close((uv_handle_t *)&listener, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_a_target),
        cmocka_unit_test(test_connects_by_address_and_by_name),
        cmocka_unit_test(test_says_why_not),
        cmocka_unit_test(test_cancel_at_every_moment),
    };

    return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
