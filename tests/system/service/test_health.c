/* SPDX-License-Identifier: Apache-2.0 */
/* What a service tells of itself: pages, Check, Watch; asked through gRPC-Web, which needs no
 * HTTP/2. */
#include "tiny.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct http_answer answer;

static int get(int port, const char *path, const char *headers)
{
    return tiny_get(&answer, port, path, headers);
}

static void test_pages_tell_health_and_readiness(void **state)
{
    (void)state;
    tiny_start();
    assert_int_equal(get(child.http, "/health", NULL), 200);
    assert_string_equal(answer.body, "{\"service\":\"tiny-service\",\"status\":\"healthy\"}");
    assert_int_equal(get(child.http, "/ready", NULL), 503);
    assert_string_equal(answer.body, "{\"service\":\"tiny-service\",\"status\":\"not_ready\"}");
    assert_int_equal(get(child.grpc, "/get-ready", NULL), 200);
    assert_int_equal(get(child.http, "/ready", NULL), 200);
    assert_string_equal(answer.body, "{\"service\":\"tiny-service\",\"status\":\"ready\"}");
    assert_int_equal(get(child.http, "/metrics", NULL), 200);
    assert_non_null(strstr(answer.body, "quorate_auth_failures_total"));
    tiny_stop();
}

/* gRPC-Web: one frame in; frames out. Service names here are shorter than 100 bytes. */
static int health_call(const char *verb, const char *service, bool stays)
{
    char path[80];
    uint8_t body[128] = {0};
    size_t n = strlen(service);
    const struct http_request request = {
        .port = child.grpc,
        .verb = "POST",
        .path = path,
        .headers = "Content-Type: application/grpc-web+proto\r\nX-Grpc-Web: 1\r\n",
        .body = body,
        .len = n ? 7 + n : 5};

    snprintf(path, sizeof path, "/grpc.health.v1.Health/%s", verb);
    if (n) {
        body[4] = (uint8_t)(n + 2);
        body[5] = 0x0a;
        body[6] = (uint8_t)n;
        memcpy(body + 7, service, n);
    }
    if (stays)
        return http_open(&request);
    http_ask(&answer, &request);
    return answer.status;
}

/* A frame of two bytes: field 1, the status. */
static bool says(const void *b, size_t len, int status)
{
    const uint8_t frame[] = {0, 0, 0, 0, 2, 8, (uint8_t)status};

    return memmem(b, len, frame, sizeof frame) != NULL;
}

static void expect_status(const char *service, int status)
{
    assert_int_equal(health_call("Check", service, false), 200);
    assert_true(says(answer.body, answer.len, status));
    assert_non_null(memmem(answer.body, answer.len, "grpc-status: 0", 14) ||
                            memmem(answer.body, answer.len, "grpc-status:0", 13)
                        ? answer.body
                        : NULL);
}

static void test_grpc_health_knows_its_services(void **state)
{
    (void)state;
    tiny_start();
    expect_status("", 2);
    assert_int_equal(get(child.http, "/get-ready", NULL), 200);
    expect_status("", 1);
    expect_status("mpc.coordinator.v1.SessionCoordinator", 1);
    health_call("Check", "mpc.router.v1.MessageRouter", false);
    assert_false(says(answer.body, answer.len, 1));
    assert_true(strstr(answer.head, "grpc-status: 5") ||
                memmem(answer.body, answer.len, "grpc-status: 5", 14) ||
                memmem(answer.body, answer.len, "grpc-status:5", 13));
    tiny_stop();
}

/* Reads from |fd| until |status| was told; false at the end of the stream. */
static bool wait_for_status(int fd, int status)
{
    char seen[4096];
    size_t len = 0;
    ssize_t n;

    while (len < sizeof seen && (n = read(fd, seen + len, sizeof seen - len)) > 0) {
        len += (size_t)n;
        if (says(seen, len, status))
            return true;
    }
    return false;
}

static void test_watch_is_told_of_changes_and_of_the_end(void **state)
{
    int fd;

    (void)state;
    tiny_start();
    fd = health_call("Watch", "", true);
    assert_true(wait_for_status(fd, 2));
    assert_int_equal(get(child.http, "/get-ready", NULL), 200);
    assert_true(wait_for_status(fd, 1));
    kill(child.pid, SIGTERM);
    assert_true(wait_for_status(fd, 2));
    close(fd);
    assert_int_equal(tiny_wait(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, tiny_setup)
    const struct CMUnitTest tests[] = {
        TEST(test_pages_tell_health_and_readiness),
        TEST(test_grpc_health_knows_its_services),
        TEST(test_watch_is_told_of_changes_and_of_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
