/* SPDX-License-Identifier: Apache-2.0 */
/* The broker over a real RabbitMQ (tests/support/rabbitmq.py starts it): who gets what, what is
 * refused, what a loss looks like. The last tests stop and kill the server. */
#include "system/bus/rabbitmq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANG_MS = 120000, MIB = 1 << 20 };

/* One replica and what it saw. */
struct end {
    struct broker *broker;
    char address[BROKER_ADDRESS_MAX];
    bool is_up, gave_up;
    size_t ups, downs, frames, bytes, refused, gone;
    uint8_t *last;
    size_t last_len;
    char why[BROKER_ERROR_MAX];
};

static uv_loop_t loop;
static uv_timer_t watchdog;

static void on_up(void *arg, const char *address)
{
    struct end *end = arg;

    end->is_up = true;
    end->ups++;
    snprintf(end->address, sizeof end->address, "%s", address);
}

static void on_down(void *arg, bool gave_up, const char *why)
{
    struct end *end = arg;

    end->is_up = false;
    end->gave_up = gave_up;
    end->downs++;
    snprintf(end->why, sizeof end->why, "%s", why);
}

static void on_frame(void *arg, const uint8_t *b, size_t len)
{
    struct end *end = arg;

    free(end->last);
    end->last = malloc(len + 1);
    assert_non_null(end->last);
    if (len)
        memcpy(end->last, b, len);
    end->last_len = len;
    end->frames++;
    end->bytes += len;
}

static void on_refused(void *arg, const char *to, bool is_gone)
{
    struct end *end = arg;

    assert_int_equal(strlen(to), BROKER_ADDRESS_MAX - 1);
    *(is_gone ? &end->gone : &end->refused) += 1;
}

static void on_hang(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "nothing happened for %d ms\n", HANG_MS);
    abort();
}

static struct rabbit_params params(void)
{
    return (struct rabbit_params){.host = "127.0.0.1",
                                  .port = atoi(getenv("BROKER_TEST_PORT")),
                                  .user = getenv("BROKER_TEST_USER"),
                                  .password = getenv("BROKER_TEST_PASSWORD"),
                                  .vhost = "/",
                                  .family = "test"};
}

static void open_with(struct end *end, struct rabbit_params p, uint32_t max)
{
    const struct retry retry = {.step_ms = 50, .cap_ms = 200, .max = max};
    const struct broker_events events = {on_up, on_down, on_frame, on_refused, end};

    *end = (struct end){0};
    end->broker = rabbitmq_new(&loop, &p, &retry, &events);
}

/* Run the loop until |*at| is |least| or more. */
static void until(const size_t *at, size_t least)
{
    uv_timer_start(&watchdog, on_hang, HANG_MS, 0);
    while (*at < least)
        uv_run(&loop, UV_RUN_ONCE);
    uv_timer_stop(&watchdog);
}

static void open_end(struct end *end)
{
    open_with(end, params(), 100);
    until(&end->ups, 1);
}

static void close_end(struct end *end)
{
    broker_free(end->broker);
    free(end->last);
    end->last = NULL;
}

static const uint8_t *filled(size_t len, uint8_t with)
{
    static uint8_t *b;

    free(b);
    b = malloc(len + 1);
    assert_non_null(b);
    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(with + i * 7 + i / 251);
    return b;
}

static void test_a_frame_reaches_its_address_alone(void **state)
{
    const size_t lengths[] = {0, 1, 1000, 131072, 3 * MIB + 17};
    struct end a, b, c;

    (void)state;
    open_end(&a);
    open_end(&b);
    open_end(&c);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const uint8_t *bytes = filled(lengths[i], (uint8_t)i);

        assert_true(broker_publish(a.broker, b.address, bytes, lengths[i]));
        until(&b.frames, i + 1);
        assert_int_equal(b.last_len, lengths[i]);
        assert_memory_equal(b.last, bytes, lengths[i]);
    }
    assert_true(broker_publish(b.broker, c.address, (const uint8_t *)"x", 1));
    until(&c.frames, 1);
    assert_int_equal(a.frames, 0);
    assert_int_equal(c.frames, 1);
    close_end(&a);
    close_end(&b);
    close_end(&c);
}

