/* SPDX-License-Identifier: Apache-2.0 */
/* fork, the child's side of it, and the environment. Between fork and exec only calls that are safe
 * there. */
#include "participant/front_spawn.h"

#include "system/core/config.h"
#include "system/core/config_table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEEPER_FD = 3 };

/* Never returns. 127 is what a shell says of a program that cannot be started. */
static void become_keeper(int fd, pid_t front, char *const argv[])
{
    int flags;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != front)
        _exit(1);
    if (fd != KEEPER_FD && dup2(fd, KEEPER_FD) < 0)
        _exit(127);
    flags = fcntl(KEEPER_FD, F_GETFD);
    if (flags < 0 || fcntl(KEEPER_FD, F_SETFD, flags & ~FD_CLOEXEC) < 0)
        _exit(127);
    close_range(KEEPER_FD + 1, ~0U, 0);
    execv("/proc/self/exe", argv);
    _exit(127);
}

bool front_spawn(struct front_child *out, const char *program, const char *env_file,
                 char error[FRONT_SPAWN_ERROR_MAX])
{
    char option[] = "--keeper", file_option[] = "--env-file";
    char *name = strdup(program), *file = env_file ? strdup(env_file) : NULL;
    char *const argv[] = {name, option, file ? file_option : NULL, file, NULL};
    pid_t front = getpid();
    int pair[2];

    if (!name || (env_file && !file) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        snprintf(error, FRONT_SPAWN_ERROR_MAX, "no socket pair for the keeper: %s",
                 strerror(errno));
        free(name);
        free(file);
        return false;
    }
    out->fd = pair[0];
    out->pid = fork();
    if (!out->pid)
        become_keeper(pair[1], front, argv);
    if (out->pid < 0)
        snprintf(error, FRONT_SPAWN_ERROR_MAX, "the keeper cannot be started: %s", strerror(errno));
    close(pair[1]);
    free(name);
    free(file);
    return out->pid > 0;
}

void front_forget_secrets(void)
{
    const unsigned fronts = CONFIG_PARTY | CONFIG_PARTY_API;

    for (size_t i = 0; i < config_rows_n; i++) {
        const struct config_row *row = &config_rows[i];
        char *value;

        if (!(row->programs & CONFIG_KEEPER) || !(row->flags & CONFIG_SECRET) ||
            (row->programs & fronts))
            continue;
        value = getenv(row->name);
        if (!value)
            continue;
        sodium_memzero(value, strlen(value));
        unsetenv(row->name);
    }
}
