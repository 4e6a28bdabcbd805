/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of permit.h, in the order in which they may be made: authenticate, then parse, then
 * compare. Everything here is public; variable time. */
#include "participant/permit.h"

#include "participant/shares.h"
#include "system/access/identity.h"
#include "system/core/clock.h"
#include "system/core/ids.h"

#include <sodium.h>
#include <string.h>

#define SETUP Mpc__Session__V1__Setup

static bool is_among(const uint8_t *keys, size_t n, const uint8_t key[32])
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(keys + 32 * i, key, 32) == 0)
            return true;
    }
    return false;
}

static bool check_initiator(struct permit *p, const struct permit_rules *rules,
                            struct refusal *refusal)
{
    const SETUP *s = p->setup;

    if (s->initiator_key.len != 32)
        return refuse(refusal, "INITIATOR", "the initiator's key is not 32 bytes");
    p->is_caller = is_among(rules->callers, rules->callers_n, s->initiator_key.data);
    if (!p->is_caller && !is_among(rules->initiators, rules->initiators_n, s->initiator_key.data))
        return refuse(refusal, "INITIATOR", "party %s does not obey this initiator",
                      rules->party_id);
    if (s->intent_signature.len != 64 ||
        qrt_intent_verify(rules->ctx, s->intent.data, s->intent.len, s->intent_signature.data,
                          s->initiator_key.data) != QRT_OK)
        return refuse(refusal, "INTENT_SIGNATURE", "%s", qrt_err_text(QRT_E_INTENT_SIGNATURE));
    if (qrt_intent_decode(&p->intent, s->intent.data, s->intent.len) != QRT_OK)
        return refuse(refusal, "INTENT_FORMAT", "%s", qrt_err_text(QRT_E_INTENT_FORMAT));
    crypto_hash_sha256(p->intent_hash, s->intent.data, s->intent.len);
    return true;
}

/* The far side first: it keeps the product by 1000 in range. */
static bool check_time(struct permit *p, int64_t now_ms, struct refusal *refusal)
{
    uint64_t ahead_s = (uint64_t)(now_ms + PERMIT_AHEAD_MS + CLOCK_SKEW_MS) / 1000;
    int64_t deadline_ms;

    if (p->intent.deadline > ahead_s)
        return refuse(refusal, "INTENT_FIELD", "the intent's deadline is more than 24 hours ahead");
    deadline_ms = (int64_t)p->intent.deadline * 1000;
    p->until_ms = deadline_ms + CLOCK_SKEW_MS;
    if (now_ms > p->until_ms)
        return refuse(refusal, "INTENT_EXPIRED",
                      "the intent's deadline passed %lld s ago (clocks may differ by 30 s)",
                      (long long)(now_ms - deadline_ms) / 1000);
    if (p->setup->attempt_deadline_ms <= now_ms - CLOCK_SKEW_MS)
        return refuse(refusal, "INTENT_EXPIRED", "the attempt's time is over");
    if (p->setup->deadline_ms > deadline_ms + CLOCK_SKEW_MS)
        return refuse(refusal, "INTENT_FIELD", "the session would outlive the intent's deadline");
    if (p->setup->attempt_deadline_ms > p->setup->deadline_ms)
        return refuse(refusal, "INTENT_FIELD", "the attempt would outlive its session");
    return true;
}

const char *permit_operation(const struct permit *permit)
{
    static const char *const names[] = {
        [QRT_OP_KEYGEN] = "keygen", [QRT_OP_SIGN] = "sign", [QRT_OP_PRESIGN] = "presign"};

    return names[permit->intent.operation];
}

static bool check_operation(const struct permit *p, struct refusal *refusal)
{
    if (strcmp(p->setup->session_type, permit_operation(p)) != 0)
        return refuse(refusal, "INTENT_FIELD", "the session is for something else than the intent");
    if (p->setup->attempt >= p->intent.attempts)
        return refuse(refusal, "INTENT_ATTEMPT", "attempt %u is not below the intent's %u",
                      p->setup->attempt, p->intent.attempts);
    if (p->setup->threshold_t != p->intent.t)
        return refuse(refusal, "INTENT_FIELD", "the threshold is not the intent's");
    return true;
}

static bool check_account(struct permit *p, struct refusal *refusal)
{
    uint8_t account[16], session[16];

    if (!id_parse(session, p->setup->session_id))
        return refuse(refusal, "INTENT_FIELD", "the session's id is not a UUID");
    if (!id_parse(account, p->setup->account_id) || memcmp(account, p->intent.account, 16) != 0)
        return refuse(refusal, "INTENT_FIELD", "the account is not the intent's");
    id_text(p->account_id, account);
    return true;
}

static bool has_own_place(const struct permit *p, size_t i, struct refusal *refusal)
{
    const Mpc__Session__V1__Member *m = p->setup->members[i];

    if (!party_id_is_valid(m->party_id) || m->index < 1 || m->index > QRT_INDEX_MAX)
        return refuse(refusal, "ROSTER", "member %zu has no valid id or index", i + 1);
    if (i > 0 && m->index <= p->setup->members[i - 1]->index)
        return refuse(refusal, "ROSTER", "the members' indices do not ascend");
    for (size_t j = 0; j < i; j++) {
        if (strcmp(p->setup->members[j]->party_id, m->party_id) == 0)
            return refuse(refusal, "ROSTER", "party %s is a member twice", m->party_id);
    }
    return true;
}

