// SPDX-License-Identifier: Apache-2.0
// What a party, an initiator, an operator and a share's owner make with their own keys, by
// libsodium: certificates and registrations (system/access/identity.h), intents
// (include/quorate/intent.h), sealed boxes. Bytes are strings here. Written from the formats, not
// from our code.
#ifndef INTEROP_SERVICES_PARTY_H
#define INTEROP_SERVICES_PARTY_H

#include "coordinator.pb.h"
#include "router.pb.h"

#include <sodium.h>

#include <string>
#include <vector>

std::string random_bytes(size_t n);
std::string hex(const std::string &bytes);
std::string unhex(const std::string &text);
std::string base64(const std::string &bytes);
std::string unbase64(const std::string &text);
// A random UUID as text.
std::string uuid();
int64_t now_ms();

// An Ed25519 key.
class Key {
public:
    explicit Key(const std::string &seed = random_bytes(32));
    std::string sign(const std::string &bytes) const;
    std::string open;

private:
    std::string secret;
};

struct Party {
    // |authority| signs its certificate.
    Party(const Key &authority, const std::string &party_id, const std::string &role);
    mpc::router::v1::RegisterPartyRequest registration(int64_t time_ms = now_ms()) const;

    std::string party_id, role, boot_id;
    Key identity;
    mpc::session::v1::PartyCertificate certificate;
    // What the router gave.
    std::string token, router_boot_id;
};

// CreateSession's request for a keygen of all these, t of n with t = n.
mpc::coordinator::v1::CreateSessionRequest keygen(const Key &initiator,
                                                  const std::vector<const Party *> &parties);
mpc::session::v1::Order order(const Key &oper, const std::string &action,
                              const std::string &account_id, uint64_t serial);
// What is in the sealed box for the owner of the key pair.
std::string open_box(const std::string &box, const std::string &open, const std::string &secret);
// The box that lends a user's share for one session, sealed for |to|.
std::string lend(const std::string &share, const std::string &session_id, const std::string &to);

#endif
