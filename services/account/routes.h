/* SPDX-License-Identifier: Apache-2.0 */
/* The doors of the account service (requirements.md section 3). */
#ifndef ACCOUNT_ROUTES_H
#define ACCOUNT_ROUTES_H

#include "system/rpc/server.h"

extern const struct rpc_method account_methods[];
extern const struct rpc_route account_routes[];

#endif
