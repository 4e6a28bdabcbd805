/* SPDX-License-Identifier: Apache-2.0 */
/* SelectParties: persistent parties only, and a delegate when a user's share is asked for. A
 * caller's own list is taken as it stands if it fits. */
#include "services/coordinator/choose.h"
#include "services/coordinator/create.h"
#include "services/coordinator/unlisted.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct selection {
    const struct coordinator *c;
    const Mpc__Coordinator__V1__SelectPartiesRequest *in;
    bool wants_delegate;
    size_t n;
    struct pool_party *parties[QRT_PARTIES_MAX];
};

struct walk {
    const struct selection *s;
    const char *role;
    size_t n, able;
    struct pool_party *parties[QRT_PARTIES_MAX];
    struct candidate candidates[QRT_PARTIES_MAX];
    struct buffer absent;
};

static bool is_chosen(const struct selection *s, const struct pool_party *party)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->parties[i] == party)
            return true;
    return false;
}

static struct candidate candidate_of(const struct pool_party *party)
{
    return (struct candidate){.is_able = true,
                              .load = pool_load(party),
                              .capacity = party->capacity,
                              .turn = party->turn};
}

static void name_absent(struct walk *walk, const struct pool_party *party)
{
    if (walk->absent.len > 120)
        return;
    buffer_printf(&walk->absent, "%s%s has not been seen for %lld s",
                  walk->absent.len ? ", " : ": ", party->id,
                  (long long)((clock_unix_ms() - party->seen_ms) / 1000));
}

/* A pool may be larger than what a choice looks at: the worst of those looked at makes room. */
static void consider(struct walk *walk, struct pool_party *party)
{
    struct candidate candidate = candidate_of(party);
    size_t worst = 0;

    walk->able++;
    if (walk->n < QRT_PARTIES_MAX) {
        walk->parties[walk->n] = party;
        walk->candidates[walk->n++] = candidate;
        return;
    }
    for (size_t i = 1; i < walk->n; i++)
        if (choose_before(&walk->candidates[worst], &walk->candidates[i]))
            worst = i;
    if (choose_before(&candidate, &walk->candidates[worst])) {
        walk->parties[worst] = party;
        walk->candidates[worst] = candidate;
    }
}

static void visit(struct pool_party *party, void *arg)
{
    struct walk *walk = arg;

    if (strcmp(party->role, walk->role) != 0 || is_chosen(walk->s, party))
        return;
    if (pool_is_able(party))
        consider(walk, party);
    else
        name_absent(walk, party);
}

/* Add |needed| parties of |role| from the pool. */
static bool add_from_pool(struct selection *s, const char *role, size_t needed,
                          struct rpc_status *status)
{
    struct walk walk = {.s = s, .role = role};
    uint8_t chosen[QRT_PARTIES_MAX];
    bool is_ok;

    if (needed == 0)
        return true;
    pool_each(s->c->pool, visit, &walk);
    is_ok = choose_quorum(chosen, walk.candidates, walk.n, needed);
    for (size_t i = 0; is_ok && i < needed; i++)
        s->parties[s->n++] = walk.parties[chosen[i]];
    if (!is_ok)
        *status = rpc_error(RPC_IMPOSSIBLE, "too_few_parties",
                            "%zu %s parties are needed, %zu can be had%s", needed, role, walk.able,
                            walk.absent.b ? (const char *)walk.absent.b : "");
    buffer_free(&walk.absent);
    return is_ok;
}

static bool refuse(struct rpc_status *status, const char *party_id, const char *why)
{
    *status = rpc_error(RPC_IMPOSSIBLE, "too_few_parties", "%.64s %s", party_id, why);
    return false;
}

static bool add_named(struct selection *s, const char *party_id, struct rpc_status *status)
{
    struct pool_party *party = pool_find(s->c->pool, party_id);

    if (!party) {
        refuse(status, party_id, "is not a known party");
        status->name = "unknown_party";
        return false;
    }
    if (is_chosen(s, party)) {
        *status = rpc_error(RPC_INVALID, "invalid_field", "%s is named twice", party->id);
        return false;
    }
    if (!pool_is_able(party))
        return refuse(status, party_id,
                      party->is_live ? "takes no sessions" : "is not alive: choose another party");
    s->parties[s->n++] = party;
    return true;
}

