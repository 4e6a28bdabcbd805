/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a demo. The main process is here what a company's servers are elsewhere: it
 * vouches for the parties' identity keys (it heard each over that process's own channel), and
 * it signs intents, which say what is asked; it never sees a share or a message. */
#include "demo.h"

#include "clock.h"
#include "hex.h"
#include "report.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* More than a run may take (party.h), so that the party says whom it waited for. */
enum { STEP_MS = 90000, INTENT_SECONDS = 600, SHARE_ROUNDS = 4, SIGN_ROUNDS = 3 };

/* A step under way: who has to tell what, and what was told. */
struct step {
    const char *name, *tell;
    const struct signer_set *who;
    unsigned rounds;
    int64_t started_us;
    json_t *words[QRT_PARTIES_MAX];
    size_t told;
};

static void step_free(struct step *step)
{
    for (size_t i = 0; i < step->who->n; i++) {
        json_decref(step->words[i]);
        step->words[i] = NULL;
    }
}

static void show_progress(const struct step *step, const struct member *from, const json_t *word)
{
    int round = (int)json_integer_value(json_object_get(word, "round"));
    double s = (double)(clock_now_us() - step->started_us) / 1e6;

    if (round > 0)
        say_progress("%s: %s is in round %d of %u, %.1f s", step->name, from->name, round,
                     step->rounds, s);
    else
        say_progress("%s: %zu of %zu parties done, %.1f s", step->name, step->told, step->who->n,
                     s);
}

/* |word| is taken. */
static void step_word(struct step *step, const struct member *from, json_t *word)
{
    const char *tell = json_string_value(json_object_get(word, "tell"));

    for (size_t i = 0; i < step->who->n; i++) {
        if (step->who->indices[i] != from->index || step->words[i] || strcmp(tell, step->tell))
            continue;
        step->words[i] = word;
        step->told++;
        show_progress(step, from, word);
        return;
    }
    show_progress(step, from, word);
    json_decref(word);
}

/* Until everybody has told. After a failure nothing has to be freed. */
static bool step_wait(struct demo *demo, struct step *step, struct trouble *trouble)
{
    int64_t deadline = clock_now_ms() + STEP_MS;

    say_progress("%s ...", step->name);
    while (step->told < step->who->n) {
        struct member *from;
        json_t *word;

        if (!crew_hear(&demo->crew, deadline, &from, &word, trouble)) {
            struct trouble why = *trouble;

            step_free(step);
            return trouble_set(trouble, "%s failed: %s", step->name, why.text);
        }
        step_word(step, from, word);
    }
    say_progress_end();
    return true;
}

static struct demo_cost step_cost(const struct step *step)
{
    struct demo_cost cost = {clock_now_us() - step->started_us, 0, json_array()};

    for (size_t i = 0; i < step->who->n; i++) {
        const json_t *w = step->words[i];
        json_int_t sent = json_integer_value(json_object_get(w, "bytes_sent"));
        json_int_t received = json_integer_value(json_object_get(w, "bytes_received"));
        json_int_t dropped = json_integer_value(json_object_get(w, "messages_dropped"));
        double cpu = (double)json_integer_value(json_object_get(w, "cpu_us")) / 1000;

        cost.bytes += (uint64_t)sent;
        json_array_append_new(cost.parties, json_pack("{s:i,s:I,s:I,s:I,s:f}", "party",
                                                      (int)step->who->indices[i], "bytes_sent",
                                                      sent, "bytes_received", received,
                                                      "messages_dropped", dropped, "cpu_ms", cpu));
    }
    return cost;
}

static struct signer_set everybody(const struct demo *demo)
{
    struct signer_set set = {.n = demo->seats_n};

    for (size_t i = 0; i < demo->seats_n; i++)
        set.indices[i] = demo->seats[i].index;
    return set;
}

static struct seat *seat_of(struct demo *demo, uint16_t index)
{
    for (size_t i = 0; i < demo->seats_n; i++) {
        if (demo->seats[i].index == index)
            return &demo->seats[i];
    }
    return NULL;
}

static void send_order(struct demo *demo, uint16_t index, json_t *order)
{
    for (size_t i = 0; i < demo->crew.n; i++) {
        if (demo->crew.parties[i].index == index)
            channel_tell(&demo->crew.parties[i].control, json_deep_copy(order));
    }
}

static bool hand_out(struct demo *demo, struct passphrase *passphrase, struct trouble *trouble)
{
    if (demo->passphrase_fd < 0)
        passphrase_make(passphrase);
    else if (!passphrase_read(passphrase, demo->passphrase_fd, trouble))
        return false;
    for (size_t i = 0; i < demo->crew.n; i++) {
        struct member *m = &demo->crew.parties[i];

        /* A pipe whose reader is gone is noticed by the end of the control channel. */
        (void)passphrase_write(passphrase, m->passphrase_fd);
        m->passphrase_fd = -1;
    }
    return true;
}

