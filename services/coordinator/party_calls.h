/* SPDX-License-Identifier: Apache-2.0 */
/* What parties call with a token of their own: JoinSession, MarkPartyReady, SubmitDelegateShare.
 * ReportCompletion is report.h's. */
#ifndef COORDINATOR_PARTY_CALLS_H
#define COORDINATOR_PARTY_CALLS_H

#include "services/coordinator/coordinator.h"

rpc_handler join_session;
rpc_handler mark_party_ready;
rpc_handler submit_delegate_share;

/* A session token for this session and party, or the refusal, which has been counted. */
struct rpc_status party_token_check(const struct coordinator *c, struct rpc_call *call,
                                    const char *token, const char *session_id,
                                    const char *party_id);

/* The same for any method that carries its proof in |request|, before anything is done with it:
 * |party_id| gets whose it is; "" with RPC_OK for methods that carry none. */
struct rpc_status party_proof_check(const struct coordinator *c, struct rpc_call *call,
                                    const ProtobufCMessage *request, char party_id[65]);

#endif