static bool add_all_named(struct selection *s, struct rpc_status *status)
{
    size_t delegates = 0;

    for (size_t i = 0; i < s->in->n_party_ids; i++) {
        if (!add_named(s, s->in->party_ids[i], status))
            return false;
        delegates += strcmp(s->parties[i]->role, "persistent") != 0;
    }
    if (delegates > (s->wants_delegate ? 1U : 0U)) {
        *status = rpc_error(RPC_IMPOSSIBLE, "wrong_role",
                            "a delegate takes part only if user_share is delegate, and only one");
        return false;
    }
    if (s->wants_delegate && delegates == 0 && s->n < s->in->threshold_n)
        return add_from_pool(s, "delegate", 1, status);
    if (s->wants_delegate && delegates == 0) {
        *status = rpc_error(RPC_IMPOSSIBLE, "wrong_role",
                            "user_share is delegate: name threshold_n - 1 parties and a delegate,"
                            " or leave the delegate out");
        return false;
    }
    return true;
}

static bool check(const struct selection *s, struct rpc_status *status)
{
    uint32_t n = s->in->threshold_n, t = s->in->threshold_t;
    size_t named = s->in->n_party_ids;

    if (t < 2 || t > n || n > QRT_PARTIES_MAX)
        *status = rpc_error(RPC_INVALID, "invalid_threshold",
                            "need 2 <= threshold_t <= threshold_n <= 64");
    else if (s->in->user_share[0] && strcmp(s->in->user_share, "none") != 0 && !s->wants_delegate)
        *status = rpc_error(RPC_INVALID, "invalid_field", "user_share must be none or delegate");
    else if (named > 0 && named != n && !(s->wants_delegate && named + 1 == n))
        *status = rpc_error(RPC_INVALID, "invalid_field",
                            "party_ids must name threshold_n parties, or none");
    else
        return true;
    return false;
}

static void reply(const struct selection *s, struct rpc_call *call)
{
    Mpc__Coordinator__V1__SelectPartiesResponse m =
        MPC__COORDINATOR__V1__SELECT_PARTIES_RESPONSE__INIT;
    Mpc__Session__V1__Member members[QRT_PARTIES_MAX], *list[QRT_PARTIES_MAX];

    m.members = list;
    for (size_t i = 0; i < s->n; i++) {
        struct pool_party *party = s->parties[i];

        mpc__session__v1__member__init(&members[i]);
        members[i].party_id = party->id;
        members[i].index = (uint32_t)i + 1;
        members[i].certificate = mpc__session__v1__party_certificate__unpack(
            NULL, party->certificate_len, party->certificate);
        members[i].boot_id = (ProtobufCBinaryData){sizeof party->boot_id, party->boot_id};
        list[m.n_members++] = &members[i];
    }
    rpc_reply(call, &m.base);
    for (size_t i = 0; i < s->n; i++)
        if (members[i].certificate)
            mpc__session__v1__party_certificate__free_unpacked(members[i].certificate, NULL);
}

void select_parties(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct selection s = {.c = service, .in = (const void *)request};
    struct rpc_status status;
    bool is_ok;

    if (!pool_is_listed(s.c->pool)) {
        unlisted_wait(service, call, request, select_parties);
        return;
    }
    s.wants_delegate = strcmp(s.in->user_share, "delegate") == 0;
    is_ok = check(&s, &status);
    if (is_ok && s.in->n_party_ids > 0)
        is_ok = add_all_named(&s, &status);
    else if (is_ok)
        is_ok = add_from_pool(&s, "persistent", s.in->threshold_n - s.wants_delegate, &status) &&
                add_from_pool(&s, "delegate", s.wants_delegate, &status);
    if (is_ok)
        reply(&s, call);
    else
        rpc_fail(call, status);
}
