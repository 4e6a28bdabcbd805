/* SPDX-License-Identifier: Apache-2.0 */
/* Several routers: parties are known at all of them, messages and events find them, whichever router
 * they are at, and what is refused at home is refused from elsewhere. */
#include "routers.h"

#include "services/router/forward.h"
#include "services/router/size_cap.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdlib.h>
#include <string.h>

static void test_every_router_knows_every_party(void **state)
{
    Mpc__Router__V1__GetRegisteredPartiesRequest request =
        MPC__ROUTER__V1__GET_REGISTERED_PARTIES_REQUEST__INIT;
    const Mpc__Router__V1__GetRegisteredPartiesResponse *in;

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(0, 0);
    party_go_to(1, 1);
    party_go_to(2, 2);
    for (size_t i = 0; i < 3; i++)
        cluster_settle(i, i);
    world_call(w, w->backend, ROUTER "GetRegisteredParties", &request.base,
               &mpc__router__v1__get_registered_parties_response__descriptor, &w->answer);
    in = (const void *)w->answer.response;
    assert_int_equal(in->n_parties, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(in->parties[i]->party_id, w->peers[i].id);
        assert_true(in->parties[i]->live);
    }
    cluster_finish();
}

static bool watcher_has_two(void)
{
    const Mpc__Router__V1__PresenceBatch *last = (const void *)one.got[one.n ? one.n - 1 : 0];

    return one.n >= 2 && last->n_presences == 1 && last->presences[0]->party->load == 7;
}

static void test_changes_elsewhere_are_told_to_watchers(void **state)
{
    Mpc__Router__V1__WatchPresenceRequest request = MPC__ROUTER__V1__WATCH_PRESENCE_REQUEST__INIT;
    const Mpc__Router__V1__PresenceBatch *last;

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    listen_to(w->coordinator, ROUTER "WatchPresence", &one, &request.base,
              &mpc__router__v1__presence_batch__descriptor);
    party_go_to(1, 1);
    cluster_settle(1, 1);
    assert_int_equal(peer_heartbeat(w, 1, 7), RPC_OK);
    cluster_until(watcher_has_two);
    last = (const void *)one.got[one.n - 1];
    assert_string_equal(last->presences[0]->party->party_id, w->peers[1].id);
    assert_memory_equal(last->presences[0]->boot_id.data, w->peers[1].boot_id, 16);
    assert_true(last->presences[0]->certificate->body.len > 0);
    assert_string_equal(last->presences[0]->router, cluster_instance(router_at(1)->cluster));
    listener_end(&one);
    cluster_finish();
}

static void test_a_message_crosses_and_one_at_home_does_not(void **state)
{
    const size_t len = size_cap_general();
    int64_t crossed;
    size_t direct;

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(0, 0);
    party_go_to(1, 1);
    party_go_to(2, 0);
    cluster_settle(1, 1);
    cluster_settle(0, 0);
    party_listen(1, &one);
    party_listen(2, &two);
    crossed = forwarded_n();
    direct = net.direct_bytes;
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[2].id, 'h', len), RPC_OK);
    letters_until(w, &two, 1);
    assert_int_equal(forwarded_n() - crossed, 0);
    /* routers may still greet each other */
    assert_true(net.direct_bytes - direct < len);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'x', len), RPC_OK);
    letters_until(w, &one, 1);
    assert_string_equal(letter_at(&one, 0)->from, w->peers[0].id);
    assert_string_equal(letter_at(&one, 0)->session_id, SESSION_ONE);
    assert_int_equal(letter_at(&one, 0)->payload.len, len);
    assert_int_equal(letter_at(&one, 0)->payload.data[len - 1], 'x');
    assert_int_equal(forwarded_n() - crossed, 1);
    assert_true(net.direct_bytes - direct >= len);
    listener_end(&one);
    listener_end(&two);
    cluster_finish();
}

static void test_what_waits_follows_its_party(void **state)
{
    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(0, 0);
    /* nobody knows where it is */
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10), RPC_OK);
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'b', 10), RPC_OK);
    party_go_to(1, 2);
    party_listen(1, &one);
    listen_events(w, 1, &two);
    letters_until(w, &one, 2);
    assert_int_equal(letter_at(&one, 0)->payload.data[0], 'a');
    assert_int_equal(letter_at(&one, 1)->payload.data[0], 'b');
    listener_until(w, &two, 1);
    assert_string_equal(((Mpc__Session__V1__SessionEvent *)two.got[0])->join_token, "token of 1");
    listener_end(&one);
    listener_end(&two);
    cluster_finish();
}

