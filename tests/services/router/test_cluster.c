/* SPDX-License-Identifier: Apache-2.0 */
/* Several routers in this process, with a broker between them that delivers as the test wants it.
 * Parties and the coordinator call them over real connections. */
#include "net.h"
#include "world.h"

#include "services/router/forward.h"
#include "services/router/seal.h"
#include "services/router/size_cap.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A router besides the world's first. */
struct second {
    struct service_host host;
    struct router *router;
    char target[32];
    bool is_stopped;
};

static struct world *w;
static struct net net;
static struct second others[2];
static struct listener one, two;

static int64_t metric_of(const char *name, const char *labels)
{
    return metric_value(metric_new(METRIC_COUNTER, name, labels, ""));
}

static int64_t forwarded(void)
{
    return metric_of("quorate_router_messages_forwarded_total", NULL);
}

static int64_t refused_frames(void)
{
    return metric_of("quorate_router_broker_frames_refused_total", NULL);
}

static void start_second(struct second *s)
{
    struct rpc_limits limits = {0};
    char error[RPC_TEXT_MAX];

    *s = (struct second){.host = w->host};
    s->host.server = rpc_server_new(&w->loop, &limits);
    rpc_server_guard(s->host.server, access_guard, w->host.access);
    s->router = router_start(&s->host, error);
    assert_non_null(s->router);
    assert_true(rpc_server_listen(s->host.server, "127.0.0.1", 0, NULL, error));
    snprintf(s->target, sizeof s->target, "127.0.0.1:%d", rpc_server_port(s->host.server));
}

static struct router *router_at(size_t i)
{
    return i ? others[i - 1].router : w->router;
}

static void connect_router(size_t i)
{
    struct cluster *cluster = router_at(i)->cluster;

    cluster_set_broker(cluster, net_wire(&net, i, cluster_events(cluster)));
    wire_up(&net.wires[i]);
}

static void until(bool (*is)(void))
{
    world_until_is(w, is);
}

static bool all_are_there(void)
{
    return cluster_peers_n(w->router->cluster) == 2 &&
           cluster_peers_n(others[0].router->cluster) == 2 &&
           cluster_peers_n(others[1].router->cluster) == 2;
}

static void start(const char *mailbox_bytes, const char *lease_ms)
{
    w = world_new(mailbox_bytes, lease_ms);
    net_start(&net, &w->loop);
    start_second(&others[0]);
    start_second(&others[1]);
    for (size_t i = 0; i < 3; i++)
        connect_router(i);
    until(all_are_there);
}

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

static void stop_second(struct second *s)
{
    if (s->is_stopped)
        return;
    router_stop(s->router, on_stopped, &s->is_stopped);
    world_until(w, &s->is_stopped);
}

static void finish(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct second *s = &others[i];
        bool is_server_stopped = false;

        stop_second(s);
        rpc_server_stop(s->host.server, 1000, on_stopped, &is_server_stopped);
        world_until(w, &is_server_stopped);
        router_free(s->router);
        rpc_server_free(s->host.server);
    }
    net_stop(&net);
    world_free(w);
}

/* Party |i| and all it calls from now on is at router |r|. */
static void go_to(size_t i, size_t r)
{
    char first[32];

    snprintf(first, sizeof first, "%s", w->target);
    if (r)
        snprintf(w->target, sizeof w->target, "%s", others[r - 1].target);
    rpc_channel_free(w->peers[i].channel);
    w->peers[i].channel = world_channel(w, NULL, NULL);
    snprintf(w->target, sizeof w->target, "%s", first);
    assert_int_equal(peer_register(w, i), RPC_OK);
}

static bool knows(size_t r, size_t i, size_t home)
{
    const struct party *party = registry_party(router_at(r)->registry, w->peers[i].id);

    return party && party->live &&
           strcmp(party->home, r == home ? "" : cluster_instance(router_at(home)->cluster)) == 0;
}

static size_t wanted_party, wanted_home;

