/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, hearing and ending the processes of a demo. A process that is gone is noticed by the
 * end of its control channel, never by a timer. */
#include "crew.h"

#include "clock.h"
#include "party.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long members have to say why another one failed, and to end when they are asked to. */
enum { ECHO_MS = 5000, END_MS = 10000 };
/* Above every descriptor that a child gets by number. */
enum { FD_FIRST = 3, FD_HIGH = 128 };

/* In the child: |fds| become 3, 4, ...; everything else of ours closes at the exec. */
static void become(int *fds, size_t n, char **argv)
{
    int null = open("/dev/null", O_RDWR);

    for (size_t i = 0; i < n; i++)
        fds[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, FD_HIGH);
    for (size_t i = 0; i < n; i++) {
        if (fds[i] >= 0 && dup2(fds[i], FD_FIRST + (int)i) < 0)
            _exit(127);
    }
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        _exit(127);
    if (null >= FD_FIRST + (int)n)
        close(null);
    execv("/proc/self/exe", argv);
    _exit(127);
}

/* Takes |fds|: they are closed here. */
static bool spawn(struct member *member, int *fds, size_t n, char **argv)
{
    member->pid = fork();
    if (member->pid == 0)
        become(fds, n, argv);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    if (member->pid < 0)
        member->pid = 0;
    return member->pid > 0;
}

static bool pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
}

static bool pipe_closing(int fds[2])
{
    return pipe(fds) == 0 && fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0;
}

/* |link|: the party's end of its connection to the relay, taken. */
static bool start_party(struct member *member, int link, int lock_fd)
{
    char *argv[] = {"quorate", "party", NULL};
    int control[2], passphrase[2];
    int fds[4] = {-1, link, -1, -1};

    if (!pair(control))
        return false;
    channel_open(&member->control, control[0]);
    fds[0] = control[1];
    if (!pipe_closing(passphrase)) {
        close(control[1]);
        close(link);
        return false;
    }
    fds[PARTY_FD_PASSPHRASE - FD_FIRST] = passphrase[0];
    member->passphrase_fd = passphrase[1];
    if (lock_fd >= 0)
        fds[PARTY_FD_LOCK - FD_FIRST] = fcntl(lock_fd, F_DUPFD_CLOEXEC, FD_HIGH);
    return spawn(member, fds, 4, argv);
}

static void write_list(char *out, size_t cap, const struct crew_plan *plan)
{
    size_t at = 0;

    for (size_t i = 0; i < plan->n; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%u", i ? "," : "", plan->indices[i]);
}

/* |links|: the relay's ends, taken. */
static bool start_relay(struct crew *crew, const struct crew_plan *plan, const int *links)
{
    char list[8 * QRT_PARTIES_MAX];
    char *argv[9] = {"quorate", "relay", "--parties", list};
    size_t argc = 4;
    int control[2], fds[QRT_PARTIES_MAX + 1];

    write_list(list, sizeof list, plan);
    if (plan->relay_log) {
        argv[argc++] = "--log";
        argv[argc++] = (char *)(uintptr_t)plan->relay_log;
    }
    if (plan->relay_hold) {
        argv[argc++] = "--hold";
        argv[argc++] = (char *)(uintptr_t)plan->relay_hold;
    }
    if (!pair(control))
        return false;
    channel_open(&crew->relay.control, control[0]);
    fds[0] = control[1];
    memcpy(fds + 1, links, plan->n * sizeof *links);
    return spawn(&crew->relay, fds, plan->n + 1, argv);
}

static void name_members(struct crew *crew, const struct crew_plan *plan)
{
    memset(crew, 0, sizeof *crew);
    crew->n = plan->n;
    strcpy(crew->relay.name, "relay");
    crew->relay.control.fd = crew->relay.passphrase_fd = -1;
    for (size_t i = 0; i < plan->n; i++) {
        struct member *m = &crew->parties[i];

        m->index = plan->indices[i];
        m->control.fd = m->passphrase_fd = -1;
        snprintf(m->name, sizeof m->name, "party %u", m->index);
    }
}

static void trace_pids(const struct crew *crew)
{
    say_trace("main is process %ld", (long)getpid());
    say_trace("relay is process %ld", (long)crew->relay.pid);
    for (size_t i = 0; i < crew->n; i++)
        say_trace("%s is process %ld", crew->parties[i].name, (long)crew->parties[i].pid);
}

bool crew_start(struct crew *crew, const struct crew_plan *plan, struct trouble *trouble)
{
    int relay_ends[QRT_PARTIES_MAX];

    name_members(crew, plan);
    for (size_t i = 0; i < plan->n; i++) {
        int link[2];

        if (!pair(link) || !start_party(&crew->parties[i], link[1], plan->lock_fd))
            return trouble_set(trouble, "cannot start a party: %s", strerror(errno));
        relay_ends[i] = link[0];
    }
    if (!start_relay(crew, plan, relay_ends))
        return trouble_set(trouble, "cannot start the relay: %s", strerror(errno));
    trace_pids(crew);
    return true;
}

static struct member *member_at(struct crew *crew, size_t i)
{
    return i == 0 ? &crew->relay : &crew->parties[i - 1];
}

/* The member's channel is over: it has ended, or is about to. */
static bool gone(struct member *m, struct trouble *trouble)
{
    int status = 0;

    kill(m->pid, SIGKILL); /* changes nothing for a process that is ending already */
    channel_close(&m->control);
    while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR)
        ;
    m->pid = 0;
    if (WIFSIGNALED(status))
        return trouble_set(trouble, "the process of the %s was killed by signal %d", m->name,
                           WTERMSIG(status));
    return trouble_set(trouble, "the process of the %s ended too early, with exit code %d", m->name,
                       WEXITSTATUS(status));
}

