/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of sessions as statuses. The coordinator's code is passed on if it is one that callers may
 * match; its sentence always. */
#include "services/account/session_end.h"

#include "services/account/await.h"

#include <stdio.h>
#include <string.h>

/* With the session's id: a signature of it may exist, and this is how to ask. */
static struct rpc_status named(const Mpc__Session__V1__Session *session, struct rpc_status status)
{
    snprintf(status.session_id, sizeof status.session_id, "%s", session->session_id);
    return status;
}

static struct rpc_status over(const Mpc__Session__V1__Session *session, const char *name,
                              const char *text)
{
    return named(session, rpc_error(RPC_DEADLINE, name, "%s", text));
}

struct rpc_status session_end(const Mpc__Session__V1__Session *session)
{
    const char *status = session->status;

    if (strcmp(status, "completed") == 0)
        return rpc_ok();
    if (!await_is_final(status))
        return over(session, "wait_over",
                    "the wait is over, the session goes on: ask for it by its"
                    " session_id");
    if (strcmp(status, "expired") == 0)
        return over(session, "session_expired",
                    session->error[0] ? session->error : "the session reached its deadline");
    if (strcmp(status, "cancelled") == 0)
        return named(session, rpc_error(RPC_STATE, "session_cancelled",
                                        "the session %s was cancelled", session->session_id));
    return named(session, rpc_error(RPC_IMPOSSIBLE, "session_failed", "%s",
                                    session->error[0] ? session->error : "the session failed"));
}