static bool all_know(void)
{
    for (size_t r = 0; r < 3; r++)
        if (router_at(r)->cluster && !others[0].is_stopped && !knows(r, wanted_party, wanted_home))
            return false;
    return true;
}

static void settle(size_t i, size_t home)
{
    wanted_party = i;
    wanted_home = home;
    until(all_know);
}

static void listen_at(size_t i, struct listener *listener)
{
    listen_messages(w, i, listener, 0);
}

static void test_every_router_knows_every_party(void **state)
{
    Mpc__Router__V1__GetRegisteredPartiesRequest request =
        MPC__ROUTER__V1__GET_REGISTERED_PARTIES_REQUEST__INIT;
    const Mpc__Router__V1__GetRegisteredPartiesResponse *in;

    (void)state;
    start("1048576", "3000");
    go_to(0, 0);
    go_to(1, 1);
    go_to(2, 2);
    for (size_t i = 0; i < 3; i++)
        settle(i, i);
    world_call(w, w->backend, ROUTER "GetRegisteredParties", &request.base,
               &mpc__router__v1__get_registered_parties_response__descriptor, &w->answer);
    in = (const void *)w->answer.response;
    assert_int_equal(in->n_parties, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(in->parties[i]->party_id, w->peers[i].id);
        assert_true(in->parties[i]->live);
    }
    finish();
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
    start("1048576", "3000");
    listen_to(w->coordinator, ROUTER "WatchPresence", &one, &request.base,
              &mpc__router__v1__presence_batch__descriptor);
    go_to(1, 1);
    settle(1, 1);
    assert_int_equal(peer_heartbeat(w, 1, 7), RPC_OK);
    until(watcher_has_two);
    last = (const void *)one.got[one.n - 1];
    assert_string_equal(last->presences[0]->party->party_id, w->peers[1].id);
    assert_memory_equal(last->presences[0]->boot_id.data, w->peers[1].boot_id, 16);
    assert_true(last->presences[0]->certificate->body.len > 0);
    assert_string_equal(last->presences[0]->router, cluster_instance(router_at(1)->cluster));
    listener_end(&one);
    finish();
}

static void test_a_message_crosses_and_one_at_home_does_not(void **state)
{
    const size_t len = size_cap_general();
    int64_t crossed;
    size_t direct;

    (void)state;
    start("1048576", "3000");
    go_to(0, 0);
    go_to(1, 1);
    go_to(2, 0);
    settle(1, 1);
    settle(0, 0);
    listen_at(1, &one);
    listen_at(2, &two);
    crossed = forwarded();
    direct = net.direct_bytes;
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[2].id, 'h', len), RPC_OK);
    letters_until(w, &two, 1);
    assert_int_equal(forwarded() - crossed, 0);
    /* routers may still greet each other */
    assert_true(net.direct_bytes - direct < len);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'x', len), RPC_OK);
    letters_until(w, &one, 1);
    assert_string_equal(letter_at(&one, 0)->from, w->peers[0].id);
    assert_string_equal(letter_at(&one, 0)->session_id, SESSION_ONE);
    assert_int_equal(letter_at(&one, 0)->payload.len, len);
    assert_int_equal(letter_at(&one, 0)->payload.data[len - 1], 'x');
    assert_int_equal(forwarded() - crossed, 1);
    assert_true(net.direct_bytes - direct >= len);
    listener_end(&one);
    listener_end(&two);
    finish();
}

static void test_what_waits_follows_its_party(void **state)
{
    (void)state;
    start("1048576", "3000");
    go_to(0, 0);
    /* nobody knows where it is */
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10), RPC_OK);
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'b', 10), RPC_OK);
    go_to(1, 2);
    listen_at(1, &one);
    listen_events(w, 1, &two);
    letters_until(w, &one, 2);
    assert_int_equal(letter_at(&one, 0)->payload.data[0], 'a');
    assert_int_equal(letter_at(&one, 1)->payload.data[0], 'b');
    listener_until(w, &two, 1);
    assert_string_equal(((Mpc__Session__V1__SessionEvent *)two.got[0])->join_token, "token of 1");
    listener_end(&one);
    listener_end(&two);
    finish();
}

