/* SPDX-License-Identifier: Apache-2.0 */
/* RouteMessage, SubscribeMessages, AcknowledgeMessages, PendingMessages. Of a message everything
 * but the payload's size is checked; nothing in the payload is. */
#include "services/router/router.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/log.h"

#include <stdlib.h>
#include <string.h>

enum { CALL_MESSAGES_MAX = 256, RECEIVERS_MAX = 64 };

/* One message on its way in, and what became of it. */
struct passage {
    struct router *router;
    struct party *sender;
    const Mpc__Router__V1__OutgoingMessage *message;
    struct moment now;
    struct letter letter;
    char session_id[ID_TEXT_MAX];
    const char *trace;
};

static struct rpc_status refuse(struct passage *p, enum refusal reason, struct rpc_status status)
{
    metric_add(p->router->metrics.refused[reason], 1);
    if (p->now.steady_us - p->sender->refusal_logged_us < 1000000)
        return status;
    p->sender->refusal_logged_us = p->now.steady_us;
    log_event(LOG_WARN, "a message was refused", LOG_S("session", p->session_id),
              LOG_S("trace", p->trace), LOG_I("attempt", p->message->attempt),
              LOG_S("party", p->sender->id), LOG_S("reason", status.text));
    return status;
}

static struct rpc_status check_receivers(const struct passage *p)
{
    const Mpc__Router__V1__OutgoingMessage *m = p->message;

    if (m->n_to < 1 || m->n_to > RECEIVERS_MAX)
        return rpc_error(RPC_INVALID, "invalid_to", "to must name 1 to %d parties", RECEIVERS_MAX);
    for (size_t i = 0; i < m->n_to; i++) {
        if (!party_id_is_valid(m->to[i]))
            return rpc_error(RPC_INVALID, "invalid_to",
                             "a party id in to must be 1 to 64 of a-z A-Z 0-9 . _ -");
        if (strcmp(m->to[i], p->sender->id) == 0)
            return rpc_error(RPC_INVALID, "invalid_to", "to must not name the sender");
        for (size_t j = 0; j < i; j++)
            if (strcmp(m->to[i], m->to[j]) == 0)
                return rpc_error(RPC_INVALID, "invalid_to", "to names party %s twice", m->to[i]);
    }
    return rpc_ok();
}

static struct rpc_status check_form(struct passage *p)
{
    uint8_t id[16];

    if (!id_parse(id, p->message->session_id))
        return rpc_error(RPC_INVALID, "invalid_session_id", "session_id must be a UUIDv4");
    id_text(p->session_id, id);
    if (!p->message->payload.len)
        return rpc_error(RPC_INVALID, "invalid_payload", "payload is missing");
    return check_receivers(p);
}

static struct rpc_status check_roster(struct passage *p, const struct roster *roster)
{
    const Mpc__Router__V1__OutgoingMessage *m = p->message;

    if (!roster_has(roster, p->sender->id))
        return refuse(p, REFUSED_STRANGER,
                      rpc_error(RPC_DENIED, "not_a_member",
                                "party %s takes no part in attempt %u of session %s", p->sender->id,
                                m->attempt, p->session_id));
    for (size_t i = 0; i < m->n_to; i++)
        if (!roster_has(roster, m->to[i]))
            return refuse(p, REFUSED_STRANGER,
                          rpc_error(RPC_DENIED, "not_a_member",
                                    "party %s takes no part in attempt %u of session %s", m->to[i],
                                    m->attempt, p->session_id));
    return rpc_ok();
}

static struct rpc_status check_stray(struct passage *p)
{
    size_t copies = p->message->n_to;

    for (size_t i = 0; i < copies; i++)
        if (!mail_allow_stray(p->sender, p->message->payload.len, p->now.steady_us))
            return refuse(p, REFUSED_STRAY,
                          rpc_error(RPC_EXHAUSTED, "mailbox_full",
                                    "party %s sent more than %d messages or %d bytes in a minute "
                                    "for sessions that are not known here",
                                    p->sender->id, MAIL_STRAY_ITEMS, MAIL_STRAY_BYTES));
    return rpc_ok();
}