static bool take_members(struct permit *p, const struct permit_rules *rules,
                         struct refusal *refusal)
{
    p->n = p->setup->n_members;
    if (p->n < 2 || p->n > QRT_PARTIES_MAX)
        return refuse(refusal, "ROSTER", "a session has 2 to 64 members");
    for (size_t i = 0; i < p->n; i++) {
        const Mpc__Session__V1__Member *m = p->setup->members[i];

        if (!has_own_place(p, i, refusal))
            return false;
        p->indices[i] = (uint16_t)m->index;
        if (strcmp(m->party_id, rules->party_id) == 0)
            p->own = (uint16_t)m->index;
    }
    if (p->own == 0)
        return refuse(refusal, "ROSTER", "party %s is not a member", rules->party_id);
    return true;
}

bool permit_intent(struct permit *out, const struct permit_rules *rules,
                   const Mpc__Session__V1__Setup *setup, int64_t now_ms, struct refusal *refusal)
{
    *out = (struct permit){.setup = setup};
    return check_initiator(out, rules, refusal) && check_time(out, now_ms, refusal) &&
           check_operation(out, refusal) && check_account(out, refusal) &&
           take_members(out, rules, refusal);
}

/* Member |i| is who the authority says, and whom the intent seats there. */
static bool certified(struct permit *p, size_t i, const struct permit_rules *rules,
                      struct refusal *refusal)
{
    const Mpc__Session__V1__Member *m = p->setup->members[i];
    struct identity identity;
    uint8_t idk[32];

    if (!m->certificate || !identity_verify(&identity, m->certificate, rules->ca_key) ||
        strcmp(identity.party_id, m->party_id) != 0)
        return refuse(refusal, "ROSTER", "party %s has no certificate of the authority",
                      m->party_id);
    crypto_hash_sha256(idk, identity.key, 32);
    if (p->intent.parties[i] != p->indices[i] || memcmp(idk, p->intent.idk[i], 32) != 0)
        return refuse(refusal, "ROSTER", "the intent does not seat party %s at index %u",
                      m->party_id, m->index);
    p->keys[i].index = p->indices[i];
    memcpy(p->keys[i].idpk, identity.key, 32);
    return true;
}

bool permit_keygen(struct permit *permit, const struct permit_rules *rules, struct refusal *refusal)
{
    if (permit->n != permit->intent.parties_n || permit->setup->threshold_n != permit->n)
        return refuse(refusal, "ROSTER", "a key generation needs all parties of the intent");
    for (size_t i = 0; i < permit->n; i++) {
        if (!certified(permit, i, rules, refusal))
            return false;
        if (permit->indices[i] == permit->own &&
            memcmp(permit->keys[i].idpk, rules->identity_key, 32) != 0)
            return refuse(refusal, "ROSTER", "the certificate of party %s is of another key",
                          rules->party_id);
    }
    return true;
}

static bool allowed_by_intent(const struct qrt_intent *intent, uint16_t index)
{
    for (size_t i = 0; i < intent->parties_n; i++) {
        if (intent->parties[i] == index)
            return true;
    }
    return false;
}

/* Member |i| is the party that this share knows under that index. */
static bool signer(struct permit *p, size_t i, const struct permit_share *share,
                   struct refusal *refusal)
{
    const char *id = p->setup->members[i]->party_id;
    size_t place = share_place(share->share, p->indices[i]);

    if (place == share->share->n || (share->roster && strcmp(share->roster[place], id) != 0))
        return refuse(refusal, "ROSTER", "the key does not know party %s at index %u", id,
                      p->indices[i]);
    if (!allowed_by_intent(&p->intent, p->indices[i]))
        return refuse(refusal, "ROSTER", "the intent does not allow party %s to sign", id);
    p->keys[i] = share->keys[place];
    return true;
}

static bool check_key(const struct permit *p, const struct permit_share *share,
                      struct refusal *refusal)
{
    const struct qrt_share *s = share->share;

    if (memcmp(p->intent.keyid, s->keyid, 32) != 0 || p->intent.suite != s->suite ||
        p->intent.profile != s->profile)
        return refuse(refusal, "INTENT_FIELD", "the intent is for another key");
    if (p->intent.purpose != share->purpose)
        return refuse(refusal, "INTENT_FIELD", "the key is for another purpose than the intent's");
    if (share->caller_key && memcmp(p->setup->initiator_key.data, share->caller_key, 32) != 0)
        return refuse(refusal, "INITIATOR",
                      "this account obeys only the caller whose intent made it");
    if (p->intent.t != s->t || p->setup->threshold_n != s->n)
        return refuse(refusal, "INTENT_FIELD", "the threshold is not the key's");
    return true;
}

bool permit_sign(struct permit *permit, const struct permit_rules *rules,
                 const struct permit_share *share, struct refusal *refusal)
{
    if (!check_key(permit, share, refusal))
        return false;
    if (permit->n != share->share->t)
        return refuse(refusal, "ROSTER", "%s", qrt_err_text(QRT_E_QUORUM));
    if (permit->own != share->share->own)
        return refuse(refusal, "ROSTER", "party %s has index %u in this key", rules->party_id,
                      share->share->own);
    for (size_t i = 0; i < permit->n; i++) {
        if (!signer(permit, i, share, refusal))
            return false;
    }
    return true;
}

bool permit_boot(const struct permit *permit, const struct permit_rules *rules,
                 struct refusal *refusal)
{
    for (size_t i = 0; i < permit->n; i++) {
        const Mpc__Session__V1__Member *m = permit->setup->members[i];

        if (permit->indices[i] == permit->own &&
            (m->boot_id.len != 16 || memcmp(m->boot_id.data, rules->boot_id, 16) != 0))
            return refuse_for_now(refusal, "RESTARTED",
                                  "the invitation is for an earlier start of party %s",
                                  rules->party_id);
    }
    return true;
}
