/* SPDX-License-Identifier: Apache-2.0 */
/* Processes under `quorate up`. Each child asks the kernel to be killed when this process ends, so
 * that killing it leaves nobody behind. A child that ended is noticed by SIGCHLD, which writes into
 * a pipe that every wait looks at; nothing is guessed from time.
 *
 * A child that dies is started again after a wait that grows from 0.1 s to 5 s; a life of 10 s
 * resets it. One that dies five times in a row is down: that is told once, and its waits grow to
 * 60 s. Account service, coordinator and router are needed: one of them that was never ready ends
 * everything. A party is not: the others sign without it. */
#define _GNU_SOURCE /* pipe2 */

#include "up.h"

#include "signals.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WAIT_FIRST_MS = 100,
    WAIT_MAX_MS = 5000,
    WAIT_DOWN_MS = 60000,
    LIFE_MS = 10000,
    DEATHS_MAX = 5,
    READY_LIMIT_MS = 120000,
    ASK_FIRST_MS = 10,
    ASK_MAX_MS = 250,
    STOP_MS = 15000,
    LINE_MAX_SHOWN = 400
};

struct child {
    const struct up_member *member;
    char program[PATH_MAX], env_file[PATH_MAX], log[PATH_MAX];
    /* 0: not running */
    pid_t pid;
    int64_t started_ms, restart_ms;
    /* where this life begins in the log */
    off_t log_from;
    int wait_ms, deaths;
    /* |is_down|: told that it does not run */
    bool is_needed, is_ready, was_ready, is_down;
    /* for a receipt of its backups; |is_told|: so the user knows */
    bool is_waiting, is_told;
};

struct up_crew {
    const struct up_start *start;
    size_t n;
    struct child children[UP_MEMBERS_MAX];
    struct up_asker *asker;
    int64_t began_ms, ask_at_ms;
    int ask_ms;
    bool announced, lost_port;
};

/* The pipe that SIGCHLD writes into: a handler can reach nothing else. */
static int pipe_read = -1, pipe_write = -1;

static void on_child(int signal)
{
    int saved = errno;

    (void)signal;
    (void)!write(pipe_write, "", 1);
    errno = saved;
}

static void watch_children(void)
{
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    int fds[2];

    if (pipe_read >= 0)
        return;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        exit(refuse("cannot make a pipe: %s", strerror(errno)));
    pipe_read = fds[0];
    pipe_write = fds[1];
    sigaction(SIGCHLD, &action, NULL);
}

static const char *program_of(enum up_kind kind)
{
    switch (kind) {
    case UP_ROUTER:
        return "quorate-message-router";
    case UP_COORDINATOR:
        return "quorate-session-coordinator";
    case UP_PARTY:
        return "quorate-server-party";
    case UP_PARTY_API:
        return "quorate-server-party-api";
    case UP_ACCOUNT:
        return "quorate-account-service";
    }
    return "";
}

/* All of them are there, or the name of one that is not. */
static const char *missing_program(const char *dir)
{
    static const enum up_kind kinds[] = {UP_ROUTER, UP_COORDINATOR, UP_PARTY, UP_PARTY_API,
                                         UP_ACCOUNT};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int n = snprintf(path, sizeof path, "%s/%s", dir, program_of(kinds[i]));

        if (n < 0 || (size_t)n >= sizeof path || access(path, X_OK) != 0)
            return program_of(kinds[i]);
    }
    return NULL;
}

bool up_services(char out[PATH_MAX], const char *wish, struct trouble *trouble)
{
    /* the last: in an image */
    static const char *const beside[] = {"../services", "../libexec/quorate", "."};
    char self[PATH_MAX - 32], dir[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (wish) {
        if (!realpath(wish, out))
            return trouble_set(trouble, "cannot use %s: %s", wish, strerror(errno));
        return !missing_program(out) ||
               trouble_set(trouble, "there is no %s in %s", missing_program(out), out);
    }
    self[n < 0 ? 0 : n] = '\0';
    if (strrchr(self, '/'))
        *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        snprintf(dir, sizeof dir, "%s/%s", self, beside[i]);
        if (realpath(dir, out) && !missing_program(out))
            return true;
    }
    return trouble_set(trouble,
                       "the services' programs (quorate-account-service and others) are in neither "
                       "%s/%s nor %s/%s: --services DIR says where",
                       self, beside[0], self, beside[1]);
}

struct up_crew *up_crew_new(const struct up_start *start)
{
    struct up_crew *crew = mem_new(1, sizeof *crew);

