/* SPDX-License-Identifier: Apache-2.0 */
/* See store_helper.h. */
#include "participant/store_helper.h"

#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/db/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELPER_FD = 3 };

/* Never returns. It has its end of the socket, the standard descriptors, and nothing else. */
static void become_helper(const char *program, int fd, pid_t keeper)
{
    char *const argv[] = {(char *)(uintptr_t)program, "--keeper", "--store", NULL};
    char *const envp[] = {NULL};

    if (fd != HELPER_FD && dup2(fd, HELPER_FD) < 0)
        _exit(1);
    if (fd == HELPER_FD && fcntl(fd, F_SETFD, 0) != 0)
        _exit(1);
    (void)close_range(HELPER_FD + 1, ~0U, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != keeper)
        _exit(1);
    execve(program, argv, envp);
    _exit(1);
}

int store_helper_start(const char *program, char error[STORE_ERROR_MAX])
{
    pid_t keeper = getpid(), helper;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        snprintf(error, STORE_ERROR_MAX, "no socket pair for the database: %s", strerror(errno));
        return -1;
    }
    helper = fork();
    if (helper == 0)
        become_helper(program, pair[1], keeper);
    close(pair[1]);
    if (helper > 0)
        return pair[0];
    snprintf(error, STORE_ERROR_MAX, "the database's process cannot be started: %s",
             strerror(errno));
    close(pair[0]);
    return -1;
}

int store_helper_main(void)
{
    secret_harden();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    log_setup("keeper-store", LOG_INFO);
    db_remote_serve(HELPER_FD);
    return 0;
}