static void test_an_event_reaches_parties_at_all_routers(void **state)
{
    (void)state;
    cluster_start("1048576", LEASE_LONG);
    cluster_spread();
    listen_events(w, 0, &one);
    listen_events(w, 1, &two);
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    listener_until(w, &one, 1);
    listener_until(w, &two, 1);
    assert_string_equal(((Mpc__Session__V1__SessionEvent *)one.got[0])->join_token, "token of 0");
    assert_string_equal(((Mpc__Session__V1__SessionEvent *)two.got[0])->join_token, "token of 1");
    assert_int_equal(((Mpc__Session__V1__SessionEvent *)two.got[0])->setup->n_members, 2);
    /* the other router's book knows who takes part; the third's does not */
    assert_non_null(book_session(others[0].router->book, SESSION_ONE));
    assert_null(book_session(others[1].router->book, SESSION_ONE));
    assert_int_equal(peer_send(w, 1, SESSION_ONE, w->peers[2].id, 'x', 5), RPC_DENIED);
    listener_end(&one);
    listener_end(&two);
    cluster_finish();
}

static int64_t arrived_base;

static int64_t arrived(void)
{
    const struct router_metrics *m = &w->router->metrics;

    return metric_value(m->from_others) + metric_value(m->refused[REFUSED_STRANGER]) +
           metric_value(m->refused[REFUSED_TOO_LONG]) + metric_value(m->refused[REFUSED_STRAY]);
}

static bool more_has_arrived(void)
{
    return arrived() > arrived_base;
}

/* The sender's router does not know the session and lets it pass; the receiver's does. */
static void test_a_stranger_at_another_router_is_refused_here(void **state)
{
    struct letter letter = {.session_id = SESSION_ONE};
    uint8_t *long_one;
    int64_t too_long;
    size_t most;

    (void)state;
    cluster_start("4194304", LEASE_LONG);
    cluster_spread();
    listen_events(w, 1, &two);
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    listener_until(w, &two, 1);
    listener_end(&two);
    assert_null(book_session(others[1].router->book, SESSION_ONE));
    arrived_base = arrived();
    assert_int_equal(peer_send(w, 2, SESSION_ONE, w->peers[0].id, 'x', 5), RPC_OK);
    cluster_until(more_has_arrived);
    /* by a router that does not look */
    too_long = metric_value(w->router->metrics.refused[REFUSED_TOO_LONG]);
    most = book_session(w->router->book, SESSION_ONE)->rosters[0].payload_max;
    arrived_base = arrived();
    letter.from = w->peers[1].id;
    letter.deadline_ms = clock_unix_ms() + 60000;
    letter.len = most + 1;
    letter.payload = long_one = mem_new(1, letter.len);
    assert_true(forward_letter(others[1].router, w->peers[0].id, &letter));
    free(long_one);
    cluster_until(more_has_arrived);
    assert_int_equal(metric_value(w->router->metrics.refused[REFUSED_TOO_LONG]), too_long + 1);
    assert_int_equal(peer_send(w, 1, SESSION_ONE, w->peers[0].id, 'y', 5), RPC_OK);
    party_listen(0, &one);
    letters_until(w, &one, 1);
    assert_int_equal(letter_at(&one, 0)->payload.data[0], 'y');
    listener_end(&one);
    cluster_finish();
}

/* Nobody's router knows the session: what one party sends through other routers is bounded here. */
static void test_strays_of_a_sender_elsewhere_are_bounded(void **state)
{
    struct party *sender;
    int64_t refused;

    (void)state;
    cluster_start("4194304", LEASE_LONG);
    cluster_spread();
    sender = registry_party(w->router->registry, w->peers[2].id);
    refused = metric_value(w->router->metrics.refused[REFUSED_STRAY]);
    arrived_base = arrived();
    assert_int_equal(peer_send(w, 2, SESSION_TWO, w->peers[0].id, 'x', 5), RPC_OK);
    cluster_until(more_has_arrived);
    assert_int_equal(sender->stray_items, 1);
    assert_int_equal(sender->stray_bytes, 5);
    sender->stray_items = MAIL_STRAY_ITEMS;
    arrived_base = arrived();
    assert_int_equal(peer_send(w, 2, SESSION_TWO, w->peers[0].id, 'y', 5), RPC_OK);
    cluster_until(more_has_arrived);
    assert_int_equal(metric_value(w->router->metrics.refused[REFUSED_STRAY]), refused + 1);
    assert_int_equal(peer_send(w, 1, SESSION_TWO, w->peers[0].id, 'z', 5), RPC_OK);
    party_listen(0, &one);
    letters_until(w, &one, 2);
    assert_int_equal(letter_at(&one, 0)->payload.data[0], 'x');
    assert_int_equal(letter_at(&one, 1)->payload.data[0], 'z');
    listener_end(&one);
    cluster_finish();
}