static struct rpc_status check_size(struct passage *p, size_t most)
{
    if (p->message->payload.len <= most)
        return rpc_ok();
    return refuse(p, REFUSED_TOO_LONG,
                  rpc_error(RPC_INVALID, "payload_too_long",
                            "payload has %zu bytes, the longest message of this session has %zu",
                            p->message->payload.len, most));
}

/* Who may send what, and until when it is kept. */
static struct rpc_status check_session(struct passage *p, const struct session *session)
{
    const struct roster *roster = session ? session_roster(session, p->message->attempt) : NULL;
    struct rpc_status status =
        check_size(p, roster ? roster->payload_max : book_payload_max(p->router->book));

    if (status.code != RPC_OK)
        return status;
    p->letter.deadline_ms = roster ? session->deadline_ms : p->now.unix_ms + MAIL_STRAY_MS;
    return roster ? check_roster(p, roster) : check_stray(p);
}

/* Which of the bounds it was is not told apart: all that apply are named. */
static struct rpc_status is_full(const struct passage *p, const char *to)
{
    long long most = (long long)config_int(p->router->host->config, "MAILBOX_BYTES");

    return rpc_error(RPC_EXHAUSTED, "mailbox_full",
                     "the mailbox of party %s is full: it holds %lld bytes (MAILBOX_BYTES), of one "
                     "session %lld bytes and %d messages",
                     to, most, most < MAIL_GROUP_BYTES ? most : MAIL_GROUP_BYTES, MAIL_GROUP_ITEMS);
}

static struct rpc_status put(struct passage *p)
{
    const Mpc__Router__V1__OutgoingMessage *m = p->message;

    for (size_t i = 0; i < m->n_to; i++) {
        if (!forward_letter(p->router, m->to[i], &p->letter))
            return refuse(p, REFUSED_FULL, is_full(p, m->to[i]));
        metric_add(p->router->metrics.messages, 1);
        metric_add(p->router->metrics.bytes, (int64_t)m->payload.len);
    }
    return rpc_ok();
}

static struct rpc_status pass(struct passage *p)
{
    struct rpc_status status = check_form(p);
    const struct session *session;

    if (status.code != RPC_OK)
        return refuse(p, REFUSED_INVALID, status);
    session = book_session(p->router->book, p->session_id);
    if (session && session->trace[0])
        p->trace = session->trace;
    if (session && session->has_ended) {
        /* Its last messages, late: nobody waits for them, and it is nobody's fault. */
        metric_add(p->router->metrics.refused[REFUSED_ENDED], 1);
        return rpc_ok();
    }
    p->letter = (struct letter){.from = p->sender->id,
                                .session_id = p->session_id,
                                .attempt = p->message->attempt,
                                .payload = p->message->payload.data,
                                .len = p->message->payload.len};
    status = check_session(p, session);
    return status.code == RPC_OK ? put(p) : status;
}

/* The messages of one call that were refused, and the first one's reason. */
struct refused {
    struct rpc_status *statuses;
    Mpc__Router__V1__RefusedMessage *rows;
    Mpc__Router__V1__RefusedMessage **list;
    size_t n;
};

static void note(struct refused *refused, size_t index, const struct rpc_status *status)
{
    Mpc__Router__V1__RefusedMessage *row = &refused->rows[refused->n];
    struct rpc_status *kept = &refused->statuses[refused->n];

    *kept = *status;
    mpc__router__v1__refused_message__init(row);
    row->index = (uint32_t)index;
    row->code = (char *)(uintptr_t)kept->name;
    row->error = kept->text;
    refused->list[refused->n++] = row;
}

static void pass_all(struct router *router, struct rpc_call *call, struct party *sender,
                     const Mpc__Router__V1__RouteMessageRequest *in, struct refused *refused)
{
    struct moment now = router_now();

    for (size_t i = 0; i < in->n_messages; i++) {
        struct passage passage = {.router = router,
                                  .sender = sender,
                                  .message = in->messages[i],
                                  .now = now,
                                  .trace = rpc_trace(call)};
        struct rpc_status status = pass(&passage);

        if (status.code != RPC_OK)
            note(refused, i, &status);
    }
}

