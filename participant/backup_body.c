/* SPDX-License-Identifier: Apache-2.0 */
/* See backup_body.h. */
#include "participant/backup_body.h"

#include "session.pb-c.h"
#include "system/core/be.h"
#include "system/core/fields.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    STATE_VERSION = 2,
    IDENTITY = 64,
    ID = 16,
    BURN = 40,
    SIGNATURE = 64,
    ROSTER_MAX = 65535
};
/* Up to the roster. */
enum { SHARE_FIXED = 1 + IDENTITY + ID + 4 + 2 + 1 + 1 + 32 + 8 + 32 };

/* Whose word an order is. */
enum word { WORD_NOBODY, WORD_OWN, WORD_OPERATOR };

/* Shares */

uint8_t *backup_share_encode(size_t *len, const struct backup_share *share)
{
    const struct store_share *row = &share->row;
    size_t roster_len = strlen(row->roster);
    uint8_t session[ID], *b, *at;

    if (!id_parse(session, row->session_id) || roster_len > ROSTER_MAX)
        return NULL;
    *len = SHARE_FIXED + 2 + roster_len + 4 + share->record_len;
    at = b = secret_new(*len);
    at = fields_put_number(at, VERSION, 1);
    at = fields_put(at, share->identity, IDENTITY);
    at = fields_put(at, session, ID);
    at = fields_put_number(at, row->attempt, 4);
    at = fields_put_number(at, row->own, 2);
    at = fields_put_number(at, row->purpose, 1);
    at = fields_put_number(at, row->has_caller, 1);
    at = fields_put(at, row->caller_key, 32);
    at = fields_put_number(at, (uint64_t)row->deadline_ms, 8);
    at = fields_put(at, row->intent_hash, 32);
    at = fields_put_number(at, roster_len, 2);
    at = fields_put(at, row->roster, roster_len);
    at = fields_put_number(at, share->record_len, 4);
    (void)fields_put(at, share->record, share->record_len);
    return b;
}

static char *take_roster(struct fields *c)
{
    size_t len = (size_t)fields_number(c, 2);
    const uint8_t *b = fields_take(c, len);
    char *text;

    if (!b || memchr(b, 0, len)) {
        c->failed = true;
        return NULL;
    }
    text = mem_new(1, len + 1);
    memcpy(text, b, len);
    return text;
}

bool backup_share_decode(struct backup_share *out, const struct backup_head *head, const uint8_t *b,
                         size_t len)
{
    struct fields c = {b, len, false};
    struct store_share *row = &out->row;
    uint8_t session[ID];
    uint64_t version = fields_number(&c, 1), has_caller;

    *out = (struct backup_share){.row = {.status = STORE_ACTIVE, .epoch = head->epoch}};
    id_text(row->account_id, head->account);
    memcpy(row->kgid, head->kgid, 32);
    out->identity = fields_take(&c, IDENTITY);
    fields_copy(&c, session, ID);
    id_text(row->session_id, session);
    row->attempt = (uint32_t)fields_number(&c, 4);
    row->own = (uint16_t)fields_number(&c, 2);
    row->purpose = (uint8_t)fields_number(&c, 1);
    has_caller = fields_number(&c, 1);
    row->has_caller = has_caller != 0;
    fields_copy(&c, row->caller_key, 32);
    row->deadline_ms = (int64_t)fields_number(&c, 8);
    fields_copy(&c, row->intent_hash, 32);
    row->roster = take_roster(&c);
    out->record_len = (size_t)fields_number(&c, 4);
    out->record = fields_take(&c, out->record_len);
    if (fields_end(&c) && version == VERSION && has_caller <= 1)
        return true;
    store_share_free(row);
    return false;
}

/* The key pair is one, and the roster's at the own index. */
static bool is_identity(const struct qrt_share *share, const uint8_t identity[IDENTITY],
                        const uint8_t public_key[32])
{
    const struct qrt_share_party *row = qrt_share_party(share, share->own);
    uint8_t *pair = secret_new(IDENTITY), again[32], idk[crypto_hash_sha256_BYTES];
    bool ok;

    crypto_sign_seed_keypair(again, pair, identity);
    crypto_hash_sha256(idk, public_key, 32);
    ok = row && memcmp(again, public_key, 32) == 0 && memcmp(identity + 32, public_key, 32) == 0 &&
         memcmp(row->idk, idk, sizeof idk) == 0;
    secret_free(pair);
    return ok;
}

const char *backup_share_check(struct qrt_share *out, const struct qrt_ctx *ctx,
                               const struct backup_share *share, const struct backup_head *head)
{
    if (qrt_share_open(out, ctx, share->record, share->record_len) != QRT_OK)
        return "holds a share that is not sound: it does not fit its key's certificate";
    if (memcmp(out->kgid, head->kgid, 32) != 0 || out->epoch != head->epoch ||
        out->own != share->row.own)
        return "holds another share than its header says";
    if (!is_identity(out, share->identity, head->identity))
        return "was not made by the party whose share it holds";
    return NULL;
}

/* The state */

static void add_number(struct buffer *out, uint64_t v, size_t len)
{
    uint8_t b[8];

    be_put(b, len, v);
    buffer_add(out, b, len);
}

void backup_state_begin(struct backup_writing *w, uint64_t serial, const uint8_t *certificate,
                        size_t len, uint32_t shares_n)
{
    *w = (struct backup_writing){0};
    add_number(&w->out, STATE_VERSION, 1);
    add_number(&w->out, serial, 8);
    add_number(&w->out, len, 4);
    buffer_add(&w->out, certificate, len);
    add_number(&w->out, shares_n, 4);
}

