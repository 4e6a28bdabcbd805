/* SPDX-License-Identifier: Apache-2.0 */
/* The router's calls over real connections: who may, what arrives, what waits, what is refused. */
#include "world.h"

#include "services/router/size_cap.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct listener one, two;

static void test_lesson_1_5_messages_arrive_in_order_and_wait_for_who_is_away(void **state)
{
    struct world *w = world_registered();

    (void)state;
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 'a', 100), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 'b', 100), RPC_OK);
    listen_messages(w, 1, &one, 0);
    letters_until(w, &one, 2);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 'c', 100), RPC_OK);
    letters_until(w, &one, 3);
    for (size_t i = 0; i < 3; i++) {
        const Mpc__Router__V1__IncomingMessage *letter = letter_at(&one, i);

        assert_int_equal(letter->seq, i + 1);
        assert_string_equal(letter->from, "server-party-1");
        assert_string_equal(letter->session_id, SESSION_ONE);
        assert_int_equal(letter->payload.len, 100);
        assert_int_equal(letter->payload.data[99], 'a' + i);
    }
    listener_end(&one);
    world_free(w);
}

static void acknowledge(struct world *w, size_t i, int64_t through, bool of_this_boot)
{
    Mpc__Router__V1__AcknowledgeMessagesRequest request =
        MPC__ROUTER__V1__ACKNOWLEDGE_MESSAGES_REQUEST__INIT;
    uint8_t boot_id[16] = {0};

    request.party_id = w->peers[i].id;
    request.through = through;
    request.router_boot_id = (ProtobufCBinaryData){16, of_this_boot ? w->router->boot_id : boot_id};
    world_call(w, w->peers[i].channel, ROUTER "AcknowledgeMessages", &request.base,
               &mpc__router__v1__acknowledge_messages_response__descriptor, &w->answer);
    assert_int_equal(w->answer.status.code, RPC_OK);
}

static size_t pending(struct world *w, size_t i, int64_t after)
{
    Mpc__Router__V1__PendingMessagesRequest request =
        MPC__ROUTER__V1__PENDING_MESSAGES_REQUEST__INIT;

    request.party_id = w->peers[i].id;
    request.after = after;
    world_call(w, w->peers[i].channel, ROUTER "PendingMessages", &request.base,
               &mpc__router__v1__message_batch__descriptor, &w->answer);
    assert_int_equal(w->answer.status.code, RPC_OK);
    return ((Mpc__Router__V1__MessageBatch *)w->answer.response)->n_messages;
}

static void test_lesson_1_1_a_reader_resumes_after_what_it_acknowledged(void **state)
{
    struct world *w = world_registered();

    (void)state;
    for (uint8_t i = 0; i < 5; i++)
        assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", i, 10), RPC_OK);
    listen_messages(w, 1, &one, 2);
    letters_until(w, &one, 3);
    assert_int_equal(letter_at(&one, 0)->seq, 3);
    listener_end(&one);
    assert_int_equal(pending(w, 1, 0), 3);
    acknowledge(w, 1, 4, false); /* of another life of the router */
    assert_int_equal(pending(w, 1, 0), 3);
    acknowledge(w, 1, 4, true);
    assert_int_equal(pending(w, 1, 0), 1);
    assert_int_equal(pending(w, 1, 5), 0);
    world_free(w);
}

static void test_a_cursor_of_another_router_means_nothing(void **state)
{
    struct world *w = world_registered();

    (void)state;
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 10), RPC_OK);
    w->router->boot_id[0] ^= 1;
    listen_messages(w, 1, &one, 99); /* its request is encoded already */
    w->router->boot_id[0] ^= 1;
    letters_until(w, &one, 1);
    assert_int_equal(letter_at(&one, 0)->seq, 1);
    listener_end(&one);
    world_free(w);
}

static void refused(struct world *w, size_t i, enum rpc_code code, const char *name)
{
    assert_int_equal(w->peers[i].answer.status.code, code);
    assert_string_equal(w->peers[i].answer.status.name, name);
}

static void test_lesson_2_30_only_members_speak_in_a_session_and_only_to_members(void **state)
{
    struct world *w = world_registered();

    (void)state;
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    assert_int_not_equal(peer_send(w, 2, SESSION_ONE, "server-party-1", 1, 10), RPC_OK);
    refused(w, 2, RPC_DENIED, "not_a_member");
    assert_int_not_equal(peer_send(w, 0, SESSION_ONE, "server-party-3", 1, 10), RPC_OK);
    refused(w, 0, RPC_DENIED, "not_a_member");
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 10), RPC_OK);
    assert_int_equal(peer_send(w, 2, SESSION_TWO, "server-party-1", 1, 10), RPC_OK);
    assert_int_equal(pending(w, 0, 0), 1); /* of the session that is not known */
    world_free(w);
}

