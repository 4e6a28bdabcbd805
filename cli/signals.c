/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that end a command. Between the look at the note and the wait they are blocked, and the
 * wait lets them in, so none comes unseen in between. */
#define _GNU_SOURCE /* ppoll */

#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t came;

static void on_signal(int signal)
{
    (void)signal;
    came = 1;
}

void signals_catch(void)
{
    struct sigaction catching = {.sa_handler = on_signal};

    sigaction(SIGINT, &catching, NULL);
    sigaction(SIGTERM, &catching, NULL);
    sigaction(SIGHUP, &catching, NULL);
}

static void ending_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

pid_t signals_fork(void)
{
    sigset_t ending, before;
    pid_t pid;

    ending_signals(&ending);
    sigprocmask(SIG_BLOCK, &ending, &before);
    pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

bool signals_came(void)
{
    return came != 0;
}

int signals_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    sigset_t ending, before;
    int ready, why;

    ending_signals(&ending);
    sigprocmask(SIG_BLOCK, &ending, &before);
    errno = EINTR;
    ready = came ? -1 : ppoll(fds, n, timeout_ms < 0 ? NULL : &timeout, &before);
    why = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = why;
    return ready;
}
