/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed box is made and opened here and nowhere else; the plain message lives in guarded
 * memory and is written by hand-over to protobuf-c only while it is packed (its buffers are
 * wiped). The keeper's own X25519 key is made anew at each start and is nowhere but in memory: who
 * kept boxes of lent shares opens them with nothing that a party has on its disk. */
#include "participant/delegate.h"

#include "party_api.pb-c.h"
#include "system/access/user_key.h"
#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { LENT_MAX = 256, SEALED_MAX = 2 << 20 };

struct lent {
    struct lent *next;
    char session_id[ID_TEXT_MAX];
    int64_t until_ms;
    struct share_held *held;
    /* the only intent that is served */
    bool has_intent;
    uint8_t intent_hash[32];
};

struct delegate {
    struct delegate_params params;
    bool has_user_key;
    uint8_t user_key[32];
    uint8_t public_key[32];
    uint8_t *secret_key; /* guarded */
    pthread_mutex_t lock;
    struct lent *first;
    size_t n;
};

struct delegate *delegate_new(const struct delegate_params *params)
{
    struct delegate *d = mem_new(1, sizeof *d);

    d->params = *params;
    d->has_user_key = params->user_key != NULL;
    if (params->user_key)
        memcpy(d->user_key, params->user_key, 32);
    d->secret_key = secret_new(crypto_box_SECRETKEYBYTES);
    crypto_box_keypair(d->public_key, d->secret_key);
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

static void lent_free(struct lent *lent)
{
    shares_put(lent->held);
    free(lent);
}

void delegate_free(struct delegate *d)
{
    if (!d)
        return;
    while (d->first) {
        struct lent *lent = d->first;

        d->first = lent->next;
        lent_free(lent);
    }
    secret_free(d->secret_key);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

bool delegate_is_active(const struct delegate *d)
{
    return d->params.is_delegate;
}

void delegate_public_key(const struct delegate *d, uint8_t out[32])
{
    memcpy(out, d->public_key, 32);
}

/* Short enough to come whole to who asked for the key. */
static const char unnamed[] =
    "nobody named a key for the user's share: name user_public_key in the account's request, or "
    "set USER_SHARE_PUBLIC_KEY";
static const char unsigned_offer[] =
    "the key of /shares/generate needs the initiator's user_key_signature over 32 zero bytes; or "
    "name user_public_key in the account's request";

bool delegate_recipient(const struct delegate *d, const Mpc__Session__V1__Setup *setup,
                        const ProtobufCBinaryData *offered, uint8_t out[32],
                        struct refusal *refusal)
{
    const ProtobufCBinaryData configured = {32, (uint8_t *)d->user_key};
    const ProtobufCBinaryData *key = &setup->user_public_key;
    bool is_said = key->len > 0 || setup->user_key_signature.len > 0;

    if (is_said && (setup->initiator_key.len != 32 ||
                    !user_key_verify(setup->user_key_signature, setup->intent, *key,
                                     setup->initiator_key.data)))
        return refuse(refusal, "USER_KEY",
                      "the user's public key is not signed by the initiator of the intent");
    if (key->len == 0 && d->has_user_key)
        key = &configured;
    else if (key->len == 0 && is_said)
        key = offered;
    if (key->len == 0)
        return refuse(refusal, "NO_USER_KEY", "%s",
                      is_said || offered->len == 0 ? unnamed : unsigned_offer);
    if (key->len != 32 || !user_key_is_sound(key->data))
        return refuse(refusal, "USER_KEY", "the user's public key is no X25519 key");
    memcpy(out, key->data, 32);
    return true;
}

/* Sealing */

/* Pack |message| into guarded memory, seal, wipe. */
static uint8_t *seal(const Mpc__PartyApi__V1__UserShare *message, const uint8_t recipient[32],
                     size_t *len)
{
    size_t plain_len = mpc__party_api__v1__user_share__get_packed_size(message);
    uint8_t *plain = secret_new(plain_len);
    uint8_t *sealed;

    *len = plain_len + crypto_box_SEALBYTES;
    sealed = mem_new(1, *len);
    mpc__party_api__v1__user_share__pack(message, plain);
    if (crypto_box_seal(sealed, plain, plain_len, recipient) != 0) {
        free(sealed);
        sealed = NULL;
    }
    secret_free(plain);
    return sealed;
}

bool delegate_seal(const struct delegate *d, struct store_sealed *out,
                   const struct store_share *row, const struct qrt_share *share,
                   const uint8_t recipient[32], int64_t now_ms)
{
    Mpc__PartyApi__V1__UserShare message = MPC__PARTY_API__V1__USER_SHARE__INIT;
    char *names = text_copy(row->roster), *save = NULL;
    char *roster[QRT_PARTIES_MAX];

    message.version = 1;
    message.account_id = (char *)row->account_id;
    message.party_id = (char *)d->params.party_id;
    message.purpose = row->purpose;
    message.record = (ProtobufCBinaryData){share->record_len, (uint8_t *)share->record};
    if (row->has_caller)
        message.initiator_key = (ProtobufCBinaryData){32, (uint8_t *)row->caller_key};
    message.roster = roster;
    for (char *id = strtok_r(names, " ", &save); id && message.n_roster < QRT_PARTIES_MAX;
         id = strtok_r(NULL, " ", &save))
        roster[message.n_roster++] = id;
    *out = (struct store_sealed){.expires_ms = now_ms + DELEGATE_KEEP_MS};
    memcpy(out->session_id, row->session_id, sizeof out->session_id);
    memcpy(out->public_key, share->pk, 33);
    out->sealed = seal(&message, recipient, &out->sealed_len);
    free(names);
    return out->sealed != NULL;
}

/* Lending */

static void *wiping_alloc(void *data, size_t size)
{
    size_t *p = malloc(size + sizeof(max_align_t));

    (void)data;
    if (!p)
        return NULL;
    *p = size;
    return (char *)p + sizeof(max_align_t);
}

static void wiping_free(void *data, void *p)
{
    size_t *start = p ? (size_t *)(void *)((char *)p - sizeof(max_align_t)) : NULL;

    (void)data;
    if (start)
        sodium_memzero(p, *start);
    free(start);
}

static ProtobufCAllocator wiping = {wiping_alloc, wiping_free, NULL};

static Mpc__PartyApi__V1__LentShare *open_box(const struct delegate *d, const uint8_t *sealed,
                                              size_t len)
{
    Mpc__PartyApi__V1__LentShare *message = NULL;
    uint8_t *plain;

    if (len <= crypto_box_SEALBYTES || len > SEALED_MAX)
        return NULL;
    plain = secret_new(len - crypto_box_SEALBYTES);
    if (crypto_box_seal_open(plain, sealed, len, d->public_key, d->secret_key) == 0)
        message =
            mpc__party_api__v1__lent_share__unpack(&wiping, len - crypto_box_SEALBYTES, plain);
    secret_free(plain);
    return message;
}

static bool fill_row(struct store_share *row, const Mpc__PartyApi__V1__UserShare *message)
{
    uint8_t account[16];
    struct buffer roster = {0};

    *row = (struct store_share){.purpose = (uint8_t)message->purpose};
    if (message->version != 1 || message->purpose > UINT8_MAX ||
        !id_parse(account, message->account_id) ||
        (message->initiator_key.len != 0 && message->initiator_key.len != 32))
        return false;
    id_text(row->account_id, account);
    row->has_caller = message->initiator_key.len == 32;
    if (row->has_caller)
        memcpy(row->caller_key, message->initiator_key.data, 32);
    for (size_t i = 0; i < message->n_roster; i++) {
        if (!party_id_is_valid(message->roster[i]))
            return false;
        buffer_printf(&roster, i ? " %s" : "%s", message->roster[i]);
    }
    row->roster = (char *)roster.b;
    return true;
}

/* The share's own row is this keeper's identity. */
static bool is_own(const struct delegate *d, const struct share_held *held)
{
    const struct qrt_share_party *own = qrt_share_party(&held->share, held->share.own);
    uint8_t idk[32];

    crypto_hash_sha256(idk, d->params.identity_key, 32);
    return own && memcmp(own->idk, idk, 32) == 0;
}

static struct share_held *open_share(const struct delegate *d, const ProtobufCBinaryData *share)
{
    Mpc__PartyApi__V1__UserShare *message =
        mpc__party_api__v1__user_share__unpack(&wiping, share->len, share->data);
    struct share_held *held = NULL;
    struct store_share row = {0};

    if (message && fill_row(&row, message) && message->record.len > 0) {
        uint8_t *record = secret_new(message->record.len);

        memcpy(record, message->record.data, message->record.len);
        held = shares_open(d->params.shares, &row, record, message->record.len);
    }
    if (message)
        mpc__party_api__v1__user_share__free_unpacked(message, &wiping);
    store_share_free(&row);
    if (held && !is_own(d, held)) {
        shares_put(held);
        held = NULL;
    }
    if (held)
        held->is_lent = true;
    return held;
}

/* Pairs that were burned while the share was here before are burned in what the owner has, too. */
static bool apply_tombstones(const struct delegate *d, struct share_held *held)
{
    const struct qrt_share *s = &held->share;
    uint64_t burned;

    if (!shares_tombstones(&burned, d->params.store, s))
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const uint8_t *index = s->parties[i].index;

        if ((burned >> i & 1) && qrt_share_note_burn(held->record, held->record_len,
                                                     (uint16_t)be_get(index, 2)) != QRT_OK)
            return false;
    }
    return qrt_share_open(&held->share, d->params.ctx, held->record, held->record_len) == QRT_OK;
}

static struct lent **find(struct delegate *d, const char *session_id)
{
    struct lent **at = &d->first;