static bool hand_out_passphrase(struct demo *demo, struct trouble *trouble)
{
    struct passphrase *passphrase = secret_alloc(sizeof *passphrase);
    bool ok = hand_out(demo, passphrase, trouble);

    secret_free(passphrase);
    return ok;
}

static void order_open(struct demo *demo)
{
    for (size_t i = 0; i < demo->seats_n; i++) {
        const struct seat *seat = &demo->seats[i];
        json_t *order = json_pack("{s:s,s:i,s:s,s:s,s:o}", "do", "open", "index", (int)seat->index,
                                  "active", seat->active, "pending", seat->pending, "initiator",
                                  hex_json(demo->initiator + 32, 32));

        send_order(demo, seat->index, order);
        json_decref(order);
    }
}

static bool read_identities(struct demo *demo, const struct step *step, struct trouble *trouble)
{
    for (size_t i = 0; i < demo->seats_n; i++) {
        struct seat *seat = &demo->seats[i];

        if (!hex_from_json(seat->identity, sizeof seat->identity, step->words[i], "identity"))
            return trouble_set(trouble, "party %u told no identity key", seat->index);
    }
    return true;
}

bool demo_open(struct demo *demo, struct trouble *trouble)
{
    struct signer_set all = everybody(demo);
    struct step step = {.name = "opening the share files", .tell = "ready", .who = &all};
    struct demo_cost cost;
    uint8_t pk[32];
    bool ok;

    step.started_us = clock_now_us();
    if (demo->mode == DEMO_NEW)
        step.name = "start of the parties";
    demo->initiator = secret_alloc(64);
    crypto_sign_keypair(pk, demo->initiator);
    if (!hand_out_passphrase(demo, trouble))
        return false;
    order_open(demo);
    if (!step_wait(demo, &step, trouble))
        return false;
    ok = read_identities(demo, &step, trouble);
    cost = step_cost(&step);
    if (ok)
        demo_show_step(demo, step.name, &cost);
    else
        json_decref(cost.parties);
    step_free(&step);
    return ok;
}

/* What every party of |set| gets: who takes part, with whose identity key. */
static json_t *order_for(struct demo *demo, const char *what, const struct signer_set *set)
{
    json_t *parties = json_array();

    for (size_t i = 0; i < set->n; i++)
        json_array_append_new(parties,
                              json_pack("{s:i,s:o}", "index", (int)set->indices[i], "identity",
                                        hex_json(seat_of(demo, set->indices[i])->identity, 32)));
    return json_pack("{s:s,s:o}", "do", what, "parties", parties);
}

static void add_intent(struct demo *demo, json_t *order, struct qrt_intent *intent)
{
    size_t cap = qrt_intent_size(intent), len = 0;
    uint8_t *b = need(cap), sig[64];

    if (qrt_intent_encode(intent, b, cap, &len) != QRT_OK)
        qrt_panic(__FILE__, __LINE__);
    qrt_intent_sign(sig, demo->library.ctx, b, len, demo->initiator);
    report_add(order, "intent", hex_json(b, len));
    report_add(order, "signature", hex_json(sig, sizeof sig));
    report_add(order, "attempt", json_integer(0));
    free(b);
}

static struct qrt_intent intent_new(const struct demo *demo, enum qrt_operation operation,
                                    const struct signer_set *set)
{
    struct qrt_intent intent = {.operation = (uint8_t)operation,
                                .suite = QRT_SUITE_ECDSA,
                                .profile = QRT_PROFILE_1,
                                .purpose = QRT_PURPOSE_TRANSACTION,
                                .attempts = 1,
                                .parties_n = (uint16_t)set->n};

    randombytes_buf(intent.account, sizeof intent.account);
    randombytes_buf(intent.request, sizeof intent.request);
    randombytes_buf(intent.nonce, sizeof intent.nonce);
    memcpy(intent.parties, set->indices, set->n * sizeof set->indices[0]);
    intent.deadline = (uint64_t)time(NULL) + INTENT_SECONDS;
    intent.t = demo->mode == DEMO_SHARES ? demo->seats[0].facts.t : DEMO_THRESHOLD;
    return intent;
}

/* Who sits where, for as long as the key lives. */
static void seat_identities(struct qrt_intent *intent, const struct demo *demo)
{
    for (size_t i = 0; i < demo->seats_n; i++)
        crypto_hash_sha256(intent->idk[i], demo->seats[i].identity, sizeof demo->seats[i].identity);
}

