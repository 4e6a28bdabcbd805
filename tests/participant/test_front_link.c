/* SPDX-License-Identifier: Apache-2.0 */
/* A party's network side, with channels that the test plays: registration, heartbeat, what an
 * answer means, and which message is new. Over real connections it is in test_front.c. */
#include "participant/front_link_state.h"

#include "coordinator.pb-c.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CALLS_MAX = 64 };

/* The channels' side */

struct rpc_pending {
    const char *name;
    bool is_open;
    ProtobufCMessage *message;
    rpc_message *each;
    rpc_done *done;
    void *arg;
};

static struct rpc_pending calls[CALLS_MAX];
static size_t calls_n;
static char authorization[64];

static ProtobufCMessage *copy(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *b = mem_new(len + 1, 1);
    ProtobufCMessage *again;

    protobuf_c_message_pack(message, b);
    again = protobuf_c_message_unpack(message->descriptor, NULL, len, b);
    free(b);
    return again;
}

struct rpc_pending *rpc_start(struct rpc_channel *channel, const struct rpc_request *request)
{
    struct rpc_pending *call = &calls[calls_n++];

    (void)channel;
    assert_true(calls_n <= CALLS_MAX);
    *call = (struct rpc_pending){.name = strchr(request->path, '/') + 1,
                                 .is_open = true,
                                 .message = copy(request->message),
                                 .each = request->each,
                                 .done = request->done,
                                 .arg = request->arg};
    return call;
}

void rpc_cancel(struct rpc_pending *pending)
{
    assert_true(pending->is_open);
    pending->is_open = false;
}

void rpc_channel_authorize(struct rpc_channel *channel, const char *text, const char *api_key)
{
    (void)channel;
    assert_null(api_key);
    snprintf(authorization, sizeof authorization, "%s", text);
}

bool rpc_channel_is_connected(const struct rpc_channel *channel)
{
    (void)channel;
    return true;
}

/* The latest call of this name that is under way, or NULL. */
static struct rpc_pending *find(const char *name)
{
    for (size_t i = calls_n; i-- > 0;) {
        if (calls[i].is_open && strcmp(calls[i].name, name) == 0)
            return &calls[i];
    }
    return NULL;
}

static void finish(struct rpc_pending *call, enum rpc_code code, const ProtobufCMessage *response)
{
    const struct rpc_status status = {.code = code, .text = "why"};

    assert_non_null(call);
    call->is_open = false;
    call->done(call->arg, &status, response);
}

static size_t count_of(const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < calls_n; i++)
        n += strcmp(calls[i].name, name) == 0;
    return n;
}

/* The party's side */

static uv_loop_t loop;
static struct front_link *party;
static size_t proofs, ups, losses, faults;
static int64_t proof_ms, marks[8];
static uint8_t proof_nonce[16];
static char taken[64];
static bool is_full;

static void prove(void *arg, int64_t time_ms, const uint8_t nonce[16])
{
    (void)arg;
    proofs++;
    proof_ms = time_ms;
    memcpy(proof_nonce, nonce, 16);
}

static bool take_message(void *arg, const Mpc__Router__V1__IncomingMessage *message, int64_t mark)
{
    size_t n = strlen(taken) / 2;

    (void)arg;
    if (is_full)
        return false;
    assert_true(n < sizeof marks / sizeof marks[0]);
    marks[n] = mark;
    snprintf(taken + 2 * n, sizeof taken - 2 * n, "%lld ", (long long)message->seq);
    return true;
}

static void see_event(void *arg, const Mpc__Session__V1__SessionEvent *event)
{
    (void)arg;
    (void)event;
}

static void see_order(void *arg, const Mpc__Session__V1__Order *order)
{
    (void)arg;
    (void)order;
}

static void see_up(void *arg)
{
    (void)arg;
    ups++;
}

static void see_lost(void *arg)
{
    (void)arg;
    losses++;
}

static void see_polled(void *arg)
{
    (void)arg;
}

