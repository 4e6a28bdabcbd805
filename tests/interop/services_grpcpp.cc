// SPDX-License-Identifier: Apache-2.0
// grpc++ against a running system: `services_grpcpp DESCRIPTION`. Every call of every service, as
// it succeeds and as it is refused; the program plays parties and the initiator. The cases of
// scenario.mjs. A line for each check, exit 0 if all are right.
#include "services_calls.hh"
#include "services_party.hh"

#include "health.grpc.pb.h"

#include <algorithm>

using namespace mpc;
using grpc::StatusCode;
using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace interop {

std::unique_ptr<Description> given;
std::unique_ptr<account::v1::AccountService::Stub> account;
std::unique_ptr<coordinator::v1::SessionCoordinator::Stub> coordinator;
std::unique_ptr<router::v1::MessageRouter::Stub> router;
std::unique_ptr<party_api::v1::ShareService::Stub> shares;
Caller key;

namespace {

std::unique_ptr<Party> first, second, delegate;
std::unique_ptr<Key> initiator;

Caller bearer(const std::string &token)
{
    return {"authorization", "Bearer " + token};
}

Caller token_of(const char *who)
{
    return bearer(given->text(std::string("tokens.") + who));
}

void connect(const char *path)
{
    given = std::make_unique<Description>(path);
    key = {"x-api-key", given->text("api_key")};
    account = account::v1::AccountService::NewStub(given->channel("account-service"));
    coordinator =
        coordinator::v1::SessionCoordinator::NewStub(given->channel("session-coordinator"));
    router = router::v1::MessageRouter::NewStub(given->channel("message-router"));
    shares = party_api::v1::ShareService::NewStub(given->channel("server-party-api"));
}

// ---- who may call ----

#define STRANGER(service, method, Q) refused(RPC(service, method), Q(), nobody, no, "unauthorized")

void strangers()
{
    const auto no = StatusCode::UNAUTHENTICATED;
    using namespace account::v1;

    STRANGER(account, CreateAccount, CreateAccountRequest);
    STRANGER(account, ListParties, ListPartiesRequest);
    STRANGER(account, SubmitOrder, account::v1::SubmitOrderRequest);
    STRANGER(account, ListFreezes, account::v1::ListFreezesRequest);
    STRANGER(coordinator, ListFreezes, coordinator::v1::ListFreezesRequest);
    STRANGER(coordinator, ListSessions, coordinator::v1::ListSessionsRequest);
    STRANGER(coordinator, ListInvitations, coordinator::v1::ListInvitationsRequest);
    STRANGER(coordinator, WatchSession, coordinator::v1::WatchSessionRequest);
    STRANGER(router, Heartbeat, router::v1::HeartbeatRequest);
    STRANGER(router, GetRegisteredParties, router::v1::GetRegisteredPartiesRequest);
    STRANGER(router, SubscribeSessionEvents, router::v1::SubscribeSessionEventsRequest);
    STRANGER(shares, GetShareKey, party_api::v1::GetShareKeyRequest);
    refused(RPC(account, ListAccounts), ListAccountsRequest(), {"x-api-key", "no"}, no,
            "unauthorized");
    refused(RPC(router, WatchPresence), router::v1::WatchPresenceRequest(), token_of("ghost"), no,
            "unauthorized");
    refused(RPC(router, WatchPresence), router::v1::WatchPresenceRequest(), token_of("account"),
            StatusCode::PERMISSION_DENIED, "not_the_coordinator");
    refused(RPC(router, PublishSessionEvent), router::v1::PublishSessionEventRequest(),
            token_of("account"), StatusCode::PERMISSION_DENIED, "not_the_coordinator");
}

void health_of(const std::string &process, const std::string &name)
{
    const auto health = Health::NewStub(given->channel(process));

    for (const std::string &service : {std::string(), name}) {
        const auto q = make<HealthCheckRequest>({{"service", service}});
        const auto got = ok(RPC(health, Check), q, nobody);
        auto watch = stream(RPC(health, Watch), q, nobody);

        check(process + " serves", got.status() == HealthCheckResponse::SERVING);
        check("its watcher is told so", watch.next().status() == HealthCheckResponse::SERVING);
        watch.cancel();
    }
    const auto q = make<HealthCheckRequest>({{"service", "no.such"}});
    auto watch = stream(RPC(health, Watch), q, nobody);
    refused(RPC(health, Check), q, nobody, StatusCode::NOT_FOUND, "service_not_found");
    check("its watcher learns that it is not there",
          watch.next().status() == HealthCheckResponse::SERVICE_UNKNOWN);
    watch.cancel();
}

void health()
{
    for (const auto &[process, service] : given->processes().fields())
        health_of(process, service.string_value());
}

// ---- parties ----

void register_party(Party &party)
{
    const auto got = ok(RPC(router, RegisterParty), party.registration(), nobody);

    check("a token", !got.party_token().empty() && got.router_boot_id().size() == 16);
    party.token = got.party_token();
    party.router_boot_id = got.router_boot_id();
}

void registration()
{
    const Key authority(unhex(given->text("ca_seed")));
    const Party stranger(Key(), "own-1", "persistent");

    initiator = std::make_unique<Key>();
    first = std::make_unique<Party>(authority, "own-1", "persistent");
    second = std::make_unique<Party>(authority, "own-2", "persistent");
    delegate = std::make_unique<Party>(authority, "own-d", "delegate");
    refused(RPC(router, RegisterParty), stranger.registration(), nobody,
            StatusCode::UNAUTHENTICATED, "invalid_certificate");
    refused(RPC(router, RegisterParty), first->registration(now_ms() + 60000), nobody,
            StatusCode::FAILED_PRECONDITION, "clock_skew");
    auto q = first->registration();
    q.set_role("king");
    refused(RPC(router, RegisterParty), q, nobody, StatusCode::INVALID_ARGUMENT, "invalid_role");
    for (Party *party : {first.get(), second.get(), delegate.get()})
        register_party(*party);
}

void presence()
{
    using namespace router::v1;
    auto watch =
        stream(RPC(router, WatchPresence), WatchPresenceRequest(), token_of("coordinator"));
    HeartbeatRequest q;

    check("all parties", watch.next().snapshot());
    q.set_party_id("own-1");
    q.set_load(3);
    q.set_time_ms(now_ms());
    const auto got = ok(RPC(router, Heartbeat), q, bearer(first->token));
    check("the same router", got.router_boot_id() == first->router_boot_id);
    watch.until([](const auto &batch) {
        for (const auto &p : batch.presences())
            if (p.party().party_id() == "own-1" && p.party().load() == 3)
                return true;
        return false;
    });
    watch.cancel();
    refused(RPC(router, Heartbeat), q, bearer(second->token), StatusCode::PERMISSION_DENIED,
            "not_the_caller");
    q.set_party_id("ghost");
    refused(RPC(router, Heartbeat), q, token_of("ghost"), StatusCode::FAILED_PRECONDITION,
            "not_registered");
    const auto listed =
        ok(RPC(router, GetRegisteredParties),
           make<GetRegisteredPartiesRequest>({{"role", "delegate"}}), bearer(first->token));
    check("parties by role", listed.parties_size() == 2);
    refused(RPC(router, GetRegisteredParties),
            make<GetRegisteredPartiesRequest>({{"role", "king"}}), key,
            StatusCode::INVALID_ARGUMENT, "invalid_role");
}

router::v1::RouteMessageRequest message(const std::string &to, const std::string &payload)
{
    static const std::string session = uuid();
    auto q = make<router::v1::RouteMessageRequest>({{"from", "own-1"}});

    fill(q.add_messages(), {{"session_id", session}, {"to", to}, {"payload", payload}});
    return q;
}

void messages()
{
    using namespace router::v1;
    const auto one = bearer(first->token), two = bearer(second->token);
    auto q = make<SubscribeMessagesRequest>({{"party_id", "own-2"}});
    auto inbox = stream(RPC(router, SubscribeMessages), q, two);

    ok(RPC(router, RouteMessage), message("own-2", "first"), one);
    const auto came = inbox.next();
    check("a message", came.messages(0).payload() == "first" && came.messages(0).from() == "own-1",
          came.DebugString());
    auto taken = make<AcknowledgeMessagesRequest>({{"party_id", "own-2"}});
    taken.set_through(came.messages(0).seq());
    taken.set_router_boot_id(came.router_boot_id());
    ok(RPC(router, AcknowledgeMessages), taken, two);
    ok(RPC(router, RouteMessage), message("own-2", "second"), one);
    const auto pending = ok(RPC(router, PendingMessages),
                            make<PendingMessagesRequest>({{"party_id", "own-2"}}), two);
    check("what is acknowledged is gone",
          pending.messages_size() == 1 && pending.messages(0).payload() == "second");
    q.set_after(came.messages(0).seq());
    q.set_router_boot_id(came.router_boot_id());
    auto again = stream(RPC(router, SubscribeMessages), q, two);
    check("it resumes from its cursor", again.next().messages(0).payload() == "second");
    check("the first is replaced", inbox.end().error_code() == StatusCode::ABORTED);
    again.cancel();
    refused(RPC(router, RouteMessage), message("own-1", "to myself"), one,
            StatusCode::INVALID_ARGUMENT, "invalid_to");
    refused(RPC(router, RouteMessage), message("own-2", "x"), two, StatusCode::PERMISSION_DENIED,
            "not_the_caller");
    refused(RPC(router, SubscribeMessages), q, one, StatusCode::PERMISSION_DENIED,
            "not_the_caller");
    refused(RPC(router, AcknowledgeMessages), taken, one, StatusCode::PERMISSION_DENIED,
            "not_the_caller");
    refused(RPC(router, PendingMessages), make<PendingMessagesRequest>({{"after", "0"}}), one,
            StatusCode::PERMISSION_DENIED, "not_the_caller");
}

// ---- sessions of our own parties ----

void selection()
{
    using namespace coordinator::v1;
    const auto q = make<SelectPartiesRequest>({{"threshold_t", "2"},
                                               {"threshold_n", "2"},
                                               {"party_ids", "own-1"},
                                               {"party_ids", "own-2"}});
    const auto got =
        until(RPC(coordinator, SelectParties), q, key, [](const auto &) { return true; });

    check("those that are named", got.members_size() == 2 && got.members(1).party_id() == "own-2");
    refused(RPC(coordinator, SelectParties), SelectPartiesRequest(), key,
            StatusCode::INVALID_ARGUMENT, "invalid_threshold");
}

// JoinSession's request.
coordinator::v1::JoinSessionRequest joining(const Party &party, const std::string &session,
                                            const std::string &token)
{
    return make<coordinator::v1::JoinSessionRequest>({{"session_id", session},
                                                      {"party_id", party.party_id},
                                                      {"join_token", token},
                                                      {"idempotency_key", uuid()}});
}

template <class Q> Q said(const std::string &session, const Party &party, const std::string &token)
{
    return make<Q>(
        {{"session_id", session}, {"party_id", party.party_id}, {"session_token", token}});
}

void give_up(const std::string &session, const std::string &token)
{
    using namespace coordinator::v1;
    const auto ready = said<MarkPartyReadyRequest>(session, *first, token);
    auto report = said<ReportCompletionRequest>(session, *first, token);

    check("its status", !ok(RPC(coordinator, MarkPartyReady), ready, nobody).status().empty());
    refused(RPC(coordinator, MarkPartyReady), said<MarkPartyReadyRequest>(session, *second, token),
            nobody, StatusCode::PERMISSION_DENIED, "wrong_party");
    refused(RPC(coordinator, ReportCompletion), report, nobody, StatusCode::INVALID_ARGUMENT,
            "invalid_field");
    report.mutable_failure()->set_code("POLICY");
    report.mutable_failure()->set_text("not today");
    check("the failure is the end",
          ok(RPC(coordinator, ReportCompletion), report, nobody).status() == "failed");
}

void read_failure(const std::string &id, const std::string &account_id)
{
    using namespace coordinator::v1;
    const auto events =
        ok(RPC(coordinator, ListSessionEvents),
           make<ListSessionEventsRequest>({{"session_id", id}}), bearer(first->token));
    const auto status = ok(RPC(coordinator, GetSessionStatus),
                           make<GetSessionStatusRequest>({{"session_id", id}}), key);
    const auto listed = ok(RPC(coordinator, ListSessions),
                           make<ListSessionsRequest>({{"account_id", account_id}}), key);

    check("the log has the end",
          events.events(events.events_size() - 1).event_type() == "session_failed");
    check("its state", status.session().status() == "failed" &&
                           status.session().error().find("not today") != std::string::npos);
    check("it is listed", listed.sessions_size() == 1 && listed.sessions(0).session_id() == id);
    refused(RPC(coordinator, CancelSession), make<CancelSessionRequest>({{"session_id", id}}), key,
            StatusCode::FAILED_PRECONDITION, "session_ended");
    refused(RPC(coordinator, GetSessionStatus),
            make<GetSessionStatusRequest>({{"session_id", unknown}}), key, StatusCode::NOT_FOUND,
            "session_not_found");
    refused(RPC(coordinator, ListSessionEvents),
            make<ListSessionEventsRequest>({{"session_id", unknown}}), key, StatusCode::NOT_FOUND,
            "session_not_found");
}

void failure()
{
    using namespace coordinator::v1;
    auto events = stream(RPC(router, SubscribeSessionEvents),
                         make<router::v1::SubscribeSessionEventsRequest>({{"party_id", "own-1"}}),
                         bearer(first->token));
    const auto made =
        ok(RPC(coordinator, CreateSession), keygen(*initiator, {first.get(), second.get()}), key);
    const auto id = made.session().session_id();
    const auto is_of = [&](const auto &event) { return event.session_id() == id; };
    auto watch = stream(RPC(coordinator, WatchSession),
                        make<WatchSessionRequest>({{"session_id", id}}), key);
    auto q = keygen(*initiator, {first.get(), second.get()});

    q.set_intent_signature(std::string(64, 0));
    refused(RPC(coordinator, CreateSession), q, key, StatusCode::INVALID_ARGUMENT,
            "invalid_intent");
    const auto invited = events.until(is_of);
    check("an invitation",
          invited.event_type() == "session_created" && invited.setup().members_size() == 2,
          invited.DebugString());
    const auto polled =
        ok(RPC(coordinator, ListInvitations), make<ListInvitationsRequest>({{"party_id", "own-2"}}),
           bearer(second->token));
    check("the same by a poll", polled.events_size() == 1 && is_of(polled.events(0)));
    const auto request = joining(*first, id, invited.join_token());
    const auto joined = ok(RPC(coordinator, JoinSession), request, nobody);
    check("it joins, twice the same",
          joined.setup().session_id() == id &&
              ok(RPC(coordinator, JoinSession), request, nobody).setup().session_id() == id);
    refused(RPC(coordinator, JoinSession), joining(*first, id, invited.join_token()), nobody,
            StatusCode::ALREADY_EXISTS, "join_token_used");
    ok(RPC(coordinator, JoinSession), joining(*second, id, made.join_tokens().at("own-2")), nobody);
    give_up(id, joined.session_token());
    const auto end = watch.until([](const auto &m) { return m.session().status() == "failed"; });
    check("its watcher is told", end.session().joined_parties() == 2 && watch.end().ok());
    events.until([&](const auto &e) { return is_of(e) && e.event_type() == "session_failed"; });
    events.cancel();
    read_failure(id, made.session().account_id());
}

void delegation()
{
    using namespace coordinator::v1;
    const auto made =
        ok(RPC(coordinator, CreateSession), keygen(*initiator, {first.get(), delegate.get()}), key);
    const auto id = made.session().session_id();
    const auto of = [&](const Party &party) {
        const auto token = made.join_tokens().at(party.party_id);
        const auto joined = ok(RPC(coordinator, JoinSession), joining(party, id, token), nobody);
        auto q = said<SubmitDelegateShareRequest>(id, party, joined.session_token());

        q.set_sealed_share(std::string(100, 'x'));
        return q;
    };
    refused(RPC(coordinator, SubmitDelegateShare), of(*first), nobody,
            StatusCode::PERMISSION_DENIED, "not_a_delegate");
    ok(RPC(coordinator, SubmitDelegateShare), of(*delegate), nobody);
    const auto got =
        ok(RPC(coordinator, CancelSession), make<CancelSessionRequest>({{"session_id", id}}), key);
    check("it is cancelled", got.session().status() == "cancelled");

    auto q = make<account::v1::KeygenRequest>({{"threshold_n", "2"}, {"threshold_t", "2"}});
    q.add_participants()->set_party_id("own-1");
    q.add_participants()->set_party_id("own-2");
    const auto keygen = ok(RPC(account, Keygen), q, key);
    const auto cancel =
        make<account::v1::CancelSessionRequest>({{"session_id", keygen.session_id()}});
    check("by the account service too",
          ok(RPC(account, CancelSession), cancel, key).status() == "cancelled");
}

void publication()
{
    router::v1::PublishSessionEventRequest q;
    const auto id = uuid();
    auto events = stream(RPC(router, SubscribeSessionEvents),
                         make<router::v1::SubscribeSessionEventsRequest>({{"party_id", "own-1"}}),
                         bearer(first->token));

    fill(q.mutable_event(), {{"session_id", id}, {"event_type", "session_cancelled"}});
    q.add_to("own-1");
    q.set_deadline_ms(now_ms() + 60000);
    ok(RPC(router, PublishSessionEvent), q, token_of("coordinator"));
    events.until([&](const auto &event) { return event.session_id() == id; });
    events.cancel();
}

void orders()
{
    const Key oper(unhex(given->text("operator_seed")));
    const auto id = uuid();
    const auto freeze = order(oper, "freeze", id, 1);
    coordinator::v1::SubmitOrderRequest q;
    const auto got = ok(RPC(account, SubmitOrder),
                        make<account::v1::SubmitOrderRequest>(
                            {{"body", hex(freeze.body())}, {"signature", hex(freeze.signature())}}),
                        key);

    const auto frozen =
        ok(RPC(account, ListFreezes), account::v1::ListFreezesRequest(), key).freezes();
    check("what is frozen is listed",
          std::any_of(frozen.begin(), frozen.end(), [&](const auto& f) {
              return f.account_id() == id && f.body() == hex(freeze.body());
          }));
    const auto orders =
        ok(RPC(coordinator, ListFreezes), coordinator::v1::ListFreezesRequest(), key).orders();
    check("with their orders", std::any_of(orders.begin(), orders.end(), [&](const auto& o) {
              return o.body() == freeze.body();
          }));
    *q.mutable_order() = order(oper, "unfreeze", id, 2);
    check("orders are numbered", ok(RPC(coordinator, SubmitOrder), q, key).seq() > got.seq());
    *q.mutable_order() = order(Key(), "freeze", id, 3);
    refused(RPC(coordinator, SubmitOrder), q, key, StatusCode::PERMISSION_DENIED,
            "order_not_signed");
}

void coverage()
{
    check_covered("account", "mpc.account.v1.AccountService");
    check_covered("coordinator", "mpc.coordinator.v1.SessionCoordinator");
    check_covered("router", "mpc.router.v1.MessageRouter");
    check_covered("shares", "mpc.party_api.v1.ShareService");
    check_covered("health", "grpc.health.v1.Health", {"health.Watch"});
}

} // namespace

static void run(const char *path)
{
    connect(path);
    strangers();
    health();
    backends();
    registration();
    presence();
    messages();
    selection();
    failure();
    delegation();
    publication();
    orders();
    coverage();
}

} // namespace interop

int main(int argc, char **argv)
{
    if (argc != 2 || sodium_init() < 0)
        return 2;
    try {
        interop::run(argv[1]);
    } catch (const std::exception &e) {
        check("to the end", false, e.what());
    }
    return faults == 0 ? 0 : 1;
}
