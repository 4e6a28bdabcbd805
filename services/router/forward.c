/* SPDX-License-Identifier: Apache-2.0 */
/* See forward.h. What comes from another router was checked there against what it knew of the
 * session, and is checked here against what this one knows; bounds of mailboxes and deadlines hold
 * here, too. Mail for a party that is elsewhere by now waits here until its router tells of it, at
 * once or, if that word is lost, when it is repeated. */
#include "services/router/forward.h"

#include "services/router/router.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/log.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP_MAX_MS = 86400000 };

static char *text(const char *lent)
{
    return (char *)(uintptr_t)lent;
}

/* --- out --- */

static bool send_letter(struct router *router, struct cluster_peer *peer, const char *to,
                        const struct letter *letter)
{
    Mpc__Router__V1__RouterFrame frame = MPC__ROUTER__V1__ROUTER_FRAME__INIT;
    Mpc__Router__V1__Forwarded forwarded = MPC__ROUTER__V1__FORWARDED__INIT, *list = &forwarded;

    forwarded.to = text(to);
    forwarded.from = text(letter->from);
    forwarded.session_id = text(letter->session_id);
    forwarded.attempt = letter->attempt;
    forwarded.payload.data = (uint8_t *)(uintptr_t)letter->payload;
    forwarded.payload.len = letter->len;
    forwarded.deadline_ms = letter->deadline_ms;
    frame.messages = &list;
    frame.n_messages = 1;
    if (!cluster_send(router->cluster, peer, &frame))
        return false;
    metric_add(router->metrics.forwarded, 1);
    return true;
}

bool forward_letter(struct router *router, const char *to, const struct letter *letter)
{
    const struct party *party = registry_party(router->registry, to);
    struct cluster_peer *peer = party ? cluster_peer_of(router->cluster, party) : NULL;

    if (!peer)
        return mail_put(router->mail, to, letter);
    return router_now().steady_us >= party->full_until_us && send_letter(router, peer, to, letter);
}

static bool send_event(struct router *router, struct cluster_peer *peer,
                       Mpc__Router__V1__PublishSessionEventRequest *event)
{
    Mpc__Router__V1__RouterFrame frame = MPC__ROUTER__V1__ROUTER_FRAME__INIT;

    frame.events = &event;
    frame.n_events = 1;
    return cluster_send(router->cluster, peer, &frame);
}

/* Each router gets one, with its own parties' tokens. */
static void send_share(struct router *router, struct cluster_peer *peer,
                       const Mpc__Router__V1__PublishSessionEventRequest *in,
                       struct cluster_peer *const *where)
{
    Mpc__Router__V1__PublishSessionEventRequest share = *in;

    share.to = mem_new(in->n_to + 1, sizeof *share.to);
    share.join_tokens = mem_new(in->n_join_tokens + 1, sizeof *share.join_tokens);
    share.n_to = share.n_join_tokens = 0;
    for (size_t i = 0; i < in->n_to; i++) {
        if (where[i] != peer)
            continue;
        share.to[share.n_to++] = in->to[i];
        for (size_t j = 0; j < in->n_join_tokens; j++)
            if (share.n_join_tokens < in->n_join_tokens &&
                strcmp(in->join_tokens[j]->key, in->to[i]) == 0)
                share.join_tokens[share.n_join_tokens++] = in->join_tokens[j];
    }
    /* one that is not taken is not missed: parties ask the coordinator every second */
    send_event(router, peer, &share);
    free(share.join_tokens);
    free(share.to);
}

static bool was_served(struct cluster_peer *const *where, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (where[j] == where[i])
            return true;
    return false;
}

void forward_event(struct router *router, const Mpc__Router__V1__PublishSessionEventRequest *in,
                   char **rest, size_t *rest_n)
{
    struct cluster_peer **where = mem_new(in->n_to + 1, sizeof(struct cluster_peer *));

    *rest_n = 0;
    for (size_t i = 0; i < in->n_to; i++) {
        const struct party *party = registry_party(router->registry, in->to[i]);

        where[i] = party ? cluster_peer_of(router->cluster, party) : NULL;
        if (!where[i])
            rest[(*rest_n)++] = in->to[i];
    }
    for (size_t i = 0; i < in->n_to; i++)
        if (where[i] && !was_served(where, i))
            send_share(router, where[i], in, where);
    free(where);
}

/* --- parties --- */

/* All parts of one word about a party, which point at each other. */
struct said {
    Mpc__Router__V1__RouterFrame frame;
    Mpc__Router__V1__PartyHere here, *list;
    Mpc__Router__V1__RegisterPartyRequest registration;
    Mpc__Session__V1__PartyCertificate certificate;
};