static void see_fault(void *arg, const char *why)
{
    (void)arg;
    assert_non_null(strstr(why, "why"));
    faults++;
}

static void hang_up(struct rpc_channel *channel)
{
    (void)channel;
}

static int begin(void **state)
{
    static const struct front_link_watch watch = {
        NULL, prove, see_event, see_order, take_message, see_up, see_lost, see_polled, see_fault};
    struct front_link_params params = {.loop = &loop,
                                       .hangup = hang_up,
                                       .version = "1",
                                       .capacity = 9,
                                       .heartbeat_ms = 1,
                                       .tries = 2};

    (void)state;
    calls_n = proofs = ups = losses = faults = 0;
    taken[0] = authorization[0] = '\0';
    is_full = false;
    if (uv_loop_init(&loop) != 0)
        return -1;
    party = front_link_new(&params, &watch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    front_link_free(party);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < calls_n; i++)
        protobuf_c_message_free_unpacked(calls[i].message, NULL);
    return uv_loop_close(&loop);
}

static void ready(void)
{
    Mpc__Keeper__V1__Ready who = MPC__KEEPER__V1__READY__INIT;
    uint8_t boot[16] = {5};

    who.party_id = "party-1";
    who.role = "persistent";
    who.boot_id = (ProtobufCBinaryData){sizeof boot, boot};
    front_link_ready(party, &who);
}

static void give_proof(int64_t time_ms, const uint8_t *nonce)
{
    Mpc__Keeper__V1__RegistrationProof proof = MPC__KEEPER__V1__REGISTRATION_PROOF__INIT;
    uint8_t b[64] = {6};

    proof.time_ms = time_ms;
    proof.nonce = (ProtobufCBinaryData){16, (uint8_t *)nonce};
    proof.proof = (ProtobufCBinaryData){sizeof b, b};
    front_link_proof(party, &proof);
}

static ProtobufCBinaryData boot_of(uint8_t number)
{
    static uint8_t b[16];

    memset(b, number, sizeof b);
    return (ProtobufCBinaryData){sizeof b, b};
}

static void be_registered(uint8_t boot)
{
    Mpc__Router__V1__RegisterPartyResponse answer = MPC__ROUTER__V1__REGISTER_PARTY_RESPONSE__INIT;

    answer.party_token = "token";
    answer.router_boot_id = boot_of(boot);
    give_proof(proof_ms, proof_nonce);
    finish(find("RegisterParty"), RPC_OK, &answer.base);
}

/* Until there is another call of this name: a timer of the link brings it. */
static struct rpc_pending *await(const char *name)
{
    while (!find(name))
        uv_run(&loop, UV_RUN_ONCE);
    return find(name);
}

static void test_what_an_answer_means(void **state)
{
    static const enum rpc_code lost[] = {RPC_CANCELLED,   RPC_UNKNOWN,  RPC_DEADLINE,
                                         RPC_EXHAUSTED,   RPC_ABORTED,  RPC_INTERNAL,
                                         RPC_UNAVAILABLE, RPC_DATA_LOSS};
    size_t lost_n = 0;

    (void)state;
    for (int code = RPC_OK; code <= RPC_UNAUTHENTICATED; code++) {
        const struct rpc_status status = {.code = (enum rpc_code)code};
        enum front_answer answer = front_link_judge(&status);

        assert_int_equal(answer == FRONT_ANSWER_OK, code == RPC_OK);
        lost_n += answer == FRONT_ANSWER_LOST;
    }
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        const struct rpc_status status = {.code = lost[i]};

        assert_int_equal(front_link_judge(&status), FRONT_ANSWER_LOST);
    }
    assert_int_equal(lost_n, sizeof lost / sizeof lost[0]);
}

