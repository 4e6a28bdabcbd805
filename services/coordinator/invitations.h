/* SPDX-License-Identifier: Apache-2.0 */
/* ListInvitations: what a party has to know since its cursor. Parties ask every second, so it
 * answers from memory unless the cursor is older than what memory has. */
#ifndef COORDINATOR_INVITATIONS_H
#define COORDINATOR_INVITATIONS_H

#include "services/coordinator/coordinator.h"

rpc_handler list_invitations;

#endif
