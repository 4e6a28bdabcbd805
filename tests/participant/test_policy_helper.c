/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's helper alone, with a keeper that the test plays: which words of a program approve,
 * what it is shown, and what becomes of one that does not end. */
#include "participant/policy.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { HELPER_FD = 3, LONG_MS = 50000, NO_ANSWER_MS = 100000 };

static pid_t helper;
static int keeper = -1;

static void become_helper(int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fd != HELPER_FD)
        dup2(fd, HELPER_FD);
    (void)close_range(HELPER_FD + 1, ~0U, 0);
    _exit(policy_main());
}

static void tell(const char *text)
{
    assert_int_equal(send(keeper, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void start(const char *settings)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    helper = fork();
    assert_true(helper >= 0);
    if (helper == 0)
        become_helper(pair[1]);
    close(pair[1]);
    keeper = pair[0];
    tell(settings);
}

/* With |command| and so much time, in JSON's spelling. */
static void start_program(const char *command, int timeout_ms)
{
    char settings[1024];

    snprintf(settings, sizeof settings, "{\"command\":\"%s\",\"url\":\"\",\"timeout_ms\":%d}",
             command, timeout_ms);
    start(settings);
}

/* The keeper's end of the socket is the order to end. */
static int stop(void)
{
    int status;

    close(keeper);
    assert_int_equal(waitpid(helper, &status, 0), helper);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *hear(void)
{
    static char text[64];
    struct pollfd wait = {.fd = keeper, .events = POLLIN};
    ssize_t n;

    assert_int_equal(poll(&wait, 1, NO_ANSWER_MS), 1);
    n = recv(keeper, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    return text;
}

static void expect_answer(const char *command, const char *answer)
{
    char expected[64];

    start_program(command, LONG_MS);
    tell("{\"number\":12345678901234567}");
    snprintf(expected, sizeof expected, "12345678901234567 %s", answer);
    assert_string_equal(hear(), expected);
    assert_int_equal(stop(), 0);
}

static void test_only_the_first_word_of_a_program_that_succeeds_counts(void **state)
{
    (void)state;
    expect_answer("echo APPROVE", "APPROVE");
    expect_answer("echo REJECT", "REJECT");
    expect_answer("printf ' \\n\\tAPPROVE'", "APPROVE");
    expect_answer("printf 'APPROVE with reasons'", "APPROVE");
    expect_answer("echo REJECT APPROVE", "REJECT");
    expect_answer("echo RETRY", "RETRY");
    expect_answer("echo approve", "RETRY");
    expect_answer("echo APPROVED", "RETRY");
    expect_answer("echo APPROV", "RETRY");
    expect_answer("echo REJECTED", "RETRY");
    expect_answer("true", "RETRY");
    expect_answer("echo APPROVE; exit 1", "RETRY");
    expect_answer("echo APPROVE; kill -9 $$", "RETRY");
    expect_answer("no-such-program", "RETRY");
    expect_answer("echo APPROVE >&2", "RETRY");
    /* more than is looked at, and than a pipe holds */
    expect_answer("printf 'APPROVE '; head -c 300000 /dev/zero", "APPROVE");
    expect_answer("printf '%70s' ''; echo APPROVE", "RETRY");
}

static void test_a_program_is_shown_the_request_as_it_is(void **state)
{
    (void)state;
    start_program(
        "[ \\\"$(cat)\\\" = '{\\\"number\\\":7,\\\"text\\\":\\\"a b\\\"}' ] && echo APPROVE",
        LONG_MS);
    tell("{\"number\":7,\"text\":\"a b\"}");
    assert_string_equal(hear(), "7 APPROVE");
    tell("{\"number\":7,\"text\":\"a  b\"}");
    assert_string_equal(hear(), "7 RETRY");
    assert_int_equal(stop(), 0);
}

/* Nor does it hold up the helper: more of them than it has threads. */
static void expect_no_end(const char *command)
{
    enum { TIMES = 17 };

    start_program(command, 50);
    for (int i = 0; i < TIMES; i++)
        tell("{\"number\":1}");
    for (int i = 0; i < TIMES; i++)
        assert_string_equal(hear(), "1 RETRY");
    assert_int_equal(stop(), 0);
}

static void test_a_program_that_does_not_end_approves_nothing(void **state)
{
    (void)state;
    expect_no_end("echo APPROVE; exec sleep 1000");
    /* its output is closed, or somebody else's */
    expect_no_end("echo APPROVE; exec sleep 1000 >&-");
    expect_no_end("echo APPROVE; sleep 1000 & exit 0");
    expect_no_end("sleep 1000 | cat; echo APPROVE");
}

/* False: its time was over before it had written anything. */
static bool has_begun(int pipe)
{
    struct pollfd wait[] = {{.fd = pipe, .events = POLLIN}, {.fd = keeper, .events = POLLIN}};

    assert_true(poll(wait, 2, NO_ANSWER_MS) > 0);
    return wait[0].revents & POLLIN;
}

/* A program that writes to |path| and does not end, late; the end of the pipe to read it from. */
static int start_writer(const char *path, int timeout_ms)
{
    int pipe = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char command[256];

    assert_true(pipe >= 0);
    snprintf(command, sizeof command, "{ echo begun; exec sleep 1000; } > %s & wait", path);
    start_program(command, timeout_ms);
    tell("{\"number\":1}");
    if (has_begun(pipe))
        return pipe;
    assert_string_equal(hear(), "1 RETRY");
    assert_int_equal(stop(), 0);
    close(pipe);
    return -1;
}

/* It wrote to a pipe of the test's, whose end shows when the last writer is gone. */
static void test_what_a_late_program_started_ends_with_it(void **state)
{
    char directory[] = "/tmp/quorate-policy-XXXXXX", path[64], text[64];
    struct pollfd wait = {.fd = -1, .events = POLLIN};

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/pipe", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    for (int ms = 1000; wait.fd < 0; ms *= 4)
        wait.fd = start_writer(path, ms);
    assert_int_equal(read(wait.fd, text, sizeof text), 6);
    assert_string_equal(hear(), "1 RETRY");
    assert_int_equal(poll(&wait, 1, NO_ANSWER_MS), 1);
    assert_int_equal(read(wait.fd, text, sizeof text), 0);
    assert_int_equal(stop(), 0);
    close(wait.fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void test_what_is_no_request_has_no_answer(void **state)
{
    (void)state;
    start_program("echo APPROVE", LONG_MS);
    tell("no JSON");
    tell("{\"number\":\"5\"}");
    tell("{}");
    tell("[]");
    tell("{\"number\":6}");
    assert_string_equal(hear(), "6 APPROVE");
    assert_int_equal(stop(), 0);
}

/* With both, both have to approve; nobody listens at this URL. */
static void test_a_url_is_asked_after_the_program(void **state)
{
    (void)state;
    start("{\"command\":\"echo APPROVE\",\"url\":\"http://127.0.0.1:1/\",\"timeout_ms\":50000}");
    tell("{\"number\":1}");
    assert_string_equal(hear(), "1 RETRY");
    assert_int_equal(stop(), 0);
    start("{\"command\":\"echo REJECT\",\"url\":\"http://127.0.0.1:1/\",\"timeout_ms\":50000}");
    tell("{\"number\":1}");
    assert_string_equal(hear(), "1 REJECT");
    assert_int_equal(stop(), 0);
}

static void test_without_settings_it_does_not_start(void **state)
{
    (void)state;
    start("no settings");
    assert_int_equal(stop(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_first_word_of_a_program_that_succeeds_counts),
        cmocka_unit_test(test_a_program_is_shown_the_request_as_it_is),
        cmocka_unit_test(test_a_program_that_does_not_end_approves_nothing),
        cmocka_unit_test(test_what_a_late_program_started_ends_with_it),
        cmocka_unit_test(test_what_is_no_request_has_no_answer),
        cmocka_unit_test(test_a_url_is_asked_after_the_program),
        cmocka_unit_test(test_without_settings_it_does_not_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