static void test_a_frame_to_all_reaches_all(void **state)
{
    struct end a, b, c;

    (void)state;
    open_end(&a);
    open_end(&b);
    open_end(&c);
    assert_true(broker_publish(b.broker, NULL, (const uint8_t *)"hello", 5));
    until(&a.frames, 1);
    until(&b.frames, 1);
    until(&c.frames, 1);
    assert_memory_equal(c.last, "hello", 5);
    close_end(&a);
    close_end(&b);
    close_end(&c);
}

static void test_a_frame_to_nobody_comes_back(void **state)
{
    char gone[BROKER_ADDRESS_MAX];
    struct end a, b;

    (void)state;
    open_end(&a);
    open_end(&b);
    snprintf(gone, sizeof gone, "%s", b.address);
    close_end(&b);
    /* the queue goes with its connection, a moment later perhaps */
    while (!a.gone) {
        size_t before = a.refused + a.gone;

        assert_true(broker_publish(a.broker, gone, filled(200000, 1), 200000));
        assert_true(broker_publish(a.broker, a.address, (const uint8_t *)"mark", 4));
        until(&a.frames, a.frames + 1);
        assert_true(a.refused + a.gone <= before + 1);
    }
    assert_int_equal(a.refused, 0);
    close_end(&a);
}

static void test_acknowledged_frames_make_room(void **state)
{
    struct end a, b;

    (void)state;
    open_end(&a);
    open_end(&b);
    for (size_t i = 0; i < 10 * BROKER_PREFETCH; i++)
        assert_true(broker_publish(a.broker, b.address, (const uint8_t *)&i, sizeof i));
    until(&b.frames, 10 * BROKER_PREFETCH);
    close_end(&a);
    close_end(&b);
}