static void test_an_event_reaches_parties_at_all_routers(void **state)
{
    (void)state;
    start("1048576", "3000");
    for (size_t i = 0; i < 3; i++)
        go_to(i, i);
    for (size_t i = 0; i < 3; i++)
        settle(i, i);
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
    finish();
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
    start("4194304", "60000");
    for (size_t i = 0; i < 3; i++)
        go_to(i, i);
    for (size_t i = 0; i < 3; i++)
        settle(i, i);
    listen_events(w, 1, &two);
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    listener_until(w, &two, 1);
    listener_end(&two);
    assert_null(book_session(others[1].router->book, SESSION_ONE));
    arrived_base = arrived();
    assert_int_equal(peer_send(w, 2, SESSION_ONE, w->peers[0].id, 'x', 5), RPC_OK);
    until(more_has_arrived);
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
    until(more_has_arrived);
    assert_int_equal(metric_value(w->router->metrics.refused[REFUSED_TOO_LONG]), too_long + 1);
    assert_int_equal(peer_send(w, 1, SESSION_ONE, w->peers[0].id, 'y', 5), RPC_OK);
    listen_at(0, &one);
    letters_until(w, &one, 1);
    assert_int_equal(letter_at(&one, 0)->payload.data[0], 'y');
    listener_end(&one);
    finish();
}

/* Nobody's router knows the session: what one party sends through other routers is bounded here. */
static void test_strays_of_a_sender_elsewhere_are_bounded(void **state)
{
    struct party *sender;
    int64_t refused;

    (void)state;
    start("4194304", "60000");
    for (size_t i = 0; i < 3; i++)
        go_to(i, i);
    for (size_t i = 0; i < 3; i++)
        settle(i, i);
    sender = registry_party(w->router->registry, w->peers[2].id);
    refused = metric_value(w->router->metrics.refused[REFUSED_STRAY]);
    arrived_base = arrived();
    assert_int_equal(peer_send(w, 2, SESSION_TWO, w->peers[0].id, 'x', 5), RPC_OK);
    until(more_has_arrived);
    assert_int_equal(sender->stray_items, 1);
    assert_int_equal(sender->stray_bytes, 5);
    sender->stray_items = MAIL_STRAY_ITEMS;
    arrived_base = arrived();
    assert_int_equal(peer_send(w, 2, SESSION_TWO, w->peers[0].id, 'y', 5), RPC_OK);
    until(more_has_arrived);
    assert_int_equal(metric_value(w->router->metrics.refused[REFUSED_STRAY]), refused + 1);
    assert_int_equal(peer_send(w, 1, SESSION_TWO, w->peers[0].id, 'z', 5), RPC_OK);
    listen_at(0, &one);
    letters_until(w, &one, 2);
    assert_int_equal(letter_at(&one, 0)->payload.data[0], 'x');
    assert_int_equal(letter_at(&one, 1)->payload.data[0], 'z');
    listener_end(&one);
    finish();
}

static bool stream_is_over(void)
{
    return one.is_done;
}

static void test_a_party_is_at_one_router_the_newest(void **state)
{
    (void)state;
    start("1048576", "3000");
    go_to(0, 0);
    go_to(1, 0);
    settle(1, 0);
    listen_at(1, &one);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10), RPC_OK);
    letters_until(w, &one, 1);
    listener_end(&one);
    listen_at(1, &one);
    go_to(3, 1); /* another party's channel takes no part in this */
    {
        /* the stream of the first channel stays open while the party registers elsewhere */
        struct rpc_channel *kept = w->peers[1].channel;

        w->peers[1].channel = world_channel(w, NULL, NULL);
        go_to(1, 1);
        until(stream_is_over);
        assert_int_equal(one.status.code, RPC_ABORTED);
        settle(1, 1);
        listener_end(&one);
        /* not acknowledged: it went along */
        listen_at(1, &two);
        letters_until(w, &two, 1);
        assert_int_equal(letter_at(&two, 0)->payload.data[0], 'a');
        listener_end(&two);
        rpc_channel_free(kept);
    }
    finish();
}

