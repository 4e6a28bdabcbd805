/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's figures, which the front asks for every few seconds and shows at /metrics. */
#include "participant/keeper_state.h"

#include <string.h>

/* Of |shares|. What a delegate has waits for its owner: it is nobody's to back up. */
static uint64_t without_backup(const struct keeper *keeper, uint64_t shares)
{
    if (keeper->backup)
        return backup_missing(keeper->backup);
    return strcmp(keeper->role, "persistent") == 0 ? shares : 0;
}

void keeper_tell_stats(struct keeper *keeper)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__Stats stats = MPC__KEEPER__V1__STATS__INIT;

    pthread_mutex_lock(&keeper->lock);
    stats.running = (uint32_t)keeper->runs_n;
    pthread_mutex_unlock(&keeper->lock);
    stats.shares = (uint32_t)store_count(keeper->store);
    stats.dropped = atomic_load(&keeper->counts.dropped);
    stats.burned = atomic_load(&keeper->counts.burned);
    stats.presignatures = presigs_count(keeper->presigs);
    stats.signatures = atomic_load(&keeper->counts.signatures);
    stats.signatures_online = atomic_load(&keeper->counts.signatures_online);
    stats.failures = atomic_load(&keeper->counts.failures);
    stats.rows_to_rewrap = rewrap_left(keeper->rewrap);
    stats.keys_without_backup = without_backup(keeper, stats.shares);
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_STATS;
    frame.stats = &stats;
    keeper_emit(keeper, &frame);
}