/* Who does not read gets so much and no more; the broker says so to the publisher. */
static void test_a_reader_that_stands_still_does_not_fill_the_broker(void **state)
{
    struct rabbit_params p = params();
    char address[BROKER_ADDRESS_MAX], why[BROKER_ERROR_MAX];
    struct rabbit *still = rabbit_open(&p, address, why);
    struct end a;
    size_t taken = 0;

    (void)state;
    assert_non_null(still);
    open_end(&a);
    uv_timer_start(&watchdog, on_hang, HANG_MS, 0);
    while (!a.refused) {
        if (broker_publish(a.broker, address, filled(MIB, 2), MIB))
            taken += MIB;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    uv_timer_stop(&watchdog);
    /* at the broker, on the way there, at the reader */
    assert_true(taken <= (size_t)BROKER_WAITING_MAX + BROKER_PENDING_MAX + BROKER_PREFETCH * MIB);
    assert_int_equal(a.downs, 0);
    assert_int_equal(a.gone, 0);
    rabbit_close(still);
    close_end(&a);
}

/* By somebody with the password, past the bound that broker_publish has. */
static void test_attack_a_message_longer_than_a_frame(void **state)
{
    struct rabbit_params p = params();
    char address[BROKER_ADDRESS_MAX], why[BROKER_ERROR_MAX];
    struct rabbit *stranger = rabbit_open(&p, address, why);
    const size_t len = (size_t)BROKER_FRAME_MAX + 1;
    struct end a;

    (void)state;
    assert_non_null(stranger);
    open_end(&a);

    for (size_t i = 1; i <= 3; i++) {
        assert_true(rabbit_publish(stranger, a.address, filled(len, 4), len, why));
        until(&a.frames, i);
        assert_int_equal(a.last_len, 0);
    }
    assert_true(rabbit_publish(stranger, a.address, filled(len - 1, 4), len - 1, why));
    until(&a.frames, 4);
    assert_int_equal(a.last_len, len - 1);
    assert_memory_equal(a.last, filled(len - 1, 4), len - 1);
    assert_int_equal(a.downs, 0);
    rabbit_close(stranger);
    close_end(&a);
}

static void test_what_was_taken_is_sent_before_the_end(void **state)
{
    struct end a, b;

    (void)state;
    open_end(&a);
    open_end(&b);
    for (size_t i = 0; i < 100; i++)
        assert_true(broker_publish(a.broker, b.address, filled(1000, 3), 1000));
    close_end(&a);
    until(&b.frames, 100);
    close_end(&b);
}

static void test_a_wrong_password_is_told_and_given_up(void **state)
{
    struct rabbit_params p = params();
    struct end a;

    (void)state;
    p.password = "not the password";
    open_with(&a, p, 2);
    until(&a.downs, 3);
    assert_true(a.gave_up);
    assert_int_equal(a.ups, 0);
    assert_non_null(strstr(a.why, "RABBITMQ_PASSWORD"));
    assert_null(strstr(a.why, p.password));
    assert_false(broker_publish(a.broker, NULL, (const uint8_t *)"x", 1));
    close_end(&a);
}

static void test_over_tls_the_server_proves_itself(void **state)
{
    struct rabbit_params p = params();
    struct end a;

    (void)state;
    p.port = atoi(getenv("BROKER_TEST_TLS_PORT"));
    p.host = "localhost";
    p.ca = getenv("BROKER_TEST_CA");
    p.verifies_name = true;
    open_with(&a, p, 100);
    until(&a.ups, 1);
    assert_true(broker_publish(a.broker, a.address, filled(MIB, 5), MIB));
    until(&a.frames, 1);
    assert_memory_equal(a.last, filled(MIB, 5), MIB);
    close_end(&a);
    p.ca = "/etc/ssl/certs/ca-certificates.crt";
    open_with(&a, p, 1);
    until(&a.downs, 2);
    assert_int_equal(a.ups, 0);
    close_end(&a);
    p.ca = "/nonexistent";
    open_with(&a, p, 1);
    until(&a.downs, 2);
    assert_non_null(strstr(a.why, "RABBITMQ_TLS_CA"));
    close_end(&a);
}

/* The certificate is for localhost and 127.0.0.1; what else the machine is called is not in it. */
static void test_over_tls_the_name_counts(void **state)
{
    struct rabbit_params p = params();
    struct end a;

    (void)state;
    p.port = atoi(getenv("BROKER_TEST_TLS_PORT"));
    p.ca = getenv("BROKER_TEST_CA");
    p.host = "127.1";
    p.verifies_name = true;
    open_with(&a, p, 1);
    until(&a.downs, 2);
    assert_int_equal(a.ups, 0);
    close_end(&a);
    p.verifies_name = false;
    open_with(&a, p, 100);
    until(&a.ups, 1);
    close_end(&a);
    p.host = "127.0.0.1";
    p.verifies_name = true;
    open_with(&a, p, 100);
    until(&a.ups, 1);
    close_end(&a);
}

static void test_over_tls_a_revoked_server_is_refused(void **state)
{
    static const char *const lists[] = {"none.crl", "server.crl", "ca.pem", "nothing"};
    struct rabbit_params p = params();
    char path[256];
    struct end a;

    (void)state;
    p.port = atoi(getenv("BROKER_TEST_TLS_PORT"));
    p.ca = getenv("BROKER_TEST_CA");
    p.crl = path;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", getenv("BROKER_TEST_DIR"), lists[i]);
        open_with(&a, p, i == 0 ? 100 : 1);
        until(i == 0 ? &a.ups : &a.downs, i == 0 ? 1 : 2);
        assert_int_equal(a.ups, i == 0);
        assert_int_equal(strstr(a.why, "RABBITMQ_TLS_CRL") != NULL, i > 1);
        close_end(&a);
    }
}

/* Have the server stopped, continued, killed or started. */
static void control(const char *word)
{
    char path[200], answer[16];
    bool is_answered;
    FILE *f = fopen(getenv("BROKER_TEST_CONTROL"), "w");

    assert_non_null(f);
    fprintf(f, "%s\n", word);
    fclose(f);
    snprintf(path, sizeof path, "%s.done", getenv("BROKER_TEST_CONTROL"));
    /* the last answer's writer may still be there: its end is no answer */
    do {
        f = fopen(path, "r");
        assert_non_null(f);
        is_answered = fgets(answer, sizeof answer, f) != NULL;
        fclose(f);
    } while (!is_answered);
}

