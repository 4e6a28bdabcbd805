/* SPDX-License-Identifier: Apache-2.0 */
/* Nonces have a cache of their own: nobody without a certified key can push one out. */
#include "services/router/admission.h"

#include "services/router/registry.h"
#include "system/access/identity.h"
#include "system/cache/cache.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES = 20000, NONCES = 100000, NONCE_BYTES = 16, BOOT_BYTES = 16, PROOF_BYTES = 64 };
enum { CAPACITY_MAX = 100000, KEY_MAX = 160 };

struct admission {
    uint8_t ca_key[32];
    struct cache *addresses, *nonces;
};

struct admission *admission_new(const uint8_t *ca_key, struct redis *redis)
{
    struct admission *admission = mem_new(1, sizeof *admission);

    memcpy(admission->ca_key, ca_key, sizeof admission->ca_key);
    admission->addresses = cache_new(ADDRESSES);
    admission->nonces = cache_new(NONCES);
    cache_share(admission->addresses, redis, "router-address");
    cache_share(admission->nonces, redis, "router-nonce");
    return admission;
}

void admission_free(struct admission *admission)
{
    if (!admission)
        return;
    cache_free(admission->addresses);
    cache_free(admission->nonces);
    free(admission);
}

static struct rpc_status too_often(unsigned wait_s)
{
    struct rpc_status status =
        rpc_error(RPC_EXHAUSTED, "rate_limited",
                  "too many registrations of this caller: try again in %u s", wait_s);

    status.retry_after = (int)wait_s;
    return status;
}

/* Failures of an address use up a small budget of their own; while it is used up, nothing from
 * there is looked at. */
static struct rpc_status check_rate(struct admission *admission, const char *who)
{
    char key[KEY_MAX];
    unsigned wait_s = 1;
    size_t len;

    snprintf(key, sizeof key, "blocked/%s", who);
    if (cache_get(admission->addresses, key, &len))
        return too_often(60 / ADMISSION_FAILURES_PER_MINUTE);
    snprintf(key, sizeof key, "any/%s", who);
    if (!cache_allow(admission->addresses, key, ADMISSION_PER_MINUTE, ADMISSION_BURST, &wait_s))
        return too_often(wait_s);
    return rpc_ok();
}

static void note_failure(struct admission *admission, const char *who)
{
    char key[KEY_MAX];
    unsigned wait_s = 1;

    snprintf(key, sizeof key, "failed/%s", who);
    if (cache_allow(admission->addresses, key, ADMISSION_FAILURES_PER_MINUTE,
                    ADMISSION_FAILURES_BURST, &wait_s))
        return;
    snprintf(key, sizeof key, "blocked/%s", who);
    cache_put(admission->addresses, key, "", 1, (int64_t)wait_s * 1000);
}

static bool is_printable(const char *text, size_t max)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return len <= max;
}

static bool is_role(const char *role)
{
    return strcmp(role, "persistent") == 0 || strcmp(role, "delegate") == 0 ||
           strcmp(role, "temporary") == 0;
}

static struct rpc_status check_fields(const Mpc__Router__V1__RegisterPartyRequest *request)
{
    if (!party_id_is_valid(request->party_id))
        return rpc_error(RPC_INVALID, "invalid_party_id",
                         "party_id must be 1 to 64 of a-z A-Z 0-9 . _ -");
    if (!is_role(request->role))
        return rpc_error(RPC_INVALID, "invalid_role",
                         "role must be persistent, delegate or temporary");
    if (request->capacity < 1 || request->capacity > CAPACITY_MAX)
        return rpc_error(RPC_INVALID, "invalid_capacity", "capacity must be 1 to %d", CAPACITY_MAX);
    if (!is_printable(request->version, PARTY_VERSION_MAX - 1))
        return rpc_error(RPC_INVALID, "invalid_version",
                         "version must be at most %d printable characters", PARTY_VERSION_MAX - 1);
    if (request->boot_id.len != BOOT_BYTES)
        return rpc_error(RPC_INVALID, "invalid_boot_id", "boot_id must be 16 bytes");
    if (request->nonce.len != NONCE_BYTES)
        return rpc_error(RPC_INVALID, "invalid_nonce", "nonce must be 16 bytes");
    if (request->proof.len != PROOF_BYTES)
        return rpc_error(RPC_INVALID, "invalid_proof", "proof must be 64 bytes");
    if (!request->certificate)
        return rpc_error(RPC_INVALID, "invalid_certificate", "certificate is missing");
    return rpc_ok();
}