static void test_lesson_2_30_a_message_longer_than_any_of_its_protocol_is_refused(void **state)
{
    struct world *w = world_registered();
    size_t most = size_cap("sign", 2, 2);

    (void)state;
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, most), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, most + 1), RPC_INVALID);
    refused(w, 0, RPC_INVALID, "payload_too_long");
    world_free(w);
}

static void test_malformed_messages_are_refused_by_name(void **state)
{
    struct world *w = world_registered();

    (void)state;
    peer_send(w, 0, "not-an-id", "server-party-2", 1, 10);
    refused(w, 0, RPC_INVALID, "invalid_session_id");
    peer_send(w, 0, SESSION_ONE, "no spaces", 1, 10);
    refused(w, 0, RPC_INVALID, "invalid_to");
    peer_send(w, 0, SESSION_ONE, "server-party-1", 1, 10);
    refused(w, 0, RPC_INVALID, "invalid_to");
    peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 0);
    refused(w, 0, RPC_INVALID, "invalid_payload");
    world_free(w);
}

static void test_messages_of_one_call_are_bounded(void **state)
{
    enum { MOST = 256 };
    struct world *w = world_registered();
    Mpc__Router__V1__RouteMessageRequest request = MPC__ROUTER__V1__ROUTE_MESSAGE_REQUEST__INIT;
    Mpc__Router__V1__OutgoingMessage message = MPC__ROUTER__V1__OUTGOING_MESSAGE__INIT,
                                     *list[MOST + 1];
    char *to[] = {w->peers[1].id};

    (void)state;
    message.session_id = (char *)(uintptr_t)SESSION_ONE;
    message.to = to;
    message.n_to = 1;
    message.payload = (ProtobufCBinaryData){4, (uint8_t *)(uintptr_t) "mail"};
    for (size_t i = 0; i <= MOST; i++)
        list[i] = &message;
    request.from = w->peers[0].id;
    request.messages = list;
    for (request.n_messages = MOST; request.n_messages <= MOST + 1; request.n_messages++) {
        world_call(w, w->peers[0].channel, ROUTER "RouteMessage", &request.base,
                   &mpc__router__v1__route_message_response__descriptor, &w->answer);
        assert_int_equal(w->answer.status.code, request.n_messages > MOST ? RPC_INVALID : RPC_OK);
    }
    assert_string_equal(w->answer.status.name, "invalid_messages");
    world_free(w);
}

/* One bad message of a call holds up none of the others. */
static void test_a_refused_message_does_not_take_its_call_with_it(void **state)
{
    struct world *w = world_registered();
    Mpc__Router__V1__RouteMessageRequest request = MPC__ROUTER__V1__ROUTE_MESSAGE_REQUEST__INIT;
    Mpc__Router__V1__OutgoingMessage messages[3], *list[3];
    const Mpc__Router__V1__RouteMessageResponse *in;
    char *to[] = {w->peers[1].id};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        mpc__router__v1__outgoing_message__init(&messages[i]);
        messages[i].session_id = (char *)(uintptr_t)(i == 1 ? "nonsense" : SESSION_ONE);
        messages[i].to = to;
        messages[i].n_to = 1;
        messages[i].payload = (ProtobufCBinaryData){4, (uint8_t *)(uintptr_t) "mail"};
        list[i] = &messages[i];
    }
    request.from = w->peers[0].id;
    request.messages = list;
    request.n_messages = 3;
    world_call(w, w->peers[0].channel, ROUTER "RouteMessage", &request.base,
               &mpc__router__v1__route_message_response__descriptor, &w->answer);
    assert_int_equal(w->answer.status.code, RPC_OK);
    in = (const void *)w->answer.response;
    assert_int_equal(in->n_refused, 1);
    assert_int_equal(in->refused[0]->index, 1);
    assert_string_equal(in->refused[0]->code, "invalid_session_id");
    assert_int_equal(pending(w, 1, 0), 2);
    world_free(w);
}

