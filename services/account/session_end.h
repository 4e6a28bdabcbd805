/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a session means to a caller who waited for it. */
#ifndef ACCOUNT_SESSION_END_H
#define ACCOUNT_SESSION_END_H

#include "services/account/account.h"

/* completed: RPC_OK. failed: 422 with the session's sentence and code; cancelled: 409; not final,
 * or expired: 504 with the session's id. */
struct rpc_status session_end(const Mpc__Session__V1__Session *session);

#endif
