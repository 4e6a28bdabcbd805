/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a registration is genuine: the operator's authority certified the identity key, and who
 * registers holds it now. RegisterParty is open to the network, so tries are limited by address
 * or TLS certificate, and failures more tightly. */
#ifndef ROUTER_ADMISSION_H
#define ROUTER_ADMISSION_H

#include "router.pb-c.h"
#include "system/rpc/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ADMISSION_PER_MINUTE = 600,
    ADMISSION_BURST = 200,
    ADMISSION_FAILURES_PER_MINUTE = 30,
    ADMISSION_FAILURES_BURST = 30,
    ADMISSION_NONCE_MS = 65000
};

struct admission;
struct redis;

/* |ca_key|: 32 bytes, copied. |redis|: what routers share nonces and counts through; NULL: there is
 * one router. */
struct admission *admission_new(const uint8_t *ca_key, struct redis *redis);
void admission_free(struct admission *admission);

/* |status|: RPC_OK, or why not: RPC_INVALID a field; RPC_UNAUTHENTICATED certificate, proof or
 * nonce; RPC_STATE "clock_skew"; RPC_EXHAUSTED |who| tried too often. */
typedef void admission_done(void *arg, struct rpc_status status);
struct admission_try {
    struct admission *admission;
    const Mpc__Router__V1__RegisterPartyRequest *request;
    /* whose tries are counted: an address, or "party/" and the id in a TLS certificate */
    const char *who;
    int64_t now_ms;
    admission_done *done;
    void *arg;
};

/* |try| is lent until |done|, which comes once, at once or within REDIS_ANSWER_MS. A nonce is good
 * once at all routers together; while Redis is away or slow, once at each: whoever saw a
 * registration on its way through TLS could use it at another router for as long as clocks may
 * differ. */
void admission_check(const struct admission_try *try);

/* A registration that another router took: its fields and, if |is_new|, certificate and proof, and
 * that it is not more ahead of |now_ms| than clocks may differ, for it would hold the party until
 * then. */
struct rpc_status admission_check_elsewhere(const struct admission *admission,
                                            const Mpc__Router__V1__RegisterPartyRequest *request,
                                            bool is_new, int64_t now_ms);

/* RPC_OK, or RPC_STATE with a sentence that has the difference. */
struct rpc_status admission_check_clock(const char *party_id, int64_t time_ms, int64_t now_ms);

#endif
