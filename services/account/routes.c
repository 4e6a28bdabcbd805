/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of AccountService, and the JSON routes that lead to them. All are for backends. */
#include "services/account/routes.h"

#include "services/account/accounts.h"
#include "services/account/create.h"
#include "services/account/sessions.h"
#include "services/account/sign.h"

#define SERVICE "mpc.account.v1.AccountService/"
#define IN(name) &mpc__account__v1__##name##_request__descriptor
#define OUT(name) &mpc__account__v1__##name##__descriptor
#define METHOD(name, in, out, handler, scope)                                                      \
    {                                                                                              \
        .path = SERVICE name, .request = IN(in), .response = out, .handle = handler,               \
        .access = ACCESS_API_KEY | SCOPE_##scope                                                   \
    }
/* A message of 64 KiB in base64 or hex, and an intent that repeats it in hex. */
enum { SIGN_REQUEST_MAX = 384 * 1024 };

/* clang-format off */
const struct rpc_method account_methods[] = {
    METHOD("CreateAccount", create_account, OUT(account), create_account, CREATE),
    METHOD("ListAccounts", list_accounts, OUT(list_accounts_response), accounts_list, READ),
    METHOD("GetAccount", get_account, OUT(account), accounts_get, READ),
    { .path = SERVICE "Sign", .request = IN(sign), .response = OUT(sign_response),
      .handle = sign_message, .access = ACCESS_API_KEY | SCOPE_SIGN,
      .request_max = SIGN_REQUEST_MAX },
    METHOD("GetCertificate", get_certificate, OUT(certificate), accounts_certificate, READ),
    METHOD("GetSigningParties", get_signing_parties, OUT(signing_parties), signing_parties_get, READ),
    METHOD("SetSigningParties", set_signing_parties, OUT(signing_parties), signing_parties_set, MANAGE),
    METHOD("DeleteSigningParties", delete_signing_parties, OUT(signing_parties), signing_parties_delete, MANAGE),
    METHOD("Keygen", keygen, OUT(keygen_response), create_keygen, CREATE),
    METHOD("SignSession", sign_session, OUT(sign_session_response), sign_session, SIGN),
    METHOD("GetSession", get_session, &mpc__session__v1__session__descriptor, sessions_get, READ),
    METHOD("ListSessionEvents", list_session_events, OUT(list_session_events_response), sessions_events, READ),
    METHOD("CancelSession", cancel_session, &mpc__session__v1__session__descriptor, sessions_cancel, MANAGE),
    METHOD("ListParties", list_parties, OUT(list_parties_response), parties_list, READ),
    METHOD("SubmitOrder", submit_order, OUT(submit_order_response), orders_submit, MANAGE),
    METHOD("ListFreezes", list_freezes, OUT(list_freezes_response), freezes_list, READ),
    { .path = NULL },
};

#define ACCOUNT "/api/v1/accounts/{account_id}"
#define SESSION "/api/v1/mpc/sessions/{session_id}"

const struct rpc_route account_routes[] = {
    { "POST", "/api/v1/accounts", SERVICE "CreateAccount", 201 },
    { "GET", "/api/v1/accounts", SERVICE "ListAccounts", 200 },
    { "GET", ACCOUNT, SERVICE "GetAccount", 200 },
    { "POST", ACCOUNT "/sign", SERVICE "Sign", 200 },
    { "GET", ACCOUNT "/certificate", SERVICE "GetCertificate", 200 },
    { "GET", ACCOUNT "/signing-parties", SERVICE "GetSigningParties", 200 },
    { "PUT", ACCOUNT "/signing-parties", SERVICE "SetSigningParties", 200 },
    { "DELETE", ACCOUNT "/signing-parties", SERVICE "DeleteSigningParties", 200 },
    { "POST", "/api/v1/mpc/keygen", SERVICE "Keygen", 201 },
    { "POST", "/api/v1/mpc/sign", SERVICE "SignSession", 201 },
    { "GET", SESSION, SERVICE "GetSession", 200 },
    { "GET", SESSION "/events", SERVICE "ListSessionEvents", 200 },
    { "POST", SESSION "/cancel", SERVICE "CancelSession", 200 },
    { "GET", "/api/v1/parties", SERVICE "ListParties", 200 },
    { "POST", "/api/v1/orders", SERVICE "SubmitOrder", 200 },
    { "GET", "/api/v1/freezes", SERVICE "ListFreezes", 200 },
    { NULL, NULL, NULL, 0 },
};
/* clang-format on */