static void test_only_the_proof_that_was_asked_for_registers(void **state)
{
    const Mpc__Router__V1__RegisterPartyRequest *request;
    uint8_t other[16];

    (void)state;
    assert_string_equal(front_link_party(party), "");
    ready();
    ready(); /* once */
    assert_int_equal(proofs, 1);
    memcpy(other, proof_nonce, 16);
    other[15] ^= 1;
    give_proof(proof_ms, other);
    give_proof(proof_ms + 1, proof_nonce);
    assert_int_equal(calls_n, 0);
    give_proof(proof_ms, proof_nonce);
    give_proof(proof_ms, proof_nonce);
    assert_int_equal(count_of("RegisterParty"), 1);
    request = (const Mpc__Router__V1__RegisterPartyRequest *)find("RegisterParty")->message;
    assert_string_equal(request->party_id, "party-1");
    assert_string_equal(request->role, "persistent");
    assert_int_equal(request->capacity, 9);
    assert_int_equal(request->time_ms, proof_ms);
    assert_memory_equal(request->nonce.data, proof_nonce, 16);
    assert_int_equal(request->proof.data[0], 6);
    assert_int_equal(request->boot_id.data[0], 5);
    assert_false(front_link_is_registered(party));
}

/* And the next try, unless there is none. */
static void fail_to_register(void)
{
    size_t before = proofs;

    give_proof(proof_ms, proof_nonce);
    finish(find("RegisterParty"), RPC_UNAVAILABLE, NULL);
    while (faults == 0 && proofs == before)
        uv_run(&loop, UV_RUN_ONCE);
}

static void test_a_party_that_was_registered_never_gives_up(void **state)
{
    (void)state;
    ready();
    be_registered(1);
    assert_true(front_link_is_registered(party));
    assert_int_equal(ups, 1);
    assert_string_equal(authorization, "Bearer token");
    front_link_register(party);
    for (size_t tries = 0; tries < 3; tries++) {
        assert_false(front_link_is_registered(party));
        fail_to_register();
    }
    be_registered(1);
    assert_true(front_link_is_registered(party));
    assert_int_equal(faults, 0);
    assert_int_equal(losses, 0);
}

static void test_before_that_it_does(void **state)
{
    (void)state;
    ready();
    while (faults == 0)
        fail_to_register();
    assert_int_equal(faults, 1);
    assert_true(count_of("RegisterParty") >= 2 && count_of("RegisterParty") <= 3);
    assert_int_equal(ups, 0);
}

static void test_a_heartbeat_renews_the_token_and_one_that_is_refused_the_registration(void **state)
{
    Mpc__Router__V1__HeartbeatResponse answer = MPC__ROUTER__V1__HEARTBEAT_RESPONSE__INIT;
    struct rpc_pending *beat;

    (void)state;
    ready();
    be_registered(1);
    front_link_load(party, 7);
    beat = await("Heartbeat");
    assert_int_equal(((Mpc__Router__V1__HeartbeatRequest *)beat->message)->load, 7);
    answer.party_token = "another";
    answer.router_boot_id = boot_of(1);
    finish(beat, RPC_OK, &answer.base);
    assert_string_equal(authorization, "Bearer another");
    finish(await("Heartbeat"), RPC_DEADLINE, NULL);
    assert_true(front_link_is_registered(party)); /* nobody knows */
    assert_int_equal(proofs, 1);
    finish(await("Heartbeat"), RPC_STATE, NULL);
    assert_false(front_link_is_registered(party));
    assert_int_equal(proofs, 2);
}

static void test_another_boot_of_the_router_is_told_once(void **state)
{
    ProtobufCBinaryData boot = boot_of(1), none = {0, NULL};

    (void)state;
    ready();
    be_registered(1);
    assert_true(front_link_boot(party, &boot));
    assert_true(front_link_boot(party, &none)); /* says nothing */
    assert_int_equal(losses, 0);
    boot = boot_of(2);
    assert_false(front_link_boot(party, &boot));
    assert_true(front_link_boot(party, &boot));
    assert_int_equal(losses, 1);
}

