/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes: what is put comes out, in order, until it is acknowledged, over or freed; and nobody
 * gets more room than the bounds say. */
#include "services/router/mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"
#define TWO "7f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"

enum { DEADLINE = 10000 };

static struct mail_batch batch;

static bool put(struct mail *mail, const char *to, const char *session, const void *b, size_t len)
{
    struct letter letter = {"sender", session, 3, b, len, DEADLINE};

    return mail_put(mail, to, &letter);
}

static size_t count(struct mail *mail, const char *party_id, int64_t after)
{
    size_t n = 0;

    do {
        mail_read(mail, party_id, after, &batch);
        n += batch.message.n_messages;
        after = batch.last;
    } while (batch.has_more);
    return n;
}

static void test_a_letter_comes_out_as_it_went_in(void **state)
{
    struct mail *mail = mail_new(1 << 20);
    static const uint8_t payload[] = {0, 1, 0, 255, 0};
    const Mpc__Router__V1__IncomingMessage *got;

    (void)state;
    assert_true(put(mail, "p1", ONE, payload, sizeof payload));
    mail_read(mail, "p1", 0, &batch);
    assert_int_equal(batch.message.n_messages, 1);
    got = batch.message.messages[0];
    assert_int_equal(got->seq, 1);
    assert_string_equal(got->from, "sender");
    assert_string_equal(got->session_id, ONE);
    assert_int_equal(got->attempt, 3);
    assert_int_equal(got->payload.len, sizeof payload);
    assert_memory_equal(got->payload.data, payload, sizeof payload);
    mail_read(mail, "p2", 0, &batch);
    assert_int_equal(batch.message.n_messages, 0);
    assert_int_equal(batch.last, 0);
    mail_free(mail);
}

static void test_attempts_survive_whole(void **state)
{
    struct mail *mail = mail_new(1 << 20);
    struct letter letter = {"a", ONE, 0x80ff0102, (const uint8_t *)"x", 1, DEADLINE};

    (void)state;
    assert_true(mail_put(mail, "p1", &letter));
    mail_read(mail, "p1", 0, &batch);
    assert_int_equal(batch.message.messages[0]->attempt, 0x80ff0102);
    mail_free(mail);
}

static void test_readers_resume_after_what_they_have(void **state)
{
    struct mail *mail = mail_new(1 << 20);

    (void)state;
    for (char c = 'a'; c < 'f'; c++)
        assert_true(put(mail, "p1", ONE, &c, 1));
    mail_read(mail, "p1", 3, &batch);
    assert_int_equal(batch.message.n_messages, 2);
    assert_int_equal(batch.message.messages[0]->payload.data[0], 'd');
    mail_acknowledge(mail, "p1", 3);
    assert_int_equal(mail_items(mail), 2);
    mail_read(mail, "p1", 0, &batch);
    assert_int_equal(batch.message.n_messages, 2);
    assert_int_equal(batch.message.messages[0]->seq, 4);
    mail_free(mail);
}

static void test_batches_are_bounded_and_lose_nothing(void **state)
{
    struct mail *mail = mail_new(16 << 20);
    uint8_t *big = calloc(1, MAIL_BATCH_BYTES + 1);

    (void)state;
    for (int i = 0; i < 200; i++)
        assert_true(put(mail, "p1", ONE, big, 10));
    mail_read(mail, "p1", 0, &batch);
    assert_int_equal(batch.message.n_messages, MAIL_BATCH_ITEMS);
    assert_true(batch.has_more);
    assert_int_equal(count(mail, "p1", 0), 200);
    assert_true(put(mail, "p2", ONE, big, 10));
    assert_true(put(mail, "p2", ONE, big, MAIL_BATCH_BYTES + 1));
    assert_true(put(mail, "p2", ONE, big, 10));
    mail_read(mail, "p2", 0, &batch);
    assert_int_equal(batch.message.n_messages, 1);
    mail_read(mail, "p2", 1, &batch);
    assert_int_equal(batch.message.n_messages, 1); /* alone, since it is too long for any */
    assert_true(batch.has_more);
    assert_int_equal(count(mail, "p2", 0), 3);
    free(big);
    mail_free(mail);
}