/* One answer for a certificate of another authority, of another party and of another role: who
 * asks without a certificate learns nothing of what would be good. */
static struct rpc_status check_proof(const struct admission *admission,
                                     const Mpc__Router__V1__RegisterPartyRequest *request)
{
    struct registration registration = {.party_id = request->party_id,
                                        .role = request->role,
                                        .boot_id = request->boot_id.data,
                                        .time_ms = request->time_ms,
                                        .nonce = request->nonce.data};
    struct identity identity;

    if (!identity_verify(&identity, request->certificate, admission->ca_key) ||
        strcmp(identity.party_id, request->party_id) != 0 ||
        strcmp(identity.role, request->role) != 0)
        return rpc_error(RPC_UNAUTHENTICATED, "invalid_certificate",
                         "the certificate is not this authority's for party %s as %s",
                         request->party_id, request->role);
    if (!registration_verify(request->proof.data, &registration, identity.key))
        return rpc_error(RPC_UNAUTHENTICATED, "invalid_proof",
                         "the proof is not a signature of party %s's identity key",
                         request->party_id);
    return rpc_ok();
}

struct rpc_status admission_check_clock(const char *party_id, int64_t time_ms, int64_t now_ms)
{
    bool is_ahead = time_ms > now_ms;
    uint64_t apart =
        is_ahead ? (uint64_t)time_ms - (uint64_t)now_ms : (uint64_t)now_ms - (uint64_t)time_ms;

    if (apart <= CLOCK_SKEW_MS)
        return rpc_ok();
    return rpc_error(RPC_STATE, "clock_skew",
                     "the clock of party %s is %" PRIu64
                     ".%03u s %s the router's, at most %d s are "
                     "allowed: set the clocks",
                     party_id, apart / 1000, (unsigned)(apart % 1000),
                     is_ahead ? "ahead of" : "behind", CLOCK_SKEW_MS / 1000);
}

static struct rpc_status check_all(const struct admission_try *try)
{
    struct rpc_status status = check_fields(try->request);

    if (status.code == RPC_OK)
        status = check_proof(try->admission, try->request);
    if (status.code == RPC_OK)
        status = admission_check_clock(try->request->party_id, try->request->time_ms, try->now_ms);
    return status;
}

/* Who proved itself and has only a clock that is off does not shut the door for its address. */
static void refuse(const struct admission_try *try, struct rpc_status status)
{
    if (strcmp(status.name, "clock_skew") != 0)
        note_failure(try->admission, try->who);
    try->done(try->arg, status);
}

/* What only Redis says may be a lie, which must not shut the door for an address. */
static void nonce_claimed(void *arg, enum cache_claim claim)
{
    const struct admission_try *try = arg;
    struct rpc_status status =
        rpc_error(RPC_UNAUTHENTICATED, "replayed",
                  "this registration was used before: make a fresh nonce and proof");

    if (claim == CACHE_FIRST)
        try->done(try->arg, rpc_ok());
    else if (claim == CACHE_ELSEWHERE)
        try->done(try->arg, status);
    else
        refuse(try, status);
}

void admission_check(const struct admission_try *try)
{
    struct rpc_status status = check_rate(try->admission, try->who);
    char key[KEY_MAX], hex[2 * NONCE_BYTES + 1];

    if (status.code != RPC_OK) {
        try->done(try->arg, status);
        return;
    }
    status = check_all(try);
    if (status.code != RPC_OK) {
        refuse(try, status);
        return;
    }
    hex_encode(hex, try->request->nonce.data, NONCE_BYTES);
    snprintf(key, sizeof key, "%s/%s", try->request->party_id, hex);
    cache_claim(try->admission->nonces, key, ADMISSION_NONCE_MS, nonce_claimed,
                (void *)(uintptr_t)try);
}

struct rpc_status admission_check_elsewhere(const struct admission *admission,
                                            const Mpc__Router__V1__RegisterPartyRequest *request,
                                            bool is_new, int64_t now_ms)
{
    struct rpc_status status = check_fields(request);

    if (status.code == RPC_OK && is_new)
        status = check_proof(admission, request);
    if (status.code == RPC_OK && is_new && request->time_ms > now_ms)
        status = admission_check_clock(request->party_id, request->time_ms, now_ms);
    return status;
}
