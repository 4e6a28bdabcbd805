/* SPDX-License-Identifier: Apache-2.0 */
/* What a party keeps until its sessions end, with a link that the test plays: what leaves, in which
 * order and company, and what leaves again after which answer. */
#include "participant/front_outbox.h"

#include "system/core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CALLS_MAX = 64, TEXT_MAX = 4096 };

/* The link's side: a call under way, as text "session/attempt:number session/attempt:number". */
struct away {
    bool is_open;
    size_t messages, bytes;
    char text[TEXT_MAX];
    struct front_link_call call;
};

static struct away away[CALLS_MAX];
static size_t away_n;
static bool is_registered, same_boot;

bool front_link_is_registered(const struct front_link *link)
{
    (void)link;
    return is_registered;
}

bool front_link_boot(struct front_link *link, const ProtobufCBinaryData *boot)
{
    (void)link;
    (void)boot;
    return same_boot;
}

const char *front_link_party(const struct front_link *link)
{
    (void)link;
    return "party-1";
}

void front_link_call(struct front_link *link, const struct front_link_call *call)
{
    const Mpc__Router__V1__RouteMessageRequest *message =
        (const Mpc__Router__V1__RouteMessageRequest *)call->message;
    struct away *a = &away[away_n++];
    size_t at = 0;

    (void)link;
    assert_true(away_n <= CALLS_MAX);
    assert_string_equal(message->from, "party-1");
    *a = (struct away){.is_open = true, .messages = message->n_messages, .call = *call};
    for (size_t i = 0; i < message->n_messages; i++) {
        const Mpc__Router__V1__OutgoingMessage *m = message->messages[i];

        a->bytes += m->payload.len;
        assert_int_equal(m->n_to, 2);
        assert_string_equal(m->to[1], "party-3");
        at += (size_t)snprintf(a->text + at, TEXT_MAX - at, "%s%s/%u:%u", i ? " " : "",
                               m->session_id, m->attempt, m->payload.data[0]);
        assert_true(at < TEXT_MAX);
    }
}

/* The party's side */

static uv_loop_t loop;
static struct front_outbox *outbox;
static struct front_mail a, b;

static int begin(void **state)
{
    (void)state;
    away_n = 0;
    is_registered = same_boot = true;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (uv_loop_init(&loop) != 0)
        return -1;
    outbox = front_outbox_new(&loop, NULL);
    return 0;
}

static void answer(size_t i, enum front_answer answer_given,
                   const Mpc__Router__V1__RouteMessageResponse *response)
{
    struct rpc_status status = {0};

    assert_true(i < away_n && away[i].is_open);
    away[i].is_open = false;
    away[i].call.done(away[i].call.arg, answer_given, &status, response ? &response->base : NULL);
}

static void answer_ok(size_t i)
{
    const Mpc__Router__V1__RouteMessageResponse routed =
        MPC__ROUTER__V1__ROUTE_MESSAGE_RESPONSE__INIT;

    answer(i, FRONT_ANSWER_OK, &routed);
}

/* As front.c ends: the link's calls, the sessions, the outbox. */
static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < away_n; i++) {
        if (away[i].is_open)
            answer(i, FRONT_ANSWER_LOST, NULL);
    }
    front_outbox_drop(outbox, &a, UINT32_MAX);
    front_outbox_drop(outbox, &b, UINT32_MAX);
    front_outbox_free(outbox);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void add_long(struct front_mail *mail, uint32_t attempt, uint8_t number, size_t len)
{
    static char *to[] = {"party-2", "party-3"};
    Mpc__Keeper__V1__Outgoing message = MPC__KEEPER__V1__OUTGOING__INIT;
    uint8_t *payload = mem_new(1, len);

    payload[0] = number;
    message.to = to;
    message.n_to = 2;
    message.payload = (ProtobufCBinaryData){len, payload};
    front_outbox_add(outbox, mail, mail == &a ? "a" : "b", attempt, &message);
    free(payload);
}

static void add(struct front_mail *mail, uint32_t attempt, uint8_t number)
{
    add_long(mail, attempt, number, 10);
}

/* One turn of the loop, without waiting. */
static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* Turns until the timer for another try has brought |n| calls in all. */
static void turn_until(size_t n)
{
    while (away_n < n)
        uv_run(&loop, UV_RUN_ONCE);
}

