/* SPDX-License-Identifier: Apache-2.0 */
/* What front*.c share. Nobody else includes it.
 *
 *   front.c          what comes in: the network, time, the host; the front's life
 *   front_frames.c   what comes in: the keeper
 *   front_act.c      what is done about it
 *   front_calls.c    calls about a session
 *   front_find.c     the question whether a session is there
 *   front_metrics.c  figures */
#ifndef PARTICIPANT_FRONT_STATE_H
#define PARTICIPANT_FRONT_STATE_H

#include "participant/front.h"
#include "participant/front_backup.h"
#include "participant/front_pipe.h"
#include "participant/front_table.h"

enum { FRONT_SHARE_KEY_BYTES = 32 };

struct front_metrics {
    struct metric *running, *kept, *sent, *resent, *received, *reports, *refused;
    /* NULL until the keeper has told them: 0 says that all is done */
    struct metric *to_rewrap, *without_backup;
    struct metric *shares, *dropped, *burned, *presignatures, *signatures, *signatures_online,
        *failures;
};

struct front {
    struct front_params params;
    struct front_host host;
    struct front_link *link;
    struct front_pipe *pipe;
    struct front_outbox *outbox;
    struct front_backup *backup;
    struct front_table table;
    struct front_metrics metrics;
    /* sessions that count as load */
    uint32_t running;
    /* the last mark given to the pipe, and the last of a message that was dropped behind it */
    int64_t sent_mark, dropped_mark;
    uint64_t sent_told, resent_told;
    uint8_t share_key[FRONT_SHARE_KEY_BYTES];
    bool has_share_key, is_stopping, is_freed;
    void (*stopped)(void *arg);
    void *stopped_arg;
    uv_timer_t sweep_timer, again_timer;
    unsigned sweeps, handles;
    /* no entry has to be swept before; unix ms */
    int64_t sweep_ms;
    /* sessions with lost calls, counted by the timer */
    unsigned due;
};

/* Do what the core asks for. Every change of a core is followed by this. */
void front_act(struct front *front, struct front_entry *entry, unsigned actions);
/* An entry has to be looked at by the sweep, then or later. */
void front_due(struct front *front, int64_t at_ms);
/* An invitation from anywhere; |join_token| may be "" or NULL. */
void front_invite(struct front *front, const Mpc__Session__V1__Setup *setup,
                  const char *join_token);
/* The session is over; |status| is a constant. */
void front_close(struct front *front, struct front_entry *entry, const char *status,
                 const char *detail);
void front_to_keeper(struct front *front, Mpc__Keeper__V1__ToKeeper__RequestCase which,
                     void *request, int64_t mark);
/* A frame of the keeper; |arg| is the front. */
void front_take_frame(void *arg, const Mpc__Keeper__V1__FromKeeper *frame);
/* Calls that the core has asked for. */
void front_start_join(struct front *front, struct front_entry *entry);
void front_start_report(struct front *front, struct front_entry *entry, uint32_t attempt);
void front_start_submit(struct front *front, struct front_entry *entry);
/* Answer a host that asked for the session, once. */
void front_tell_joined(struct front *front, struct front_entry *entry,
                       const struct rpc_status *status);
void front_make_metrics(struct front_metrics *m);
/* What the keeper counts. */
void front_take_stats(struct front *front, const Mpc__Keeper__V1__Stats *stats);

#endif