    while (*at && strcmp((*at)->session_id, session_id) != 0)
        at = &(*at)->next;
    return at;
}

/* A box that names no intent serves the first of its session, once. While it is held it may come
 * again, from anybody who saw it, and serves what it served; afterwards, when what it served is
 * forgotten, it opens nothing any more: anybody who can have the session invited again would choose
 * what its owner's share signs. */
static bool is_good_again(struct delegate *d, const Mpc__PartyApi__V1__LentShare *message,
                          struct refusal *refusal)
{
    uint8_t session[16];
    bool is_held;

    pthread_mutex_lock(&d->lock);
    is_held = *find(d, message->session_id) != NULL;
    pthread_mutex_unlock(&d->lock);
    if (is_held || message->intent_hash.len > 0 || !id_parse(session, message->session_id))
        return true;
    switch (store_put_loan(d->params.store, session)) {
    case STORE_OK:
        return true;
    case STORE_NONE:
        return refuse(refusal, "NO_SHARE",
                      "a share was lent for session %s before: begin another session, or name the "
                      "intent in the box",
                      message->session_id);
    case STORE_FAILED:
        break;
    }
    return refuse_for_now(refusal, "STORAGE", "party %s cannot write down what was lent to it",
                          d->params.party_id);
}

/* Only one thread adds: what is free stays free until it does. */
static bool has_room(struct delegate *d, const char *session_id)
{
    bool room;

    pthread_mutex_lock(&d->lock);
    room = *find(d, session_id) || d->n < LENT_MAX;
    pthread_mutex_unlock(&d->lock);
    return room;
}

/* A second share for a session replaces the first, and serves the same intent. */
static void keep(struct delegate *d, const Mpc__PartyApi__V1__LentShare *message,
                 struct share_held *held, int64_t now_ms)
{
    struct lent **at, *lent;