static void expect_call(size_t i, const char *text)
{
    assert_true(i < away_n);
    assert_string_equal(away[i].text, text);
}

static void test_what_is_said_in_a_turn_leaves_together_and_once(void **state)
{
    (void)state;
    add(&a, 0, 1);
    add(&b, 2, 2);
    add(&a, 0, 3);
    assert_int_equal(away_n, 0);
    turn();
    assert_int_equal(away_n, 1);
    expect_call(0, "a/0:1 b/2:2 a/0:3");
    answer_ok(0);
    turn();
    assert_int_equal(away_n, 1);
    assert_int_equal(front_outbox_bytes(outbox), 30); /* kept */
    assert_int_equal(front_outbox_sent(outbox), 3);
    assert_int_equal(front_outbox_resent(outbox), 0);
}

static void test_nothing_leaves_before_the_party_is_registered(void **state)
{
    (void)state;
    is_registered = false;
    add(&a, 0, 1);
    turn();
    assert_int_equal(away_n, 0);
    is_registered = true;
    front_outbox_wake(outbox);
    turn();
    expect_call(0, "a/0:1");
}

static void test_a_router_that_lost_everything_gets_it_again_in_order(void **state)
{
    (void)state;
    add(&a, 0, 1);
    add(&b, 0, 2);
    turn();
    answer_ok(0);
    add(&a, 0, 3);
    turn();
    front_outbox_resend(outbox); /* 3 is away */
    turn();
    expect_call(2, "a/0:1 b/0:2");
    answer_ok(1);
    turn();
    expect_call(3, "a/0:3");
    assert_int_equal(front_outbox_resent(outbox), 3);
    answer_ok(2);
    answer_ok(3);
    turn();
    assert_int_equal(away_n, 4);
}

/* The answer itself is of another boot: nobody knows which one has the messages. */
static void test_an_answer_of_another_boot_is_no_arrival(void **state)
{
    (void)state;
    add(&a, 0, 1);
    turn();
    same_boot = false;
    answer_ok(0);
    same_boot = true;
    turn();
    expect_call(1, "a/0:1");
}

static void test_a_lost_call_is_made_again_later(void **state)
{
    (void)state;
    add(&a, 0, 1);
    add(&a, 0, 2);
    turn();
    answer(0, FRONT_ANSWER_LOST, NULL);
    add(&a, 0, 3); /* waits as well */
    turn();
    assert_int_equal(away_n, 1);
    turn_until(2);
    /* at once, what was lost before what is new */
    expect_call(1, "a/0:1 a/0:2 a/0:3");
}

static void test_a_refused_company_goes_one_by_one(void **state)
{
    (void)state;
    add(&a, 0, 1);
    add(&b, 0, 2);
    add(&b, 0, 3);
    turn();
    answer(0, FRONT_ANSWER_REFUSED, NULL);
    turn();
    assert_int_equal(away_n, 4);
    expect_call(1, "a/0:1");
    expect_call(2, "b/0:2");
    expect_call(3, "b/0:3");
    answer(1, FRONT_ANSWER_REFUSED, NULL); /* this one it is: given up */
    answer_ok(2);
    answer_ok(3);
    turn();
    assert_int_equal(away_n, 4);
}

static void refuse_second(char *code)
{
    Mpc__Router__V1__RouteMessageResponse routed = MPC__ROUTER__V1__ROUTE_MESSAGE_RESPONSE__INIT;
    Mpc__Router__V1__RefusedMessage rows[] = {MPC__ROUTER__V1__REFUSED_MESSAGE__INIT,
                                              MPC__ROUTER__V1__REFUSED_MESSAGE__INIT};
    Mpc__Router__V1__RefusedMessage *list[] = {&rows[0], &rows[1]};

    rows[0].index = 1;
    rows[0].code = code;
    rows[1].index = 99; /* of no message */
    rows[1].code = code;
    routed.refused = list;
    routed.n_refused = 2;
    answer(0, FRONT_ANSWER_OK, &routed);
}

static void test_a_full_mailbox_is_tried_again(void **state)
{
    (void)state;
    add(&a, 0, 1);
    add(&a, 0, 2);
    add(&b, 0, 3);
    turn();
    refuse_second("mailbox_full");
    turn_until(2);
    expect_call(1, "a/0:2");
}

