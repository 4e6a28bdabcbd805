/* SPDX-License-Identifier: Apache-2.0 */
/* Does a function end in qrt_panic? It runs in a child process, whose stderr is closed. */
#ifndef QRT_TEST_PANICS_H
#define QRT_TEST_PANICS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool panics(void (*f)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        close(STDERR_FILENO);
        f();
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
