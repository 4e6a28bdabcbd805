/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the router. At most PUBLISH_MAX wait for their answers at a time; a hint beyond that is
 * left out, which costs its receiver a poll. */
#include "services/coordinator/publish.h"

#include "services/coordinator/dispatch.h"
#include "services/coordinator/record.h"
#include "services/coordinator/unlisted.h"
#include "services/coordinator/view.h"
#include "system/core/buffer.h"
#include "system/core/log.h"

#include <stdlib.h>

enum { PUBLISH_MAX = 4096, PUBLISH_MS = 5000, WATCH_STEP_MS = 200, WATCH_CAP_MS = 2000 };

struct publisher {
    struct coordinator *c;
    size_t in_flight;
    bool is_listed, is_down_told;
    struct rpc_pending *watch;
    struct retry retry;
    uv_timer_t again;
};

/* A publication: who gets it, with which tokens. */
struct letter {
    Mpc__Router__V1__PublishSessionEventRequest message;
    char *to[QRT_PARTIES_MAX];
    Mpc__Router__V1__PublishSessionEventRequest__JoinTokensEntry entries[QRT_PARTIES_MAX],
        *tokens[QRT_PARTIES_MAX];
    char text[QRT_PARTIES_MAX][TOKEN_TEXT_MAX];
};

static void published(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct publisher *p = arg;

    (void)response;
    p->in_flight--;
    if (status->code == RPC_OK) {
        p->is_down_told = false;
    } else if (!p->is_down_told) {
        p->is_down_told = true;
        log_event(LOG_WARN, "session events do not reach the router", LOG_S("error", status->text));
    }
}

static void address(struct letter *letter, const struct record *r, unsigned bits)
{
    Mpc__Router__V1__PublishSessionEventRequest *m = &letter->message;

    mpc__router__v1__publish_session_event_request__init(m);
    m->to = letter->to;
    m->deadline_ms = r->state.deadline_ms;
    for (uint8_t i = 0; i < r->state.seats_n; i++)
        if (r->state.seats[i] & bits)
            letter->to[m->n_to++] = r->request->members[i]->party_id;
}

static void add_tokens(struct letter *letter, const struct coordinator *c, const struct record *r)
{
    Mpc__Router__V1__PublishSessionEventRequest *m = &letter->message;

    m->join_tokens = letter->tokens;
    for (size_t i = 0; i < m->n_to; i++) {
        view_join_token(letter->text[i], c->tokens, r, record_seat(r, letter->to[i]));
        mpc__router__v1__publish_session_event_request__join_tokens_entry__init(
            &letter->entries[i]);
        letter->entries[i].key = letter->to[i];
        letter->entries[i].value = letter->text[i];
        letter->tokens[m->n_join_tokens++] = &letter->entries[i];
    }
}

static void post(struct coordinator *c, const struct letter *letter, const struct record *r)
{
    const struct rpc_request request = {
        .path = "mpc.router.v1.MessageRouter/PublishSessionEvent",
        .message = &letter->message.base,
        .response = &mpc__router__v1__publish_session_event_response__descriptor,
        .deadline_ms = PUBLISH_MS,
        .trace = r->row.trace_id,
        .done = published,
        .arg = c->publisher};

    if (letter->message.n_to == 0 || c->publisher->in_flight >= PUBLISH_MAX || c->is_stopping)
        return;
    c->publisher->in_flight++;
    rpc_start(c->router, &request);
}

void publish_invitation(struct coordinator *c, const struct record *r, uint32_t attempt)
{
    const struct store_event event = {
        .seq = r->invited_seq, .type = EVENT_CREATED, .attempt = attempt, .at_ms = r->invited_ms};
    struct letter *letter;
    struct view_setup setup;
    struct view_event view;

    if (session_is_final(&r->state) || !r->state.is_open || attempt + 1 != r->state.attempts_n)
        return;
    letter = mem_new(1, sizeof *letter);
    address(letter, r, SEAT_IN);
    add_tokens(letter, c, r);
    view_setup(&setup, r);
    view_event(&view, &event, r->row.session_id, r->row.trace_id);
    view.message.detail = (char *)(uintptr_t)r->reason;
    view.message.setup = &setup.message;
    letter->message.event = &view.message;
    post(c, letter, r);
    free(letter);
}