static void test_a_refused_message_is_given_up_and_no_other(void **state)
{
    (void)state;
    add(&a, 0, 1);
    add(&a, 0, 2);
    turn();
    refuse_second("unknown_party");
    add(&b, 0, 3);
    turn();
    expect_call(1, "b/0:3");
}

static void test_what_is_forgotten_leaves_no_more(void **state)
{
    (void)state;
    add(&a, 0, 1);
    add(&a, 1, 2);
    turn();
    add(&a, 0, 3);
    add(&a, 1, 4);
    add(&b, 0, 5);
    front_outbox_drop(outbox, &a, 1); /* of attempt 0, away and waiting */
    assert_int_equal(front_outbox_bytes(outbox), 30);
    turn();
    expect_call(1, "a/1:4 b/0:5");
    front_outbox_drop(outbox, &b, UINT32_MAX);
    answer(0, FRONT_ANSWER_LOST, NULL);
    answer(1, FRONT_ANSWER_LOST, NULL);
    turn_until(3);
    expect_call(2, "a/1:2 a/1:4");
    front_outbox_drop(outbox, &a, UINT32_MAX);
    assert_int_equal(front_outbox_bytes(outbox), 0);
    front_outbox_resend(outbox);
    answer_ok(2);
    turn();
    assert_int_equal(away_n, 3);
}

static void test_a_session_keeps_so_much_and_no_more(void **state)
{
    enum { PIECE = 1 << 20 };

    (void)state;
    is_registered = false;
    for (size_t i = 0; i < FRONT_MAIL_SESSION_MAX / PIECE; i++)
        add_long(&a, 0, 1, PIECE);
    assert_int_equal(front_outbox_bytes(outbox), FRONT_MAIL_SESSION_MAX);
    add(&a, 0, 2);
    assert_int_equal(front_outbox_bytes(outbox), FRONT_MAIL_SESSION_MAX);
    add(&b, 0, 3); /* its own room */
    assert_int_equal(front_outbox_bytes(outbox), FRONT_MAIL_SESSION_MAX + 10);
    front_outbox_drop(outbox, &a, UINT32_MAX);
    add(&a, 0, 4);
    is_registered = true;
    front_outbox_wake(outbox);
    turn();
    expect_call(0, "b/0:3 a/0:4");
}

static void test_calls_are_bounded_in_number_messages_and_bytes(void **state)
{
    (void)state;
    add_long(&a, 0, 1, FRONT_BATCH_BYTES - 10);
    add(&a, 0, 2);
    add(&a, 0, 3); /* no room */
    turn();
    assert_int_equal(away_n, 2);
    expect_call(0, "a/0:1 a/0:2");
    expect_call(1, "a/0:3");
    add_long(&a, 0, 4, 2 * FRONT_BATCH_BYTES); /* alone, whatever it is */
    turn();
    expect_call(2, "a/0:4");
    for (size_t i = 0; i <= FRONT_BATCH_MESSAGES; i++)
        add(&b, 0, 5);
    turn();
    assert_int_equal(away[3].messages, FRONT_BATCH_MESSAGES);
    assert_int_equal(away[4].messages, 1);
    for (size_t i = 0; i < 4 * FRONT_BATCH_MESSAGES; i++)
        add(&b, 0, 6);
    turn();
    assert_int_equal(away_n, FRONT_BATCHES_MAX);
    answer_ok(0);
    turn();
    assert_int_equal(away_n, FRONT_BATCHES_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_said_in_a_turn_leaves_together_and_once, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_nothing_leaves_before_the_party_is_registered, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_router_that_lost_everything_gets_it_again_in_order,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_an_answer_of_another_boot_is_no_arrival, begin, end),
        cmocka_unit_test_setup_teardown(test_a_lost_call_is_made_again_later, begin, end),
        cmocka_unit_test_setup_teardown(test_a_refused_company_goes_one_by_one, begin, end),
        cmocka_unit_test_setup_teardown(test_a_full_mailbox_is_tried_again, begin, end),
        cmocka_unit_test_setup_teardown(test_a_refused_message_is_given_up_and_no_other, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_what_is_forgotten_leaves_no_more, begin, end),
        cmocka_unit_test_setup_teardown(test_a_session_keeps_so_much_and_no_more, begin, end),
        cmocka_unit_test_setup_teardown(test_calls_are_bounded_in_number_messages_and_bytes, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