static bool failed(struct crew *crew, const struct member *m, const json_t *word,
                   struct trouble *trouble)
{
    const char *text = json_string_value(json_object_get(word, "text"));
    json_int_t culprit = json_integer_value(json_object_get(word, "culprit"));
    const char *evidence = json_string_value(json_object_get(word, "evidence"));
    const char *lost = json_string_value(json_object_get(word, "evidence_lost"));
    char blame[64] = "";

    if (culprit > 0)
        snprintf(blame, sizeof blame, "; it blames party %d", (int)culprit);
    trouble_set(trouble, "%s: %s%s%s%s", m->name, text ? text : "failed", blame,
                evidence ? " with evidence in " : "", evidence ? evidence : "");
    if (lost)
        trouble_add(trouble, "; its evidence is lost: %s", lost);
    if (!json_is_true(json_object_get(word, "echo")))
        return false;
    if (!crew->echo_until_ms) {
        crew->echo = *trouble;
        crew->echo_until_ms = clock_now_ms() + ECHO_MS;
    }
    return true;
}

static void trace_word(const struct member *m, const json_t *word)
{
    const char *tell = json_string_value(json_object_get(word, "tell"));
    const char *file = json_string_value(json_object_get(word, "file"));

    if (!tell)
        return;
    if (strcmp(tell, "stored") == 0)
        say_trace("%s stored %s", m->name, file ? file : "?");
    else if (strcmp(tell, "round") == 0)
        say_trace("%s waits for round %d", m->name,
                  (int)json_integer_value(json_object_get(word, "round")));
    else if (strcmp(tell, "held") == 0)
        say_trace("%s holds after %d messages", m->name,
                  (int)json_integer_value(json_object_get(word, "messages")));
    else
        say_trace("%s tells %s", m->name, tell);
}

/* A word that is there already. |ok| becomes false if a member failed or is gone. */
static bool take_word(struct crew *crew, struct member **from, json_t **word, bool *ok,
                      struct trouble *trouble)
{
    for (size_t i = 0; i <= crew->n && *ok; i++) {
        struct member *m = member_at(crew, i);

        if (!m->pid)
            continue;
        while ((*word = channel_hear(&m->control))) {
            const char *tell = json_string_value(json_object_get(*word, "tell"));

            trace_word(m, *word);
            *from = m;
            if (!tell || strcmp(tell, "failed") != 0)
                return true;
            *ok = failed(crew, m, *word, trouble);
            json_decref(*word);
            if (!*ok)
                return false;
        }
        if (m->control.over)
            *ok = gone(m, trouble);
    }
    return false;
}

/* |wait| is poll, or signals_poll. */
static void poll_members(struct crew *crew, int64_t until_ms,
                         int (*wait)(struct pollfd *, nfds_t, int))
{
    struct pollfd p[QRT_PARTIES_MAX + 1];
    int64_t left = until_ms - clock_now_ms();

    for (size_t i = 0; i <= crew->n; i++) {
        struct channel *c = &member_at(crew, i)->control;

        p[i] = (struct pollfd){c->over ? -1 : c->fd, channel_events(c), 0};
    }
    if (wait(p, (nfds_t)(crew->n + 1), left > 0 ? (int)left : 0) <= 0)
        return;
    for (size_t i = 0; i <= crew->n; i++) {
        if (p[i].fd >= 0)
            channel_pump(&member_at(crew, i)->control, p[i].revents);
    }
}

bool crew_hear(struct crew *crew, int64_t deadline_ms, struct member **from, json_t **word,
               struct trouble *trouble)
{
    bool ok = true;

    for (;;) {
        if (take_word(crew, from, word, &ok, trouble))
            return true;
        if (signals_came())
            return trouble_set(trouble, "interrupted");
        if (!ok)
            return false;
        if (crew->echo_until_ms && clock_now_ms() >= crew->echo_until_ms) {
            *trouble = crew->echo;
            return false;
        }
        if (clock_now_ms() >= deadline_ms)
            return trouble_set(trouble, "the parties did not finish in time");
        poll_members(crew, crew->echo_until_ms ? crew->echo_until_ms : deadline_ms, signals_poll);
    }
}

static bool all_over(const struct crew *crew)
{
    if (!crew->relay.control.over)
        return false;
    for (size_t i = 0; i < crew->n; i++) {
        if (!crew->parties[i].control.over)
            return false;
    }
    return true;
}

static void ask_to_end(struct member *m)
{
    if (m->passphrase_fd >= 0)
        close(m->passphrase_fd);
    m->passphrase_fd = -1;
    if (m->control.fd >= 0)
        shutdown(m->control.fd, SHUT_WR);
    else
        m->control.over = true;
}

static void wait_for(struct member *m)
{
    if (m->pid && !m->control.over)
        kill(m->pid, SIGKILL);
    channel_close(&m->control);
    while (m->pid && waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    m->pid = 0;
}

void crew_stop(struct crew *crew)
{
    int64_t deadline = clock_now_ms() + END_MS;

    for (size_t i = 0; i <= crew->n; i++)
        ask_to_end(member_at(crew, i));
    while (!all_over(crew) && clock_now_ms() < deadline)
        poll_members(crew, deadline, poll);
    for (size_t i = 0; i <= crew->n; i++)
        wait_for(member_at(crew, i));
}
