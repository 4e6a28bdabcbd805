/* SPDX-License-Identifier: Apache-2.0 */
/* Between the book, the pool of parties and sessions. */
#include "services/coordinator/presig_stock.h"

#include "services/coordinator/quorum.h"
#include "services/coordinator/record.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* a party that was away for so long will have been started anew */
    GONE_MS = 60000,
    EXPIRE_EVERY_MS = 5000
};

struct seeker {
    const struct coordinator *c;
    /* the signature's; NULL: for nobody */
    const struct record *r;
};

static void count(const struct coordinator *c)
{
    metric_set(c->presigs_ready, (int64_t)presig_book_count(c->presig_book, NULL));
}

static enum presig_state look(const struct presig_signer *signer, void *arg)
{
    const struct seeker *seeker = arg;
    const struct pool_party *party = pool_find(seeker->c->pool, signer->party_id);

    if (!party || memcmp(party->boot_id, signer->boot_id, sizeof party->boot_id) != 0)
        return PRESIG_GONE;
    if (!party->is_live)
        return clock_unix_ms() - party->seen_ms < GONE_MS ? PRESIG_AWAY : PRESIG_GONE;
    if (!seeker->r)
        return PRESIG_FITS;
    if (pool_hint(seeker->c->pool, party, &seeker->r->intent, clock_unix_ms()) != POOL_NOTHING)
        return PRESIG_AWAY;
    return quorum_may_ask(seeker->c, seeker->r, record_seat(seeker->r, signer->party_id))
               ? PRESIG_FITS
               : PRESIG_AWAY;
}

void presig_stock_put(struct coordinator *c, const struct record *r)
{
    struct presig_signer signers[QRT_PARTIES_MAX];
    struct presig presig = {.signers = signers};
    struct seeker seeker = {c, NULL};
    bool all_there = true;

    presig_book_key(presig.key, &r->intent);
    memcpy(presig.id, r->state.result, sizeof presig.id);
    for (uint8_t i = 0; i < r->state.seats_n; i++) {
        struct presig_signer *signer = &signers[presig.signers_n];

        if (!(r->state.seats[i] & SEAT_IN))
            continue;
        snprintf(signer->party_id, sizeof signer->party_id, "%s", record_party(r, i));
        memcpy(signer->boot_id, r->boot_ids[i], sizeof signer->boot_id);
        all_there = all_there && look(signer, &seeker) != PRESIG_GONE;
        presig.signers_n++;
    }
    if (all_there && presig_book_put(c->presig_book, &presig, clock_steady_ms()))
        metric_add(c->presigs_made, 1);
    count(c);
}

static void take_seats(uint8_t seats[QRT_PARTIES_MAX], const struct record *r,
                       const struct presig *presig)
{
    bool signs[QRT_PARTIES_MAX] = {false};
    size_t n = 0;

    for (size_t i = 0; i < presig->signers_n; i++)
        signs[record_seat(r, presig->signers[i].party_id)] = true;
    for (uint8_t i = 0; i < r->state.seats_n; i++)
        if (signs[i])
            seats[n++] = i;
}

/* One attempt more has to be left: it is the one that needs nothing ready. */
static bool may_use(const struct record *r)
{
    return r->state.type == SESSION_SIGN && r->state.attempts_n == 0 && r->state.attempts_max > 1;
}

void presig_stock_take(struct coordinator *c, struct record *r, uint8_t seats[QRT_PARTIES_MAX])
{
    struct seeker seeker = {c, r};
    struct presig presig;
    uint8_t key[32];

    r->has_presignature = false;
    if (!may_use(r))
        return;
    presig_book_key(key, &r->intent);
    if (!presig_book_take(c->presig_book, &presig, key, look, &seeker))
        return;
    count(c);
    if (presig.signers_n == r->state.needed) {
        take_seats(seats, r, &presig);
        memcpy(r->presignature, presig.id, sizeof r->presignature);
        r->has_presignature = true;
        metric_add(c->presigs_used, 1);
    }
    free(presig.signers);
}

size_t presig_stock_ready(const struct coordinator *c, const struct record *r)
{
    uint8_t key[32];

    if (session_type_is_keygen(r->state.type))
        return 0;
    presig_book_key(key, &r->intent);
    return presig_book_count(c->presig_book, key);
}

void presig_stock_expire(struct coordinator *c, int64_t now_ms)
{
    struct seeker seeker = {c, NULL};

    if (now_ms - c->presig_stock_expired_ms < EXPIRE_EVERY_MS)
        return;
    c->presig_stock_expired_ms = now_ms;
    presig_book_expire(c->presig_book, look, &seeker, clock_steady_ms());
    count(c);
}