static void test_lesson_2_27_a_party_acts_for_itself_alone(void **state)
{
    struct world *w = world_registered();
    char kept[32];

    (void)state;
    memcpy(kept, w->peers[0].id, sizeof kept);
    memcpy(w->peers[0].id, w->peers[1].id, sizeof kept);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-3", 1, 10), RPC_DENIED);
    refused(w, 0, RPC_DENIED, "not_the_caller");
    assert_int_equal(peer_heartbeat(w, 0, 1), RPC_DENIED);
    listen_messages(w, 0, &one, 0);
    world_until(w, &one.is_done);
    assert_int_equal(one.status.code, RPC_DENIED);
    listen_events(w, 0, &two);
    world_until(w, &two.is_done);
    assert_int_equal(two.status.code, RPC_DENIED);
    memcpy(w->peers[0].id, kept, sizeof kept);
    world_free(w);
}

static void test_lesson_2_30_without_a_token_nothing_is_routed(void **state)
{
    struct world *w = world_registered();

    (void)state;
    rpc_channel_authorize(w->peers[0].channel, NULL, "the-key");
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 10), RPC_UNAUTHENTICATED);
    rpc_channel_authorize(w->peers[0].channel, NULL, NULL);
    assert_int_equal(peer_heartbeat(w, 0, 1), RPC_UNAUTHENTICATED);
    world_free(w);
}

/* The token is good, but this router never heard of the party: it was restarted. */
static void test_a_party_of_another_router_is_told_to_register(void **state)
{
    struct world *w = world_registered();
    struct registry *old = w->router->registry;

    (void)state;
    w->router->registry = registry_new(3000, NULL, NULL);
    assert_int_equal(peer_heartbeat(w, 0, 1), RPC_STATE);
    refused(w, 0, RPC_STATE, "not_registered");
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 10), RPC_STATE);
    registry_free(w->router->registry);
    w->router->registry = old;
    world_free(w);
}

static void test_a_second_subscription_replaces_the_first(void **state)
{
    struct world *w = world_registered();

    (void)state;
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 10), RPC_OK);
    listen_messages(w, 1, &one, 0);
    letters_until(w, &one, 1);
    listen_messages(w, 1, &two, 0);
    letters_until(w, &two, 1);
    world_until(w, &one.is_done);
    assert_int_equal(one.status.code, RPC_ABORTED);
    assert_non_null(strstr(one.status.text, "replaced"));
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 2, 10), RPC_OK);
    letters_until(w, &two, 2);
    listener_end(&one);
    listener_end(&two);
    world_free(w);
}

static void test_a_party_that_started_again_loses_its_old_streams(void **state)
{
    struct world *w = world_registered();

    (void)state;
    listen_messages(w, 1, &one, 0);
    listen_events(w, 1, &two);
    assert_int_equal(peer_heartbeat(w, 1, 0), RPC_OK); /* both are open by now */
    assert_int_equal(peer_register(w, 1), RPC_OK);     /* the same life of it */
    assert_int_equal(streams_n(w->router->streams), 2);
    w->peers[1].boot_id[0] ^= 1;
    assert_int_equal(peer_register(w, 1), RPC_OK);
    world_until(w, &one.is_done);
    world_until(w, &two.is_done);
    assert_int_equal(one.status.code, RPC_ABORTED);
    assert_int_equal(two.status.code, RPC_ABORTED);
    listener_end(&one);
    listener_end(&two);
    world_free(w);
}

static const Mpc__Session__V1__SessionEvent *event_at(const struct listener *listener, size_t i)
{
    return (const void *)listener->got[i];
}

static void test_events_reach_each_with_its_own_token_and_again_after_a_break(void **state)
{
    struct world *w = world_registered();

    (void)state;
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    listen_events(w, 1, &one);
    listener_until(w, &one, 1);
    assert_string_equal(event_at(&one, 0)->event_type, "session_created");
    assert_string_equal(event_at(&one, 0)->join_token, "token of 1");
    assert_string_equal(event_at(&one, 0)->trace_id, TRACE);
    assert_int_equal(event_at(&one, 0)->setup->n_members, 2);
    listener_end(&one);
    listen_events(w, 1, &one);
    listen_events(w, 0, &two);
    listener_until(w, &one, 1);
    listener_until(w, &two, 1);
    assert_string_equal(event_at(&two, 0)->join_token, "token of 0");
    assert_int_equal(publish(w, SESSION_ONE, "session_ready", 0), RPC_OK);
    listener_until(w, &one, 2);
    assert_string_equal(event_at(&one, 1)->event_type, "session_ready");
    listener_end(&one);
    listener_end(&two);
    world_free(w);
}

