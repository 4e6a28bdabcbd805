/* SPDX-License-Identifier: Apache-2.0 */
/* owner.h. */
#include "owner.h"

#include "party_api.pb-c.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

uint8_t owner_key[32], owner_secret[32];

void owner_make(struct keepers *k, struct owner_share *m)
{
    const ProtobufCBinaryData *sealed;

    m->keygen = keepers_keygen(k, 3, 2);
    m->keygen.has_user_key = true;
    memcpy(m->keygen.user_key, owner_key, 32);
    keepers_make_key(k, &m->keygen, m->key_id, m->pk);
    assert_non_null(k->last_sealed);
    assert_string_equal(k->last_sealed->sealed_share->session_id, m->keygen.session_id);
    assert_memory_equal(k->last_sealed->sealed_share->public_key.data, m->pk, 33);
    sealed = &k->last_sealed->sealed_share->sealed;
    m->share_len = sealed->len - crypto_box_SEALBYTES;
    assert_true(m->share_len <= sizeof m->share);
    assert_int_equal(
        crypto_box_seal_open(m->share, sealed->data, sealed->len, owner_key, owner_secret), 0);
}

size_t owner_shares(struct keepers *k)
{
    keepers_sync(k, DELEGATE);
    return k->last_stats->stats->shares;
}

const char *owner_confirm(struct keepers *k, const char *session_id)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__ConfirmShare request = MPC__KEEPER__V1__CONFIRM_SHARE__INIT;

    request.session_id = (char *)session_id;
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_CONFIRM_SHARE;
    frame.confirm_share = &request;
    keepers_send(k, DELEGATE, &frame);
    keepers_sync(k, DELEGATE);
    return k->last_answer->share_answer->code;
}

void owner_seal(struct keepers *k, size_t who, const uint8_t *plain, size_t len, uint8_t *out)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__GetShareKey get = MPC__KEEPER__V1__GET_SHARE_KEY__INIT;

    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_SHARE_KEY;
    frame.get_share_key = &get;
    keepers_send(k, who, &frame);
    keepers_sync(k, who);
    assert_int_equal(
        crypto_box_seal(out, plain, len, k->last_share_key->share_key->public_key.data), 0);
}

const char *owner_lend_sealed(struct keepers *k, const char *session_id, uint8_t *sealed,
                              size_t len)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__LendShare lend = MPC__KEEPER__V1__LEND_SHARE__INIT;

    lend.session_id = (char *)session_id;
    lend.sealed = (ProtobufCBinaryData){len, sealed};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE;
    frame.lend_share = &lend;
    keepers_send(k, DELEGATE, &frame);
    keepers_sync(k, DELEGATE);
    return k->last_answer->share_answer->code;
}

size_t owner_box(struct keepers *k, const char *session_id, const ProtobufCBinaryData *share,
                 const ProtobufCBinaryData *intent_hash, uint8_t *sealed)
{
    static uint8_t plain[70000];
    Mpc__PartyApi__V1__LentShare message = MPC__PARTY_API__V1__LENT_SHARE__INIT;
    size_t len;

    message.session_id = (char *)session_id;
    message.user_share = *share;
    if (intent_hash)
        message.intent_hash = *intent_hash;
    len = mpc__party_api__v1__lent_share__pack(&message, plain);
    owner_seal(k, DELEGATE, plain, len, sealed);
    return len + crypto_box_SEALBYTES;
}

const char *owner_lend(struct keepers *k, const char *session_id, const uint8_t *plain, size_t len)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {len, (uint8_t *)plain};

    return owner_lend_sealed(k, session_id, sealed, owner_box(k, session_id, &share, NULL, sealed));
}
