// SPDX-License-Identifier: Apache-2.0
// What the parts of services_grpcpp share: connections to the services, who calls.
#ifndef INTEROP_SERVICES_CALLS_H
#define INTEROP_SERVICES_CALLS_H

#include "services_client.hh"

#include "account.grpc.pb.h"
#include "coordinator.grpc.pb.h"
#include "party_api.grpc.pb.h"
#include "router.grpc.pb.h"

// Names of stubs are those of packages, too: inside they come first.
namespace interop {

extern std::unique_ptr<Description> given;
extern std::unique_ptr<mpc::account::v1::AccountService::Stub> account;
extern std::unique_ptr<mpc::coordinator::v1::SessionCoordinator::Stub> coordinator;
extern std::unique_ptr<mpc::router::v1::MessageRouter::Stub> router;
extern std::unique_ptr<mpc::party_api::v1::ShareService::Stub> shares;
// A backend.
extern Caller key;

// An id that nothing has.
constexpr char unknown[] = "00000000-0000-4000-8000-000000000000";

void backends();

} // namespace interop

#endif
