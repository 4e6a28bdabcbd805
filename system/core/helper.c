/* SPDX-License-Identifier: Apache-2.0 */
/* fork, the child's side of it, and exec. */
#include "system/core/helper.h"

#include "system/core/config.h"
#include "system/core/config_table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BYTES = 1 << 20 };

/* Secrets of this program are wiped already; those of others may stand beside them. */
static void forget_secrets(void)
{
    for (size_t i = 0; i < config_rows_n; i++) {
        if (config_rows[i].flags & CONFIG_SECRET)
            (void)unsetenv(config_rows[i].name);
    }
}

static void run(const char *program, const char *option, enum helper_environment environment)
{
    char *const argv[] = {(char *)program, "--keeper", (char *)option, NULL};
    const char *path = getenv("PATH"), *home = getenv("HOME");
    char path_row[4096], home_row[4096];
    char *const bare[] = {path_row, home_row, NULL}, *const empty[] = {NULL};
    char *const *const chosen[] = {
        [HELPER_EMPTY] = empty, [HELPER_BARE] = bare, [HELPER_WHOLE] = environ};

    snprintf(path_row, sizeof path_row, "PATH=%s", path ? path : "/usr/bin:/bin");
    snprintf(home_row, sizeof home_row, "HOME=%s", home ? home : "/");
    execve(program, argv, chosen[environment]);
}

/* The child, between fork and exec. */
static void prepare(int fd, pid_t starter)
{
    if (fd != HELPER_FD && dup2(fd, HELPER_FD) < 0)
        _exit(1);
    if (fd == HELPER_FD && fcntl(fd, F_SETFD, 0) != 0)
        _exit(1);
    (void)close_range(HELPER_FD + 1, ~0U, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != starter)
        _exit(1);
    forget_secrets();
}

static void widen(int fd)
{
    int bytes = SOCKET_BYTES;

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

int helper_start(const char *program, const char *option, int type,
                 enum helper_environment environment)
{
    pid_t starter = getpid(), pid;
    int pair[2], error;

    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    pid = fork();
    error = errno;
    if (pid == 0) {
        prepare(pair[1], starter);
        run(program, option, environment);
        _exit(1);
    }
    close(pair[1]);
    if (pid > 0) {
        widen(pair[0]);
        return pair[0];
    }
    close(pair[0]);
    errno = error;
    return -1;
}