void backup_state_burn(struct backup_writing *w, const struct store_burn *burn)
{
    buffer_add(&w->burns, burn->kgid, 32);
    add_number(&w->burns, burn->epoch, 4);
    add_number(&w->burns, burn->own, 2);
    add_number(&w->burns, burn->peer, 2);
    w->burns_n++;
}

static enum word word_of(const struct store_order *order)
{
    if (order->is_own)
        return WORD_OWN;
    return order->signature && order->body ? WORD_OPERATOR : WORD_NOBODY;
}

void backup_state_order(struct backup_writing *w, const struct store_order *order)
{
    enum word word = word_of(order);
    uint8_t subject[ID] = {0};

    if ((order->subject[0] && !id_parse(subject, order->subject)) ||
        (word == WORD_OPERATOR && order->body_len > UINT16_MAX)) {
        w->failed = true;
        return;
    }
    buffer_add(&w->orders, subject, ID);
    add_number(&w->orders, order->serial, 8);
    add_number(&w->orders, order->is_frozen, 1);
    add_number(&w->orders, word, 1);
    w->orders_n++;
    if (word != WORD_OPERATOR)
        return;
    add_number(&w->orders, order->body_len, 2);
    buffer_add(&w->orders, order->body, order->body_len);
    buffer_add(&w->orders, order->signature, SIGNATURE);
}

bool backup_state_end(struct backup_writing *w)
{
    add_number(&w->out, w->burns_n, 4);
    buffer_add(&w->out, w->burns.b, w->burns.len);
    add_number(&w->out, w->orders_n, 4);
    buffer_add(&w->out, w->orders.b, w->orders.len);
    buffer_free(&w->burns);
    buffer_free(&w->orders);
    return !w->failed && w->out.len <= BACKUP_BODY_MAX;
}

static void take_burns(struct backup_state *out, struct fields *c)
{
    size_t n = (size_t)fields_number(c, 4);

    if (n > c->left / BURN) {
        c->failed = true;
        return;
    }
    out->burns = mem_new(n + 1, sizeof *out->burns);
    for (out->burns_n = 0; out->burns_n < n; out->burns_n++) {
        struct store_burn *burn = &out->burns[out->burns_n];

        fields_copy(c, burn->kgid, 32);
        burn->epoch = (uint32_t)fields_number(c, 4);
        burn->own = (uint16_t)fields_number(c, 2);
        burn->peer = (uint16_t)fields_number(c, 2);
    }
}

static void take_order(struct backup_order *out, struct fields *c)
{
    uint8_t subject[ID];
    uint64_t frozen, word;

    fields_copy(c, subject, ID);
    if (!sodium_is_zero(subject, ID))
        id_text(out->subject, subject);
    out->order.subject = out->subject;
    out->order.serial = fields_number(c, 8);
    frozen = fields_number(c, 1);
    out->order.is_frozen = frozen != 0;
    word = fields_number(c, 1);
    out->order.is_own = word == WORD_OWN;
    if (word == WORD_OPERATOR) {
        out->order.body_len = (size_t)fields_number(c, 2);
        out->order.body = fields_take(c, out->order.body_len);
        out->order.signature = fields_take(c, SIGNATURE);
    }
    c->failed = c->failed || frozen > 1 || word > WORD_OPERATOR;
}

static void take_orders(struct backup_state *out, struct fields *c)
{
    enum { ORDER_LEAST = ID + 8 + 1 + 1 };
    size_t n = (size_t)fields_number(c, 4);

    if (n > c->left / ORDER_LEAST) {
        c->failed = true;
        return;
    }
    out->orders = mem_new(n + 1, sizeof *out->orders);
    for (out->orders_n = 0; out->orders_n < n; out->orders_n++)
        take_order(&out->orders[out->orders_n], c);
}

bool backup_state_decode(struct backup_state *out, const uint8_t *b, size_t len)
{
    struct fields c = {b, len, false};
    uint64_t version = fields_number(&c, 1);

    *out = (struct backup_state){.serial = version >= STATE_VERSION ? fields_number(&c, 8) : 0};
    out->certificate_len = (size_t)fields_number(&c, 4);
    out->certificate = fields_take(&c, out->certificate_len);
    out->shares_n = (uint32_t)fields_number(&c, 4);
    take_burns(out, &c);
    take_orders(out, &c);
    if (fields_end(&c) && (version == VERSION || version == STATE_VERSION))
        return true;
    backup_state_free(out);
    return false;
}

static bool is_named(const Mpc__Session__V1__PartyCertificate *certificate,
                     const struct backup_head *head)
{
    Mpc__Session__V1__PartyIdentity *who = mpc__session__v1__party_identity__unpack(
        NULL, certificate->body.len, certificate->body.data);
    bool is;

    if (!who)
        return false;
    is = strcmp(who->party_id, head->party_id) == 0 &&
         who->identity_key.len == sizeof head->identity &&
         memcmp(who->identity_key.data, head->identity, sizeof head->identity) == 0;
    mpc__session__v1__party_identity__free_unpacked(who, NULL);
    return is;
}

const char *backup_state_check(const struct backup_state *state, const struct backup_head *head)
{
    Mpc__Session__V1__PartyCertificate *certificate = mpc__session__v1__party_certificate__unpack(
        NULL, state->certificate_len, state->certificate);
    bool is = certificate && is_named(certificate, head);

    if (certificate)
        mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
    return is ? NULL : "was not made by the party whose certificate it holds";
}

void backup_state_free(struct backup_state *state)
{
    free(state->burns);
    free(state->orders);
    *state = (struct backup_state){0};
}
