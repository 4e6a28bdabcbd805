/* SPDX-License-Identifier: Apache-2.0 */
/* Long polls until a session is final. A coordinator that is away is asked again after a short
 * wait: the session goes on without us. */
#include "services/account/await.h"

#include "services/account/coordinator.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* one long poll */
    POLL_S = 20,
    /* what an answer may take beyond its wait */
    SLACK_MS = 5000,
    STEP_MS = 100,
    CAP_MS = 1000
};

struct await {
    struct account_service *s;
    /* of those that wait */
    struct await *next, *prev;
    struct await_end end;
    char session_id[ID_TEXT_MAX];
    char trace[TRACE_TEXT_MAX];
    /* steady clock */
    uint64_t until_us;
    struct retry retry;
    uv_timer_t timer;
    struct rpc_status fault;
};

static void ask(struct await *await);

bool await_is_final(const char *status)
{
    static const char *const finals[] = {"completed", "failed", "expired", "cancelled"};

    for (size_t i = 0; i < sizeof finals / sizeof finals[0]; i++)
        if (strcmp(status, finals[i]) == 0)
            return true;
    return false;
}

static uint64_t left_ms(const struct await *await)
{
    uint64_t now = clock_steady_us();

    return now >= await->until_us ? 0 : (await->until_us - now) / 1000;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void link_in(struct await *await)
{
    await->next = await->s->awaits;
    if (await->next)
        await->next->prev = await;
    await->s->awaits = await;
}

static void unlink_it(struct await *await)
{
    if (await->prev)
        await->prev->next = await->next;
    else
        await->s->awaits = await->next;
    if (await->next)
        await->next->prev = await->prev;
}

static void finish(struct await *await, const Mpc__Coordinator__V1__GetSessionStatusResponse *r,
                   const struct rpc_status *status)
{
    unlink_it(await);
    await->end.done(await->end.arg, r, status);
    uv_close((uv_handle_t *)&await->timer, closed);
}

static void ask_again(uv_timer_t *timer)
{
    ask(timer->data);
}

bool await_is_passing(enum rpc_code code)
{
    return code == RPC_UNAVAILABLE || code == RPC_CANCELLED || code == RPC_DEADLINE ||
           code == RPC_UNKNOWN || code == RPC_INTERNAL;
}

/* What another session's end says is nothing about this one. */
static void told(struct await *await, const Mpc__Coordinator__V1__GetSessionStatusResponse *r)
{
    const struct rpc_status ok = rpc_ok();

    retry_success(&await->retry);
    if (!r->session || strcmp(r->session->session_id, await->session_id) != 0) {
        await->fault =
            rpc_error(RPC_DATA_LOSS, "coordinator_answer",
                      "the coordinator answered for another session than %s", await->session_id);
        finish(await, NULL, &await->fault);
    } else if (left_ms(await) == 0 || await_is_final(r->session->status)) {
        finish(await, r, &ok);
    } else {
        ask(await);
    }
}

static void answered(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct await *await = arg;
    uint64_t left = left_ms(await);
    uint32_t wait;

    if (status->code == RPC_OK) {
        told(await, (const void *)response);
        return;
    }
    await->fault = *status;
    if (await->s->is_ending || !await_is_passing(status->code) || left == 0 ||
        !retry_next(&await->retry, &wait)) {
        finish(await, NULL, &await->fault);
        return;
    }
    uv_timer_start(&await->timer, ask_again, wait < left ? wait : left, 0);
}

static void ask(struct await *await)
{
    Mpc__Coordinator__V1__GetSessionStatusRequest q =
        MPC__COORDINATOR__V1__GET_SESSION_STATUS_REQUEST__INIT;
    uint64_t left_s = (left_ms(await) + 999) / 1000;
    struct rpc_request request = {
        .path = "mpc.coordinator.v1.SessionCoordinator/GetSessionStatus",
        .message = &q.base,
        .response = &mpc__coordinator__v1__get_session_status_response__descriptor,
        .trace = await->trace,
        .done = answered,
        .arg = await};

    q.session_id = await->session_id;
    q.wait_given_case = MPC__COORDINATOR__V1__GET_SESSION_STATUS_REQUEST__WAIT_GIVEN_WAIT;
    q.wait = (uint32_t)(left_s < POLL_S ? left_s : POLL_S);
    request.deadline_ms = q.wait * 1000 + SLACK_MS;
    coordinator_ask(await->s, request);
}

void await_session(struct account_service *s, const char *session_id, unsigned wait_ms,
                   const char *trace, struct await_end end)
{
    struct await *await = mem_new(1, sizeof *await);

    *await = (struct await){.s = s,
                            .end = end,
                            .until_us = clock_steady_us() + (uint64_t)wait_ms * 1000,
                            .retry = {.step_ms = STEP_MS, .cap_ms = CAP_MS}};
    snprintf(await->session_id, sizeof await->session_id, "%s", session_id);
    snprintf(await->trace, sizeof await->trace, "%s", trace);
    uv_timer_init(s->host->loop, &await->timer);
    await->timer.data = await;
    link_in(await);
    ask(await);
}

void await_end_all(struct account_service *s)
{
    struct await *next;

    s->is_ending = true;
    for (struct await *await = s->awaits; await; await = next) {
        next = await->next;
        if (uv_is_active((uv_handle_t *)&await->timer))
            finish(await, NULL, &await->fault);
    }
}