    pthread_mutex_lock(&d->lock);
    at = find(d, message->session_id);
    lent = *at;
    if (lent) {
        shares_put(lent->held);
    } else {
        lent = *at = mem_new(1, sizeof *lent);
        memcpy(lent->session_id, message->session_id, ID_TEXT_MAX);
        d->n++;
    }
    if (!lent->has_intent && message->intent_hash.len == sizeof lent->intent_hash) {
        lent->has_intent = true;
        memcpy(lent->intent_hash, message->intent_hash.data, sizeof lent->intent_hash);
    }
    lent->held = held;
    lent->until_ms = now_ms + DELEGATE_LENT_MS;
    pthread_mutex_unlock(&d->lock);
}

/* Hold the share of |message|. */
static bool take_lent(struct delegate *d, const Mpc__PartyApi__V1__LentShare *message,
                      int64_t now_ms, struct refusal *refusal)
{
    struct share_held *held = open_share(d, &message->user_share);

    if (!held)
        return refuse(refusal, "NO_SHARE",
                      "the user's share does not open: it must be what this party made");
    if (!apply_tombstones(d, held)) {
        shares_put(held);
        return refuse_for_now(refusal, "STORAGE", "the burned pairs of this share cannot be read");
    }
    if (!has_room(d, message->session_id)) {
        shares_put(held);
        return refuse_for_now(refusal, "OVERLOADED", "too many shares are lent at the moment");
    }
    if (!is_good_again(d, message, refusal)) {
        shares_put(held);
        return false;
    }
    keep(d, message, held, now_ms);
    return true;
}

bool delegate_lend(struct delegate *d, const char *session_id, const uint8_t *sealed, size_t len,
                   int64_t now_ms, struct refusal *refusal)
{
    Mpc__PartyApi__V1__LentShare *message;
    uint8_t id[16];
    bool taken;

    if (!d->params.is_delegate)
        return refuse(refusal, "NO_SHARE", "this party takes no lent shares");
    if (!id_parse(id, session_id))
        return refuse(refusal, "INTENT_FIELD", "the session's id is not a UUID");
    message = open_box(d, sealed, len);
    if (!message)
        return refuse(refusal, "NO_SHARE",
                      "the box does not open: it must be a LentShare, sealed to this party's share "
                      "key");
    if (strcmp(message->session_id, session_id) != 0)
        taken = refuse(refusal, "NO_SHARE", "the user's share was lent for another session");
    else if (message->intent_hash.len != 0 && message->intent_hash.len != 32)
        taken = refuse(refusal, "NO_SHARE", "intent_hash must be 32 bytes or absent");
    else
        taken = take_lent(d, message, now_ms, refusal);
    mpc__party_api__v1__lent_share__free_unpacked(message, &wiping);
    return taken;
}

/* Under the lock. */
static bool serves(struct lent *lent, const struct permit *permit, struct refusal *refusal)
{
    if (strcmp(lent->held->account_id, permit->account_id) != 0 ||
        memcmp(lent->held->share.keyid, permit->intent.keyid, 32) != 0)
        return refuse(refusal, "NO_SHARE", "the share lent for this session is of another key");
    if (lent->has_intent && memcmp(lent->intent_hash, permit->intent_hash, 32) != 0)
        return refuse(refusal, "NO_SHARE",
                      "the share lent for this session is for another intent than this one");
    lent->has_intent = true;
    memcpy(lent->intent_hash, permit->intent_hash, sizeof lent->intent_hash);
    return true;
}

struct share_held *delegate_lent(struct delegate *d, const struct permit *permit,
                                 struct refusal *refusal)
{
    struct share_held *held = NULL;
    struct lent *lent;

    pthread_mutex_lock(&d->lock);
    lent = *find(d, permit->setup->session_id);
    if (lent && serves(lent, permit, refusal)) {
        held = lent->held;
        atomic_fetch_add(&held->refs, 1);
    }
    pthread_mutex_unlock(&d->lock);
    return held;
}

static void remove_at(struct delegate *d, struct lent **at)
{
    struct lent *lent = *at;

    *at = lent->next;
    d->n--;
    lent_free(lent);
}

void delegate_forget(struct delegate *d, const char *session_id)
{
    struct lent **at;

    pthread_mutex_lock(&d->lock);
    at = find(d, session_id);
    if (*at)
        remove_at(d, at);
    pthread_mutex_unlock(&d->lock);
}

void delegate_expire(struct delegate *d, int64_t now_ms)
{
    pthread_mutex_lock(&d->lock);
    for (struct lent **at = &d->first; *at;) {
        if ((*at)->until_ms <= now_ms)
            remove_at(d, at);
        else
            at = &(*at)->next;
    }
    pthread_mutex_unlock(&d->lock);
}