static void test_after_the_end_only_the_news_of_it_is_kept(void **state)
{
    struct world *w = world_registered();
    int64_t said_ms;
    size_t kept;

    (void)state;
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 10), RPC_OK);
    said_ms = clock_unix_ms();
    assert_int_equal(publish(w, SESSION_ONE, "session_completed", 0), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 2, 10), RPC_OK); /* dropped */
    kept = pending(w, 1, 0); /* what came before stays for two seconds */
    assert_true(kept == 1 || (kept == 0 && clock_unix_ms() - said_ms >= 2000));
    while (mail_items(w->router->mail) > 2)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(pending(w, 1, 0), 0);
    listen_events(w, 1, &one);
    listener_until(w, &one, 1);
    assert_string_equal(event_at(&one, 0)->event_type, "session_completed");
    listener_end(&one);
    world_free(w);
}

static void watch_presence(struct rpc_channel *channel, struct listener *listener)
{
    Mpc__Router__V1__WatchPresenceRequest request = MPC__ROUTER__V1__WATCH_PRESENCE_REQUEST__INIT;

    listen_to(channel, ROUTER "WatchPresence", listener, &request.base,
              &mpc__router__v1__presence_batch__descriptor);
}

static const Mpc__Router__V1__PresenceBatch *presence_at(const struct listener *listener, size_t i)
{
    return (const void *)listener->got[i];
}

static void test_presence_tells_the_coordinator_at_once(void **state)
{
    struct world *w = world_new("1048576", "2000");
    const Mpc__Router__V1__Presence *row;

    (void)state;
    assert_int_equal(peer_register(w, 0), RPC_OK);
    watch_presence(w->coordinator, &one);
    listener_until(w, &one, 1);
    assert_true(presence_at(&one, 0)->snapshot);
    assert_int_equal(presence_at(&one, 0)->n_presences, 1);
    row = presence_at(&one, 0)->presences[0];
    assert_string_equal(row->party->party_id, "server-party-1");
    assert_memory_equal(row->boot_id.data, w->peers[0].boot_id, 16);
    assert_true(row->certificate->body.len > 0);
    assert_string_equal(row->router, cluster_instance(w->router->cluster));
    assert_int_equal(peer_register(w, 1), RPC_OK);
    listener_until(w, &one, 2);
    assert_false(presence_at(&one, 1)->snapshot);
    assert_string_equal(presence_at(&one, 1)->presences[0]->party->party_id, "server-party-2");
    listener_until(w, &one, 4); /* nobody gives a sign of life */
    assert_false(presence_at(&one, 2)->presences[0]->party->live);
    assert_false(presence_at(&one, 3)->presences[0]->party->live);
    listener_end(&one);
    world_free(w);
}

static void test_only_the_coordinator_publishes_and_watches(void **state)
{
    struct world *w = world_registered();
    struct rpc_channel *coordinator = w->coordinator;
    struct rpc_channel *account = world_service(w, "account");

    (void)state;
    w->coordinator = account;
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_DENIED);
    watch_presence(account, &one);
    world_until(w, &one.is_done);
    assert_int_equal(one.status.code, RPC_DENIED);
    w->coordinator = w->peers[0].channel;
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_UNAUTHENTICATED);
    w->coordinator = w->backend;
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_UNAUTHENTICATED);
    w->coordinator = coordinator;
    rpc_channel_free(account);
    world_free(w);
}

static void test_lesson_1_8_a_full_mailbox_takes_more_when_it_is_read(void **state)
{
    struct world *w = world_new("65536", LEASE_LONG);
    int n = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(peer_register(w, i), RPC_OK);
    while (n < 100 && peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 8000) == RPC_OK)
        n++;
    assert_int_equal(n, 8);
    refused(w, 0, RPC_EXHAUSTED, "mailbox_full");
    assert_non_null(strstr(w->peers[0].answer.status.text, "65536"));
    acknowledge(w, 1, 3, true);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 8000), RPC_OK);
    world_free(w);
}

