/* SPDX-License-Identifier: Apache-2.0 */
/* A session that no invitation told of, looked up at the coordinator: does it exist, and is it this
 * party's turn to come? It changes nothing in the front: the invitation does, when it comes. */
#include "participant/front_state.h"
#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { FIND_MS = 5000 };

struct find {
    struct front *front;
    char session_id[ID_TEXT_MAX];
};

static bool is_over(const char *status)
{
    return strcmp(status, "waiting") != 0 && strcmp(status, "ready") != 0 &&
           strcmp(status, "running") != 0;
}

/* The parties of the present attempt; none: the session waits for its turn. */
static bool is_among_chosen(const Mpc__Session__V1__Session *session, const char *party_id)
{
    for (size_t i = 0; i < session->n_parties; i++)
        if (strcmp(session->parties[i], party_id) == 0)
            return true;
    return session->n_parties == 0;
}

static enum front_found judge(const struct find *find,
                              const Mpc__Coordinator__V1__GetSessionStatusResponse *response)
{
    const char *party_id = front_party(find->front);

    for (size_t i = 0; response->session && i < response->n_members; i++) {
        if (strcmp(response->members[i]->party_id, party_id) != 0)
            continue;
        if (is_over(response->session->status))
            return FRONT_FOUND_OVER;
        return is_among_chosen(response->session, party_id) ? FRONT_FOUND_COMING
                                                            : FRONT_FOUND_NOTHING;
    }
    return FRONT_FOUND_NOTHING;
}

static void on_status(void *arg, enum front_answer answer, const struct rpc_status *status,
                      const ProtobufCMessage *response)
{
    const Mpc__Coordinator__V1__GetSessionStatusResponse *r =
        (const Mpc__Coordinator__V1__GetSessionStatusResponse *)response;
    struct find *find = arg;
    const struct front_host *host = &find->front->host;
    enum front_found found = FRONT_FOUND_NOBODY;

    (void)answer;
    if (status->code == RPC_NOT_FOUND)
        found = FRONT_FOUND_NOTHING;
    else if (r)
        found = judge(find, r);
    host->found(host->arg, find->session_id, found, found == FRONT_FOUND_OVER ? r->session : NULL);
    free(find);
}

void front_find(struct front *front, const char *session_id, uint32_t wait_s)
{
    Mpc__Coordinator__V1__GetSessionStatusRequest message =
        MPC__COORDINATOR__V1__GET_SESSION_STATUS_REQUEST__INIT;
    struct find *find = mem_new(1, sizeof *find);
    const struct front_link_call call = {
        .path = "mpc.coordinator.v1.SessionCoordinator/GetSessionStatus",
        .message = &message.base,
        .response = &mpc__coordinator__v1__get_session_status_response__descriptor,
        .deadline_ms = wait_s * 1000 + FIND_MS,
        .done = on_status,
        .arg = find};

    find->front = front;
    memcpy(find->session_id, session_id, sizeof find->session_id);
    message.session_id = find->session_id;
    message.wait_given_case = MPC__COORDINATOR__V1__GET_SESSION_STATUS_REQUEST__WAIT_GIVEN_WAIT;
    message.wait = wait_s;
    front_link_call(front->link, &call);
}
