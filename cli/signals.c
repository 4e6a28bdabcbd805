/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that end a command. Between the look at the note and the wait they are blocked, and the
 * wait lets them in, so none comes unseen in between. */
#define _GNU_SOURCE /* ppoll */

#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

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

bool signals_came(void)
{
    return came != 0;
}

int signals_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    sigset_t ending, before;
    int ready, why;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    sigprocmask(SIG_BLOCK, &ending, &before);
    errno = EINTR;
    ready = came ? -1 : ppoll(fds, n, timeout_ms < 0 ? NULL : &timeout, &before);
    why = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = why;
    return ready;
}
