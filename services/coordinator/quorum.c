/* SPDX-License-Identifier: Apache-2.0 */
/* A session's seats as candidates. A persistent party may always be asked; a delegate or temporary
 * one signs only if the request names it, and never presigns: nobody lends a share for that. */
#include "services/coordinator/quorum.h"

#include "services/coordinator/choose.h"
#include "services/coordinator/record.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool quorum_is_preferred(const struct record *r, const char *party_id)
{
    for (size_t i = 0; i < r->request->n_preferred; i++)
        if (strcmp(r->request->preferred[i], party_id) == 0)
            return true;
    return false;
}

static bool intent_allows(const struct record *r, uint32_t index)
{
    for (size_t i = 0; i < r->intent.parties_n; i++)
        if (r->intent.parties[i] == index)
            return true;
    return false;
}

/* May this seat be asked, if its party is there? */
static bool is_wanted(const struct coordinator *c, const struct record *r, uint8_t seat)
{
    const char *party_id = record_party(r, seat);
    const struct pool_party *party = pool_find(c->pool, party_id);

    if ((r->state.seats[seat] & SEAT_REFUSED) ||
        !intent_allows(r, r->request->members[seat]->index))
        return false;
    if (session_type_is_keygen(r->state.type))
        return true;
    if (r->state.type == SESSION_PRESIGN && party && strcmp(party->role, "persistent") != 0)
        return false;
    if (r->request->n_preferred > 0)
        return quorum_is_preferred(r, party_id);
    return !party || strcmp(party->role, "persistent") == 0;
}

bool quorum_may_ask(const struct coordinator *c, const struct record *r, uint8_t seat)
{
    return seat != SEAT_NONE && pool_is_able(pool_find(c->pool, record_party(r, seat))) &&
           is_wanted(c, r, seat);
}

enum {
    RANK_FINE,
    /* said "not now" to others shortly ago, or has not been heard of since the router started */
    RANK_HINT,
    RANK_DOUBTED,
    RANK_HAS_NO_SHARE,
    /* was in the way of this session; those of later attempts rank behind */
    RANK_TROUBLE
};

/* What its earlier attempts say of a seat, then what others know of its party. */
static unsigned suspicion(const struct coordinator *c, const struct record *r, uint8_t seat,
                          const struct pool_party *party)
{
    uint32_t trouble = session_trouble(&r->state, seat);
    enum pool_hint hint;

    if (trouble > 0)
        return RANK_TROUBLE + trouble;
    hint = pool_hint(c->pool, party, &r->intent, clock_unix_ms());
    if (hint == POOL_HAS_NO_SHARE)
        return RANK_HAS_NO_SHARE;
    if (r->state.seats[seat] & SEAT_DOUBTED)
        return RANK_DOUBTED;
    return hint == POOL_NOT_NOW || party->doubt_until_ms ? RANK_HINT : RANK_FINE;
}

bool quorum_choose(uint8_t seats[QRT_PARTIES_MAX], const struct coordinator *c,
                   const struct record *r)
{
    struct candidate candidates[QRT_PARTIES_MAX] = {0};

    for (uint8_t i = 0; i < r->state.seats_n; i++) {
        const struct pool_party *party = pool_find(c->pool, record_party(r, i));

        if (!quorum_may_ask(c, r, i))
            continue;
        candidates[i] = (struct candidate){.is_able = true,
                                           .suspicion = suspicion(c, r, i, party),
                                           .load = pool_load(party),
                                           .capacity = party->capacity,
                                           .turn = party->turn,
                                           .router = party->router,
                                           .bad_pairs = r->state.bad_pairs[i]};
        if (session_type_is_keygen(r->state.type))
            candidates[i].bad_pairs = 0; /* there is no choice */
    }
    return choose_quorum(seats, candidates, r->state.seats_n, r->state.needed);
}

bool quorum_may_come(const struct coordinator *c, const struct record *r, int64_t now_ms)
{
    size_t n = 0, absent = 0;

    for (uint8_t i = 0; i < r->state.seats_n; i++) {
        const char *party_id = record_party(r, i);

        if (!is_wanted(c, r, i))
            continue;
        if (pool_may_return(c->pool, party_id, now_ms))
            absent++;
        else if (!pool_is_able(pool_find(c->pool, party_id)))
            continue;
        n++;
    }
    return absent > 0 && n >= r->state.needed;
}

/* Why this seat is not to be had. */
static void explain_seat(struct buffer *text, const struct coordinator *c, const struct record *r,
                         uint8_t seat, int64_t now_ms)
{
    const char *party_id = record_party(r, seat), *comma = text->len ? ", " : "";
    const struct pool_party *party = pool_find(c->pool, party_id);

    if (r->state.seats[seat] & SEAT_REFUSED)
        buffer_printf(text, "%s%s refused", comma, party_id);
    else if (!party)
        buffer_printf(text, "%s%s has never been seen", comma, party_id);
    else if (!party->is_live)
        buffer_printf(text, "%s%s has not been seen for %lld s", comma, party_id,
                      (long long)((now_ms - party->seen_ms) / 1000));
    else if (party->capacity == 0)
        buffer_printf(text, "%s%s takes no sessions", comma, party_id);
    else if (!is_wanted(c, r, seat))
        buffer_printf(text, "%s%s is not to take part", comma, party_id);
}

void quorum_explain(char *out, size_t size, const struct coordinator *c, const struct record *r,
                    int64_t now_ms)
{
    struct buffer text = {0};
    size_t able = 0;

    for (uint8_t i = 0; i < r->state.seats_n; i++) {
        if (is_wanted(c, r, i) && pool_is_able(pool_find(c->pool, record_party(r, i))))
            able++;
        else
            explain_seat(&text, c, r, i, now_ms);
    }
    if (able >= r->state.needed)
        snprintf(out, size, "%u parties are needed, and those that are there cannot work together",
                 r->state.needed);
    else
        snprintf(out, size, "%u of %u parties are needed, %zu can be had: %s", r->state.needed,
                 r->state.seats_n, able, text.b ? (const char *)text.b : "");
    buffer_free(&text);
}
