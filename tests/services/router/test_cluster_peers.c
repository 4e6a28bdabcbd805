/* SPDX-License-Identifier: Apache-2.0 */
/* Routers that come, go, stand still, are not heard; a broker that is lost or refuses,
 * and mailboxes that are full: nothing is lost unsaid. */
#include "routers.h"

#include <string.h>

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
    return router_knows(0, 1, 2);
}

static void test_a_silent_router_is_gone_and_all_is_sent_again(void **state)
{
    (void)state;
    cluster_start("1048576", "2000");
    party_go_to(1, 1);
    cluster_settle(1, 1);
    note_epoch();
    net.wires[1].is_still = true;
    cluster_until(party_one_is_gone);
    cluster_until(has_new_epoch);
    assert_int_equal(cluster_peers_n(w->router->cluster), 1);
    /* it goes on: its party is where it was */
    note_epoch();
    net.wires[1].is_still = false;
    assert_int_equal(peer_heartbeat(w, 1, 0), RPC_OK);
    cluster_settle(1, 1);
    cluster_finish();
}

/* It never missed anybody, so it has no reason of its own to prove that it is there. */
static void test_a_router_that_was_not_heard_is_believed_again(void **state)
{
    (void)state;
    cluster_start("1048576", "2000");
    party_go_to(1, 1);
    cluster_settle(1, 1);
    net.wires[1].is_mute = true;
    cluster_until(party_one_is_gone);
    net.wires[1].is_mute = false;
    cluster_until(cluster_is_whole);
    cluster_finish();
}

/* What is known of it is newer than what it says, as after its clock was set back. */
static void test_a_party_of_a_router_that_is_gone_is_taken_from_any_other(void **state)
{
    (void)state;
    cluster_start("1048576", "2000");
    party_go_to(1, 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(peer_register(w, 1), RPC_OK);
    cluster_settle(1, 1);
    net.wires[1].is_still = true;
    cluster_until(party_one_is_gone);
    registry_party(w->router->registry, w->peers[1].id)->proof_ms += 1000;
    party_go_to(1, 2);
    cluster_until(party_one_is_at_two);
    /* the one that stood still goes on: the party tries again, if need be */
    net.wires[1].is_still = false;
    cluster_until(cluster_is_whole);
    while (!router_knows(1, 1, 2))
        if (peer_heartbeat(w, 1, 0) == RPC_STATE)
            assert_int_equal(peer_register(w, 1), RPC_OK);
    cluster_settle(1, 2);
    cluster_finish();
}

static void test_a_router_that_stops_says_so(void **state)
{
    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(1, 1);
    cluster_settle(1, 1);
    note_epoch();
    second_stop(&others[0]);
    cluster_until(party_one_is_gone);
    cluster_until(has_new_epoch);
    cluster_finish();
}

static void test_an_address_that_is_gone_is_a_router_that_is_gone(void **state)
{
    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(0, 0);
    party_go_to(1, 1);
    cluster_settle(1, 1);
    note_epoch();
    net.wires[1].is_up = false;
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10), RPC_OK);
    cluster_until(has_new_epoch);
    cluster_finish();
}

static void test_after_a_loss_of_the_broker_all_is_sent_again(void **state)
{
    uint8_t other[ROUTER_BOOT_BYTES];

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(0, 0);
    party_go_to(1, 1);
    cluster_settle(1, 1);
    cluster_settle(0, 0);
    note_epoch();
    memcpy(other, others[0].router->boot_id, sizeof other);
    wire_down(&net.wires[0]);
    /* kept here meanwhile */
    assert_int_equal(peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', 10), RPC_OK);
    assert_false(has_new_epoch());
    wire_up(&net.wires[0]);
    cluster_until(has_new_epoch);
    cluster_until(cluster_is_whole);
    party_listen(1, &one);
    letters_until(w, &one, 1);
    listener_end(&one);
    /* the other one, too: what it sent to the old address is lost */
    memcpy(other_before, other, sizeof other);
    cluster_until(other_has_new_epoch);
    cluster_finish();
}

/* From party 0 to party 1, messages of |len| bytes. */
static void send_until_full(size_t len)
{
    enum rpc_code code = RPC_OK;

    for (int i = 0; i < 1000 && code == RPC_OK; i++)
        code = peer_send(w, 0, SESSION_ONE, w->peers[1].id, 'a', len);
    assert_int_equal(code, RPC_EXHAUSTED);
    assert_string_equal(w->peers[0].answer.status.name, "mailbox_full");
}

static void test_a_full_mailbox_elsewhere_is_refused(void **state)
{
    (void)state;
    cluster_start("65536", LEASE_LONG);
    party_go_to(0, 0);
    party_go_to(1, 1);
    cluster_settle(1, 1);
    note_epoch();
    send_until_full(10000);
    assert_true(mail_bytes(others[0].router->mail) <= 65536);
    /* some were taken and did not fit */
    cluster_until(has_new_epoch);
    cluster_finish();
}

static void test_a_broker_that_refuses_is_a_full_mailbox(void **state)
{
    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(0, 0);
    party_go_to(1, 1);
    cluster_settle(1, 1);
    note_epoch();
    net.wires[0].is_refused = true;
    send_until_full(1000);
    net.wires[0].is_refused = false;
    cluster_until(has_new_epoch);
    cluster_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_silent_router_is_gone_and_all_is_sent_again),
        cmocka_unit_test(test_a_router_that_was_not_heard_is_believed_again),
        cmocka_unit_test(test_a_party_of_a_router_that_is_gone_is_taken_from_any_other),
        cmocka_unit_test(test_a_router_that_stops_says_so),
        cmocka_unit_test(test_an_address_that_is_gone_is_a_router_that_is_gone),
        cmocka_unit_test(test_after_a_loss_of_the_broker_all_is_sent_again),
        cmocka_unit_test(test_a_full_mailbox_elsewhere_is_refused),
        cmocka_unit_test(test_a_broker_that_refuses_is_a_full_mailbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
