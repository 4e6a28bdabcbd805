// SPDX-License-Identifier: Apache-2.0
// The part of backends: accounts, signatures, users' shares, with an API key.
#include "services_calls.hh"
#include "services_party.hh"

using namespace mpc;
using grpc::StatusCode;

namespace interop {
namespace {

const char hash[] = "3333333333333333333333333333333333333333333333333333333333333333";

account::v1::Account accounts()
{
    using namespace account::v1;
    const std::string user = uuid(), again = uuid();
    const auto q = make<CreateAccountRequest>({{"user_id", user}, {"idempotency_key", again}});
    const auto a = ok(RPC(account, CreateAccount), q, key);
    const auto b = ok(RPC(account, CreateAccount), q, key);
    const auto id = a.account_id();

    check("the account is active",
          a.status() == "active" && a.public_key().size() == 66 && a.parties_size() == 3,
          a.DebugString());
    check("the same request is the same account", b.account_id() == id);
    refused(RPC(account, CreateAccount),
            make<CreateAccountRequest>({{"user_id", "other"}, {"idempotency_key", again}}), key,
            StatusCode::ALREADY_EXISTS, "idempotency_conflict");
    refused(RPC(account, CreateAccount), CreateAccountRequest(), key, StatusCode::INVALID_ARGUMENT,
            "invalid_field");
    const auto list =
        ok(RPC(account, ListAccounts), make<ListAccountsRequest>({{"user_id", user}}), key);
    check("it is listed", list.accounts_size() == 1 && list.accounts(0).account_id() == id);
    const auto got =
        ok(RPC(account, GetAccount), make<GetAccountRequest>({{"account_id", id}}), key);
    check("it is read", got.public_key() == a.public_key());
    refused(RPC(account, GetAccount), make<GetAccountRequest>({{"account_id", unknown}}), key,
            StatusCode::NOT_FOUND, "account_not_found");
    const auto certificate =
        ok(RPC(account, GetCertificate), make<GetCertificateRequest>({{"account_id", id}}), key);
    check("its certificate",
          certificate.public_key() == a.public_key() && certificate.parties_size() == 3);
    refused(RPC(account, GetCertificate), make<GetCertificateRequest>({{"account_id", unknown}}),
            key, StatusCode::NOT_FOUND, "account_not_found");
    const auto pool = ok(RPC(account, ListParties), ListPartiesRequest(), key);
    check("the pool is listed", pool.parties_size() >= 3);
    return a;
}

void signatures(const account::v1::Account &a)
{
    using namespace account::v1;
    const auto id = a.account_id();
    const auto q = make<SignRequest>({{"account_id", id}, {"message", hash}});
    const auto got = ok(RPC(account, Sign), q, key);
    auto both = make<SetSigningPartiesRequest>({{"account_id", id}});

    check("a signature",
          got.message_hash() == hash && got.public_key() == a.public_key() &&
              got.signature().compact().size() == 128 && got.parties_size() == 2,
          got.DebugString());
    refused(RPC(account, Sign), make<SignRequest>({{"account_id", id}, {"message", "ab"}}), key,
            StatusCode::INVALID_ARGUMENT, "invalid_field");
    refused(RPC(account, Sign), make<SignRequest>({{"account_id", unknown}, {"message", hash}}),
            key, StatusCode::NOT_FOUND, "account_not_found");

    refused(RPC(account, SetSigningParties), both, key, StatusCode::INVALID_ARGUMENT,
            "invalid_field");
    both.add_party_ids(a.parties(0));
    both.add_party_ids(a.parties(2));
    const auto set = ok(RPC(account, SetSigningParties), both, key);
    const auto read = ok(RPC(account, GetSigningParties),
                         make<GetSigningPartiesRequest>({{"account_id", id}}), key);
    const auto gone = ok(RPC(account, DeleteSigningParties),
                         make<DeleteSigningPartiesRequest>({{"account_id", id}}), key);
    check("signing parties",
          set.party_ids_size() == 2 && read.party_ids_size() == 2 && gone.party_ids_size() == 0);
    refused(RPC(account, GetSigningParties), make<GetSigningPartiesRequest>({{"account_id", "7"}}),
            key, StatusCode::INVALID_ARGUMENT, "invalid_field");
    refused(RPC(account, DeleteSigningParties),
            make<DeleteSigningPartiesRequest>({{"account_id", unknown}}), key,
            StatusCode::NOT_FOUND, "account_not_found");
}

void sessions(const account::v1::Account &a)
{
    using namespace account::v1;
    auto q = make<KeygenRequest>({{"threshold_n", "2"}, {"threshold_t", "2"}});

    q.add_participants()->set_party_id("party-1");
    q.add_participants()->set_party_id("party-2");
    const auto keygen = ok(RPC(account, Keygen), q, key);
    const auto id = keygen.session_id();
    check("a keygen with tokens", keygen.join_tokens_size() == 2);
    refused(RPC(account, Keygen), make<KeygenRequest>({{"threshold_t", "1"}}), key,
            StatusCode::INVALID_ARGUMENT, "invalid_field");
    const auto made = ok(RPC(account, GetSession),
                         make<GetSessionRequest>({{"session_id", id}, {"wait", "60"}}), key);
    check("it completes", made.status() == "completed", made.DebugString());
    refused(RPC(account, GetSession), make<GetSessionRequest>({{"session_id", unknown}}), key,
            StatusCode::NOT_FOUND, "session_not_found");
    const auto signing =
        make<SignSessionRequest>({{"account_id", a.account_id()}, {"message_hash", hash}});
    const auto got = ok(RPC(account, SignSession), signing, key);
    check("a signing session", got.status() == "completed" && got.signature().r().size() == 64 &&
                                   got.keygen_session_id() == a.session_id());
    refused(RPC(account, SignSession), make<SignSessionRequest>({{"account_id", "7"}}), key,
            StatusCode::INVALID_ARGUMENT, "invalid_account_id");
    const auto events = ok(RPC(account, ListSessionEvents),
                           make<ListSessionEventsRequest>({{"session_id", id}}), key);
    check("its events", events.events(0).event_type() == "session_created");
    refused(RPC(account, ListSessionEvents),
            make<ListSessionEventsRequest>({{"session_id", unknown}}), key, StatusCode::NOT_FOUND,
            "session_not_found");
    refused(RPC(account, CancelSession), make<CancelSessionRequest>({{"session_id", id}}), key,
            StatusCode::FAILED_PRECONDITION, "session_ended");
}

void sign_with_share(const account::v1::Account &a, const std::string &box, const std::string &to)
{
    const auto share = open_box(unbase64(box), unhex(given->text("user.public_key")),
                                unhex(given->text("user.secret_key")));
    auto q = make<account::v1::SignSessionRequest>(
        {{"account_id", a.account_id()}, {"message_hash", hash}, {"wait", "0"}});

    q.add_participants()->set_party_id(a.parties(0));
    q.add_participants()->set_party_id("delegate-1");
    const auto session = ok(RPC(account, SignSession), q, key);
    const auto got = ok(RPC(shares, SignWithShare),
                        make<party_api::v1::SignWithShareRequest>(
                            {{"session_id", session.session_id()},
                             {"join_token", session.join_tokens().at("delegate-1")},
                             {"user_share", base64(lend(share, session.session_id(), unhex(to)))}}),
                        key);
    check("the user's share signs", got.signature().compact().size() == 128);
}

void user_share()
{
    using namespace party_api::v1;
    const auto user = given->text("user.public_key");
    const auto at = ok(RPC(shares, GetShareKey), GetShareKeyRequest(), key);
    const auto made = ok(RPC(account, CreateAccount),
                         make<account::v1::CreateAccountRequest>({{"user_id", uuid()},
                                                                  {"wait", "0"},
                                                                  {"user_share", "delegate"},
                                                                  {"user_public_key", user}}),
                         key);
    const auto id = made.session_id();
    // Its invitation may still be on its way.
    const auto share =
        until(RPC(shares, GenerateShare), make<GenerateShareRequest>({{"session_id", id}}), key,
              [](const auto &) { return true; });
    const auto a = until(RPC(account, GetAccount),
                         make<account::v1::GetAccountRequest>({{"account_id", made.account_id()}}),
                         key, [](const auto &x) { return x.status() != "pending"; });
    check("the share is of the key", a.status() == "active" && a.public_key() == share.public_key(),
          a.DebugString());
    refused(RPC(shares, GenerateShare), make<GenerateShareRequest>({{"session_id", unknown}}), key,
            StatusCode::NOT_FOUND, "session_not_found");
    const auto confirm = make<ConfirmShareRequest>({{"session_id", id}});
    check("it is confirmed", ok(RPC(shares, ConfirmShare), confirm, key).status() == "confirmed");
    refused(RPC(shares, GenerateShare), make<GenerateShareRequest>({{"session_id", id}}), key,
            StatusCode::FAILED_PRECONDITION, "share_confirmed");
    refused(RPC(shares, ConfirmShare), make<ConfirmShareRequest>({{"session_id", "7"}}), key,
            StatusCode::INVALID_ARGUMENT, "invalid_session_id");
    refused(RPC(shares, SignWithShare),
            make<SignWithShareRequest>({{"session_id", id}, {"user_share", "?"}}), key,
            StatusCode::INVALID_ARGUMENT, "invalid_user_share");
    sign_with_share(a, share.user_share(), at.public_key());
}

} // namespace

void backends()
{
    user_share();
    const auto a = accounts();
    signatures(a);
    sessions(a);
}

} // namespace interop
