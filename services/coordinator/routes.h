/* SPDX-License-Identifier: Apache-2.0 */
/* The doors: methods of SessionCoordinator and their JSON routes. */
#ifndef COORDINATOR_ROUTES_H
#define COORDINATOR_ROUTES_H

#include "system/rpc/server.h"

extern const struct rpc_method coordinator_methods[];
extern const struct rpc_route coordinator_routes[];

#endif