/* The thread may hang, the loop does not; what is above the bound is not taken. */
static void test_a_broker_that_stands_still_holds_up_nobody(void **state)
{
    struct end a;
    size_t taken = 0;

    (void)state;
    open_end(&a);
    control("stop");
    while (broker_publish(a.broker, a.address, filled(MIB, 4), MIB)) {
        taken++;
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_true(taken <= BROKER_PENDING_MAX / MIB);
    }
    assert_true(taken >= 1);
    control("go");
    until(&a.frames, taken);
    assert_true(broker_publish(a.broker, a.address, (const uint8_t *)"x", 1));
    until(&a.frames, taken + 1);
    assert_int_equal(a.downs, 0);
    close_end(&a);
}

static void test_a_stopped_broker_does_not_hold_up_the_end(void **state)
{
    struct end a;

    (void)state;
    open_end(&a);
    control("stop");
    for (size_t i = 0; i < 20; i++)
        assert_true(broker_publish(a.broker, a.address, filled(MIB, 4), MIB));
    close_end(&a);
    control("go");
}

/* The broker's machine takes the connection and says nothing: the end comes before the login does,
 * and nothing is told any more. */
static void test_a_connection_may_be_given_up_before_it_has_come_about(void **state)
{
    struct end a;

    (void)state;
    control("stop");
    open_with(&a, params(), 100);
    close_end(&a);
    assert_int_equal(a.ups + a.downs, 0);
    control("go");
}

static void test_a_broker_that_died_is_found_again(void **state)
{
    char before[BROKER_ADDRESS_MAX];
    struct end a;

    (void)state;
    open_with(&a, params(), 0); /* a broker's start may outlast any number of tries */
    until(&a.ups, 1);
    snprintf(before, sizeof before, "%s", a.address);
    control("kill");
    until(&a.downs, 1);
    assert_false(broker_publish(a.broker, before, (const uint8_t *)"x", 1));
    control("start");
    until(&a.ups, 2);
    assert_string_not_equal(a.address, before);
    assert_true(broker_publish(a.broker, before, (const uint8_t *)"old", 3));
    assert_true(broker_publish(a.broker, a.address, (const uint8_t *)"new", 3));
    until(&a.frames, 1);
    assert_memory_equal(a.last, "new", 3);
    until(&a.gone, 1);
    assert_int_equal(a.gone, 1);
    close_end(&a);
}

static int make_loop(void **state)
{
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    uv_timer_init(&loop, &watchdog);
    uv_unref((uv_handle_t *)&watchdog);
    return 0;
}

static int free_loop(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&watchdog, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_frame_reaches_its_address_alone),
        cmocka_unit_test(test_a_frame_to_all_reaches_all),
        cmocka_unit_test(test_a_frame_to_nobody_comes_back),
        cmocka_unit_test(test_acknowledged_frames_make_room),
        cmocka_unit_test(test_a_reader_that_stands_still_does_not_fill_the_broker),
        cmocka_unit_test(test_attack_a_message_longer_than_a_frame),
        cmocka_unit_test(test_what_was_taken_is_sent_before_the_end),
        cmocka_unit_test(test_a_wrong_password_is_told_and_given_up),
        cmocka_unit_test(test_over_tls_the_server_proves_itself),
        cmocka_unit_test(test_over_tls_the_name_counts),
        cmocka_unit_test(test_over_tls_a_revoked_server_is_refused),
        cmocka_unit_test(test_a_broker_that_stands_still_holds_up_nobody),
        cmocka_unit_test(test_a_stopped_broker_does_not_hold_up_the_end),
        cmocka_unit_test(test_a_connection_may_be_given_up_before_it_has_come_about),
        cmocka_unit_test(test_a_broker_that_died_is_found_again),
    };

    return cmocka_run_group_tests(tests, make_loop, free_loop);
}
