/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox forbids, tried by a process inside it; that a keeper lives with it the other
 * tests show. */
#include "participant/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

static bool holds;

static bool is_refused(const char *path)
{
    return open(path, O_RDONLY) == -1 && errno == EACCES;
}

static void use_files(void)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "%s/mine", directory);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || unlink(path) != 0)
        _exit(4);
    if (is_refused("/etc/passwd") != holds)
        _exit(7);
    _exit(holds ? 0 : 5);
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

/* A client's: one file to read, none to write. */
static char readable[64];

static void connect_somewhere(void)
{
    const struct sockaddr_in nobody = {.sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (const void *)&nobody, sizeof nobody) != -1 || errno != ECONNREFUSED)
        _exit(3);
    _exit(getaddrinfo("localhost", "5432", &hints, &found) == 0 ? 0 : 4);
}

static void take_connections(void)
{
    (void)listen(0, 1);
}

static void open_odd_socket(void)
{
    _exit(socket(AF_ALG, SOCK_SEQPACKET, 0) == -1 && errno == EPERM ? 0 : 3);
}

static void use_files_as_client(void)
{
    char path[64], byte;
    int fd = open(readable, O_RDONLY);

    if (is_refused("/etc/passwd") != holds)
        _exit(7);
    if (fd < 0 || read(fd, &byte, 1) != 1)
        _exit(4);
    if (ftruncate(fd, 0) != -1 || errno != EPERM)
        _exit(6);
    snprintf(path, sizeof path, "%s/new", directory);
    if (open(readable, O_RDWR) != -1 || open(path, O_RDWR | O_CREAT, 0600) != -1)
        _exit(5);
    _exit(holds ? 0 : 5);
}

static bool enter(bool is_client, char error[SANDBOX_ERROR_MAX])
{
    return is_client ? sandbox_client_calls(error) : sandbox_calls(error);
}

/* The status of a child that does |what| in the sandbox; NULL: by a thread that was there
 * before. */
static int inside(bool is_client, void (*what)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        char error[SANDBOX_ERROR_MAX];
        const char *const files[] = {"", readable};
        pthread_t thread;

        holds = is_client ? sandbox_client_files(files, 2) : sandbox_files(directory);
        pthread_mutex_lock(&lock);
        if (!what && pthread_create(&thread, NULL, other_thread, &lock) != 0)
            _exit(1);
        if (!enter(is_client, error))
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

static void expect_killed(bool is_client, void (*what)(void))
{
    int status = inside(is_client, what);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void expect_well(bool is_client, void (*what)(void))
{
    int status = inside(is_client, what);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_no_sockets_no_programs(void **state)
{
    (void)state;
    expect_killed(false, open_socket);
    expect_killed(false, run_program);
    expect_killed(false, NULL);
}

static void test_no_tracing_no_processes(void **state)
{
    (void)state;
    expect_well(false, trace);
    expect_well(false, make_process);
}

/* 0, or 5 where the kernel has no Landlock. */
static void expect_files(bool is_client, void (*what)(void))
{
    int status = inside(is_client, what);

    assert_true(WIFEXITED(status));
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1)
        assert_int_equal(WEXITSTATUS(status), 0);
    else
        assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 5);
}

static void test_files_of_its_own_directory_only(void **state)
{
    (void)state;
    expect_files(false, use_files);
}

static void test_a_client_opens_connections_and_takes_none(void **state)
{
    (void)state;
    expect_well(true, connect_somewhere);
    expect_killed(true, take_connections);
    expect_killed(true, run_program);
    expect_well(true, open_odd_socket);
    expect_well(true, trace);
    expect_well(true, make_process);
}

static void test_a_client_reads_one_file_and_writes_none(void **state)
{
    int fd;

    (void)state;
    snprintf(readable, sizeof readable, "%s/readable", directory);
    fd = open(readable, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    expect_files(true, use_files_as_client);
    assert_int_equal(unlink(readable), 0);
    readable[0] = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_sockets_no_programs),
        cmocka_unit_test(test_no_tracing_no_processes),
        cmocka_unit_test(test_files_of_its_own_directory_only),
        cmocka_unit_test(test_a_client_opens_connections_and_takes_none),
        cmocka_unit_test(test_a_client_reads_one_file_and_writes_none),
    };
    int result;

    if (!mkdtemp(directory))
        return 1;
    result = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(directory);
    return result;
}