static void send_to_all(struct demo *demo, const struct signer_set *set, json_t *order)
{
    for (size_t i = 0; i < set->n; i++)
        send_order(demo, set->indices[i], order);
    json_decref(order);
}

/* Everybody must have the same key; it is read from what party |i| told. */
static bool read_key(struct share_facts *out, const json_t *word)
{
    const json_t *share = json_object_get(word, "share");

    memset(out, 0, sizeof *out);
    out->t = (uint16_t)json_integer_value(json_object_get(share, "threshold"));
    out->n = (uint16_t)json_integer_value(json_object_get(share, "parties"));
    out->epoch = (uint32_t)json_integer_value(json_object_get(share, "epoch"));
    return hex_from_json(out->pk.b, 33, share, "public_key") &&
           hex_from_json(out->keyid, 32, share, "key_id") &&
           hex_from_json(out->kgid, 32, share, "kgid");
}

static bool read_keys(struct demo *demo, const struct step *step, struct trouble *trouble)
{
    for (size_t i = 0; i < step->who->n; i++) {
        struct share_facts key;

        if (!read_key(&key, step->words[i]) || (i > 0 && !share_facts_same_key(&key, &demo->key)))
            return trouble_set(trouble, "party %u has another key than party %u",
                               step->who->indices[i], step->who->indices[0]);
        demo->key = key;
    }
    return true;
}

bool demo_make_key(struct demo *demo, struct trouble *trouble)
{
    struct signer_set all = everybody(demo);
    struct step step = {
        .name = "key generation", .tell = "key", .who = &all, .rounds = SHARE_ROUNDS};
    struct demo_cost cost;
    json_t *order;
    bool ok;

    demo->key = demo->seats[0].facts;
    if (demo->mode == DEMO_SHARES)
        return true;
    step.started_us = clock_now_us();
    order = order_for(demo, demo->mode == DEMO_NEW ? "keygen" : "resume", &all);
    if (demo->mode == DEMO_NEW) {
        struct qrt_intent intent = intent_new(demo, QRT_OP_KEYGEN, &all);

        seat_identities(&intent, demo);
        add_intent(demo, order, &intent);
    } else {
        step.name = "end of the interrupted key generation";
    }
    send_to_all(demo, &all, order);
    if (!step_wait(demo, &step, trouble))
        return false;
    ok = read_keys(demo, &step, trouble);
    cost = step_cost(&step);
    if (ok)
        demo_show_step(demo, step.name, &cost);
    else
        json_decref(cost.parties);
    step_free(&step);
    return ok;
}

static void set_message(struct qrt_intent *intent, const struct demo *demo)
{
    if (demo->has_tx) {
        intent->digest = QRT_DIGEST_KECCAK256;
        intent->message = demo->unsigned_tx.b;
        intent->message_len = (uint32_t)demo->unsigned_tx.len;
        return;
    }
    intent->purpose = QRT_PURPOSE_MESSAGE;
    intent->digest = QRT_DIGEST_LOCAL;
    intent->message = demo->hash.b;
    intent->message_len = 32;
}

/* The signature is believed only after it verified here, for the hash computed here. */
static bool read_signature(const struct demo *demo, const struct step *step, struct qrt_sig *sig,
                           struct trouble *trouble)
{
    uint8_t first[65], b[65];

    for (size_t i = 0; i < step->who->n; i++) {
        if (!hex_from_json(b, 65, step->words[i], "signature") ||
            (i > 0 && memcmp(b, first, 65) != 0))
            return trouble_set(trouble, "the signers have different signatures");
        memcpy(first, b, 65);
    }
    if (qrt_sig_parse(sig, demo->library.ctx, b, 65) != QRT_OK ||
        qrt_sig_verify(demo->library.ctx, sig, &demo->hash, &demo->key.pk) != QRT_OK)
        return trouble_set(trouble, "the signature does not verify");
    return true;
}

bool demo_sign(struct demo *demo, const struct signer_set *set, struct trouble *trouble)
{
    struct step step = {
        .name = "signature", .tell = "signature", .who = set, .rounds = SIGN_ROUNDS};
    struct qrt_intent intent = intent_new(demo, QRT_OP_SIGN, set);
    struct demo_cost cost;
    struct qrt_sig sig;
    json_t *order = order_for(demo, "sign", set);
    bool ok;

    step.started_us = clock_now_us();
    memcpy(intent.keyid, demo->key.keyid, 32);
    set_message(&intent, demo);
    add_intent(demo, order, &intent);
    send_to_all(demo, set, order);
    if (!step_wait(demo, &step, trouble))
        return false;
    ok = read_signature(demo, &step, &sig, trouble);
    cost = step_cost(&step);
    if (ok)
        demo_show_signature(demo, set, &sig, &cost);
    else
        json_decref(cost.parties);
    step_free(&step);
    return ok;
}