/* 256 messages to 64 parties each, of a session that nobody told of: all that one sender may have. */
static void test_strays_of_one_sender_are_bounded(void **state)
{
    struct world *w = world_registered();
    Mpc__Router__V1__RouteMessageRequest request = MPC__ROUTER__V1__ROUTE_MESSAGE_REQUEST__INIT;
    static Mpc__Router__V1__OutgoingMessage messages[256], *list[256];
    static char ids[64][8];
    static char *to[64];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        snprintf(ids[i], sizeof ids[i], "p%zu", i);
        to[i] = ids[i];
    }
    for (size_t i = 0; i < 256; i++) {
        mpc__router__v1__outgoing_message__init(&messages[i]);
        messages[i].session_id = (char *)(uintptr_t)SESSION_ONE;
        messages[i].to = to;
        messages[i].n_to = 64;
        messages[i].payload = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "x"};
        list[i] = &messages[i];
    }
    request.from = w->peers[0].id;
    request.messages = list;
    request.n_messages = 256;
    world_call(w, w->peers[0].channel, ROUTER "RouteMessage", &request.base,
               &mpc__router__v1__route_message_response__descriptor, &w->answer);
    assert_int_equal(w->answer.status.code, RPC_OK);
    assert_int_equal(mail_items(w->router->mail), MAIL_STRAY_ITEMS);
    peer_send(w, 0, SESSION_TWO, "server-party-2", 1, 10);
    refused(w, 0, RPC_EXHAUSTED, "mailbox_full");
    assert_int_equal(peer_send(w, 1, SESSION_TWO, "server-party-1", 1, 10), RPC_OK);
    assert_int_equal(publish(w, SESSION_ONE, "session_created", 2), RPC_OK);
    assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", 1, 10), RPC_OK);
    world_free(w);
}

/* Far more than a connection takes at once: it comes in bounded batches, whole and in order. */
static void test_much_mail_flows_at_the_readers_pace(void **state)
{
    struct world *w = world_new("67108864", LEASE_LONG);
    size_t n = 1500;

    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(peer_register(w, i), RPC_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(peer_send(w, 0, SESSION_ONE, "server-party-2", (uint8_t)i, 10000), RPC_OK);
    listen_messages(w, 1, &one, 0);
    letters_until(w, &one, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(letter_at(&one, i)->seq, i + 1);
        assert_int_equal(letter_at(&one, i)->payload.data[0], (uint8_t)i);
    }
    assert_true(one.n >= n / MAIL_BATCH_ITEMS);
    listener_end(&one);
    world_free(w);
}

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

static void test_streams_end_when_the_router_stops(void **state)
{
    struct world *w = world_registered();

    (void)state;
    listen_messages(w, 1, &one, 0);
    watch_presence(w->coordinator, &two);
    listener_until(w, &two, 1);
    assert_int_equal(peer_heartbeat(w, 1, 0), RPC_OK);
    router_stop(w->router, on_stopped, &w->is_stopped);
    world_until(w, &one.is_done);
    world_until(w, &two.is_done);
    world_until(w, &w->is_stopped);
    assert_int_equal(one.status.code, RPC_UNAVAILABLE);
    assert_int_equal(two.status.code, RPC_UNAVAILABLE);
    listen_messages(w, 1, &one, 0);
    world_until(w, &one.is_done);
    assert_int_equal(one.status.code, RPC_UNAVAILABLE);
    listener_end(&two);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson_1_5_messages_arrive_in_order_and_wait_for_who_is_away),
        cmocka_unit_test(test_lesson_1_1_a_reader_resumes_after_what_it_acknowledged),
        cmocka_unit_test(test_a_cursor_of_another_router_means_nothing),
        cmocka_unit_test(test_lesson_2_30_only_members_speak_in_a_session_and_only_to_members),
        cmocka_unit_test(test_lesson_2_30_a_message_longer_than_any_of_its_protocol_is_refused),
        cmocka_unit_test(test_malformed_messages_are_refused_by_name),
        cmocka_unit_test(test_messages_of_one_call_are_bounded),
        cmocka_unit_test(test_a_refused_message_does_not_take_its_call_with_it),
        cmocka_unit_test(test_lesson_2_27_a_party_acts_for_itself_alone),
        cmocka_unit_test(test_lesson_2_30_without_a_token_nothing_is_routed),
        cmocka_unit_test(test_a_party_of_another_router_is_told_to_register),
        cmocka_unit_test(test_a_second_subscription_replaces_the_first),
        cmocka_unit_test(test_a_party_that_started_again_loses_its_old_streams),
        cmocka_unit_test(test_events_reach_each_with_its_own_token_and_again_after_a_break),
        cmocka_unit_test(test_after_the_end_only_the_news_of_it_is_kept),
        cmocka_unit_test(test_presence_tells_the_coordinator_at_once),
        cmocka_unit_test(test_only_the_coordinator_publishes_and_watches),
        cmocka_unit_test(test_lesson_1_8_a_full_mailbox_takes_more_when_it_is_read),
        cmocka_unit_test(test_strays_of_one_sender_are_bounded),
        cmocka_unit_test(test_much_mail_flows_at_the_readers_pace),
        cmocka_unit_test(test_streams_end_when_the_router_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
