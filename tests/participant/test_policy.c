/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's hook, as a program and as a URL: only a clear APPROVE approves, and it is asked
 * before anything of the protocol leaves. The program of these tests answers by the message it
 * is shown. */
#include "keepers.h"

#include "system/core/ids.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRIES_MAX = 50 };

static struct keepers *k;
static struct job keygen;
static uint8_t key_id[32], pk[33];
static size_t letters;

static bool count(struct keepers *keepers, const struct letter *letter, void *arg)
{
    (void)keepers;
    (void)letter;
    (void)arg;
    letters++;
    return true;
}

/* The outcome of seat 0 for a message. */
static const struct told *ask(const char *message)
{
    static const size_t quorum[] = {0, 1};
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);

    job.intent.message = (const uint8_t *)message;
    job.intent.message_len = (uint32_t)strlen(message);
    letters = 0;
    keepers_watch(k, &job, count);
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    return keepers_told(k, 0, job.session_id, 0);
}

static void expect(const char *message, const char *code, bool retry)
{
    const struct told *told = ask(message);

    assert_string_equal(told->code, code);
    assert_int_equal(told->retry, retry);
    assert_int_equal(letters, 0);
}

static void begin(const char *settings)
{
    const struct keepers_options options = {.settings = settings};

    k = keepers_new(3, &options);
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
}

/* What the program saw last, from seat 0. */
static void expect_request(const char *message)
{
    char path[256], hex[128], deadline[64];
    json_t *seen;

    snprintf(path, sizeof path, "%s/seen", k->directory);
    seen = json_load_file(path, 0, NULL);
    assert_non_null(seen);
    hex_encode(hex, (const uint8_t *)message, strlen(message));
    assert_string_equal(json_string_value(json_object_get(seen, "message")), hex);
    assert_string_equal(json_string_value(json_object_get(seen, "hash")), "keccak256");
    assert_int_equal(json_string_length(json_object_get(seen, "digest")), 64);
    assert_string_equal(json_string_value(json_object_get(seen, "operation")), "sign");
    assert_string_equal(json_string_value(json_object_get(seen, "path")), "m");
    assert_int_equal(json_array_size(json_object_get(seen, "parties")), 2);
    hex_encode(hex, k->initiator_key, 32);
    assert_string_equal(json_string_value(json_object_get(seen, "initiator")), hex);
    snprintf(deadline, sizeof deadline, "%s", json_string_value(json_object_get(seen, "deadline")));
    assert_int_equal(deadline[10], 'T');
    json_decref(seen);
}

/* "no" in hex is 6e6f, "odd" 6f6464, "rc" 7263. Two parties show what they saw at once. */
static void test_a_program_decides(void **state)
{
    (void)state;
    begin("POLICY_TIMEOUT_MS=50000\n"
          "POLICY_COMMAND=r=$(cat); echo \"$r\" > @DIR@/seen.$$; mv @DIR@/seen.$$ @DIR@/seen;"
          " case \"$r\" in *'\"message\":\"6e6f'*) echo REJECT;; *'\"6f6464'*) echo APPROVED;;"
          " *'\"7263'*) echo APPROVE; exit 3;; *) echo APPROVE;; esac\n");
    assert_int_equal(ask("yes")->kind, MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE);
    assert_true(letters > 0);
    expect_request("yes");
    expect("no", "POLICY_REJECT", false);
    expect("odd", "POLICY_RETRY", true);
    expect("rc", "POLICY_RETRY", true);
    assert_int_equal(ask("yes again")->kind, MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE);
    keepers_free(k);
}

static bool failed(size_t who, const struct job *job)
{
    const struct told *told = keepers_told(k, who, job->session_id, 0);

    return told && told->kind == MPC__KEEPER__V1__OUTCOME__OUTCOME_FAILURE;
}

static bool is_decided(struct keepers *keepers, void *arg)
{
    const struct job *job = arg;

    return failed(0, job) || failed(1, job) ||
           (keepers_told(keepers, 0, job->session_id, 0) &&
            keepers_told(keepers, 1, job->session_id, 0));
}

