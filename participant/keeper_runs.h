/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's table of runs, by session and attempt. Any thread. */
#ifndef PARTICIPANT_KEEPER_RUNS_H
#define PARTICIPANT_KEEPER_RUNS_H

#include "participant/run.h"

/* With a reference for the caller, or NULL; under the lock. */
struct run *keeper_find_run(struct keeper *keeper, const char *session_id, uint32_t attempt);
/* |call| for the runs that |is_it| picks under the lock, outside of it. */
void keeper_each(struct keeper *keeper, bool (*is_it)(struct run *run, const void *arg),
                 const void *arg, void (*call)(struct run *run));
void keeper_end_run(struct keeper *keeper, const char *session_id, uint32_t attempt,
                    enum run_end end);
/* The session's end was heard. */
bool keeper_is_closed(struct keeper *keeper, const char *session_id);
/* End the runs of this account; "": all. */
void keeper_freeze(struct keeper *keeper, const char *account_id);
/* Runs of this session, or of this account ("": of all), see again whether they may begin. */
void keeper_wake_session(struct keeper *keeper, const char *session_id);
void keeper_wake_account(struct keeper *keeper, const char *account_id);

#endif
