/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call what, in one table. */
#include "services/coordinator/routes.h"

#include "services/coordinator/create.h"
#include "services/coordinator/invitations.h"
#include "services/coordinator/orders.h"
#include "services/coordinator/party_calls.h"
#include "services/coordinator/reads.h"
#include "services/coordinator/report.h"
#include "system/access/access.h"

#define SERVICE "mpc.coordinator.v1.SessionCoordinator/"
#define TYPES(name)                                                                                \
    .request = &mpc__coordinator__v1__##name##_request__descriptor,                                \
    .response = &mpc__coordinator__v1__##name##_response__descriptor

enum {
    CALLERS = ACCESS_SERVICE | ACCESS_API_KEY,
    LISTERS = CALLERS | SCOPE_READ,
    READERS = LISTERS | ACCESS_PARTY,
    /* the token is in the message */
    PROVEN = ACCESS_OPEN
};

const struct rpc_method coordinator_methods[] = {
    {SERVICE "SelectParties", TYPES(select_parties), .handle = select_parties, .access = LISTERS},
    {SERVICE "CreateSession", TYPES(create_session), .handle = create_session, .access = CALLERS},
    {SERVICE "JoinSession", TYPES(join_session), .handle = join_session, .access = PROVEN},
    {SERVICE "MarkPartyReady", TYPES(mark_party_ready), .handle = mark_party_ready,
     .access = PROVEN},
    {SERVICE "GetSessionStatus", TYPES(get_session_status), .handle = get_session_status,
     .access = READERS},
    {SERVICE "ReportCompletion", TYPES(report_completion), .handle = report_completion,
     .access = PROVEN},
    {SERVICE "CancelSession", TYPES(cancel_session), .handle = cancel_session, .access = CALLERS},
    {SERVICE "SubmitDelegateShare", TYPES(submit_delegate_share), .handle = submit_delegate_share,
     .access = PROVEN, .request_max = 6 << 20},
    {SERVICE "ListSessionEvents", TYPES(list_session_events), .handle = list_session_events,
     .access = READERS},
    {SERVICE "WatchSession", TYPES(watch_session), .is_stream = true, .handle = watch_session,
     .access = READERS},
    {SERVICE "ListSessions", TYPES(list_sessions), .handle = list_sessions, .access = LISTERS},
    {SERVICE "ListInvitations", TYPES(list_invitations), .handle = list_invitations,
     .access = ACCESS_PARTY},
    {SERVICE "SubmitOrder", TYPES(submit_order), .handle = submit_order, .access = CALLERS},
    {SERVICE "ListFreezes", TYPES(list_freezes), .handle = list_freezes, .access = LISTERS},
    {0},
};

#define SESSION "/api/v1/sessions/{session_id}"

const struct rpc_route coordinator_routes[] = {
    {"POST", "/api/v1/sessions", SERVICE "CreateSession", 201},
    {"GET", "/api/v1/sessions", SERVICE "ListSessions", 200},
    {"GET", SESSION, SERVICE "GetSessionStatus", 200},
    {"POST", SESSION "/join", SERVICE "JoinSession", 200},
    {"POST", SESSION "/ready", SERVICE "MarkPartyReady", 200},
    {"POST", SESSION "/complete", SERVICE "ReportCompletion", 200},
    {"POST", SESSION "/cancel", SERVICE "CancelSession", 200},
    {"GET", SESSION "/events", SERVICE "ListSessionEvents", 200},
    {0},
};
