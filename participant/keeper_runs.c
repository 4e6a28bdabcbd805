/* SPDX-License-Identifier: Apache-2.0 */
/* A list: as long as the sessions that are under way. It holds one reference of each; whoever finds
 * one in it has one of its own. */
#include "participant/keeper_runs.h"

#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

struct run *keeper_find_run(struct keeper *keeper, const char *session_id, uint32_t attempt)
{
    struct run *run = keeper->runs;

    while (run &&
           (run->setup->attempt != attempt || strcmp(run->setup->session_id, session_id) != 0))
        run = run->next;
    if (run)
        atomic_fetch_add(&run->refs, 1);
    return run;
}

static struct run *take_ref(struct keeper *keeper, const char *session_id, uint32_t attempt)
{
    struct run *run;

    pthread_mutex_lock(&keeper->lock);
    run = keeper_find_run(keeper, session_id, attempt);
    pthread_mutex_unlock(&keeper->lock);
    return run;
}

void keeper_end_run(struct keeper *keeper, const char *session_id, uint32_t attempt,
                    enum run_end end)
{
    struct run *run = take_ref(keeper, session_id, attempt);

    if (!run)
        return;
    run_end(run, end);
    run_unref(run);
}

bool keeper_is_closed(struct keeper *keeper, const char *session_id)
{
    bool is_closed;

    pthread_mutex_lock(&keeper->lock);
    is_closed = intake_is_closed(keeper->intake, session_id);
    pthread_mutex_unlock(&keeper->lock);
    return is_closed;
}

/* Under the lock. */
static void rest(struct keeper *keeper, struct run *run)
{
    if (!run->is_resting)
        keeper->runs_n--;
    run->is_resting = true;
}

void keeper_rest(struct keeper *keeper, struct run *run)
{
    pthread_mutex_lock(&keeper->lock);
    rest(keeper, run);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_forget(struct keeper *keeper, struct run *run)
{
    struct run **at;

    pthread_mutex_lock(&keeper->lock);
    at = &keeper->runs;
    while (*at && *at != run)
        at = &(*at)->next;
    if (*at) {
        *at = run->next;
        rest(keeper, run);
        intake_ended(keeper->intake, run->setup->session_id, run->setup->attempt);
    }
    pthread_mutex_unlock(&keeper->lock);
    run_unref(run);
}

void keeper_each(struct keeper *keeper, bool (*is_it)(struct run *run, const void *arg),
                 const void *arg, void (*call)(struct run *run))
{
    struct run **picked;
    size_t n = 0;

    pthread_mutex_lock(&keeper->lock);
    for (struct run *run = keeper->runs; run; run = run->next)
        n += is_it(run, arg);
    picked = mem_new(n + 1, sizeof *picked);
    n = 0;
    for (struct run *run = keeper->runs; run; run = run->next) {
        if (is_it(run, arg)) {
            atomic_fetch_add(&run->refs, 1);
            picked[n++] = run;
        }
    }
    pthread_mutex_unlock(&keeper->lock);
    for (size_t i = 0; i < n; i++) {
        call(picked[i]);
        run_unref(picked[i]);
    }
    free(picked);
}

static bool is_of_account(struct run *run, const void *arg)
{
    const char *account_id = arg;

    return !run->is_resting && (!account_id[0] || strcmp(run->permit.account_id, account_id) == 0);
}

static void end_frozen(struct run *run)
{
    run_end(run, RUN_FROZEN);
}

void keeper_freeze(struct keeper *keeper, const char *account_id)
{
    keeper_each(keeper, is_of_account, account_id, end_frozen);
}

void keeper_wake_account(struct keeper *keeper, const char *account_id)
{
    keeper_each(keeper, is_of_account, account_id, run_start);
}

static bool is_of_session(struct run *run, const void *arg)
{
    return strcmp(run->setup->session_id, arg) == 0;
}

void keeper_wake_session(struct keeper *keeper, const char *session_id)
{
    keeper_each(keeper, is_of_session, session_id, run_start);
}
