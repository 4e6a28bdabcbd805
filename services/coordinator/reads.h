/* SPDX-License-Identifier: Apache-2.0 */
/* What callers and parties ask about sessions, and CancelSession. */
#ifndef COORDINATOR_READS_H
#define COORDINATOR_READS_H

#include "services/coordinator/coordinator.h"

rpc_handler get_session_status;
rpc_handler watch_session;
rpc_handler list_sessions;
rpc_handler list_session_events;
rpc_handler cancel_session;

#endif
