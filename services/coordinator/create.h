/* SPDX-License-Identifier: Apache-2.0 */
/* New sessions, and the choice of parties for a new key. */
#ifndef COORDINATOR_CREATE_H
#define COORDINATOR_CREATE_H

#include "services/coordinator/coordinator.h"

/* Handlers of SessionCoordinator/SelectParties and /CreateSession. */
rpc_handler select_parties;
rpc_handler create_session;

#endif