static void test_at_the_old_router_it_is_not_registered(void **state)
{
    struct rpc_channel *old;

    (void)state;
    start("1048576", "3000");
    go_to(1, 0);
    settle(1, 0);
    old = w->peers[1].channel;
    w->peers[1].channel = world_channel(w, NULL, NULL);
    go_to(1, 1);
    settle(1, 1);
    rpc_channel_free(w->peers[1].channel);
    w->peers[1].channel = old;
    assert_int_equal(peer_heartbeat(w, 1, 0), RPC_STATE);
    assert_string_equal(w->peers[1].answer.status.name, "not_registered");
    /* and back again */
    assert_int_equal(peer_register(w, 1), RPC_OK);
    settle(1, 0);
    finish();
}

static bool all_know_one_home(void)
{
    for (wanted_home = 0; wanted_home < 2; wanted_home++)
        if (all_know())
            return true;
    return false;
}

/* Both routers took a registration and neither has heard of the other: the one that was signed
 * later counts, of two of one millisecond either may. */
static void test_of_two_at_once_one_remains(void **state)
{
    (void)state;
    start("1048576", "3000");
    net.holds = true;
    go_to(1, 0);
    go_to(1, 1);
    net.holds = false;
    wanted_party = 1;
    until(all_know_one_home);
    /* it is told at its next call, if it was the newer one that lost, and wins then */
    if (peer_heartbeat(w, 1, 0) == RPC_STATE)
        assert_int_equal(peer_register(w, 1), RPC_OK);
    settle(1, 1);
    finish();
}

static void test_any_order_and_twice_changes_nothing(void **state)
{
    bool seen[200] = {false};
    int64_t refused = refused_frames();

    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++) {
        start("10485760", "3000");
        net.any_order = net.doubles = true;
        net.random = seed;
        go_to(0, 0);
        go_to(1, 1);
        settle(0, 0);
        settle(1, 1);
        memset(seen, 0, sizeof seen);
        listen_at(1, &one);
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
        finish();
    }
    assert_true(refused_frames() > refused);
}

static uint8_t epoch_before[ROUTER_BOOT_BYTES];

static void note_epoch(void)
{
    memcpy(epoch_before, w->router->boot_id, ROUTER_BOOT_BYTES);
}

static bool has_new_epoch(void)
{
    return memcmp(epoch_before, w->router->boot_id, ROUTER_BOOT_BYTES) != 0;
}

static uint8_t other_before[ROUTER_BOOT_BYTES];

static bool other_has_new_epoch(void)
{
    return memcmp(other_before, others[0].router->boot_id, ROUTER_BOOT_BYTES) != 0;
}

static bool party_one_is_gone(void)
{
    const struct party *party = registry_party(w->router->registry, w->peers[1].id);

    return party && !party->live;
}

static bool party_one_is_at_two(void)
{
    return knows(0, 1, 2);
}

static void test_a_silent_router_is_gone_and_all_is_sent_again(void **state)
{
    (void)state;
    start("1048576", "600");
    go_to(1, 1);
    settle(1, 1);
    note_epoch();
    net.wires[1].is_still = true;
    until(party_one_is_gone);
    until(has_new_epoch);
    assert_int_equal(cluster_peers_n(w->router->cluster), 1);
    /* it goes on: its party is where it was */
    note_epoch();
    net.wires[1].is_still = false;
    assert_int_equal(peer_heartbeat(w, 1, 0), RPC_OK);
    settle(1, 1);
    finish();
}

/* It never missed anybody, so it has no reason of its own to prove that it is there. */
static void test_a_router_that_was_not_heard_is_believed_again(void **state)
{
    (void)state;
    start("1048576", "600");
    go_to(1, 1);
    settle(1, 1);
    net.wires[1].is_mute = true;
    until(party_one_is_gone);
    net.wires[1].is_mute = false;
    until(all_are_there);
    finish();
}