static void reply_routed(struct router *router, struct rpc_call *call,
                         const struct refused *refused, size_t n)
{
    Mpc__Router__V1__RouteMessageResponse response = MPC__ROUTER__V1__ROUTE_MESSAGE_RESPONSE__INIT;

    if (refused->n == n) {
        rpc_fail(call, refused->statuses[0]);
        return;
    }
    response.router_boot_id.data = router->boot_id;
    response.router_boot_id.len = sizeof router->boot_id;
    response.refused = refused->list;
    response.n_refused = refused->n;
    rpc_reply(call, &response.base);
}

void router_route_message(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Router__V1__RouteMessageRequest *in = (const void *)request;
    struct router *router = service;
    struct party *sender = router_caller(router, call, "from", in->from);
    size_t n = in->n_messages;
    struct refused refused;

    if (!sender)
        return;
    if (n < 1 || n > CALL_MESSAGES_MAX) {
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_messages", "messages must be 1 to %d",
                                 CALL_MESSAGES_MAX));
        return;
    }
    refused = (struct refused){.statuses = mem_new(n, sizeof *refused.statuses),
                               .rows = mem_new(n, sizeof *refused.rows),
                               .list = mem_new(n, sizeof *refused.list)};
    pass_all(router, call, sender, in, &refused);
    reply_routed(router, call, &refused, n);
    free(refused.list);
    free(refused.rows);
    free(refused.statuses);
}

static bool is_this_boot(const struct router *router, const ProtobufCBinaryData *boot_id)
{
    return boot_id->len == sizeof router->boot_id &&
           memcmp(boot_id->data, router->boot_id, sizeof router->boot_id) == 0;
}

static bool is_cursor(struct rpc_call *call, const char *field, int64_t seq)
{
    if (seq >= 0)
        return true;
    rpc_fail(call, rpc_error(RPC_INVALID, "invalid_cursor", "%s must not be negative", field));
    return false;
}

void router_subscribe_messages(struct rpc_call *call, const ProtobufCMessage *request,
                               void *service)
{
    const Mpc__Router__V1__SubscribeMessagesRequest *in = (const void *)request;
    struct router *router = service;
    int64_t after = is_this_boot(router, &in->router_boot_id) ? in->after : 0;

    if (!router_caller(router, call, "party_id", in->party_id) ||
        !is_cursor(call, "after", in->after))
        return;
    mail_acknowledge(router->mail, in->party_id, after);
    streams_open(router->streams, call, MAIL_MESSAGES, in->party_id, after);
}

void router_acknowledge_messages(struct rpc_call *call, const ProtobufCMessage *request,
                                 void *service)
{
    const Mpc__Router__V1__AcknowledgeMessagesRequest *in = (const void *)request;
    Mpc__Router__V1__AcknowledgeMessagesResponse response =
        MPC__ROUTER__V1__ACKNOWLEDGE_MESSAGES_RESPONSE__INIT;
    struct router *router = service;

    if (!router_caller(router, call, "party_id", in->party_id) ||
        !is_cursor(call, "through", in->through))
        return;
    if (is_this_boot(router, &in->router_boot_id))
        mail_acknowledge(router->mail, in->party_id, in->through);
    rpc_reply(call, &response.base);
}

void router_pending_messages(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Router__V1__PendingMessagesRequest *in = (const void *)request;
    struct router *router = service;
    struct mail_batch *batch;

    if (!router_caller(router, call, "party_id", in->party_id) ||
        !is_cursor(call, "after", in->after))
        return;
    batch = mem_new(1, sizeof *batch);
    mail_read(router->mail, in->party_id, in->after, batch);
    batch->message.router_boot_id.data = router->boot_id;
    batch->message.router_boot_id.len = sizeof router->boot_id;
    rpc_reply(call, &batch->message.base);
    free(batch);
}
