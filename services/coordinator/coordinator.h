/* SPDX-License-Identifier: Apache-2.0 */
/* The session coordinator: one struct for the service, one for each session in memory.
 *
 * What a session does is session.h's; this is what surrounds it. In memory are the sessions that
 * have not ended and, for a while, those that have: a cache of the database. A change goes
 *
 *     fact  ->  session_*  ->  flow_commit  ->  store_change  ->  published, answered
 *
 * and nobody hears of an attempt or an end before it is durable. One loop, one thread.
 *
 * At a database server there may be several replicas: one leads and is what is said above, the
 * others have nothing in memory and pass calls on to it (leadership.h, gate.h). */
#ifndef COORDINATOR_COORDINATOR_H
#define COORDINATOR_COORDINATOR_H

#include "quorate/context.h"
#include "quorate/intent.h"
#include "services/coordinator/lease.h"
#include "services/coordinator/pool.h"
#include "services/coordinator/presig_book.h"
#include "services/coordinator/session.h"
#include "services/coordinator/store.h"
#include "system/core/map.h"
#include "system/core/metrics.h"
#include "system/rpc/client.h"
#include "system/service/service.h"

#include "coordinator.pb-c.h"

enum {
    /* ended sessions kept in memory: so many, and so long */
    ENDED_MAX = 2048,
    ENDED_MS = 60000
};

struct watcher;

struct record {
    struct session state;
    /* as everybody may read it: an end is not in it before it is durable */
    struct store_row row;
    /* with the members' certificates; a seat is a place in its members */
    Mpc__Coordinator__V1__CreateSessionRequest *request;
    struct qrt_intent intent;
    /* of each seat, as of the present attempt */
    uint8_t (*boot_ids)[16];
    /* a delegate or a temporary party takes part: an attempt may take as long as the session */
    bool is_held;
    /* the present attempt uses this presignature, which nobody else has got */
    bool has_presignature;
    uint8_t presignature[32];
    /* the event that began the present attempt */
    int64_t invited_seq, invited_ms;
    /* why the attempt before failed */
    char reason_code[ERROR_CODE_MAX];
    char reason[ERROR_TEXT_MAX];
    /* what was reported and joined: repeats are recognised by it */
    size_t reports_n, joins_n;
    struct store_report *reports;
    struct store_join *joins;

    /* its first commit is under way: nothing else may touch it */
    bool is_new;
    /* has ended; the commit of that is under way */
    bool is_settling;
    bool has_ended;
    unsigned commits_pending;
    /* changes to be written with the next one, oldest first */
    struct change *held, *held_last;
    uint64_t started_us;
    /* counts in coordinator.running; its parties' loads count it */
    bool is_running, has_parties;
    /* stands in the queue; |is_blocked|: there was no quorum when it was looked at last */
    bool is_queued, is_blocked;
    /* blocked until then: a pause before it asks a party again that said "not now"; 0: no pause */
    int64_t resume_ms;
    struct watcher *watchers;
    /* list of open sessions, or of ended ones */
    struct record *next, *prev;
    struct record *queue_next, *queue_prev;
};

struct record_list {
    struct record *first, *last;
    size_t n;
};

/* Presigning is the system's own work, done while it has nothing better to do. */
enum { CLASS_SIGN, CLASS_KEYGEN, CLASS_PRESIGN, CLASSES };
/* presignings that run at a time, and that wait */
enum { PRESIGN_RUNNING_MAX = 2, PRESIGN_WAITING_MAX = 64 };

struct gate;
struct leadership;
struct orders;
struct publisher;
struct unlisted;

struct coordinator {
    const struct service_host *host;
    const struct qrt_ctx *ctx;
    struct db *db;
    struct rpc_channel *router;
    const struct token_key *tokens;
    struct publisher *publisher;
    struct orders *orders;
    struct pool *pool;
    struct presig_book *presig_book;
    uint8_t ca_key[32];

    struct map *sessions;
    struct record_list open, ended, queue[CLASSES];
    size_t running[CLASSES], running_max[CLASSES], waiting_max;

    /* the last event numbered, and the last one known to be durable */
    int64_t seq, committed_seq;
    /* ends after this number are all among |ended| or |open| */
    int64_t ends_floor;

    int64_t attempt_ms[CLASSES];
    int64_t keep_ms;
    uv_timer_t sweep;
    int64_t swept_ms, presig_stock_expired_ms;
    bool is_sweeping, is_stopping, is_ending;
    /* this replica has the sessions in memory; always, where there is one only */
    bool leads;
    /* NULL: there is one only */
    struct leadership *leadership;
    char *address;
    uint8_t lease_key[LEASE_KEY];
    struct gate *gate;
    /* long polls and streams; a length of time bounds each */
    size_t watchers_n;
    /* calls that wait for the first list of who is there, in the order of arrival */
    struct unlisted *unlisted;
    size_t unlisted_n;

    struct metric *created[SESSION_TYPES], *ended_by[SESSION_TYPES][SESSION_STATUSES];
    struct metric *running_now, *waiting_now, *attempts, *parties_live, *duration[CLASSES];
    struct metric *presigs_ready, *presigs_made, *presigs_used;
};

int coordinator_class(enum session_type type);

#endif
