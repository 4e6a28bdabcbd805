/* SPDX-License-Identifier: Apache-2.0 */
/* Certified parties, before and after their keygen. */
#include "services/account/roster.h"

#include "system/access/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static bool is_certified(struct identity *out, const Mpc__Session__V1__Member *member,
                         const uint8_t ca_key[32])
{
    return member->certificate && identity_verify(out, member->certificate, ca_key) &&
           strcmp(out->party_id, member->party_id) == 0;
}

static bool is_asked_for(const struct request_create *req, const struct identity *identity)
{
    for (size_t i = 0; i < req->parties_n; i++)
        if (strcmp(req->parties[i], identity->party_id) == 0)
            return true;
    return req->parties_n == 0 && strcmp(identity->role, "temporary") != 0;
}

static bool is_seated(const struct account *account, const struct identity *identity)
{
    for (size_t i = 0; i < account->parties_n; i++)
        if (strcmp(account->parties[i].id, identity->party_id) == 0)
            return true;
    return false;
}

static void seat(struct account *account, const struct identity *identity, uint16_t index)
{
    struct account_party *party = &account->parties[account->parties_n++];

    *party = (struct account_party){.index = index};
    snprintf(party->id, sizeof party->id, "%s", identity->party_id);
}

bool roster_take(struct account *account, struct intent_member *out,
                 const struct account_service *s, const struct request_create *req,
                 const Mpc__Coordinator__V1__SelectPartiesResponse *selected)
{
    struct identity identity;
    size_t delegates = 0;

    if (selected->n_members != account->n)
        return false;
    account->parties_n = 0;
    for (size_t i = 0; i < selected->n_members; i++) {
        const Mpc__Session__V1__Member *member = selected->members[i];

        if (member->index != i + 1 || !is_certified(&identity, member, s->ca_key) ||
            !is_asked_for(req, &identity) || is_seated(account, &identity))
            return false;
        delegates += strcmp(identity.role, "delegate") == 0;
        out[i].index = (uint16_t)(i + 1);
        crypto_hash_sha256(out[i].idk, identity.key, sizeof identity.key);
        seat(account, &identity, out[i].index);
    }
    return delegates == (req->delegate ? 1 : 0) || (req->parties_n && !req->delegate);
}

bool roster_leaves_key(const struct account_service *s,
                       const Mpc__Coordinator__V1__SelectPartiesResponse *selected)
{
    struct identity identity;

    for (size_t i = 0; i < selected->n_members && !s->has_default_user_key; i++)
        if (is_certified(&identity, selected->members[i], s->ca_key) &&
            strcmp(identity.role, "delegate") == 0)
            return true;
    return false;
}

bool roster_take_key(struct account *account, const struct account_service *s,
                     const ProtobufCBinaryData *certificate, const struct signed_intent *intent)
{
    struct qrt_key_certificate key;

    if (qrt_certificate_open(&key, s->ctx, certificate->data, certificate->len) != QRT_OK ||
        qrt_certificate_check_intent(&key, s->ctx, intent->b, intent->len) != QRT_OK)
        return false;
    memcpy(account->pk.b, key.pk, sizeof account->pk.b);
    memcpy(account->cc, key.cc, sizeof account->cc);
    memcpy(account->keyid, key.keyid, sizeof account->keyid);
    return true;
}

void roster_members(struct roster_members *out, struct account *account)
{
    out->n = out->preferred_n = 0;
    for (size_t i = 0; i < account->parties_n; i++) {
        struct account_party *party = &account->parties[i];

        mpc__session__v1__member__init(&out->rows[i]);
        out->rows[i].party_id = party->id;
        out->rows[i].index = party->index;
        out->list[out->n++] = &out->rows[i];
        if (party->signs)
            out->preferred[out->preferred_n++] = party->id;
    }
}