    crew->start = start;
    crew->n = start->system->n;
    for (size_t i = 0; i < crew->n; i++) {
        struct child *c = &crew->children[i];
        char name[UP_NAME_MAX + 8];

        c->member = &start->system->members[i];
        c->wait_ms = WAIT_FIRST_MS;
        c->is_needed = (c->member->kind & (UP_ACCOUNT | UP_COORDINATOR | UP_ROUTER)) != 0;
        snprintf(c->program, sizeof c->program, "%s/%s", start->services,
                 program_of(c->member->kind));
        snprintf(name, sizeof name, "%s.env", c->member->name);
        up_path(c->env_file, start->system, name, NULL);
        snprintf(name, sizeof name, "%s.log", c->member->name);
        up_path(c->log, start->system, "log", name);
    }
    watch_children();
    crew->asker = up_asker_new(start->system);
    return crew;
}

void up_crew_free(struct up_crew *crew)
{
    up_asker_free(crew->asker);
    free(crew);
}

/* What a service gets of our environment: where to find libraries and how to be instrumented. Its
 * variables come from its file alone. */
static size_t keep_environment(char **out, size_t max)
{
    static const char *const kept[] = {"PATH=",         "HOME=",          "LANG=",
                                       "TZ=",           "TMPDIR=",        "LD_LIBRARY_PATH=",
                                       "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=",
                                       "MSAN_OPTIONS=", "LSAN_OPTIONS=",  "LLVM_PROFILE_FILE="};
    extern char **environ;
    size_t n = 0;

    for (char **e = environ; *e; e++) {
        for (size_t i = 0; i < sizeof kept / sizeof kept[0] && n < max; i++) {
            if (strncmp(*e, kept[i], strlen(kept[i])) == 0)
                out[n++] = *e;
        }
    }
    return n;
}