void publish_started(struct coordinator *c, const struct record *r, const struct store_event *event)
{
    struct letter *letter = mem_new(1, sizeof *letter);
    struct view_setup setup;
    struct view_event view;

    address(letter, r, SEAT_IN);
    view_setup(&setup, r);
    view_event(&view, event, r->row.session_id, r->row.trace_id);
    view.message.setup = &setup.message;
    letter->message.event = &view.message;
    post(c, letter, r);
    free(letter);
}

void publish_end(struct coordinator *c, const struct record *r)
{
    struct letter *letter;
    struct view_event view;

    if (!view_end(&view, &r->row))
        return;
    letter = mem_new(1, sizeof *letter);
    address(letter, r, SEAT_EVER);
    letter->message.event = &view.message;
    post(c, letter, r);
    free(letter);
}

static void publish_all(struct coordinator *c)
{
    for (const struct record *r = c->open.first; r; r = r->next)
        if (r->state.is_open && r->invited_seq && r->invited_seq <= c->committed_seq)
            publish_invitation(c, r, r->state.attempts_n - 1);
}

static void present(void *arg, const ProtobufCMessage *message)
{
    struct publisher *p = arg;
    const Mpc__Router__V1__PresenceBatch *batch = (const void *)message;
    bool gained = pool_update(p->c->pool, batch, clock_unix_ms());

    retry_success(&p->retry);
    metric_set(p->c->parties_live, (int64_t)pool_live_n(p->c->pool));
    if (batch->snapshot) {
        p->is_listed = true;
        publish_all(p->c);
    }
    if (gained || batch->snapshot)
        dispatch_pump(p->c, true);
    if (batch->snapshot) /* after those that were there before them */
        unlisted_pump(p->c);
}

static void watch(struct publisher *p);

static void watch_again(uv_timer_t *timer)
{
    watch(timer->data);
}

static void watch_ended(void *arg, const struct rpc_status *status,
                        const ProtobufCMessage *response)
{
    struct publisher *p = arg;
    uint32_t wait = WATCH_CAP_MS;

    (void)response;
    p->watch = NULL;
    p->is_listed = false;
    if (p->c->is_stopping)
        return;
    log_event(LOG_WARN, "the router's presence stream ended", LOG_S("error", status->text));
    (void)retry_next(&p->retry, &wait);
    uv_timer_start(&p->again, watch_again, wait, 0);
}

static void watch(struct publisher *p)
{
    Mpc__Router__V1__WatchPresenceRequest message = MPC__ROUTER__V1__WATCH_PRESENCE_REQUEST__INIT;
    const struct rpc_request request = {.path = "mpc.router.v1.MessageRouter/WatchPresence",
                                        .message = &message.base,
                                        .response = &mpc__router__v1__presence_batch__descriptor,
                                        .each = present,
                                        .done = watch_ended,
                                        .arg = p};

    p->watch = rpc_start(p->c->router, &request);
}

struct publisher *publisher_new(struct coordinator *c)
{
    struct publisher *p = mem_new(1, sizeof *p);

    p->c = c;
    p->retry = (struct retry){.step_ms = WATCH_STEP_MS, .cap_ms = WATCH_CAP_MS};
    uv_timer_init(c->host->loop, &p->again);
    p->again.data = p;
    watch(p);
    return p;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    if (p->watch)
        rpc_cancel(p->watch);
    uv_close((uv_handle_t *)&p->again, closed);
}

bool publisher_is_ready(const struct publisher *p)
{
    return p->is_listed;
}
