/* SPDX-License-Identifier: Apache-2.0 */
/* A whole service as a process: start, guard, stop, faults. */
#include "tests/system/rpc/stub_server.h"
#include "tiny.h"
#include "variables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct http_answer answer;

static int get(int port, const char *path, const char *headers)
{
    return tiny_get(&answer, port, path, headers);
}

static void test_guard_stands_before_methods(void **state)
{
    (void)state;
    tiny_start();
    assert_int_equal(get(child.http, "/do", NULL), 401);
    assert_int_equal(get(child.http, "/do", "X-API-Key: key-of-the-tests\r\n"), 200);
    assert_null(strstr(child.said, "key-of-the-tests"));
    kill(child.pid, SIGINT);
    assert_int_equal(tiny_wait(), 0);
    assert_non_null(strstr(child.said, "a caller was refused"));
    assert_null(strstr(child.said, "key-of-the-tests"));
}

static void test_pages_of_allowed_origins_may_read(void **state)
{
    (void)state;
    setenv("ALLOWED_ORIGINS", "https://one.example, https://two.example:8443", 1);
    tiny_start();
    assert_int_equal(get(child.http, "/health", "Origin: https://two.example:8443\r\n"), 200);
    assert_non_null(strstr(answer.head, "access-control-allow-origin: https://two.example:8443"));
    assert_int_equal(get(child.http, "/health", "Origin: https://three.example\r\n"), 200);
    assert_null(strstr(answer.head, "access-control-allow-origin"));
    tiny_stop();
    unsetenv("ALLOWED_ORIGINS");
}

static void test_fault_ends_it_with_one_line(void **state)
{
    (void)state;
    tiny_start();
    assert_int_equal(get(child.http, "/break", NULL), 200);
    assert_int_equal(tiny_wait(), 1);
    assert_non_null(strstr(child.said, "the tiny thing is broken: 42"));
    assert_null(strstr(child.said, "consequence"));
}

static void test_start_that_fails_is_told(void **state)
{
    (void)state;
    setenv("TINY_FAILS", "1", 1);
    assert_int_equal(tiny_run(NULL), 1);
    assert_non_null(strstr(child.said, "the tiny thing is not there"));
}

static void test_port_in_use_is_named(void **state)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    socklen_t len = sizeof own;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char port[8];

    (void)state;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    snprintf(port, sizeof port, "%d", ntohs(own.sin_port));
    setenv("HTTP_PORT", port, 1);
    assert_int_equal(tiny_run(NULL), 1);
    assert_non_null(strstr(child.said, "HTTP_PORT"));
    close(fd);
}

static void test_check_looks_and_ends(void **state)
{
    (void)state;
    assert_int_equal(tiny_run("--check"), 0);
    assert_non_null(strstr(child.said, "configuration is good"));
    assert_null(strstr(child.said, "listening"));
    variables_set();
    setenv("LISTEN_HOST", "0.0.0.0", 1);
    assert_int_equal(tiny_run("--check"), 1);
    assert_non_null(strstr(child.said, "LISTEN_HOST"));
    variables_set();
    setenv("MPC_API_KEY", "", 1);
    assert_int_equal(tiny_run("--check"), 1);
    assert_non_null(strstr(child.said, "MPC_API_KEY"));
}

static void test_wrong_usage_is_exit_two(void **state)
{
    (void)state;
    assert_int_equal(tiny_run("--nonsense"), 2);
    assert_int_equal(tiny_run("--version"), 0);
    assert_non_null(strstr(child.said, QRT_VERSION));
}

/* Nobody listens on port 1: after RETRY_MAX tries the service ends and names whom it missed. */
static void test_peer_that_stays_away_ends_the_service(void **state)
{
    (void)state;
    setenv("TINY_DIALS", "1", 1);
    assert_int_equal(tiny_run(NULL), 1);
    assert_non_null(strstr(child.said, "ROUTER_ADDR"));
    assert_non_null(strstr(child.said, "127.0.0.1:1"));
}

/* A neighbour that the test is itself: without its loop running nobody gets through to it. */
static struct stub_server router;
static uv_loop_t loop;

static void wait_ready(int status)
{
    while (get(child.http, "/ready", NULL) != status)
        if (status == 200)
            uv_run(&loop, UV_RUN_NOWAIT);
}

static bool child_has_ended(void)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == child.pid;
}

static void test_each_loss_of_a_peer_has_all_tries(void **state)
{
    (void)state;
    alarm(600);
    uv_loop_init(&loop);
    stub_open(&router, &loop);
    setenv("ROUTER_ADDR", router.target, 1);
    setenv("TINY_DIALS", "1", 1);
    tiny_start();
    assert_int_equal(get(child.http, "/get-ready", NULL), 200);
    for (int loss = 0; loss < 4; loss++) {
        wait_ready(200);
        assert_int_equal(router.refuse_n, 0);
        /* a connection that was short counts as well, and RETRY_MAX is two */
        router.refuse_n = 1;
        stub_cut(&router);
        wait_ready(503);
        assert_int_equal(get(child.http, "/health", NULL), 200);
    }
    wait_ready(200);
    router.refuse_n = UINT32_MAX;
    stub_cut(&router);
    while (!child_has_ended())
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(tiny_wait(), 1);
    assert_non_null(strstr(child.said, "could not be reached in 2 tries"));
    assert_non_null(strstr(child.said, "connection lost"));
    stub_end(&router);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, tiny_setup)
    const struct CMUnitTest tests[] = {
        TEST(test_guard_stands_before_methods),
        TEST(test_pages_of_allowed_origins_may_read),
        TEST(test_fault_ends_it_with_one_line),
        TEST(test_start_that_fails_is_told),
        TEST(test_port_in_use_is_named),
        TEST(test_check_looks_and_ends),
        TEST(test_wrong_usage_is_exit_two),
        TEST(test_peer_that_stays_away_ends_the_service),
        TEST(test_each_loss_of_a_peer_has_all_tries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
