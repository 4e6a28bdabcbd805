/* SPDX-License-Identifier: Apache-2.0 */
/* How a keeper is started. This program is its own keeper: started with --keeper it answers over
 * descriptor 3 what it sees. */
#include "participant/front_spawn.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Descriptors above the socket: none may have come along. */
static int strangers(void)
{
    int n = 0;

    for (int fd = 4; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static int be_keeper(int argc, char **argv)
{
    const char *secret = getenv("CRYPTO_MASTER_KEY");
    char line[512], b;
    int death = 0;

    prctl(PR_GET_PDEATHSIG, &death);
    snprintf(line, sizeof line, "%s %s %d %d", argc == 4 ? argv[3] : "none",
             secret ? secret : "none", death == SIGTERM, strangers());
    if (write(3, line, strlen(line)) < 0)
        return 1;
    /* until the front's end is closed */
    return read(3, &b, 1) == 0 ? 7 : 1;
}

static void test_the_keeper_gets_its_socket_file_and_secret(void **state)
{
    char error[FRONT_SPAWN_ERROR_MAX] = "", got[512] = "", want[512];
    int stranger = open("/dev/null", O_RDONLY | O_CLOEXEC), status;
    struct front_child child;
    ssize_t n;

    (void)state;
    assert_true(stranger >= 0);
    setenv("CRYPTO_MASTER_KEY", SECRET, 1);
    assert_true(front_spawn(&child, "party", "/some/file", error));
    n = read(child.fd, got, sizeof got - 1);
    assert_true(n > 0);
    snprintf(want, sizeof want, "/some/file %s 1 0", SECRET);
    assert_string_equal(got, want);
    close(child.fd);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    close(stranger);
}

static void test_without_a_file_the_keeper_finds_its_own(void **state)
{
    char error[FRONT_SPAWN_ERROR_MAX] = "", got[512] = "";
    struct front_child child;

    (void)state;
    assert_true(front_spawn(&child, "party", NULL, error));
    assert_true(read(child.fd, got, sizeof got - 1) > 0);
    assert_memory_equal(got, "none ", 5);
    close(child.fd);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
}

/* The value itself, not only its name: whoever reads the process's memory or /proc finds nothing. */
static void test_the_front_forgets_what_only_the_keeper_may_know(void **state)
{
    static char secret[] = "CRYPTO_MASTER_KEY=" SECRET;
    static char open[] = "COORDINATOR_ADDR=here:1";

    (void)state;
    putenv(secret);
    putenv(open);
    front_forget_secrets();
    assert_null(getenv("CRYPTO_MASTER_KEY"));
    assert_null(strstr(secret, "0011"));
    assert_int_equal(secret[sizeof "CRYPTO_MASTER_KEY=" - 1], 0);
    assert_string_equal(getenv("COORDINATOR_ADDR"), "here:1");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_keeper_gets_its_socket_file_and_secret),
        cmocka_unit_test(test_without_a_file_the_keeper_finds_its_own),
        cmocka_unit_test(test_the_front_forgets_what_only_the_keeper_may_know),
    };

    if (argc > 1 && !strcmp(argv[1], "--keeper"))
        return be_keeper(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
