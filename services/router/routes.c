/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call what, in one table. Messages are long, all else that parties say is short. */
#include "services/router/routes.h"

#include "services/router/router.h"

#define SERVICE "mpc.router.v1.MessageRouter/"
#define IN(name) .request = &mpc__router__v1__##name##_request__descriptor
#define OUT(name) .response = &mpc__router__v1__##name##__descriptor

enum {
    READERS = ACCESS_API_KEY | SCOPE_READ | ACCESS_SERVICE | ACCESS_PARTY,
    /* the HTTP calls of parties */
    PARTIES = ACCESS_PARTY | ACCESS_PARTY_HTTP,
    /* the proof is in the message */
    PROVEN = ACCESS_OPEN,
    SHORT = 8192,
    ROUTE_MAX = 4 << 20
};

const struct rpc_method router_methods[] = {
    {SERVICE "RegisterParty", IN(register_party), OUT(register_party_response),
     .handle = router_register_party, .access = PROVEN, .request_max = SHORT},
    {SERVICE "Heartbeat", IN(heartbeat), OUT(heartbeat_response), .handle = router_heartbeat,
     .access = ACCESS_PARTY, .request_max = SHORT},
    {SERVICE "SubscribeSessionEvents", IN(subscribe_session_events),
     .response = &mpc__session__v1__session_event__descriptor, .is_stream = true,
     .handle = router_subscribe_session_events, .access = ACCESS_PARTY, .request_max = SHORT},
    {SERVICE "RouteMessage", IN(route_message), OUT(route_message_response),
     .handle = router_route_message, .access = PARTIES, .request_max = ROUTE_MAX},
    {SERVICE "SubscribeMessages", IN(subscribe_messages), OUT(message_batch), .is_stream = true,
     .handle = router_subscribe_messages, .access = ACCESS_PARTY, .request_max = SHORT},
    {SERVICE "AcknowledgeMessages", IN(acknowledge_messages), OUT(acknowledge_messages_response),
     .handle = router_acknowledge_messages, .access = ACCESS_PARTY, .request_max = SHORT},
    {SERVICE "GetRegisteredParties", IN(get_registered_parties),
     OUT(get_registered_parties_response), .handle = router_get_registered_parties,
     .access = READERS, .request_max = SHORT},
    {SERVICE "PendingMessages", IN(pending_messages), OUT(message_batch),
     .handle = router_pending_messages, .access = PARTIES, .request_max = SHORT},
    {SERVICE "PublishSessionEvent", IN(publish_session_event), OUT(publish_session_event_response),
     .handle = router_publish_session_event, .access = ACCESS_SERVICE},
    {SERVICE "WatchPresence", IN(watch_presence), OUT(presence_batch), .is_stream = true,
     .handle = router_watch_presence, .access = ACCESS_SERVICE, .request_max = SHORT},
    {0},
};

const struct rpc_route router_routes[] = {
    {"POST", "/api/v1/messages", SERVICE "RouteMessage", 200},
    {"GET", "/api/v1/messages/pending", SERVICE "PendingMessages", 200},
    {"GET", "/api/v1/parties", SERVICE "GetRegisteredParties", 200},
    {0},
};
