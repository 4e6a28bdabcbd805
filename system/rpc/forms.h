/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to write a call; see call.h. */
#ifndef SYSTEM_RPC_FORMS_H
#define SYSTEM_RPC_FORMS_H

#include "system/rpc/call.h"

#include <jansson.h>
#include <stdbool.h>

/* grpc.c: HTTP/2 with trailers; trailers as a last frame, binary and base64. */
extern const struct call_form grpc_form, grpc_web_form;
/* json_call.c: JSON routes, and the error of everything that has no form of its own; pages. */
extern const struct call_form json_form, page_form;
/* ws_call.c */
extern const struct call_form ws_form;

/* Begin a call whose content type is gRPC's, or a JSON call. */
void grpc_begin(struct rpc_call *call);
void json_begin(struct rpc_call *call);
/* False unless |type| is gRPC's; sets the form. */
bool grpc_is_type(struct rpc_call *call, const char *type);

/* {"error","code","request_id"[,"session_id"]}; new reference. */
json_t *json_of_error(const struct rpc_call *call, const struct rpc_status *status);

#endif
