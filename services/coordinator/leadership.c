/* SPDX-License-Identifier: Apache-2.0 */
/* One work at a time is under way: a look, a taking, a renewal. */
#include "services/coordinator/leadership.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/metrics.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RENEW_MS = LEASE_MS / 3, LOOK_MS = 250 };

enum role { FOLLOWS, LEADS, LEFT };

struct leadership {
    struct leadership_params is;
    enum role role;
    char replica[LEASE_REPLICA_MAX];
    uv_timer_t timer;
    /* the work under way, lent to the database */
    struct lease lease;
    bool is_busy;
    /* ours; lent to the fence as long as the database is open */
    int64_t fence;
    /* by the clock that goes on in sleep: when the last confirmed renewal was asked for, and the
     * one under way */
    int64_t confirmed_ms, asked_ms;
    bool was_sure;
    /* what |follows| was told last; whom nobody follows */
    int64_t followed, refused;
    struct lease parting;
    void (*left)(void *arg);
    void *left_arg;
    struct metric *leads;
};

/* A machine that slept was late: the steady clock would not have noticed. */
static int64_t awake_or_not_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void submit(struct leadership *l, enum db_mode mode, db_work *work, db_done *done)
{
    l->is_busy = true;
    l->lease = (struct lease){.owner = l, .fence = l->fence, .key = l->is.key};
    memcpy(l->lease.replica, l->replica, sizeof l->replica);
    snprintf(l->lease.address, sizeof l->lease.address, "%s", l->is.address);
    l->asked_ms = awake_or_not_ms();
    db_submit(l->is.db, mode, work, done, &l->lease);
}

static void lead(struct leadership *l, int64_t fence)
{
    l->role = LEADS;
    l->fence = fence;
    l->confirmed_ms = l->asked_ms;
    l->was_sure = true;
    metric_set(l->leads, 1);
    db_fence(l->is.db, lease_fence, &l->fence, "another replica of the coordinator leads now");
    log_event(LOG_INFO, "this replica leads", LOG_S("replica", l->replica), LOG_I("fence", fence));
}

static void taken(void *arg, enum db_result result)
{
    const struct lease *lease = arg;
    struct leadership *l = lease->owner;

    l->is_busy = false;
    if (result != DB_OK || !lease->is_taken || l->role != FOLLOWS)
        return;
    lead(l, lease->fence);
    l->is.takes(l->is.arg);
}

/* Told once for each. */
static void refuse(struct leadership *l, const struct lease *lease)
{
    if (lease->fence == l->refused)
        return;
    l->refused = lease->fence;
    log_event(
        LOG_ERROR,
        "the row of the lease was not written by a replica with this JWT_SECRET_KEY: nobody is"
        " followed",
        LOG_S("address", lease->address), LOG_I("fence", lease->fence));
}

/* Whoever has left may still stand in the row, until the end of its lease is written. */
static bool is_own(const struct leadership *l, const struct lease *lease)
{
    return l->role == LEFT && lease->fence == l->fence;
}

static void looked(void *arg, enum db_result result)
{
    const struct lease *lease = arg;
    struct leadership *l = lease->owner;

    l->is_busy = false;
    if (result != DB_OK || l->role == LEADS)
        return;
    if (!lease_is_possible(lease->fence)) {
        refuse(l, lease);
    } else if (lease->is_over && l->role == FOLLOWS) {
        submit(l, DB_DURABLE, lease_take, taken);
    } else if (!lease->is_over && !lease->is_signed) {
        refuse(l, lease);
    } else if (!lease->is_over && lease->fence != l->followed && !is_own(l, lease)) {
        l->followed = lease->fence;
        log_event(LOG_INFO, "another replica leads", LOG_S("replica", lease->replica),
                  LOG_S("address", lease->address), LOG_I("fence", lease->fence));
        l->is.follows(l->is.arg, lease->address);
    }
}

/* A fence that is not ours any more has ended the database, which is told elsewhere. */
static void renewed(void *arg, enum db_result result)
{
    struct leadership *l = ((struct lease *)arg)->owner;

    l->is_busy = false;
    if (result == DB_OK)
        l->confirmed_ms = l->asked_ms;
    if (l->role == LEADS && !l->was_sure && leadership_is_sure(l)) {
        l->was_sure = true;
        l->is.is_sure(l->is.arg);
    }
}

static void tick(uv_timer_t *timer)
{
    struct leadership *l = timer->data;

    if (l->role == LEADS && l->was_sure && !leadership_is_sure(l)) {
        l->was_sure = false;
        log_line(LOG_WARN, "the lease could not be renewed in time: calls wait");
    }
    if (l->is_busy)
        return;
    if (l->role != LEADS)
        submit(l, DB_READ, lease_look, looked);
    else if (awake_or_not_ms() - l->asked_ms >= RENEW_MS)
        submit(l, DB_DURABLE, lease_renew, renewed);
}

static bool take_first(struct leadership *l)
{
    struct lease lease = {.key = l->is.key};

    memcpy(lease.replica, l->replica, sizeof l->replica);
    snprintf(lease.address, sizeof lease.address, "%s", l->is.address);
    l->asked_ms = awake_or_not_ms();
    if (db_run(l->is.db, DB_DURABLE, lease_take, &lease) != DB_OK)
        return false;
    if (lease.is_taken)
        lead(l, lease.fence);
    return true;
}

struct leadership *leadership_new(const struct leadership_params *params)
{
    struct leadership *l = mem_new(1, sizeof *l);
    uint8_t id[(LEASE_REPLICA_MAX - 1) / 2];

    l->is = *params;
    l->followed = l->refused = -1;
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(l->replica, sizeof l->replica, id, sizeof id);
    l->leads = metric_new(METRIC_GAUGE, "quorate_coordinator_leads", NULL,
                          "1: this replica of the coordinator leads.");
    if (!take_first(l)) {
        free(l);
        return NULL;
    }
    uv_timer_init(params->loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, tick, 0, LOOK_MS);
    return l;
}

bool leadership_leads(const struct leadership *l)
{
    return l->role == LEADS;
}

bool leadership_is_sure(const struct leadership *l)
{
    return l->role == LEADS && awake_or_not_ms() - l->confirmed_ms < LEASE_MS;
}

bool leadership_has_left(const struct leadership *l)
{
    return l->role == LEFT;
}

static void gave_up(void *arg, enum db_result result)
{
    struct leadership *l = ((struct lease *)arg)->owner;

    (void)result; /* then it runs out */
    if (l->left)
        l->left(l->left_arg);
    l->left = NULL;
}

void leadership_leave(struct leadership *l, void (*done)(void *arg), void *arg)
{
    bool did_lead = l->role == LEADS;

    l->role = LEFT;
    metric_set(l->leads, 0);
    if (!did_lead) {
        done(arg);
        return;
    }
    log_line(LOG_INFO, "this replica leads no more");
    l->left = done;
    l->left_arg = arg;
    l->parting = (struct lease){.owner = l, .fence = l->fence};
    db_submit(l->is.db, DB_DURABLE, lease_give_up, gave_up, &l->parting);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void leadership_free(struct leadership *l)
{
    if (l)
        uv_close((uv_handle_t *)&l->timer, closed);
}