/* False: a policy's answer came too late at one of them, and the other waits for it. */
static bool signs_in_time(void)
{
    static const size_t quorum[] = {0, 1};
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);

    keepers_open_all(k, &job);
    keepers_relay(k, is_decided, &job);
    for (size_t i = 0; i < 2; i++) {
        keepers_close(k, i, job.session_id);
        if (failed(i, &job))
            assert_string_equal(keepers_told(k, i, job.session_id, 0)->code, "POLICY_RETRY");
    }
    if (failed(0, &job) || failed(1, &job))
        return false;
    assert_true(keepers_is_signed(keepers_told(k, 0, job.session_id, 0), &job, pk));
    return true;
}

/* "hang" in hex is 68616e67. For the next the time may be too short, but not always. */
static void test_a_program_that_does_not_end_keeps_none_of_the_next_waiting(void **state)
{
    (void)state;
    begin("POLICY_TIMEOUT_MS=400\n"
          "POLICY_COMMAND=case \"$(cat)\" in *'\"68616e67'*) sleep 1000;; esac; echo APPROVE\n");
    expect("hang", "POLICY_RETRY", true);
    for (int tries = 1; !signs_in_time(); tries++)
        assert_true(tries < TRIES_MAX);
    keepers_free(k);
}

static void test_twenty_sessions_wait_for_the_policy_without_a_thread_each(void **state)
{
    static const size_t quorum[] = {0, 1};
    struct job jobs[20];

    (void)state;
    begin("WORKERS=1\nPOLICY_TIMEOUT_MS=60000\nPOLICY_COMMAND=cat > /dev/null; echo APPROVE\n");
    for (size_t i = 0; i < 20; i++) {
        jobs[i] = keepers_sign(&keygen, key_id, quorum, 2);
        keepers_open_all(k, &jobs[i]);
    }
    for (size_t i = 0; i < 20; i++) {
        keepers_play(k, &jobs[i]);
        assert_true(keepers_is_signed(keepers_told(k, 0, jobs[i].session_id, 0), &jobs[i], pk));
    }
    keepers_free(k);
}

/* A server that answers every POST by what its body holds. */
static void answer_one(int fd)
{
    static const char form[] = "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s";
    char request[8192] = "", answer[256];
    const char *body = "APPROVE", *status = "200 OK";
    size_t len = 0;
    ssize_t n;

    while (!strstr(request, "\r\n\r\n{") || !strchr(strstr(request, "\r\n\r\n{"), '}')) {
        n = read(fd, request + len, sizeof request - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        request[len] = '\0';
    }
    if (strstr(request, "\"6e6f"))
        body = "REJECT";
    if (strstr(request, "\"6f6464"))
        status = "500 Broken";
    snprintf(answer, sizeof answer, form, status, strlen(body), body);
    n = write(fd, answer, strlen(answer));
    close(fd);
}

static void *serve(void *arg)
{
    int fd;

    while ((fd = accept(*(int *)arg, NULL, NULL)) >= 0)
        answer_one(fd);
    return NULL;
}

static void test_a_url_decides(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char settings[128];
    pthread_t server;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(pthread_create(&server, NULL, serve, &listener), 0);
    snprintf(settings, sizeof settings,
             "POLICY_TIMEOUT_MS=50000\nPOLICY_URL=http://127.0.0.1:%u/\n", ntohs(address.sin_port));
    begin(settings);
    assert_int_equal(ask("yes")->kind, MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE);
    expect("no", "POLICY_REJECT", false);
    expect("odd", "POLICY_RETRY", true);
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
    close(listener);
    expect("yes", "POLICY_RETRY", true);
    keepers_free(k);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_decides),
        cmocka_unit_test(test_a_program_that_does_not_end_keeps_none_of_the_next_waiting),
        cmocka_unit_test(test_twenty_sessions_wait_for_the_policy_without_a_thread_each),
        cmocka_unit_test(test_a_url_decides),
    };
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