/* What is known of it is newer than what it says, as after its clock was set back. */
static void test_a_party_of_a_router_that_is_gone_is_taken_from_any_other(void **state)
{
    (void)state;
    start("1048576", "600");
    go_to(1, 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(peer_register(w, 1), RPC_OK);
    settle(1, 1);
    net.wires[1].is_still = true;
    until(party_one_is_gone);
    registry_party(w->router->registry, w->peers[1].id)->proof_ms += 1000;
    go_to(1, 2);
    until(party_one_is_at_two);
    /* the one that stood still goes on: the party tries again, if need be */
    net.wires[1].is_still = false;
    until(all_are_there);
    while (!knows(1, 1, 2))
        if (peer_heartbeat(w, 1, 0) == RPC_STATE)
            assert_int_equal(peer_register(w, 1), RPC_OK);
    settle(1, 2);
    finish();
}

static void test_a_router_that_stops_says_so(void **state)
{
    (void)state;
    start("1048576", "60000");
    go_to(1, 1);
    settle(1, 1);
    note_epoch();
    stop_second(&others[0]);
    until(party_one_is_gone);
    until(has_new_epoch);
    finish();
}

static void test_an_address_that_is_gone_is_a_router_that_is_gone(void **state)
{
    (void)state;
    start("1048576", "60000");
    go_to(0, 0);
    go_to(1, 1);
    settle(1, 1);
    note_epoch();
    net.wires[1].is_up = false;
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10), RPC_OK);
    until(has_new_epoch);
    finish();
}

static void test_after_a_loss_of_the_broker_all_is_sent_again(void **state)
{
    uint8_t other[ROUTER_BOOT_BYTES];

    (void)state;
    start("1048576", "60000");
    go_to(0, 0);
    go_to(1, 1);
    settle(1, 1);
    settle(0, 0);
    note_epoch();
    memcpy(other, others[0].router->boot_id, sizeof other);
    wire_down(&net.wires[0]);
    /* kept here meanwhile */
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10), RPC_OK);
    assert_false(has_new_epoch());
    wire_up(&net.wires[0]);
    until(has_new_epoch);
    until(all_are_there);
    listen_at(1, &one);
    letters_until(w, &one, 1);
    listener_end(&one);
    /* the other one, too: what it sent to the old address is lost */
    memcpy(other_before, other, sizeof other);
    until(other_has_new_epoch);
    finish();
}

static void test_a_full_mailbox_elsewhere_is_refused(void **state)
{
    enum rpc_code code = RPC_OK;

    (void)state;
    start("65536", "60000");
    go_to(0, 0);
    go_to(1, 1);
    settle(1, 1);
    note_epoch();
    for (int i = 0; i < 1000 && code == RPC_OK; i++)
        code = peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10000);
    assert_int_equal(code, RPC_EXHAUSTED);
    assert_string_equal(w->peers[0].answer.status.name, "mailbox_full");
    assert_true(mail_bytes(others[0].router->mail) <= 65536);
    /* some were taken and did not fit */
    until(has_new_epoch);
    finish();
}

static void test_a_broker_that_refuses_is_a_full_mailbox(void **state)
{
    enum rpc_code code = RPC_OK;

    (void)state;
    start("1048576", "60000");
    go_to(0, 0);
    go_to(1, 1);
    settle(1, 1);
    note_epoch();
    net.wires[0].is_refused = true;
    for (int i = 0; i < 1000 && code == RPC_OK; i++)
        code = peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 1000);
    assert_int_equal(code, RPC_EXHAUSTED);
    assert_string_equal(w->peers[0].answer.status.name, "mailbox_full");
    net.wires[0].is_refused = false;
    until(has_new_epoch);
    finish();
}

enum { MANY = 16 * REPEAT_MIN };

