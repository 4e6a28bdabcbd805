/* SPDX-License-Identifier: Apache-2.0 */
/* What a helper process is given, told by itself: descriptors, arguments, environment. */
#include "system/core/helper.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { NO_ANSWER_MS = 60000 };

static char said[4096];

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "-";
}

/* The helper: one packet, and until the other end is closed. */
static int tell(const char *option)
{
    int open_fds = 0;
    char b[1];

    for (int fd = 0; fd < 256; fd++)
        open_fds += fd != HELPER_FD && fd > 2 && fcntl(fd, F_GETFD) >= 0;
    snprintf(said, sizeof said, "%s|%s|%s|%s|%s|%d", option, variable("HOME"), variable("MINE"),
             variable("JWT_SECRET_KEY"), variable("CRYPTO_MASTER_KEY"), open_fds);
    if (send(HELPER_FD, said, strlen(said), MSG_NOSIGNAL) < 0)
        return 1;
    return recv(HELPER_FD, b, 1, 0) == 0 ? 0 : 2;
}

static void expect(enum helper_environment environment, int type, const char *expected)
{
    int fd = helper_start("/proc/self/exe", "--it", type, environment);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t n;

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(poll(&wait, 1, NO_ANSWER_MS), 1);
    n = recv(fd, said, sizeof said - 1, 0);
    assert_true(n > 0);
    said[n] = '\0';
    assert_string_equal(said, expected);
    assert_int_equal(close(fd), 0);
}

static void test_it_gets_what_it_is_started_for_and_no_more(void **state)
{
    int other = open("/dev/null", O_RDONLY);

    (void)state;
    assert_true(other >= 0);
    setenv("HOME", "/home/of/mine", 1);
    setenv("MINE", "yes", 1);
    setenv("JWT_SECRET_KEY", "secret", 1);
    setenv("CRYPTO_MASTER_KEY", "secret", 1);
    expect(HELPER_EMPTY, SOCK_STREAM, "--it|-|-|-|-|0");
    expect(HELPER_BARE, SOCK_SEQPACKET, "--it|/home/of/mine|-|-|-|0");
    expect(HELPER_WHOLE, SOCK_SEQPACKET, "--it|/home/of/mine|yes|-|-|0");
    /* the starter keeps its own */
    assert_string_equal(getenv("JWT_SECRET_KEY"), "secret");
    close(other);
}

static void test_a_program_that_is_not_there_is_an_end(void **state)
{
    int fd = helper_start("/nowhere/program", "--it", SOCK_SEQPACKET, HELPER_BARE);
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(poll(&wait, 1, NO_ANSWER_MS), 1);
    assert_int_equal(recv(fd, said, sizeof said, 0), 0);
    close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_gets_what_it_is_started_for_and_no_more),
        cmocka_unit_test(test_a_program_that_is_not_there_is_an_end),
    };

    if (argc > 2 && strcmp(argv[1], "--keeper") == 0)
        return tell(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
