/* SPDX-License-Identifier: Apache-2.0 */
/* The front with a keeper and services that behave badly: late, twice, in the wrong order, or gone. */
#include "front_world.h"

#include <string.h>

#define OPEN MPC__KEEPER__V1__TO_KEEPER__REQUEST_OPEN
#define DELIVER MPC__KEEPER__V1__TO_KEEPER__REQUEST_DELIVER
#define CLOSE MPC__KEEPER__V1__TO_KEEPER__REQUEST_CLOSE
#define TOKEN "join-token"

static struct world *w;

static int setup(void **state)
{
    (void)state;
    w = world_new("persistent", NULL);
    world_ready(w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(w);
    return 0;
}

static bool has_opened(struct world *at)
{
    return keeper_got(at, OPEN) > 0;
}

static bool has_closed(struct world *at)
{
    return keeper_got(at, CLOSE) > 0;
}

static bool has_join_held(struct world *at)
{
    return at->join.held_n > 0;
}

static bool has_reported(struct world *at)
{
    return at->report.came > 0;
}

static bool has_reported_thrice(struct world *at)
{
    return at->report.came >= 3;
}

static bool has_joined_thrice(struct world *at)
{
    return at->join.came >= 3;
}

static bool has_registered_twice(struct world *at)
{
    return at->registering.came >= 2;
}

static bool has_fault(struct world *at)
{
    return at->has_fault;
}

static void run_signature(void)
{
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_until(w, has_opened);
}

static void test_an_invitation_opens_and_joins_once_however_often_it_comes(void **state)
{
    (void)state;
    say_invited(w, "session_started", SESSION_ONE, 0, NULL);
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    poll_invited(w, SESSION_ONE, 0, TOKEN);
    world_until(w, has_opened);
    say_invited(w, "session_ready", SESSION_ONE, 0, NULL);
    while (w->polled)
        uv_run(&w->loop, UV_RUN_ONCE);
    world_settle(w);
    assert_int_equal(keeper_got(w, OPEN), 1);
    assert_int_equal(w->join.came, 1);
    assert_string_equal(keeper_frame(w, OPEN, 0)->open->setup->session_id, SESSION_ONE);
}

static void test_a_poll_alone_opens_too(void **state)
{
    (void)state;
    poll_invited(w, SESSION_ONE, 0, TOKEN);
    world_until(w, has_opened);
    world_settle(w);
    assert_int_equal(keeper_got(w, OPEN), 1);
    assert_int_equal(w->join.came, 1);
}

static void test_the_keeper_starts_while_the_join_reply_is_delayed_without_limit(void **state)
{
    (void)state;
    w->join.manner = HOLD;
    run_signature();
    keeper_send(w, SESSION_ONE, 0, "round 1");
    keeper_signed(w, SESSION_ONE, 0);
    world_until(w, has_join_held);
    while (w->routed_n == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    world_settle(w);
    assert_int_equal(w->report.came, 0);
    answer_join(w, take_held(&w->join), "late-token");
    world_until(w, has_reported);
    assert_string_equal(w->reported_token, "late-token");
    world_settle(w);
    assert_int_equal(w->report.came, 1);
    assert_int_equal(w->join.came, 1);
    assert_int_equal(keeper_got(w, OPEN), 1);
}

static void test_lost_calls_are_repeated_until_they_are_answered(void **state)
{
    (void)state;
    w->join.manner = w->report.manner = FAIL;
    w->join.failure = w->report.failure = rpc_error(RPC_UNAVAILABLE, "test", "not now");
    run_signature();
    world_until(w, has_joined_thrice);
    w->join.manner = ANSWER;
    keeper_signed(w, SESSION_ONE, 0);
    world_until(w, has_reported_thrice);
    w->report.manner = HOLD;
    while (!w->report.held_n)
        uv_run(&w->loop, UV_RUN_ONCE);
    answer_report(w, take_held(&w->report));
    w->report.came = 0;
    world_settle(w);
    assert_int_equal(w->report.came, 0);
}

static void test_a_refused_join_is_not_repeated(void **state)
{
    (void)state;
    w->join.manner = FAIL;
    w->join.failure = rpc_error(RPC_NOT_FOUND, "test", "no such session");
    run_signature();
    keeper_signed(w, SESSION_ONE, 0);
    world_settle(w);
    world_settle(w);
    assert_int_equal(w->join.came, 1);
    assert_int_equal(w->report.came, 0);
}

static void test_a_session_that_ended_opens_no_more(void **state)
{
    (void)state;
    say_ended(w, "session_failed", SESSION_ONE);
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    say_invited(w, "session_created", SESSION_TWO, 0, TOKEN);
    world_until(w, has_opened);
    say_ended(w, "session_completed", SESSION_TWO);
    while (keeper_got(w, CLOSE) < 2)
        uv_run(&w->loop, UV_RUN_ONCE);
    say_invited(w, "session_created", SESSION_TWO, 1, TOKEN);
    keeper_signed(w, SESSION_TWO, 0);
    world_settle(w);
    assert_int_equal(keeper_got(w, OPEN), 1);
    assert_string_equal(keeper_frame(w, OPEN, 0)->open->setup->session_id, SESSION_TWO);
    assert_int_equal(keeper_got(w, CLOSE), 2);
    assert_int_equal(w->report.came, 0);
}

static void test_a_higher_attempt_opens_and_a_lower_one_does_not(void **state)
{
    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 1, TOKEN);
    world_until(w, has_opened);
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    say_invited(w, "session_created", SESSION_ONE, 2, TOKEN);
    while (keeper_got(w, OPEN) < 2)
        uv_run(&w->loop, UV_RUN_ONCE);
    world_settle(w);
    assert_int_equal(keeper_got(w, OPEN), 2);
    assert_int_equal(keeper_frame(w, OPEN, 0)->open->setup->attempt, 1);
    assert_int_equal(keeper_frame(w, OPEN, 1)->open->setup->attempt, 2);
    assert_int_equal(w->join.came, 2);
    keeper_signed(w, SESSION_ONE, 1);
    world_until(w, has_reported);
    assert_int_equal(w->reported_attempt, 1);
}

static void test_a_new_router_gets_everything_of_open_sessions_again(void **state)
{
    (void)state;
    run_signature();
    say_invited(w, "session_created", SESSION_TWO, 0, TOKEN);
    keeper_send(w, SESSION_ONE, 0, "one");
    keeper_send(w, SESSION_ONE, 0, "two");
    while (w->routed_n < 2)
        uv_run(&w->loop, UV_RUN_ONCE);
    keeper_send(w, SESSION_TWO, 0, "of another session");
    while (w->routed_n < 3)
        uv_run(&w->loop, UV_RUN_ONCE);
    say_ended(w, "session_completed", SESSION_TWO);
    world_until(w, has_closed);
    w->router_boot[0]++;
    while (w->routed_n < 5)
        uv_run(&w->loop, UV_RUN_ONCE);
    world_settle(w);
    assert_int_equal(w->routed_n, 5);
    assert_string_equal(w->routed[3].b, "one");
    assert_string_equal(w->routed[4].b, "two");
}

static void test_a_message_whose_fate_is_unknown_is_sent_again(void **state)
{
    (void)state;
    w->route.manner = FAIL;
    w->route.failure = rpc_error(RPC_UNAVAILABLE, "test", "not now");
    run_signature();
    keeper_send(w, SESSION_ONE, 0, "one");
    while (w->routed_n < 3)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_string_equal(w->routed[2].b, "one");
    w->route.manner = ANSWER;
    w->routed_n = 3;
    while (w->routed_n < 4)
        uv_run(&w->loop, UV_RUN_ONCE);
    world_settle(w);
    assert_int_equal(w->routed_n, 4);
}

static void test_one_refused_message_does_not_hold_up_the_others(void **state)
{
    (void)state;
    w->route.manner = FAIL;
    w->route.failure = rpc_error(RPC_INVALID, "test", "never");
    run_signature();
    keeper_send(w, SESSION_ONE, 0, "one");
    keeper_send(w, SESSION_ONE, 0, "two");
    while (w->routed_n < 2)
        uv_run(&w->loop, UV_RUN_ONCE);
    world_settle(w);
    w->route.manner = ANSWER;
    keeper_send(w, SESSION_ONE, 0, "three");
    while (strcmp((char *)w->routed[w->routed_n - 1].b, "three") != 0)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static void test_messages_reach_the_keeper_once_and_in_order(void **state)
{
    (void)state;
    say_message(w, 1, SESSION_ONE, 0, "before it is known");
    say_message(w, 2, SESSION_ONE, 0, "two");
    say_message(w, 2, SESSION_ONE, 0, "two");
    say_message(w, 1, SESSION_ONE, 0, "before it is known");
    say_message(w, 3, SESSION_ONE, 0, "three");
    while (w->acknowledged < 3)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(keeper_got(w, DELIVER), 3);
    assert_memory_equal(keeper_frame(w, DELIVER, 1)->deliver->payload.data, "two", 3);
    assert_memory_equal(keeper_frame(w, DELIVER, 2)->deliver->payload.data, "three", 5);
}

static void test_a_broken_stream_goes_on_where_it_was(void **state)
{
    struct rpc_call *call;

    (void)state;
    say_message(w, 1, SESSION_ONE, 0, "one");
    say_message(w, 2, SESSION_ONE, 0, "two");
    while (keeper_got(w, DELIVER) < 2)
        uv_run(&w->loop, UV_RUN_ONCE);
    call = w->messages;
    w->messages = NULL;
    rpc_fail(call, rpc_error(RPC_UNAVAILABLE, "test", "broken"));
    while (!w->messages)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(w->after, 2);
    say_message(w, 2, SESSION_ONE, 0, "two");
    say_message(w, 3, SESSION_ONE, 0, "three");
    while (keeper_got(w, DELIVER) < 3)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_memory_equal(keeper_frame(w, DELIVER, 2)->deliver->payload.data, "three", 5);
}

static void test_a_new_router_counts_from_one_again(void **state)
{
    (void)state;
    say_message(w, 7, SESSION_ONE, 0, "seven");
    while (w->acknowledged < 7)
        uv_run(&w->loop, UV_RUN_ONCE);
    w->router_boot[0]++;
    say_message(w, 1, SESSION_ONE, 0, "one");
    while (w->acknowledged != 1)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(keeper_got(w, DELIVER), 2);
}

static void test_messages_of_what_is_over_are_acknowledged_and_dropped(void **state)
{
    (void)state;
    say_ended(w, "session_expired", SESSION_ONE);
    world_until(w, has_closed);
    say_message(w, 1, SESSION_ONE, 0, "late");
    say_message(w, 2, SESSION_TWO, 0, "two");
    say_message(w, 3, SESSION_ONE, 0, "late");
    while (w->acknowledged < 3)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(keeper_got(w, DELIVER), 1);
}

static char *big_payload(void)
{
    static char big[400 * 1024];

    memset(big, 'x', sizeof big - 1);
    return big;
}

/* What the keeper has not read fills the socket, then the front, and then the stream stops. */
static void test_a_keeper_that_does_not_read_stops_the_stream(void **state)
{
    int64_t seq = 0;

    (void)state;
    uv_read_stop((uv_stream_t *)&w->keeper);
    while (w->messages && seq < 200) {
        say_message(w, ++seq, SESSION_ONE, 0, big_payload());
        world_settle(w);
    }
    assert_null(w->messages);
    assert_true(seq < 200);
    assert_true(front_is_ready(w->front));
    world_listen(w);
    while (!w->messages)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_true(w->after < seq);
    assert_int_equal(keeper_got(w, DELIVER) >= (size_t)w->after - 2, true);
}

/* The keeper takes the old router's message only after the new one counts from one. */
static void test_an_old_routers_message_is_not_acknowledged_to_the_new_one(void **state)
{
    (void)state;
    uv_read_stop((uv_stream_t *)&w->keeper);
    say_message(w, 7, SESSION_ONE, 0, big_payload());
    world_settle(w);
    w->router_boot[0]++;
    say_message(w, 1, SESSION_ONE, 0, "one");
    world_settle(w);
    assert_int_equal(w->acknowledged, 0);
    world_listen(w);
    while (keeper_got(w, DELIVER) < 2 || !w->acknowledged)
        uv_run(&w->loop, UV_RUN_ONCE);
    world_settle(w);
    assert_int_equal(w->acknowledged, 1);
}

/* Acknowledgements are cumulative: one that was dropped must not speak for one on its way. */
static void test_what_is_dropped_is_acknowledged_behind_what_is_under_way(void **state)
{
    (void)state;
    say_ended(w, "session_expired", SESSION_ONE);
    world_until(w, has_closed);
    uv_read_stop((uv_stream_t *)&w->keeper);
    say_message(w, 1, SESSION_TWO, 0, big_payload());
    say_message(w, 2, SESSION_ONE, 0, "late");
    world_settle(w);
    assert_int_equal(w->acknowledged, 0);
    world_listen(w);
    while (w->acknowledged < 2)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static void test_a_lower_attempt_speaks_no_more(void **state)
{
    (void)state;
    run_signature();
    say_invited(w, "session_created", SESSION_ONE, 1, TOKEN);
    while (keeper_got(w, OPEN) < 2)
        uv_run(&w->loop, UV_RUN_ONCE);
    keeper_send(w, SESSION_ONE, 0, "of the lower");
    keeper_send(w, SESSION_ONE, 1, "of the higher");
    while (!w->routed_n)
        uv_run(&w->loop, UV_RUN_ONCE);
    world_settle(w);
    assert_int_equal(w->routed_n, 1);
    assert_string_equal(w->routed[0].b, "of the higher");
}

static void test_an_end_before_its_beginning_is_remembered(void **state)
{
    size_t sweeps;

    (void)state;
    say_ended(w, "session_failed", SESSION_ONE);
    world_until(w, has_closed);
    sweeps = keeper_got(w, MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_STATS);
    while (keeper_got(w, MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_STATS) == sweeps)
        uv_run(&w->loop, UV_RUN_ONCE);
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    say_invited(w, "session_created", SESSION_TWO, 0, TOKEN);
    world_until(w, has_opened);
    world_settle(w);
    assert_int_equal(keeper_got(w, OPEN), 1);
    assert_string_equal(keeper_frame(w, OPEN, 0)->open->setup->session_id, SESSION_TWO);
}

static void test_who_is_not_registered_registers_again(void **state)
{
    unsigned streams = w->event_streams;

    (void)state;
    w->heartbeat.manner = FAIL;
    w->heartbeat.failure = rpc_error(RPC_STATE, "not_registered", "who are you?");
    world_until(w, has_registered_twice);
    w->heartbeat.manner = ANSWER;
    world_ready(w);
    assert_true(w->event_streams > streams);
}

/* The number of the first frame of |which|. */
static size_t first_frame(Mpc__Keeper__V1__ToKeeper__RequestCase which)
{
    size_t at = 0;

    while (at < w->frames_n && w->frames[at]->request_case != which)
        at++;
    return at;
}

static void test_the_keeper_hears_of_a_freeze_before_what_was_asked_meanwhile(void **state)
{
    (void)state;
    w->polled_order = true;
    poll_invited(w, SESSION_ONE, 0, TOKEN);
    world_until(w, has_opened);
    assert_int_equal(keeper_got(w, MPC__KEEPER__V1__TO_KEEPER__REQUEST_ORDER), 1);
    assert_true(first_frame(MPC__KEEPER__V1__TO_KEEPER__REQUEST_ORDER) < first_frame(OPEN));
}

static void test_events_are_asked_for_once_orders_are_known(void **state)
{
    unsigned streams = w->event_streams, messages = w->message_streams;

    (void)state;
    w->poll.manner = FAIL;
    w->poll.failure = rpc_error(RPC_UNAVAILABLE, "", "not now");
    w->heartbeat.manner = FAIL;
    w->heartbeat.failure = rpc_error(RPC_STATE, "not_registered", "who are you?");
    world_until(w, has_registered_twice);
    w->heartbeat.manner = ANSWER;
    world_settle(w);
    assert_true(w->message_streams > messages);
    assert_int_equal(w->event_streams, streams);
    w->poll.manner = ANSWER;
    world_ready(w);
    assert_int_equal(w->event_streams, streams + 1);
}

static void test_the_keepers_death_is_the_fronts(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&w->keeper, NULL);
    world_until(w, has_fault);
    assert_non_null(strstr(w->fault, "keeper"));
}

static void on_stopped(void *arg)
{
    ((struct world *)arg)->is_stopped = true;
}

static void test_the_fronts_end_is_the_keepers(void **state)
{
    (void)state;
    front_stop(w->front, on_stopped, w);
    while (!w->is_stopped)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_true(w->keeper_is_shut);
    assert_false(w->has_fault);
}

static void test_a_party_that_the_router_refuses_gives_up_at_first(void **state)
{
    (void)state;
    world_free(w);
    w = world_new("persistent", NULL);
    w->registering.manner = FAIL;
    w->registering.failure = rpc_error(RPC_DENIED, "test", "your certificate is not the CA's");
    world_until(w, has_fault);
    assert_non_null(strstr(w->fault, "your certificate is not the CA's"));
    assert_int_equal(w->registering.came, 4);
}

static void test_a_malformed_frame_of_the_keeper_is_a_fault(void **state)
{
    uv_buf_t b = uv_buf_init("\0\0\0\2\xff\xff", 6);

    (void)state;
    assert_int_equal(uv_try_write((uv_stream_t *)&w->keeper, &b, 1), 6);
    world_until(w, has_fault);
    assert_non_null(strstr(w->fault, "malformed"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_invitation_opens_and_joins_once_however_often_it_comes),
        TEST(test_a_poll_alone_opens_too),
        TEST(test_the_keeper_starts_while_the_join_reply_is_delayed_without_limit),
        TEST(test_lost_calls_are_repeated_until_they_are_answered),
        TEST(test_a_refused_join_is_not_repeated),
        TEST(test_a_session_that_ended_opens_no_more),
        TEST(test_a_higher_attempt_opens_and_a_lower_one_does_not),
        TEST(test_a_new_router_gets_everything_of_open_sessions_again),
        TEST(test_a_message_whose_fate_is_unknown_is_sent_again),
        TEST(test_one_refused_message_does_not_hold_up_the_others),
        TEST(test_messages_reach_the_keeper_once_and_in_order),
        TEST(test_a_broken_stream_goes_on_where_it_was),
        TEST(test_a_new_router_counts_from_one_again),
        TEST(test_messages_of_what_is_over_are_acknowledged_and_dropped),
        TEST(test_a_keeper_that_does_not_read_stops_the_stream),
        TEST(test_an_old_routers_message_is_not_acknowledged_to_the_new_one),
        TEST(test_what_is_dropped_is_acknowledged_behind_what_is_under_way),
        TEST(test_a_lower_attempt_speaks_no_more),
        TEST(test_an_end_before_its_beginning_is_remembered),
        TEST(test_who_is_not_registered_registers_again),
        TEST(test_the_keeper_hears_of_a_freeze_before_what_was_asked_meanwhile),
        TEST(test_events_are_asked_for_once_orders_are_known),
        TEST(test_the_keepers_death_is_the_fronts),
        TEST(test_the_fronts_end_is_the_keepers),
        TEST(test_a_party_that_the_router_refuses_gives_up_at_first),
        TEST(test_a_malformed_frame_of_the_keeper_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