/* What the first router says to all, as the frames of |list| have it. */
struct heard {
    size_t most;
    bool has[MANY];
};

static void hear(struct heard *out, const struct parcel *parcel, const uint8_t key[SEAL_KEY_BYTES])
{
    struct seal_head head;
    Mpc__Router__V1__RouterFrame *frame;
    uint8_t *content;
    size_t len;

    assert_true(open_frame(&head, &content, &len, key, parcel->b, parcel->len));
    frame = mpc__router__v1__router_frame__unpack(NULL, len, content);
    assert_non_null(frame);
    out->most = frame->n_parties > out->most ? frame->n_parties : out->most;
    for (size_t i = 0; i < frame->n_parties; i++)
        out->has[atoi(frame->parties[i]->registration->party_id + strlen("many-"))] = true;
    mpc__router__v1__router_frame__free_unpacked(frame, NULL);
    free(content);
}

static struct parcel *list;
static size_t heard_n;

static bool is_said_to_all(const struct parcel *parcel)
{
    return parcel->from == &net.wires[0] && !parcel->to[0];
}

static bool more_was_said(void)
{
    size_t n = 0;

    for (const struct parcel *p = list; p; p = p->next)
        n += is_said_to_all(p);
    return n > heard_n;
}

static void register_many(struct registry *registry)
{
    Mpc__Router__V1__RegisterPartyRequest r = MPC__ROUTER__V1__REGISTER_PARTY_REQUEST__INIT;
    Mpc__Session__V1__PartyCertificate certificate = MPC__SESSION__V1__PARTY_CERTIFICATE__INIT;
    uint8_t zero[64] = {0};
    char id[16];

    r.party_id = id;
    r.role = (char *)(uintptr_t) "persistent";
    r.certificate = &certificate;
    r.boot_id = (ProtobufCBinaryData){16, zero};
    r.nonce = (ProtobufCBinaryData){16, zero};
    r.proof = (ProtobufCBinaryData){64, zero};
    for (size_t i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "many-%zu", i);
        assert_int_equal(registry_register(registry, &r, router_now()), REGISTERED);
    }
}

/* A word about ten thousand parties every second would be megabytes. */
static void test_of_many_parties_a_part_is_repeated_at_a_time(void **state)
{
    static struct heard heard;
    uint8_t key[SEAL_KEY_BYTES];

    (void)state;
    start("1048576", "60000");
    seal_key(key, config_text(w->host.config, "JWT_SECRET_KEY"));
    net.holds = true; /* nobody looks at them */
    net.record = &list;
    register_many(w->router->registry);
    until(more_was_said);
    net_forget(&list);
    for (heard_n = 0; heard_n < REPEAT_BEATS; heard_n++) {
        forward_repeat(w->router);
        until(more_was_said);
    }
    net.record = NULL;
    for (const struct parcel *p = list; p; p = p->next)
        if (is_said_to_all(p))
            hear(&heard, p, key);
    net_forget(&list);
    /* two turns may leave in one frame */
    assert_in_range(heard.most, REPEAT_MIN, 2 * (MANY / REPEAT_BEATS + 1));
    for (size_t i = 0; i < MANY; i++)
        assert_true(heard.has[i]);
    net.holds = false;
    finish();
}

static bool refused_some;
static int64_t refused_base;

static bool more_was_refused(void)
{
    refused_some = refused_frames() > refused_base;
    return refused_some;
}

static void test_forged_and_damaged_frames_are_refused(void **state)
{
    struct parcel *record = NULL, parcel;
    struct seal_head head = {.number = 1};
    uint8_t key[SEAL_KEY_BYTES];
    struct buffer frame = {0};

    (void)state;
    start("1048576", "60000");
    net.record = &record;
    go_to(1, 1);
    settle(1, 1);
    net.record = NULL;
    assert_non_null(record);
    for (size_t at = 0; at < record->len; at += record->len / 7 + 1) {
        refused_base = refused_frames();
        record->b[at] ^= 1;
        net_repeat(&net, record);
        until(more_was_refused);
        record->b[at] ^= 1;
    }
    /* whoever has another JWT_SECRET_KEY */
    seal_key(key, "another secret of more than thirty-two characters");
    seal_frame(&frame, key, &head, (const uint8_t *)"", 0);
    parcel = (struct parcel){.b = frame.b, .len = frame.len};
    refused_base = refused_frames();
    net_repeat(&net, &parcel);
    until(more_was_refused);
    assert_int_equal(cluster_peers_n(w->router->cluster), 2);
    buffer_free(&frame);
    net_forget(&record);
    finish();
}