static void test_one_session_cannot_crowd_out_another(void **state)
{
    struct mail *mail = mail_new(256 << 20);
    int n = 0;

    (void)state;
    while (put(mail, "p1", ONE, "x", 1))
        n++;
    assert_int_equal(n, MAIL_GROUP_ITEMS);
    assert_true(put(mail, "p1", TWO, "x", 1));
    assert_true(put(mail, "p2", ONE, "x", 1));
    mail_free(mail);
}

static void test_the_bytes_of_one_session_are_bounded(void **state)
{
    enum { BIG = 1 << 20 };
    struct mail *mail = mail_new(2 * MAIL_GROUP_BYTES);
    uint8_t *big = calloc(1, BIG);
    size_t n = 0;

    (void)state;
    while (n <= 2 * MAIL_GROUP_BYTES / BIG && put(mail, "p1", ONE, big, BIG))
        n++;
    assert_in_range(n, MAIL_GROUP_BYTES / BIG / 2, MAIL_GROUP_BYTES / BIG);
    assert_true(put(mail, "p1", TWO, big, BIG));
    free(big);
    mail_free(mail);
}

static void test_a_full_mailbox_refuses_and_keeps_what_it_has(void **state)
{
    struct mail *mail = mail_new(65536);
    uint8_t *big = calloc(1, 30000);

    (void)state;
    assert_true(put(mail, "p1", ONE, big, 30000));
    assert_true(put(mail, "p1", TWO, big, 30000));
    assert_false(put(mail, "p1", TWO, big, 30000));
    assert_int_equal(count(mail, "p1", 0), 2);
    mail_acknowledge(mail, "p1", 1);
    assert_true(put(mail, "p1", TWO, big, 30000));
    free(big);
    mail_free(mail);
}

static void put_event(struct mail *mail, const char *session, const char *type)
{
    Mpc__Session__V1__SessionEvent event = MPC__SESSION__V1__SESSION_EVENT__INIT;

    event.session_id = (char *)(uintptr_t)session;
    event.event_type = (char *)(uintptr_t)type;
    event.join_token = (char *)(uintptr_t) "token";
    assert_true(mail_put_event(mail, "p1", &event, DEADLINE));
}

static void next_is(struct mail *mail, int64_t *cursor, const char *type)
{
    Mpc__Session__V1__SessionEvent *event = mail_read_event(mail, "p1", *cursor, cursor);

    assert_non_null(event);
    assert_string_equal(event->event_type, type);
    assert_string_equal(event->join_token, "token");
    mpc__session__v1__session_event__free_unpacked(event, NULL);
}

static void test_events_stay_for_those_who_come_back(void **state)
{
    struct mail *mail = mail_new(1 << 20);

    (void)state;
    put_event(mail, ONE, "session_created");
    put_event(mail, ONE, "session_ready");
    for (int i = 0; i < 2; i++) {
        int64_t cursor = 0;

        next_is(mail, &cursor, "session_created");
        next_is(mail, &cursor, "session_ready");
        assert_null(mail_read_event(mail, "p1", cursor, &cursor));
    }
    mail_read(mail, "p1", 0, &batch);
    assert_int_equal(batch.message.n_messages, 0); /* another mailbox */
    mail_free(mail);
}

