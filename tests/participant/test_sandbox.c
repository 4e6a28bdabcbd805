/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox forbids, tried by a process inside it; that a keeper lives with it the other
 * tests show. */
#include "participant/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void open_socket(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void run_program(void)
{
    (void)execl("/bin/true", "true", (char *)NULL);
}

/* 0 if it failed as a refused call does. */
static void trace(void)
{
    _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 && errno == EPERM ? 0 : 3);
}

static void make_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    _exit(pid == -1 && errno == EPERM ? 0 : 3);
}

/* Files: its own, and no others where the kernel has Landlock; seccomp alone cannot tell them
 * apart, and then this proves nothing. */
static char directory[] = "/tmp/quorate-sandbox-XXXXXX";

static void use_files(void)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "%s/mine", directory);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || unlink(path) != 0)
        _exit(4);
    _exit(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES ? 0 : 5);
}

static void *other_thread(void *arg)
{
    pthread_mutex_lock(arg);
    open_socket();
    return NULL;
}

static void use_other_thread(pthread_mutex_t *lock, pthread_t thread)
{
    pthread_mutex_unlock(lock);
    pthread_join(thread, NULL);
}

/* The status of a child that does |what| in the sandbox; NULL: by a thread that was there
 * before. */
static int inside(void (*what)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        char error[SANDBOX_ERROR_MAX];
        pthread_t thread;

        sandbox_files(directory);
        pthread_mutex_lock(&lock);
        if (!what && pthread_create(&thread, NULL, other_thread, &lock) != 0)
            _exit(1);
        if (!sandbox_calls(error))
            _exit(2);
        if (what)
            what();
        else
            use_other_thread(&lock, thread);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void expect_killed(void (*what)(void))
{
    int status = inside(what);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void expect_refused(void (*what)(void))
{
    int status = inside(what);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_no_sockets_no_programs(void **state)
{
    (void)state;
    expect_killed(open_socket);
    expect_killed(run_program);
    expect_killed(NULL);
}

static void test_no_tracing_no_processes(void **state)
{
    (void)state;
    expect_refused(trace);
    expect_refused(make_process);
}

static void test_files_of_its_own_directory_only(void **state)
{
    int status;

    (void)state;
    status = inside(use_files);
    assert_true(WIFEXITED(status));
    if (access("/sys/kernel/security/landlock", F_OK) == 0)
        assert_int_equal(WEXITSTATUS(status), 0);
    else
        assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_sockets_no_programs),
        cmocka_unit_test(test_no_tracing_no_processes),
        cmocka_unit_test(test_files_of_its_own_directory_only),
    };
    int result;

    if (!mkdtemp(directory))
        return 1;
    result = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(directory);
    return result;
}