static bool stream_is_over(void)
{
    return one.is_done;
}

static void test_a_party_is_at_one_router_the_newest(void **state)
{
    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(0, 0);
    party_go_to(1, 0);
    cluster_settle(1, 0);
    party_listen(1, &one);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10), RPC_OK);
    letters_until(w, &one, 1);
    listener_end(&one);
    party_listen(1, &one);
    party_go_to(3, 1); /* another party's channel takes no part in this */
    {
        /* the stream of the first channel stays open while the party registers elsewhere */
        struct rpc_channel *kept = w->peers[1].channel;

        w->peers[1].channel = world_channel(w, NULL, NULL);
        party_go_to(1, 1);
        cluster_until(stream_is_over);
        assert_int_equal(one.status.code, RPC_ABORTED);
        cluster_settle(1, 1);
        listener_end(&one);
        /* not acknowledged: it went along */
        party_listen(1, &two);
        letters_until(w, &two, 1);
        assert_int_equal(letter_at(&two, 0)->payload.data[0], 'a');
        listener_end(&two);
        rpc_channel_free(kept);
    }
    cluster_finish();
}

static void test_at_the_old_router_it_is_not_registered(void **state)
{
    struct rpc_channel *old;

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(1, 0);
    cluster_settle(1, 0);
    old = w->peers[1].channel;
    w->peers[1].channel = world_channel(w, NULL, NULL);
    party_go_to(1, 1);
    cluster_settle(1, 1);
    rpc_channel_free(w->peers[1].channel);
    w->peers[1].channel = old;
    assert_int_equal(peer_heartbeat(w, 1, 0), RPC_STATE);
    assert_string_equal(w->peers[1].answer.status.name, "not_registered");
    /* and back again */
    assert_int_equal(peer_register(w, 1), RPC_OK);
    cluster_settle(1, 0);
    cluster_finish();
}

static bool all_know_one_home(void)
{
    return cluster_knows(1, 0) || cluster_knows(1, 1);
}

/* Both routers took a registration and neither has heard of the other: the one that was signed
 * later counts, of two of one millisecond either may. */
static void test_of_two_at_once_one_remains(void **state)
{
    (void)state;
    cluster_start("1048576", LEASE_LONG);
    net.holds = true;
    party_go_to(1, 0);
    party_go_to(1, 1);
    net.holds = false;
    cluster_until(all_know_one_home);
    /* it is told at its next call, if it was the newer one that lost, and wins then */
    if (peer_heartbeat(w, 1, 0) == RPC_STATE)
        assert_int_equal(peer_register(w, 1), RPC_OK);
    cluster_settle(1, 1);
    cluster_finish();
}

static void test_any_order_and_twice_changes_nothing(void **state)
{
    bool seen[200] = {false};
    int64_t refused = refused_frames_n();

    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++) {
        cluster_start("10485760", LEASE_LONG);
        net.any_order = net.doubles = true;
        net.random = seed;
        party_go_to(0, 0);
        party_go_to(1, 1);
        cluster_settle(0, 0);
        cluster_settle(1, 1);
        memset(seen, 0, sizeof seen);
        party_listen(1, &one);
        for (int i = 0; i < 200; i++)
            assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, (uint8_t)i, 5), RPC_OK);
        letters_until(w, &one, 200);
        for (size_t i = 0; i < 200; i++) {
            uint8_t which = letter_at(&one, i)->payload.data[0];

            assert_false(seen[which]);
            seen[which] = true;
        }
        assert_int_equal(listener_letters(&one), 200);
        listener_end(&one);
        cluster_finish();
    }
    assert_true(refused_frames_n() > refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_router_knows_every_party),
        cmocka_unit_test(test_changes_elsewhere_are_told_to_watchers),
        cmocka_unit_test(test_a_message_crosses_and_one_at_home_does_not),
        cmocka_unit_test(test_what_waits_follows_its_party),
        cmocka_unit_test(test_an_event_reaches_parties_at_all_routers),
        cmocka_unit_test(test_a_stranger_at_another_router_is_refused_here),
        cmocka_unit_test(test_strays_of_a_sender_elsewhere_are_bounded),
        cmocka_unit_test(test_a_party_is_at_one_router_the_newest),
        cmocka_unit_test(test_at_the_old_router_it_is_not_registered),
        cmocka_unit_test(test_of_two_at_once_one_remains),
        cmocka_unit_test(test_any_order_and_twice_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