/* In the child, after fork. Its own session, so that Ctrl-C reaches this program alone. */
static void become(const struct child *c, const char *log_level, pid_t parent)
{
    char *environment[32] = {0}, level[32], option[] = "--env-file";
    char *argv[] = {(char *)(uintptr_t)c->program, option, (char *)(uintptr_t)c->env_file, NULL};
    int log = up_log_open(c->log), null = open("/dev/null", O_RDONLY);
    size_t n = keep_environment(environment, 30);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(127);
    if (log < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(127);
    close(null);
    snprintf(level, sizeof level, "LOG_LEVEL=%s", log_level ? log_level : "");
    if (log_level)
        environment[n] = level;
    execve(c->program, argv, environment);
    dprintf(STDERR_FILENO, "cannot start %s: %s\n", c->program, strerror(errno));
    _exit(127);
}

static bool start(struct up_crew *crew, struct child *c, struct trouble *trouble)
{
    pid_t parent = getpid();

    c->started_ms = clock_steady_ms();
    c->is_ready = c->is_waiting = c->is_told = false;
    c->log_from = up_log_end(c->log);
    crew->ask_ms = ASK_FIRST_MS;
    crew->ask_at_ms = c->started_ms + crew->ask_ms;
    c->pid = signals_fork();
    if (c->pid == 0)
        become(c, crew->start->log_level, parent);
    if (c->pid > 0)
        return true;
    c->pid = 0;
    return trouble_set(trouble, "cannot start %s: %s", c->member->name, strerror(errno));
}

static void how_text(char *out, size_t cap, int status)
{
    if (WIFSIGNALED(status))
        snprintf(out, cap, "was killed by signal %d", WTERMSIG(status));
    else
        snprintf(out, cap, "ended with exit code %d", WEXITSTATUS(status));
}

static bool give_up(const struct child *c, struct trouble *trouble)
{
    char line[LINE_MAX_SHOWN];

    up_log_error(line, sizeof line, c->log, c->log_from);
    return trouble_set(trouble, "%s %s: %s (its log: %s)", c->member->name,
                       c->pid ? "is not ready after 120 s" : "cannot start", line, c->log);
}

/* Who is missing, and what that means: an account of t-of-n needs t of its n parties. */
static void tell_parties(const struct up_crew *crew)
{
    size_t n = 0, live = 0;

    for (size_t i = 0; i < crew->n; i++) {
        const struct child *c = &crew->children[i];

        n += c->member->kind == UP_PARTY;
        live += c->member->kind == UP_PARTY && !c->is_down;
    }
    if (live < 2)
        say("%zu of %zu parties can run: no account can sign, each needs 2 parties or more", live,
            n);
    else
        say("%zu of %zu parties can run: accounts that need more than %zu to sign cannot", live, n,
            live);
}

static void tell_down(const struct up_crew *crew, struct child *c, const char *how)
{
    char line[LINE_MAX_SHOWN];

    c->is_down = true;
    up_log_error(line, sizeof line, c->log, c->log_from);
    say("%s %s: %s (its log: %s); it is tried again, with growing waits", c->member->name, how,
        line, c->log);
    if (c->member->kind == UP_PARTY)
        tell_parties(crew);
}

static void note_ready(struct child *c)
{
    bool is_news = c->is_down || c->is_told;

    c->is_ready = c->was_ready = true;
    c->is_waiting = c->is_told = false;
    if (!is_news)
        return;
    c->is_down = false;
    c->deaths = 0;
    c->wait_ms = WAIT_FIRST_MS;
    say("%s runs now", c->member->name);
}

static void plan_restart(struct child *c, int64_t now)
{
    const int max = c->is_down ? WAIT_DOWN_MS : WAIT_MAX_MS;

    c->restart_ms = now + c->wait_ms;
    c->wait_ms = 2 * c->wait_ms < max ? 2 * c->wait_ms : max;
}

/* Another program took one between the choice and the start; then others can be chosen. */
static bool lost_port(const struct up_crew *crew, const struct child *c)
{
    return crew->start->may_move && !crew->announced &&
           !(up_port_is_free(c->member->http) && up_port_is_free(c->member->grpc));
}

/* A child that is gone. */
static bool bury(struct up_crew *crew, struct child *c, int status, struct trouble *trouble)
{
    int64_t now = clock_steady_ms();
    char how[64];

    c->pid = 0;
    c->is_ready = c->is_waiting = false;
    if (now - c->started_ms >= LIFE_MS && !c->is_down) {
        c->wait_ms = WAIT_FIRST_MS;
        c->deaths = 0;
    }
    if (lost_port(crew, c)) {
        crew->lost_port = true;
        return give_up(c, trouble);
    }
    if (++c->deaths == DEATHS_MAX && c->is_needed && !c->was_ready)
        return give_up(c, trouble);
    if (c->deaths == DEATHS_MAX && !c->is_down)
        tell_down(crew, c, "is not running");
    how_text(how, sizeof how, status);
    if (!c->is_down)
        say("%s %s; it is started again in %.1f s (its log: %s)", c->member->name, how,
            (double)c->wait_ms / 1000, c->log);
    plan_restart(c, now);
    return true;
}

static bool reap(struct up_crew *crew, struct trouble *trouble)
{
    char drain[64];
    int status;

    while (read(pipe_read, drain, sizeof drain) > 0)
        ;
    for (size_t i = 0; i < crew->n; i++) {
        struct child *c = &crew->children[i];

        if (c->pid && waitpid(c->pid, &status, WNOHANG) == c->pid &&
            !bury(crew, c, status, trouble))
            return false;
    }
    return true;
}

static bool start_due(struct up_crew *crew, struct trouble *trouble)
{
    for (size_t i = 0; i < crew->n; i++) {
        struct child *c = &crew->children[i];

        if (!c->pid && clock_steady_ms() >= c->restart_ms && !start(crew, c, trouble))
            return false;
    }
    return true;
}

static size_t ready_n(const struct up_crew *crew)
{
    size_t n = 0;

    for (size_t i = 0; i < crew->n; i++)
        n += crew->children[i].is_ready;
    return n;
}

/* Those that are down, or wait for a receipt, are not waited for. */
static struct child *first_waited_for(struct up_crew *crew)
{
    for (size_t i = 0; i < crew->n; i++) {
        struct child *c = &crew->children[i];

        if (!c->is_ready && !c->is_down && !c->is_waiting)
            return c;
    }
    return NULL;
}

/* Ask those that are not ready, if it is time. Waits between grow, so that a process that stays
 * unready costs nothing. */
static void ask(struct up_crew *crew)
{
    if (clock_steady_ms() < crew->ask_at_ms)
        return;
    for (size_t i = 0; i < crew->n && !signals_came(); i++) {
        struct child *c = &crew->children[i];

        if (c->pid && !c->is_ready && up_ask_ready(crew->asker, c->member->http))
            note_ready(c);
        else if (c->pid && !c->is_ready && !c->is_waiting && c->member->kind == UP_PARTY)
            c->is_waiting = up_log_waits(c->log, c->log_from);
    }
    crew->ask_ms = 2 * crew->ask_ms < ASK_MAX_MS ? 2 * crew->ask_ms : ASK_MAX_MS;
    crew->ask_at_ms = clock_steady_ms() + crew->ask_ms;
}

/* False if a needed process takes too long at the first start. */
static bool progress(struct up_crew *crew, struct trouble *trouble)
{
    struct child *c = first_waited_for(crew);
    int64_t passed = clock_steady_ms() - crew->began_ms;

    if (crew->announced || !c)
        return true;
    say_progress("starting: %zu of %zu ready, waiting for %s, %d s", ready_n(crew), crew->n,
                 c->member->name, (int)(passed / 1000));
    if (passed < READY_LIMIT_MS)
        return true;
    if (c->is_needed)
        return give_up(c, trouble);
    tell_down(crew, c, "is not ready after 120 s");
    return true;
}

/* All that wait, in one line. */
static void tell_waiting(struct up_crew *crew)
{
    const struct up_member *members[UP_MEMBERS_MAX];
    size_t n = 0;

    if (first_waited_for(crew))
        return;
    for (size_t i = 0; i < crew->n; i++) {
        struct child *c = &crew->children[i];

        if (c->is_waiting && !c->is_told)
            members[n++] = c->member;
        c->is_told = c->is_told || c->is_waiting;
    }
    if (n > 0)
        up_receipt_tell(crew->start->system, members, n);
}

/* Until something has to be done; -1: until something happens. */
static int wait_ms(const struct up_crew *crew)
{
    int64_t now = clock_steady_ms(), until = INT64_MAX;

    for (size_t i = 0; i < crew->n; i++) {
        const struct child *c = &crew->children[i];
        int64_t due = c->pid ? crew->ask_at_ms : c->restart_ms;

        if (!c->is_ready && due < until)
            until = due;
    }
    if (until == INT64_MAX)
        return -1;
    return until > now ? (int)(until - now) : 0;
}

/* Once all are ready that can be. */
static bool announce_once(struct up_crew *crew, up_announce *announce, void *arg,
                          struct trouble *trouble)
{
    if (crew->announced || first_waited_for(crew))
        return true;
    say_progress_end();
    crew->announced = true;
    return announce(arg, ready_n(crew)) ||
           trouble_set(trouble, "what was asked for could not be written");
}

bool up_crew_run(struct up_crew *crew, up_announce *announce, void *arg, struct trouble *trouble)
{
    crew->began_ms = clock_steady_ms();
    while (!signals_came()) {
        struct pollfd p = {pipe_read, POLLIN, 0};

        if (!reap(crew, trouble) || !start_due(crew, trouble))
            return false;
        ask(crew);
        if (!progress(crew, trouble))
            return false;
        tell_waiting(crew);
        if (!announce_once(crew, announce, arg, trouble))
            return false;
        signals_poll(&p, 1, wait_ms(crew));
    }
    return true;
}

bool up_crew_has_run(const struct up_crew *crew, size_t i)
{
    return crew->children[i].is_ready || crew->children[i].is_waiting;
}

bool up_crew_lost_port(const struct up_crew *crew)
{
    return crew->lost_port;
}

static void signal_all(const struct up_crew *crew, int signal)
{
    for (size_t i = 0; i < crew->n; i++) {
        if (crew->children[i].pid)
            kill(crew->children[i].pid, signal);
    }
}

/* True once nobody is left. */
static bool all_buried(struct up_crew *crew)
{
    bool all = true;

    for (size_t i = 0; i < crew->n; i++) {
        struct child *c = &crew->children[i];

        if (c->pid && waitpid(c->pid, NULL, WNOHANG) == c->pid)
            c->pid = 0;
        all = all && !c->pid;
    }
    return all;
}

/* Wait for the end of all, at most |limit_ms|. */
static bool wait_for_end(struct up_crew *crew, int64_t limit_ms)
{
    int64_t until = clock_steady_ms() + limit_ms;

    while (!all_buried(crew)) {
        struct pollfd p = {pipe_read, POLLIN, 0};
        int64_t left = until - clock_steady_ms();
        char drain[64];

        if (left <= 0)
            return false;
        poll(&p, 1, (int)left);
        while (read(pipe_read, drain, sizeof drain) > 0)
            ;
    }
    return true;
}

void up_crew_stop(struct up_crew *crew)
{
    say_progress("stopping");
    signal_all(crew, SIGTERM);
    if (!wait_for_end(crew, STOP_MS)) {
        for (size_t i = 0; i < crew->n; i++) {
            if (crew->children[i].pid)
                say("%s did not end in %d s and is killed", crew->children[i].member->name,
                    STOP_MS / 1000);
        }
        signal_all(crew, SIGKILL);
        while (!wait_for_end(crew, STOP_MS))
            ;
    }
    say_progress_end();
}