static void test_what_ended_is_freed_but_the_news_of_it(void **state)
{
    struct mail *mail = mail_new(1 << 20);
    int64_t cursor = 0;

    (void)state;
    put_event(mail, ONE, "session_created");
    put_event(mail, TWO, "session_created");
    put_event(mail, ONE, "session_completed");
    assert_true(put(mail, "p1", ONE, "x", 1));
    assert_true(put(mail, "p2", ONE, "x", 1));
    assert_true(put(mail, "p2", TWO, "x", 1));
    mail_forget(mail, ONE);
    next_is(mail, &cursor, "session_created");
    next_is(mail, &cursor, "session_completed");
    assert_null(mail_read_event(mail, "p1", cursor, &cursor));
    assert_int_equal(count(mail, "p1", 0), 0);
    assert_int_equal(count(mail, "p2", 0), 1);
    mail_expire(mail, DEADLINE);
    assert_int_equal(mail_items(mail), 0);
    assert_int_equal(mail_bytes(mail), 0);
    mail_free(mail);
}

static void test_strays_of_one_sender_are_bounded_in_each_minute(void **state)
{
    struct party sender = {0}, other = {0};
    uint64_t minute = (uint64_t)MAIL_STRAY_MS * 1000, now = 10 * minute;
    int n = 0;

    (void)state;
    while (mail_allow_stray(&sender, 1, now))
        n++;
    assert_int_equal(n, MAIL_STRAY_ITEMS);
    assert_true(mail_allow_stray(&other, 1, now));
    assert_false(mail_allow_stray(&sender, 1, now + minute - 1));
    assert_true(mail_allow_stray(&sender, 1, now + minute));
    assert_true(mail_allow_stray(&other, MAIL_STRAY_BYTES - 1, now));
    assert_false(mail_allow_stray(&other, 1, now));
}

/* Receivers that nobody ever heard of would leave a mailbox behind each. */
static void test_the_number_of_receivers_is_bounded(void **state)
{
    struct mail *mail = mail_new(1 << 20);
    char id[16];

    (void)state;
    for (int i = 0; i < MAIL_RECEIVERS_MAX; i++) {
        snprintf(id, sizeof id, "p%d", i);
        assert_true(put(mail, id, ONE, "x", 1));
    }
    assert_false(put(mail, "one-more", ONE, "x", 1));
    assert_true(put(mail, "p7", ONE, "x", 1));
    mail_free(mail);
}

static void wake(void *arg)
{
    ++*(int *)arg;
}

static void test_the_reader_is_woken_for_its_own_mailbox(void **state)
{
    struct mail *mail = mail_new(1 << 20);
    int messages = 0, events = 0;

    (void)state;
    mail_watch(mail, MAIL_MESSAGES, "p1", wake, &messages);
    mail_watch(mail, MAIL_EVENTS, "p1", wake, &events);
    assert_true(put(mail, "p1", ONE, "x", 1));
    assert_true(put(mail, "p2", ONE, "x", 1));
    assert_int_equal(messages, 1);
    assert_int_equal(events, 0);
    put_event(mail, ONE, "session_created");
    assert_int_equal(events, 1);
    mail_watch(mail, MAIL_MESSAGES, "p1", NULL, NULL);
    assert_true(put(mail, "p1", ONE, "x", 1));
    assert_int_equal(messages, 1);
    mail_free(mail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_letter_comes_out_as_it_went_in),
        cmocka_unit_test(test_attempts_survive_whole),
        cmocka_unit_test(test_readers_resume_after_what_they_have),
        cmocka_unit_test(test_batches_are_bounded_and_lose_nothing),
        cmocka_unit_test(test_one_session_cannot_crowd_out_another),
        cmocka_unit_test(test_the_bytes_of_one_session_are_bounded),
        cmocka_unit_test(test_a_full_mailbox_refuses_and_keeps_what_it_has),
        cmocka_unit_test(test_events_stay_for_those_who_come_back),
        cmocka_unit_test(test_what_ended_is_freed_but_the_news_of_it),
        cmocka_unit_test(test_strays_of_one_sender_are_bounded_in_each_minute),
        cmocka_unit_test(test_the_number_of_receivers_is_bounded),
        cmocka_unit_test(test_the_reader_is_woken_for_its_own_mailbox),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
