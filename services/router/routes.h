/* SPDX-License-Identifier: Apache-2.0 */
/* The doors: methods of MessageRouter and their JSON routes. */
#ifndef ROUTER_ROUTES_H
#define ROUTER_ROUTES_H

#include "system/rpc/server.h"

extern const struct rpc_method router_methods[];
extern const struct rpc_route router_routes[];

#endif
