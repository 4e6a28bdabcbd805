// SPDX-License-Identifier: Apache-2.0
#include "services_party.hh"

#include "party_api.pb.h"

#include <chrono>
#include <stdexcept>

using namespace mpc::session::v1;
using mpc::coordinator::v1::CreateSessionRequest;
using mpc::router::v1::RegisterPartyRequest;

namespace {

const unsigned char *bytes(const std::string &s)
{
    return reinterpret_cast<const unsigned char *>(s.data());
}

unsigned char *room(std::string &s)
{
    return reinterpret_cast<unsigned char *>(&s[0]);
}

std::string sha256(const std::string &s)
{
    std::string out(32, 0);

    crypto_hash_sha256(room(out), bytes(s), s.size());
    return out;
}

// Big endian.
std::string number(uint64_t value, size_t size)
{
    std::string out(size, 0);

    for (size_t i = size; i-- > 0; value >>= 8)
        out[i] = static_cast<char>(value & 0xff);
    return out;
}

std::string prefix(const char *text)
{
    return text + std::string(1, 0);
}

std::string raw_uuid(const std::string &text)
{
    std::string digits;

    for (char c : text)
        if (c != '-')
            digits += c;
    return unhex(digits);
}

// Operation keygen, suite, profile, purpose; one attempt; no path, no message.
std::string intent(const std::vector<const Party *> &parties)
{
    const auto deadline = static_cast<uint64_t>(now_ms()) / 1000 + 600;
    const size_t n = parties.size();
    std::string out = std::string("DKI1") + std::string("\1\1\1\1\1", 5) + raw_uuid(uuid()) +
                      raw_uuid(uuid()) + std::string(32, 0) + random_bytes(32) +
                      number(deadline, 8) + number(1, 4) + number(n, 2) + number(n, 2);

    for (size_t i = 1; i <= n; i++)
        out += number(i, 2);
    for (const Party *party : parties)
        out += sha256(party->identity.open);
    return out + number(0, 2) + number(0, 1) + number(0, 4);
}

} // namespace

std::string random_bytes(size_t n)
{
    std::string out(n, 0);

    randombytes_buf(&out[0], n);
    return out;
}

std::string hex(const std::string &s)
{
    std::string out(2 * s.size() + 1, 0);

    sodium_bin2hex(&out[0], out.size(), bytes(s), s.size());
    out.pop_back();
    return out;
}

std::string unhex(const std::string &text)
{
    std::string out(text.size() / 2, 0);

    if (sodium_hex2bin(room(out), out.size(), text.data(), text.size(), nullptr, nullptr,
                       nullptr) != 0)
        throw std::runtime_error("no hex: " + text);
    return out;
}

std::string base64(const std::string &s)
{
    std::string out(sodium_base64_ENCODED_LEN(s.size(), sodium_base64_VARIANT_ORIGINAL), 0);

    sodium_bin2base64(&out[0], out.size(), bytes(s), s.size(), sodium_base64_VARIANT_ORIGINAL);
    out.pop_back();
    return out;
}

std::string unbase64(const std::string &text)
{
    std::string out(text.size(), 0);
    size_t len = 0;

    if (sodium_base642bin(room(out), out.size(), text.data(), text.size(), nullptr, &len, nullptr,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        throw std::runtime_error("no base64");
    out.resize(len);
    return out;
}

std::string uuid()
{
    std::string b = random_bytes(16);

    b[6] = static_cast<char>((b[6] & 0x0f) | 0x40);
    b[8] = static_cast<char>((b[8] & 0x3f) | 0x80);
    const std::string text = hex(b);
    return text.substr(0, 8) + "-" + text.substr(8, 4) + "-" + text.substr(12, 4) + "-" +
           text.substr(16, 4) + "-" + text.substr(20);
}

int64_t now_ms()
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();

    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

Key::Key(const std::string &seed) : open(32, 0), secret(64, 0)
{
    crypto_sign_seed_keypair(room(open), room(secret), bytes(seed));
}

std::string Key::sign(const std::string &s) const
{
    std::string out(64, 0);

    crypto_sign_detached(room(out), nullptr, bytes(s), s.size(), bytes(secret));
    return out;
}

Party::Party(const Key &authority, const std::string &id, const std::string &what)
    : party_id(id), role(what), boot_id(random_bytes(16))
{
    PartyIdentity body;

    body.set_party_id(party_id);
    body.set_identity_key(identity.open);
    body.set_role(role);
    certificate.set_body(body.SerializeAsString());
    certificate.set_signature(
        authority.sign(prefix("quorate/party-certificate/1") + certificate.body()));
}

RegisterPartyRequest Party::registration(int64_t time_ms) const
{
    RegisterPartyRequest q;

    q.set_party_id(party_id);
    q.set_role(role);
    q.set_capacity(8);
    q.set_version("test");
    *q.mutable_certificate() = certificate;
    q.set_boot_id(boot_id);
    q.set_time_ms(time_ms);
    q.set_nonce(random_bytes(16));
    q.set_proof(identity.sign(prefix("quorate/register/1") + prefix(party_id.c_str()) +
                              prefix(role.c_str()) + boot_id +
                              number(static_cast<uint64_t>(time_ms), 8) + q.nonce()));
    return q;
}

CreateSessionRequest keygen(const Key &initiator, const std::vector<const Party *> &parties)
{
    const std::string tag = sha256("DKC/1/intent/sig");
    CreateSessionRequest q;

    q.set_session_type("keygen");
    q.set_want_tokens(true);
    q.set_intent(intent(parties));
    q.set_initiator_key(initiator.open);
    q.set_intent_signature(
        initiator.sign(sha256(tag + tag + number(q.intent().size(), 4) + q.intent())));
    for (const Party *party : parties) {
        Member *member = q.add_members();

        member->set_party_id(party->party_id);
        member->set_index(static_cast<uint32_t>(q.members_size()));
        *member->mutable_certificate() = party->certificate;
    }
    return q;
}

Order order(const Key &oper, const std::string &action, const std::string &account_id,
            uint64_t serial)
{
    OrderBody body;
    Order out;

    body.set_action(action);
    body.set_account_id(account_id);
    body.set_serial(serial);
    out.set_body(body.SerializeAsString());
    out.set_signature(oper.sign(prefix("quorate/operator-order/1") + out.body()));
    return out;
}

std::string open_box(const std::string &box, const std::string &open, const std::string &secret)
{
    std::string inside(box.size() - crypto_box_SEALBYTES, 0);

    if (crypto_box_seal_open(room(inside), bytes(box), box.size(), bytes(open), bytes(secret)) != 0)
        throw std::runtime_error("the share's box does not open");
    return inside;
}

std::string lend(const std::string &share, const std::string &session_id, const std::string &to)
{
    mpc::party_api::v1::LentShare message;

    message.set_session_id(session_id);
    message.set_user_share(share);

    const std::string inside = message.SerializeAsString();
    std::string out(inside.size() + crypto_box_SEALBYTES, 0);

    crypto_box_seal(room(out), bytes(inside), inside.size(), bytes(to));
    return out;
}
