/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an order, and what protocol.md B.3 asks of every party before it takes part. */
#include "party_order.h"

#include "hex.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

/* "parties": [{"index": 1, "identity": "..."}]. */
bool order_read_parties(struct order *o, const json_t *json, struct trouble *trouble)
{
    const json_t *list = json_object_get(json, "parties");

    o->n = json_array_size(list);
    if (o->n < 1 || o->n > QRT_PARTIES_MAX)
        return trouble_set(trouble, "the order names no parties, or more than %d", QRT_PARTIES_MAX);
    for (size_t i = 0; i < o->n; i++) {
        const json_t *row = json_array_get(list, i);
        json_int_t index = json_integer_value(json_object_get(row, "index"));

        if (index < 1 || index > QRT_INDEX_MAX ||
            !hex_from_json(o->keys[i].idpk, 32, row, "identity"))
            return trouble_set(trouble, "the order's list of parties is not readable");
        o->indices[i] = o->keys[i].index = (uint16_t)index;
    }
    return true;
}

static bool open_intent(struct order *o, const struct party *party, const json_t *json,
                        struct trouble *trouble)
{
    const char *hex = json_string_value(json_object_get(json, "intent"));
    uint8_t sig[64];
    enum qrt_err e;

    if (!hex || !hex_decode(o->intent_bytes, sizeof o->intent_bytes, &o->intent_len, hex) ||
        !hex_from_json(sig, sizeof sig, json, "signature"))
        return trouble_set(trouble, "the order has no readable intent");
    e = qrt_intent_verify(party->library.ctx, o->intent_bytes, o->intent_len, sig,
                          party->initiator);
    if (e == QRT_OK)
        e = qrt_intent_decode(&o->intent, o->intent_bytes, o->intent_len);
    return e == QRT_OK || trouble_set(trouble, "%s", qrt_err_text(e));
}

static bool is_allowed(const struct qrt_intent *intent, uint16_t index)
{
    for (size_t i = 0; i < intent->parties_n; i++) {
        if (intent->parties[i] == index)
            return true;
    }
    return false;
}

static bool check_intent(const struct order *o, enum qrt_operation operation,
                         struct trouble *trouble)
{
    if (o->intent.operation != operation)
        return trouble_set(trouble, "the intent asks for something else than the order");
    if (o->intent.deadline < (uint64_t)time(NULL))
        return trouble_set(trouble, "the intent's deadline has passed");
    for (size_t i = 0; i < o->n; i++) {
        if (!is_allowed(&o->intent, o->indices[i]))
            return trouble_set(trouble, "the intent does not allow party %u", o->indices[i]);
    }
    return true;
}

/* In a keygen only the intent says who sits where: whoever passes orders on could otherwise seat
 * identity keys of his own and so take part. */
static bool check_roster(const struct order *o, struct trouble *trouble)
{
    if (o->n != o->intent.parties_n)
        return trouble_set(trouble, "the order seats %zu parties, the intent %u", o->n,
                           o->intent.parties_n);
    for (size_t i = 0; i < o->n; i++) {
        uint8_t idk[32];

        crypto_hash_sha256(idk, o->keys[i].idpk, sizeof o->keys[i].idpk);
        if (o->indices[i] != o->intent.parties[i])
            return trouble_set(trouble, "the order seats party %u where the intent has party %u",
                               o->indices[i], o->intent.parties[i]);
        if (memcmp(idk, o->intent.idk[i], sizeof idk) != 0)
            return trouble_set(trouble,
                               "the order gives party %u another identity key than the intent",
                               o->indices[i]);
    }
    return true;
}

static struct party_attempt *find_attempt(const struct party *party, const uint8_t intent[32])
{
    struct party_attempt *seen = (struct party_attempt *)(void *)party->attempts.b;

    for (size_t i = 0; i < party->attempts.len / sizeof *seen; i++) {
        if (memcmp(seen[i].intent, intent, 32) == 0)
            return &seen[i];
    }
    return NULL;
}

/* Remembered for the life of the process: that a repeat would be useless anyway is the protocol's
 * own doing. */
static bool take_attempt(struct party *party, const struct order *o, json_int_t attempt,
                         struct trouble *trouble)
{
    struct party_attempt new = {.number = (uint32_t)attempt}, *seen;

    if (attempt < 0 || attempt >= (json_int_t)o->intent.attempts)
        return trouble_set(trouble, "the intent does not allow this attempt");
    crypto_hash_sha256(new.intent, o->intent_bytes, o->intent_len);
    seen = find_attempt(party, new.intent);
    if (seen && new.number <= seen->number)
        return trouble_set(trouble, "this attempt of the intent, or a later one, was made already");
    if (seen)
        seen->number = new.number;
    else
        buffer_put(&party->attempts, &new, sizeof new);
    return true;
}

bool order_read(struct order *o, struct party *party, const json_t *json,
                enum qrt_operation operation, struct trouble *trouble)
{
    const json_t *number = json_object_get(json, "attempt");
    json_int_t attempt = json_is_integer(number) ? json_integer_value(number) : -1;

    if (!order_read_parties(o, json, trouble) || !open_intent(o, party, json, trouble) ||
        !check_intent(o, operation, trouble))
        return false;
    if (operation == QRT_OP_KEYGEN && !check_roster(o, trouble))
        return false;
    if (!take_attempt(party, o, attempt, trouble))
        return false;
    qrt_intent_iid(o->iid, party->library.ctx, o->intent_bytes, o->intent_len, (uint32_t)attempt);
    return true;
}
