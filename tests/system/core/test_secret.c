/* SPDX-License-Identifier: Apache-2.0 */
/* Guarded memory, and what a hardened process does not allow. */
#include "system/core/secret.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_memory(void **state)
{
    static const uint8_t zeroes[4096];

    (void)state;
    for (size_t len = 64; len <= 4096; len += 64) {
        uint8_t *p = secret_new(len);

        assert_int_equal((uintptr_t)p % 64, 0);
        assert_memory_equal(p, zeroes, len);
        memset(p, 0xa5, len);
        secret_free(p);
    }
    secret_free(secret_new(0));
    secret_free(NULL);
}

/* One byte past the end is a guard page: the process that touches it dies. */
static void test_guard(void **state)
{
    volatile uint8_t *p = secret_new(64);
    pid_t pid = fork();
    int status = 0;

    (void)state;
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        p[64] = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    /* a sanitizer ends the process in its own way */
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    secret_free((void *)(uintptr_t)p);
}

static void test_harden(void **state)
{
    struct rlimit core, lock;

    (void)state;
    secret_harden();
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur + core.rlim_max, 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &lock), 0);
    assert_true(lock.rlim_cur == lock.rlim_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_harden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