static void say(struct said *out, const struct party *party)
{
    Mpc__Router__V1__RegisterPartyRequest *r = &out->registration;

    mpc__router__v1__router_frame__init(&out->frame);
    mpc__router__v1__party_here__init(&out->here);
    mpc__router__v1__register_party_request__init(r);
    mpc__session__v1__party_certificate__init(&out->certificate);
    r->party_id = text(party->id);
    r->role = text(party->role);
    r->version = text(party->version);
    r->capacity = party->capacity;
    r->time_ms = party->proof_ms;
    r->boot_id = (ProtobufCBinaryData){sizeof party->boot_id, (uint8_t *)(uintptr_t)party->boot_id};
    r->nonce = (ProtobufCBinaryData){sizeof party->nonce, (uint8_t *)(uintptr_t)party->nonce};
    r->proof = (ProtobufCBinaryData){sizeof party->proof, (uint8_t *)(uintptr_t)party->proof};
    out->certificate.body = (ProtobufCBinaryData){party->body_len, party->body};
    out->certificate.signature = (ProtobufCBinaryData){party->signature_len, party->signature};
    r->certificate = &out->certificate;
    out->here.registration = r;
    out->here.claim = (uint64_t)party->proof_ms;
    out->here.load = party->load;
    out->here.live = party->live;
    out->list = &out->here;
    out->frame.parties = &out->list;
    out->frame.n_parties = 1;
}

void forward_announce(struct router *router, const struct party *party)
{
    struct said said;

    say(&said, party);
    cluster_send_all(router->cluster, &said.frame);
}

static void send_part(struct router *router, struct cluster_peer *peer,
                      const Mpc__Router__V1__RouterFrame *part)
{
    if (peer)
        cluster_send(router->cluster, peer, part);
    else
        cluster_send_all(router->cluster, part);
}

struct announcement {
    /* NULL: all */
    struct cluster_peer *peer;
    bool asks;
    /* so many of the list of parties, from there on */
    size_t first, n;
};

/* At least a sign of life. */
static void announce(struct router *router, const struct announcement *a)
{
    /* never quite empty, or nothing would be sent */
    Mpc__Router__V1__RouterFrame sign = MPC__ROUTER__V1__ROUTER_FRAME__INIT;
    char *nobody = text("");
    const struct party **parties;
    struct said said;
    size_t n;

    if (!cluster_is_ready(router->cluster))
        return;
    sign.full = &nobody;
    sign.n_full = 1;
    sign.hello = a->asks;
    parties = registry_list(router->registry, "", &n);
    for (size_t i = 0; i < n && i < a->n; i++) {
        const struct party *party = parties[(a->first + i) % n];

        if (!is_here(party))
            continue;
        say(&said, party);
        send_part(router, a->peer, &said.frame);
    }
    send_part(router, a->peer, &sign);
    free(parties);
}

void forward_announce_all(struct router *router, struct cluster_peer *peer, bool asks)
{
    announce(router, &(struct announcement){.peer = peer, .asks = asks, .n = SIZE_MAX});
}

void forward_repeat(struct router *router)
{
    size_t n = registry_n(router->registry), part = n / REPEAT_BEATS + 1;
    const struct announcement a = {.first = router->repeated,
                                   .n = part > REPEAT_MIN ? part : REPEAT_MIN};

    announce(router, &a);
    router->repeated = n ? (a.first + a.n) % n : 0;
}

/* --- in --- */

struct onward {
    struct router *router;
    struct cluster_peer *peer;
};

static bool letter_onward(void *arg, const char *to, const struct letter *letter)
{
    const struct onward *onward = arg;

    return send_letter(onward->router, onward->peer, to, letter);
}

static bool event_onward(void *arg, const char *to, Mpc__Session__V1__SessionEvent *event,
                         int64_t deadline_ms)
{
    const struct onward *onward = arg;
    Mpc__Router__V1__PublishSessionEventRequest request =
        MPC__ROUTER__V1__PUBLISH_SESSION_EVENT_REQUEST__INIT;
    Mpc__Router__V1__PublishSessionEventRequest__JoinTokensEntry token =
        MPC__ROUTER__V1__PUBLISH_SESSION_EVENT_REQUEST__JOIN_TOKENS_ENTRY__INIT;
    Mpc__Router__V1__PublishSessionEventRequest__JoinTokensEntry *tokens = &token;
    char *receiver = text(to);

    request.event = event;
    request.to = &receiver;
    request.n_to = 1;
    request.deadline_ms = deadline_ms;
    token.key = receiver;
    token.value = event->join_token;
    request.join_tokens = &tokens;
    request.n_join_tokens = 1;
    return send_event(onward->router, onward->peer, &request);
}

static void send_on(struct router *router, const struct party *party)
{
    struct onward onward = {router, cluster_peer_of(router->cluster, party)};
    const struct mail_way way = {letter_onward, event_onward, &onward};

    if (onward.peer)
        mail_send_on(router->mail, party->id, &way);
}

