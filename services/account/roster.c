/* SPDX-License-Identifier: Apache-2.0 */
/* Certified parties, before and after their keygen. */
#include "services/account/roster.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static bool is_certified(struct identity *out, const Mpc__Session__V1__Member *member,
                         const uint8_t ca_key[32])
{
    return member->certificate && identity_verify(out, member->certificate, ca_key) &&
           strcmp(out->party_id, member->party_id) == 0;
}

static void seat(struct account *account, const struct identity *identity, uint16_t index)
{
    struct account_party *party = &account->parties[account->parties_n++];

    *party = (struct account_party){.index = index};
    snprintf(party->id, sizeof party->id, "%s", identity->party_id);
}

bool roster_take(struct account *account, struct intent_member *out,
                 const struct account_service *s, Mpc__Session__V1__Member **members, size_t n)
{
    struct identity identity;

    if (n != account->n)
        return false;
    account->parties_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (members[i]->index != i + 1 || !is_certified(&identity, members[i], s->ca_key))
            return false;
        out[i].index = (uint16_t)(i + 1);
        crypto_hash_sha256(out[i].idk, identity.key, sizeof identity.key);
        seat(account, &identity, out[i].index);
    }
    return true;
}

static bool signers_are_members(struct account *account, const struct account_service *s,
                                const struct qrt_key_certificate *key,
                                const Mpc__Coordinator__V1__GetSessionStatusResponse *end)
{
    struct identity identity;

    if (end->n_members != key->n)
        return false;
    account->parties_n = 0;
    for (size_t i = 0; i < end->n_members; i++) {
        const Mpc__Session__V1__Member *member = end->members[i];
        const struct qrt_cert_row *row = qrt_certificate_row(key, (uint16_t)member->index);

        if (!row || !is_certified(&identity, member, s->ca_key) ||
            memcmp(row->idpk, identity.key, sizeof identity.key) != 0)
            return false;
        seat(account, &identity, (uint16_t)member->index);
    }
    return true;
}

bool roster_take_key(struct account *account, const struct account_service *s,
                     const Mpc__Coordinator__V1__GetSessionStatusResponse *end)
{
    struct qrt_key_certificate key;

    if (qrt_certificate_open(&key, s->ctx, end->certificate.data, end->certificate.len) != QRT_OK ||
        key.n != account->n || key.t != account->t || key.dealers_n != 0 || key.epoch != 0 ||
        !signers_are_members(account, s, &key, end))
        return false;
    memcpy(account->pk.b, key.pk, sizeof account->pk.b);
    memcpy(account->cc, key.cc, sizeof account->cc);
    memcpy(account->keyid, key.keyid, sizeof account->keyid);
    return true;
}