static bool nothing_is_under_way(void)
{
    return !net.list;
}

/* All that a router that has gone ever said, repeated to routers that never knew it. */
static void test_repeated_frames_make_no_router(void **state)
{
    struct parcel *record = NULL;
    bool none = true;

    (void)state;
    start("1048576", "60000");
    go_to(0, 0);
    go_to(1, 1);
    settle(0, 0);
    net.record = &record;
    settle(1, 1);
    assert_int_equal(peer_heartbeat(w, 1, 3), RPC_OK);
    /* to all, and to one */
    assert_int_equal(peer_send(w, 1, SESSION_ONE, w->peers[0].id, 'a', 10), RPC_OK);
    listen_at(0, &one);
    letters_until(w, &one, 1);
    listener_end(&one);
    net.record = NULL;
    finish();
    /* the same authority and the same secret, other processes */
    start("1048576", "60000");
    for (const struct parcel *p = record; p; p = p->next) {
        struct parcel to_all = *p;

        net_repeat(&net, p);
        /* who publishes chooses where it goes */
        to_all.to[0] = '\0';
        net_repeat(&net, &to_all);
    }
    net_repeat(&net, record);
    until(nothing_is_under_way);
    for (size_t r = 0; r < 3; r++) {
        none = none && !registry_party(router_at(r)->registry, w->peers[1].id);
        assert_int_equal(cluster_peers_n(router_at(r)->cluster), 2);
    }
    assert_true(none);
    net_forget(&record);
    finish();
}

static bool party_two_has_load_nine(void)
{
    return registry_party(w->router->registry, w->peers[2].id)->load == 9;
}

/* A router whose word is taken cannot invent a party. */
static void test_a_party_elsewhere_is_verified_here(void **state)
{
    struct party *party;

    (void)state;
    start("1048576", "60000");
    go_to(1, 1);
    settle(1, 1);
    go_to(2, 1);
    settle(2, 1);
    party = registry_party(others[0].router->registry, w->peers[1].id);
    party->proof[5] ^= 1;
    assert_int_equal(peer_heartbeat(w, 1, 9), RPC_OK);
    assert_int_equal(peer_heartbeat(w, 2, 9), RPC_OK);
    until(party_two_has_load_nine);
    assert_int_equal(registry_party(w->router->registry, w->peers[1].id)->load, 0);
    finish();
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
        cmocka_unit_test(test_a_silent_router_is_gone_and_all_is_sent_again),
        cmocka_unit_test(test_a_router_that_was_not_heard_is_believed_again),
        cmocka_unit_test(test_a_party_of_a_router_that_is_gone_is_taken_from_any_other),
        cmocka_unit_test(test_a_router_that_stops_says_so),
        cmocka_unit_test(test_an_address_that_is_gone_is_a_router_that_is_gone),
        cmocka_unit_test(test_after_a_loss_of_the_broker_all_is_sent_again),
        cmocka_unit_test(test_a_full_mailbox_elsewhere_is_refused),
        cmocka_unit_test(test_a_broker_that_refuses_is_a_full_mailbox),
        cmocka_unit_test(test_of_many_parties_a_part_is_repeated_at_a_time),
        cmocka_unit_test(test_forged_and_damaged_frames_are_refused),
        cmocka_unit_test(test_repeated_frames_make_no_router),
        cmocka_unit_test(test_a_party_elsewhere_is_verified_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