static void take_party(struct router *router, const struct elsewhere *elsewhere)
{
    const Mpc__Router__V1__RegisterPartyRequest *r = elsewhere->said->registration;
    struct rpc_status status;
    enum elsewhere_result result;

    if (!r)
        return;
    status = admission_check_elsewhere(router->admission, r,
                                       registry_is_unproven(router->registry, elsewhere),
                                       router_now().unix_ms);
    if (status.code != RPC_OK) {
        log_event(LOG_WARN, "another router's word about a party was refused",
                  LOG_S("router", elsewhere->home), LOG_S("reason", status.text));
        return;
    }
    result = registry_take(router->registry, elsewhere, router_now());
    if (result == ELSEWHERE_OUTDATED) {
        forward_announce(router, registry_party(router->registry, r->party_id));
        return;
    }
    if (result == ELSEWHERE_MOVED) {
        log_event(LOG_INFO, "a party has registered at another router", LOG_S("party", r->party_id),
                  LOG_S("router", elsewhere->home));
        streams_drop(router->streams, r->party_id);
    }
    if (result != ELSEWHERE_IGNORED)
        send_on(router, registry_party(router->registry, r->party_id));
}

static int64_t not_too_long(int64_t deadline_ms)
{
    int64_t most = router_now().unix_ms + KEEP_MAX_MS;

    return deadline_ms < most ? deadline_ms : most;
}

/* Its sender has been told that it was taken: its router has it sent again. */
static void tell_full(struct router *router, struct cluster_peer *peer, const char *to)
{
    Mpc__Router__V1__RouterFrame frame = MPC__ROUTER__V1__ROUTER_FRAME__INIT;
    char *full = text(to);

    metric_add(router->metrics.refused[REFUSED_FULL], 1);
    frame.full = &full;
    frame.n_full = 1;
    cluster_send(router->cluster, peer, &frame);
}

/* A letter to a session that is unknown here, though perhaps not at the sender's router. From whom
 * a letter comes before the word of its registration is let pass: it has a budget soon. */
static bool allow_stray(struct router *router, const Mpc__Router__V1__Forwarded *m)
{
    struct party *sender = registry_party(router->registry, m->from);

    if (!sender || mail_allow_stray(sender, m->payload.len, router_now().steady_us))
        return true;
    metric_add(router->metrics.refused[REFUSED_STRAY], 1);
    return false;
}

/* Does this router's own book have nothing against it? Another one may not know the session. */
static bool fits_session(struct router *router, const struct session *session,
                         const Mpc__Router__V1__Forwarded *m)
{
    const struct roster *roster = session ? session_roster(session, m->attempt) : NULL;
    size_t most = roster ? roster->payload_max : book_payload_max(router->book);

    if (m->payload.len > most) {
        metric_add(router->metrics.refused[REFUSED_TOO_LONG], 1);
        return false;
    }
    if (roster && (!roster_has(roster, m->from) || !roster_has(roster, m->to))) {
        metric_add(router->metrics.refused[REFUSED_STRANGER], 1);
        return false;
    }
    return roster || allow_stray(router, m);
}

static void take_letter(struct router *router, struct cluster_peer *peer,
                        const Mpc__Router__V1__Forwarded *m)
{
    const struct letter letter = {.from = m->from,
                                  .session_id = m->session_id,
                                  .attempt = m->attempt,
                                  .payload = m->payload.data,
                                  .len = m->payload.len,
                                  .deadline_ms = not_too_long(m->deadline_ms)};
    const struct session *session = book_session(router->book, m->session_id);
    uint8_t id[16];

    if (!party_id_is_valid(m->to) || !party_id_is_valid(m->from) || !id_parse(id, m->session_id))
        return;
    if (session && session->has_ended)
        metric_add(router->metrics.refused[REFUSED_ENDED], 1);
    else if (!fits_session(router, session, m))
        return;
    else if (mail_put(router->mail, m->to, &letter))
        metric_add(router->metrics.from_others, 1);
    else
        tell_full(router, peer, m->to);
}

static void take_full(struct router *router, const char *party_id)
{
    struct party *party = registry_party(router->registry, party_id);

    if (!party || is_here(party))
        return;
    party->full_until_us = router_now().steady_us + (uint64_t)FORWARD_FULL_MS * 1000;
    cluster_lost_messages(router->cluster);
}

void forward_take(struct router *router, struct cluster_peer *peer, uint64_t number,
                  const Mpc__Router__V1__RouterFrame *frame)
{
    struct elsewhere elsewhere = {
        .home = peer_instance(peer), .self = cluster_instance(router->cluster), .number = number};

    for (size_t i = 0; i < frame->n_parties; i++) {
        elsewhere.said = frame->parties[i];
        take_party(router, &elsewhere);
    }
    /* before the messages: they say how long those may be kept */
    for (size_t i = 0; i < frame->n_events; i++)
        router_take_event(router, frame->events[i]);
    for (size_t i = 0; i < frame->n_messages; i++)
        take_letter(router, peer, frame->messages[i]);
    for (size_t i = 0; i < frame->n_full; i++)
        take_full(router, frame->full[i]);
}
