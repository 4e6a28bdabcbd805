/* SPDX-License-Identifier: Apache-2.0 */
/* The helper process of policy.h: a few threads, each of which takes a request off the socket,
 * asks, and answers. It holds no secret and no share; what it runs is the operator's own.
 *
 * A program gets the request on stdin and says APPROVE, REJECT or RETRY as the first word on
 * stdout, with exit status 0; a URL gets it by POST and says so in the body of a 200. All else
 * is RETRY. */
#include "participant/policy.h"

#include "system/core/clock.h"
#include "system/core/helper.h"
#include "system/core/log.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, REQUEST_MAX = 1 << 18, WORD_MAX = 64 };

struct settings {
    char *command, *url;
    int timeout_ms;
};

/* The first bytes of an answer. */
struct word {
    char text[WORD_MAX];
    size_t len;
};

static void word_add(struct word *word, const char *b, size_t len)
{
    size_t room = sizeof word->text - 1 - word->len;

    memcpy(word->text + word->len, b, len < room ? len : room);
    word->len += len < room ? len : room;
    word->text[word->len] = '\0';
}

static const char *answer_of(const struct word *word)
{
    size_t start = strspn(word->text, " \t\r\n");
    size_t len = strcspn(word->text + start, " \t\r\n");

    if (len == 7 && memcmp(word->text + start, "APPROVE", 7) == 0)
        return "APPROVE";
    if (len == 6 && memcmp(word->text + start, "REJECT", 6) == 0)
        return "REJECT";
    return "RETRY";
}

/* A program */

/* The request as a file without a name, to be read from its start. */
static int request_file(const char *request, size_t len)
{
    int fd = memfd_create("request", MFD_CLOEXEC);

    if (fd >= 0 && (write(fd, request, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool spawn(pid_t *pid, const char *command, int in, int out)
{
    char *const argv[] = {"/bin/sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    bool ok;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    ok = posix_spawn(pid, argv[0], &files, &attr, argv, environ) == 0;
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return ok;
}

/* Until there is something to read. False: the time is over. */
static bool wait_for(int fd, uint64_t until_us)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint64_t now_us = clock_steady_us();

    return now_us < until_us && poll(&wait, 1, (int)((until_us - now_us) / 1000) + 1) != 0;
}

/* Until its end or the time is over: false. */
static bool read_word(struct word *word, int fd, uint64_t until_us)
{
    for (;;) {
        char b[256];
        ssize_t n;

        if (!wait_for(fd, until_us))
            return false;
        n = read(fd, b, sizeof b);
        if (n == 0)
            return true;
        if (n > 0)
            word_add(word, b, (size_t)n);
        else if (errno != EINTR)
            return false;
    }
}

/* A program may have closed its output and go on. */
static bool wait_for_end(pid_t pid, uint64_t until_us)
{
    int fd = pidfd_open(pid, 0);
    bool ended = fd >= 0 && wait_for(fd, until_us);

    if (fd >= 0)
        close(fd);
    return ended;
}

static const char *run_command(const struct settings *settings, const char *request, size_t len)
{
    uint64_t until_us = clock_steady_us() + (uint64_t)settings->timeout_ms * 1000;
    int out[2], in = request_file(request, len), status = -1;
    struct word word = {0};
    bool in_time = false;
    pid_t pid;

    if (in < 0)
        return "RETRY";
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in);
        return "RETRY";
    }
    if (spawn(&pid, settings->command, in, out[1])) {
        close(out[1]);
        in_time = read_word(&word, out[0], until_us) && wait_for_end(pid, until_us);
        if (!in_time)
            kill(-pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
    } else {
        close(out[1]);
    }
    close(out[0]);
    close(in);
    return in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? answer_of(&word) : "RETRY";
}

/* A URL */

static size_t take_body(char *b, size_t size, size_t n, void *arg)
{
    word_add(arg, b, size * n);
    return size * n;
}

static const char *post(const struct settings *settings, const char *request, size_t len)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *curl = curl_easy_init();
    struct word word = {0};
    long code = 0;

    if (curl) {
        curl_easy_setopt(curl, CURLOPT_URL, settings->url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)settings->timeout_ms);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)len);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &word);
        if (curl_easy_perform(curl) == CURLE_OK)
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
        curl_easy_cleanup(curl);
    }
    curl_slist_free_all(headers);
    return code == 200 ? answer_of(&word) : "RETRY";
}

/* With both, both have to approve; the first other answer counts. */
static const char *ask(const struct settings *settings, const char *request, size_t len)
{
    const char *answer = "APPROVE";

    if (settings->command[0])
        answer = run_command(settings, request, len);
    if (settings->url[0] && strcmp(answer, "APPROVE") == 0)
        answer = post(settings, request, len);
    return answer;
}

static bool number_of(const char *request, size_t len, long long *number)
{
    json_t *json = json_loadb(request, len, 0, NULL);
    const json_t *value = json_object_get(json, "number");
    bool ok = json_is_integer(value);

    *number = ok ? json_integer_value(value) : 0;
    json_decref(json);
    return ok;
}

/* Packets go to one thread each. */
static void *serve(void *arg)
{
    const struct settings *settings = arg;
    char *request = malloc(REQUEST_MAX);
    ssize_t n;

    while (request && (n = recv(HELPER_FD, request, REQUEST_MAX, 0)) > 0) {
        char answer[WORD_MAX];
        long long number;
        int len;

        if (!number_of(request, (size_t)n, &number))
            continue;
        len = snprintf(answer, sizeof answer, "%lld %s", number, ask(settings, request, (size_t)n));
        if (send(HELPER_FD, answer, (size_t)len, MSG_NOSIGNAL) < 0)
            break;
    }
    free(request);
    return NULL;
}

static char *copy_field(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return strdup(text ? text : "");
}

static bool read_settings(struct settings *settings)
{
    char text[16384];
    ssize_t n = recv(HELPER_FD, text, sizeof text, 0);
    json_t *json = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;

    if (!json)
        return false;
    settings->command = copy_field(json, "command");
    settings->url = copy_field(json, "url");
    settings->timeout_ms = (int)json_integer_value(json_object_get(json, "timeout_ms"));
    json_decref(json);
    return settings->command && settings->url;
}

int policy_main(void)
{
    struct settings settings;
    pthread_t threads[THREADS];

    log_setup("policy", LOG_INFO);
    if (fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC) != 0 || !read_settings(&settings)) {
        log_line(LOG_ERROR, "the policy's helper is started by a keeper, not by hand");
        return 1;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, serve, &settings) != 0)
            return 1;
    }
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    free(settings.command);
    free(settings.url);
    curl_global_cleanup();
    return 0;
}