/* One message of the mailbox. */
static void deliver(int64_t seq)
{
    Mpc__Router__V1__MessageBatch batch = MPC__ROUTER__V1__MESSAGE_BATCH__INIT;
    Mpc__Router__V1__IncomingMessage row = MPC__ROUTER__V1__INCOMING_MESSAGE__INIT, *list = &row;
    struct rpc_pending *stream = find("SubscribeMessages");

    row.seq = seq;
    batch.router_boot_id = boot_of(1);
    batch.messages = &list;
    batch.n_messages = 1;
    assert_non_null(stream);
    stream->each(stream->arg, &batch.base);
}

static int64_t subscribed_after(void)
{
    return ((Mpc__Router__V1__SubscribeMessagesRequest *)find("SubscribeMessages")->message)->after;
}

static void test_a_message_is_taken_once_and_acknowledged_when_it_is_handed_over(void **state)
{
    struct rpc_pending *acknowledgement;

    (void)state;
    ready();
    be_registered(1);
    assert_int_equal(subscribed_after(), 0);
    deliver(1);
    deliver(2);
    deliver(1);
    deliver(2);
    deliver(-5);
    deliver(INT64_MAX);
    deliver(4);
    assert_string_equal(taken, "1 2 4 ");
    assert_null(find("AcknowledgeMessages"));
    front_link_handed(party, marks[1]);
    acknowledgement = await("AcknowledgeMessages");
    assert_int_equal(
        ((Mpc__Router__V1__AcknowledgeMessagesRequest *)acknowledgement->message)->through, 2);
    front_link_handed(party, marks[0]); /* older */
    finish(acknowledgement, RPC_UNAVAILABLE, NULL);
    acknowledgement = await("AcknowledgeMessages"); /* again */
    assert_int_equal(
        ((Mpc__Router__V1__AcknowledgeMessagesRequest *)acknowledgement->message)->through, 2);
    front_link_register(party);
    be_registered(1);
    assert_int_equal(subscribed_after(), 4);
}

static void test_a_full_party_gets_the_message_again(void **state)
{
    (void)state;
    ready();
    be_registered(1);
    deliver(1);
    is_full = true;
    deliver(2);
    is_full = false;
    deliver(3); /* not before 2 */
    assert_string_equal(taken, "1 ");
    front_link_resume(party);
    assert_int_equal(subscribed_after(), 1);
    deliver(2);
    assert_string_equal(taken, "1 2 ");
}

static enum front_answer answered;

static void see_answer(void *arg, enum front_answer answer, const struct rpc_status *status,
                       const ProtobufCMessage *response)
{
    (void)arg;
    (void)status;
    (void)response;
    answered = answer;
}

static void call(const char *path)
{
    const Mpc__Router__V1__HeartbeatRequest message = MPC__ROUTER__V1__HEARTBEAT_REQUEST__INIT;
    const struct front_link_call what = {.path = path,
                                         .message = &message.base,
                                         .response =
                                             &mpc__router__v1__heartbeat_response__descriptor,
                                         .done = see_answer};

    front_link_call(party, &what);
}

/* The call is no refusal of what it carries; the coordinator's is. */
static void test_a_router_that_forgot_the_party_is_told_again_who_it_is(void **state)
{
    (void)state;
    ready();
    be_registered(1);
    call("mpc.coordinator.v1.X/Call");
    finish(find("Call"), RPC_STATE, NULL);
    assert_int_equal(answered, FRONT_ANSWER_REFUSED);
    assert_int_equal(proofs, 1);
    call("mpc.router.v1.X/Call");
    finish(find("Call"), RPC_STATE, NULL);
    assert_int_equal(answered, FRONT_ANSWER_LOST);
    assert_int_equal(proofs, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_answer_means),
        TEST(test_only_the_proof_that_was_asked_for_registers),
        TEST(test_a_party_that_was_registered_never_gives_up),
        TEST(test_before_that_it_does),
        TEST(test_a_heartbeat_renews_the_token_and_one_that_is_refused_the_registration),
        TEST(test_another_boot_of_the_router_is_told_once),
        TEST(test_a_message_is_taken_once_and_acknowledged_when_it_is_handed_over),
        TEST(test_a_full_party_gets_the_message_again),
        TEST(test_a_router_that_forgot_the_party_is_told_again_who_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
