/* SPDX-License-Identifier: Apache-2.0 */
/* The doors: methods of ShareService and their JSON routes. */
#ifndef PARTY_API_ROUTES_H
#define PARTY_API_ROUTES_H

#include "system/rpc/server.h"

extern const struct rpc_method party_api_methods[];
extern const struct rpc_route party_api_routes[];

#endif
