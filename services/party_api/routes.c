/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call what, in one table: all are for the backend of the share's owner. */
#include "services/party_api/routes.h"

#include "services/party_api/api.h"
#include "system/access/access.h"

#define SERVICE "mpc.party_api.v1.ShareService/"
#define TYPES(name)                                                                                \
    .request = &mpc__party_api__v1__##name##_request__descriptor,                                  \
    .response = &mpc__party_api__v1__##name##_response__descriptor

enum { SHORT = 4096, TOKEN_MAX = 16384 };

const struct rpc_method party_api_methods[] = {
    {SERVICE "GenerateShare", TYPES(generate_share), .handle = generate_handle,
     .access = ACCESS_API_KEY | SCOPE_CREATE, .request_max = TOKEN_MAX},
    {SERVICE "ConfirmShare", TYPES(confirm_share), .handle = confirm_handle,
     .access = ACCESS_API_KEY | SCOPE_CREATE, .request_max = SHORT},
    {SERVICE "SignWithShare", TYPES(sign_with_share), .handle = sign_handle,
     .access = ACCESS_API_KEY | SCOPE_SIGN},
    {SERVICE "GetShareKey", TYPES(get_share_key), .handle = share_key_handle,
     .access = ACCESS_API_KEY | SCOPE_READ, .request_max = SHORT},
    {0},
};

const struct rpc_route party_api_routes[] = {
    {"POST", "/api/v1/shares/generate", SERVICE "GenerateShare", 200},
    {"POST", "/api/v1/shares/confirm", SERVICE "ConfirmShare", 200},
    {"POST", "/api/v1/shares/sign", SERVICE "SignWithShare", 200},
    {"GET", "/api/v1/shares/key", SERVICE "GetShareKey", 200},
    {0},
};
