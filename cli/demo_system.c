/* SPDX-License-Identifier: Apache-2.0 */
/* The child that runs the demo's system. It prints one object when it is ready; until then an end
 * of its output means that it could not start, and it has said why. */
#include "demo_system.h"

#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void become_up(const char *dir, int out, pid_t parent)
{
    char up[] = "up", dir_is[] = "--dir", ports[] = "--free-ports", json[] = "--json",
         quiet[] = "--quiet";
    char *const words[] = {up, up, dir_is, (char *)(uintptr_t)dir, ports, json, quiet, NULL};

    /* A demo that is killed leaves nobody behind. */
    if (prctl(PR_SET_PDEATHSIG, SIGINT) != 0 || getppid() != parent)
        _exit(EXIT_REFUSED);
    setpgid(0, 0); /* Ctrl-C is the demo's to pass on */
    dup2(out, STDOUT_FILENO);
    close(out);
    execv("/proc/self/exe", words);
    say("cannot start quorate up: %s", strerror(errno));
    _exit(EXIT_REFUSED);
}

/* Up to the end of the object; what is in it stands in DIR/client.json as well. */
static bool wait_ready(const struct demo_system *system)
{
    struct pollfd fd = {.fd = system->out, .events = POLLIN};
    char b[512];

    for (;;) {
        ssize_t n;

        if (signals_poll(&fd, 1, -1) < 0)
            return false;
        n = read(system->out, b, sizeof b);
        if (n <= 0)
            return false;
        if (memchr(b, '}', (size_t)n))
            return true;
    }
}

/* Why there is no object. A child that ended by itself has said it; then |trouble| is empty. */
static bool explain(struct demo_system *system, struct trouble *trouble)
{
    int status = 0;

    if (signals_came())
        return trouble_set(trouble, "stopped by a signal");
    while (waitpid(system->pid, &status, 0) < 0 && errno == EINTR)
        ;
    system->pid = 0;
    trouble->text[0] = '\0';
    return WIFSIGNALED(status) &&
           trouble_set(trouble, "quorate up was killed by signal %d", WTERMSIG(status));
}

bool demo_system_start(struct demo_system *system, const char *dir, struct trouble *trouble)
{
    pid_t self = getpid();
    int ends[2];

    *system = (struct demo_system){.dir = dir, .out = -1};
    if (pipe(ends) != 0)
        return trouble_set(trouble, "cannot make a pipe: %s", strerror(errno));
    system->pid = signals_fork();
    if (system->pid == 0) {
        close(ends[0]);
        become_up(dir, ends[1], self);
    }
    close(ends[1]);
    system->out = ends[0];
    if (system->pid < 0)
        return trouble_set(trouble, "cannot start a process: %s", strerror(errno));
    return wait_ready(system) || explain(system, trouble);
}

bool demo_system_stop(struct demo_system *system, struct trouble *trouble)
{
    int status = 0;

    if (system->out >= 0)
        close(system->out);
    if (system->pid <= 0)
        return true;
    kill(system->pid, SIGINT);
    while (waitpid(system->pid, &status, 0) < 0 && errno == EINTR)
        ;
    system->pid = 0;
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           trouble_set(trouble, "the system did not stop in order");
}
