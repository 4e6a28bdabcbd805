/* SPDX-License-Identifier: Apache-2.0 */
/* The account service: accounts, signatures, signing parties, over HTTP and gRPC.
 *
 * It holds no share. It checks requests, makes the signed intents of plain ones (intents.h), asks
 * the coordinator for sessions and waits for their ends, and keeps what backends ask about later:
 * accounts, certificates, audit log (store.h). What it says of an address rests on the certificate
 * that all parties signed and that it verified itself.
 *
 * There may be several replicas at one database server. What they share is in the database: an
 * account that is being made is held by one of them, and taken up by another when that one is gone
 * (store_hold); its end is written once, whoever comes first. A row read a moment ago may be as old
 * as lookup.c says.
 *
 * One loop, one thread. A request in progress is an operation on the heap that ends exactly
 * once. */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "quorate/context.h"
#include "services/account/audit_call.h"
#include "services/account/hot.h"
#include "services/account/repeat.h"
#include "services/account/store.h"
#include "system/cache/cache.h"
#include "system/core/metrics.h"
#include "system/rpc/client.h"
#include "system/service/service.h"

#include "account.pb-c.h"
#include "coordinator.pb-c.h"

struct await;
struct create;
struct look;

struct account_service {
    const struct service_host *host;
    const struct qrt_ctx *ctx;
    struct db *db;
    struct rpc_channel *coordinator, *router;
    /* account rows read a moment ago (lookup.h) */
    struct cache *rows;
    /* what became of requests with an idempotency key, shared with other replicas */
    struct repeats *repeats;
    /* Ed25519 secret key that signs intents of plain requests; guarded memory */
    uint8_t *initiator;
    uint8_t ca_key[32];
    /* requests that wait for a keygen or a signature now */
    size_t in_flight, in_flight_max;
    /* NULL: no presignatures */
    struct hot *hot;
    /* NULL: nobody hears of ends */
    struct webhooks *webhooks;
    unsigned keygen_wait_s, sign_wait_s;
    /* USER_SHARE_PUBLIC_KEY is set: the delegate has it, too */
    bool has_default_user_key;
    /* waits for sessions (await.h), and for sessions to begin (create_resume.c); none begins once
     * the service is ending */
    struct await *awaits;
    struct look *looks;
    bool is_ending;
    /* pending accounts that no request of this process is waiting for */
    uv_timer_t reconcile;
    /* no other process can have a hand in this database */
    bool is_alone;
    /* this process's name among the replicas, and that of its chain in the audit log */
    char replica[REPLICA_MAX];
    /* a row of that chain that was committed, and whether a newer one is being looked for */
    struct audit_head audit_head;
    bool is_auditing;
    /* accounts under way whose rows this process holds, renewed every second */
    struct create *held;
    bool is_renewing;
    unsigned ticks;
    /* what a restart left behind has been taken up; so many pending accounts are under way */
    bool has_resumed;
    size_t resuming;
    struct metric *keygens, *keygens_failed, *signatures, *signatures_failed, *waiting;
    struct metric *presignings, *presignings_failed;
    struct metric *keygen_time, *sign_time;
};

#endif
