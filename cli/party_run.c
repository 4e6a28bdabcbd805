/* SPDX-License-Identifier: Apache-2.0 */
/* A party's run: started by an order that was checked (party_order.c), then the library's peer is
 * driven by the ten lines that every host has: recv, record and confirm, next. */
#include "clock.h"
#include "file.h"
#include "hex.h"
#include "party.h"
#include "party_order.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVIDENCE_FILES_MAX 99
#define INBOX_MAX 4096

static void run_prepare(struct party *party, enum qrt_protocol protocol, size_t n, size_t t)
{
    struct party_run *run = &party->run;

    *run = (struct party_run){0};
    run->peer = secret_alloc(qrt_peer_size(protocol, n, t));
    run->protocol = protocol;
    run->deadline_ms = clock_now_ms() + PARTY_RUN_MS;
    run->started_cpu_us = clock_cpu_us();
}

/* The start of a peer answered |e|. */
static bool run_started(struct party *party, enum qrt_err e, struct trouble *trouble)
{
    if (e == QRT_OK)
        return true;
    secret_free(party->run.peer);
    party->run.peer = NULL;
    return trouble_set(trouble, "%s", qrt_err_text(e));
}

static bool keygen(struct party *party, struct order *o, const json_t *json,
                   struct trouble *trouble)
{
    struct qrt_party roster[QRT_PARTIES_MAX];
    struct qrt_peer_params envelope = {party->identity, o->keys, 0};
    struct qrt_keygen_params params = {.parties = roster, .own = party->index};
    struct qrt_entropy *entropy;
    enum qrt_err e;

    if (party->has_share)
        return trouble_set(trouble, "%s exists already", party->active_path);
    if (!order_read(o, party, json, QRT_OP_KEYGEN, trouble))
        return false;
    for (size_t i = 0; i < o->n; i++) {
        roster[i].index = o->intent.parties[i];
        memcpy(roster[i].idk, o->intent.idk[i], 32);
        qrt_party_default_x(&roster[i]);
    }
    envelope.keys_n = params.n = o->n;
    params.t = o->intent.t;
    params.created = (uint64_t)time(NULL);
    memcpy(params.iid, o->iid, 32);
    run_prepare(party, QRT_KEYGEN, params.n, params.t);
    entropy = secret_alloc(sizeof *entropy);
    randombytes_buf(entropy, sizeof *entropy);
    e = qrt_peer_keygen(party->run.peer, party->library.ctx, &params, &envelope, entropy);
    secret_free(entropy);
    return run_started(party, e, trouble);
}

bool party_keygen(struct party *party, const json_t *json, struct trouble *trouble)
{
    struct order *o = need(sizeof *o);
    bool ok = keygen(party, o, json, trouble);

    free(o);
    return ok;
}

/* A party that has its certificate helps the others: it gives out everybody's confirmation
 * (protocol.md F.7), and has nothing to wait for. */
static bool give_confirmations(struct party *party, struct trouble *trouble)
{
    uint8_t b[QRT_CONFIRMATION_BYTES];

    for (size_t i = 0; i < party->share.n; i++) {
        const uint8_t *be = party->share.parties[i].index;
        uint16_t index = (uint16_t)(be[0] << 8 | be[1]);
        enum qrt_err e = qrt_share_confirmation(&party->share, party->library.ctx, index, b);

        if (e != QRT_OK)
            return trouble_set(trouble, "%s: %s", party->active_path, qrt_err_text(e));
        channel_put(&party->relay, b, sizeof b);
        party->run.bytes_sent += sizeof b;
    }
    return true;
}

static void tell_key(struct party *party);

bool party_resume(struct party *party, const json_t *json, struct trouble *trouble)
{
    struct order *o;
    enum qrt_err e;
    bool ok;

    if (!party->has_share)
        return trouble_set(trouble, "there is no share to go on from");
    if (!party->facts.pending) {
        if (!give_confirmations(party, trouble))
            return false;
        if (file_exists(party->pending_path) && !file_remove(party->pending_path, trouble))
            return false;
        tell_key(party);
        return true;
    }
    o = need(sizeof *o);
    ok = order_read_parties(o, json, trouble);
    if (ok) {
        struct qrt_peer_params envelope = {party->identity, o->keys, o->n};

        run_prepare(party, QRT_KEYGEN, party->share.n, party->share.t);
        party->run.resumed = true;
        e = qrt_peer_resume(party->run.peer, party->library.ctx, &party->share, &envelope);
        ok = run_started(party, e, trouble);
    }
    free(o);
    return ok;
}

static bool sign(struct party *party, struct order *o, const json_t *json, struct trouble *trouble)
{
    struct qrt_peer_params envelope = {party->identity, o->keys, 0};
    struct qrt_sign_params params = {.share = &party->share, .signers = o->indices};
    struct qrt_entropy *entropy;
    enum qrt_err e;

    if (!party->has_share)
        return trouble_set(trouble, "there is no share to sign with");
    if (party->facts.pending)
        return trouble_set(trouble, "%s", qrt_err_text(QRT_E_PENDING));
    if (!order_read(o, party, json, QRT_OP_SIGN, trouble))
        return false;
    if (memcmp(o->intent.keyid, party->share.keyid, 32) != 0 || o->intent.t != party->share.t)
        return trouble_set(trouble, "the intent is for another key");
    if (o->n != party->share.t)
        return trouble_set(trouble, "%s", qrt_err_text(QRT_E_QUORUM));
    envelope.keys_n = params.signers_n = o->n;
    memcpy(params.iid, o->iid, 32);
    params.path = o->intent.path_n ? o->intent.path : NULL;
    params.path_n = o->intent.path_n;
    params.message = (struct qrt_message){(enum qrt_digest)o->intent.digest, o->intent.message,
                                          o->intent.message_len};
    run_prepare(party, QRT_SIGN, party->share.t, party->share.t);
    entropy = secret_alloc(sizeof *entropy);
    randombytes_buf(entropy, sizeof *entropy);
    e = qrt_peer_sign(party->run.peer, party->library.ctx, &params, &envelope, entropy);
    secret_free(entropy);
    return run_started(party, e, trouble);
}

bool party_sign(struct party *party, const json_t *json, struct trouble *trouble)
{
    struct order *o = need(sizeof *o);
    bool ok = sign(party, o, json, trouble);

    free(o);
    return ok;
}

void party_inbox_put(struct party *party, const uint8_t *b, size_t len)
{
    struct party_inbox *inbox = &party->inbox;

    if (inbox->n == INBOX_MAX)
        return; /* a relay that floods: the run ends at its deadline */
    if (inbox->n == inbox->cap) {
        struct buffer *grown;

        inbox->cap = inbox->cap ? 2 * inbox->cap : 16;
        grown = need(inbox->cap * sizeof *grown);
        if (inbox->n)
            memcpy(grown, inbox->messages, inbox->n * sizeof *grown);
        free(inbox->messages);
        inbox->messages = grown;
    }
    inbox->messages[inbox->n] = (struct buffer){0};
    buffer_put(&inbox->messages[inbox->n++], b, len);
}

static void inbox_remove(struct party_inbox *inbox, size_t i)
{
    buffer_free(&inbox->messages[i]);
    inbox->n--;
    memmove(&inbox->messages[i], &inbox->messages[i + 1],
            (inbox->n - i) * sizeof inbox->messages[0]);
}

static bool is_running(const struct party *party)
{
    return qrt_run_phase(qrt_peer_run(party->run.peer)) == QRT_PHASE_RUNNING;
}

/* False: it could not be stored, and the run is over. */
static bool store_record(struct party *party, const struct qrt_record *rec)
{
    bool last = rec->kind == QRT_RECORD_SHARE;
    struct trouble trouble;

    if (!party_store(party, rec, &trouble)) {
        qrt_peer_refuse(party->run.peer);
        party_tell_failed(party, trouble.text);
        return false;
    }
    /* What a confirm answers shows in the phase, too. */
    if (qrt_peer_confirm(party->run.peer) == QRT_OK && last)
        (void)file_remove(party->pending_path, &trouble);
    return true;
}

/* Whatever the run has to store and to send. */
static void settle(struct party *party)
{
    const struct qrt_record *rec;
    const struct qrt_msg *msg;

    while ((rec = qrt_peer_record(party->run.peer)) && store_record(party, rec))
        ;
    while ((msg = qrt_peer_next(party->run.peer))) {
        party->run.bytes_sent += msg->len;
        channel_put(&party->relay, msg->b, msg->len);
    }
}

/* True if a message was taken or dropped. */
static bool offer_messages(struct party *party)
{
    struct party_inbox *inbox = &party->inbox;
    bool moved = false;

    for (size_t i = 0; i < inbox->n && is_running(party);) {
        struct buffer *m = &inbox->messages[i];
        enum qrt_err e = qrt_peer_recv(party->run.peer, m->b, m->len);

        if (e == QRT_E_AGAIN) {
            i++;
            continue;
        }
        if (qrt_err_class(e) == QRT_CLASS_DROP)
            party->run.messages_dropped++;
        else
            party->run.bytes_received += m->len;
        inbox_remove(inbox, i);
        settle(party);
        moved = true;
    }
    return moved;
}

static void add_costs(const struct party *party, json_t *tell)
{
    json_object_set_new(tell, "bytes_sent", json_integer((json_int_t)party->run.bytes_sent));
    json_object_set_new(tell, "bytes_received",
                        json_integer((json_int_t)party->run.bytes_received));
    json_object_set_new(tell, "messages_dropped",
                        json_integer((json_int_t)party->run.messages_dropped));
    json_object_set_new(tell, "cpu_us", json_integer(clock_cpu_us() - party->run.started_cpu_us));
}

static void tell_key(struct party *party)
{
    json_t *tell = json_pack("{s:s,s:o}", "tell", "key", "share", share_facts_json(&party->facts));

    add_costs(party, tell);
    channel_tell(&party->control, tell);
}

static void tell_signature(struct party *party)
{
    struct qrt_sig sig;
    struct qrt_pubkey pk;
    struct qrt_hash hash;
    uint8_t b[65];
    json_t *tell;
    enum qrt_err e = qrt_sign_result(qrt_peer_run(party->run.peer), &sig, &pk, &hash);

    if (e != QRT_OK) {
        party_tell_failed(party, qrt_err_text(e));
        return;
    }
    qrt_sig_compact(b, &sig);
    b[64] = sig.recid;
    tell = json_pack("{s:s,s:o,s:o,s:o}", "tell", "signature", "signature", hex_json(b, 65),
                     "public_key", hex_json(pk.b, 33), "hash", hex_json(hash.b, 32));
    add_costs(party, tell);
    channel_tell(&party->control, tell);
}

/* Evidence is kept beside the share; it is public. */
/* The first name that is free: evidence of an earlier cheat is never replaced. */
static bool evidence_path(const struct party *party, char *path, size_t cap)
{
    snprintf(path, cap, "%s" PARTY_EVIDENCE_SUFFIX, party->active_path);
    for (unsigned n = 2; access(path, F_OK) == 0; n++) {
        if (n > EVIDENCE_FILES_MAX)
            return false;
        snprintf(path, cap, "%s" PARTY_EVIDENCE_SUFFIX "-%u", party->active_path, n);
    }
    return true;
}

static void keep_evidence(const struct party *party, json_t *tell)
{
    struct trouble trouble;
    char path[PATH_MAX + 24];
    size_t len;
    const uint8_t *b = qrt_peer_evidence(party->run.peer, &len);

    if (!b)
        return;
    if (!evidence_path(party, path, sizeof path))
        trouble_set(&trouble, "%s and its successors are taken: move them away", path);
    else if (file_write_new(path, b, len, &trouble)) {
        json_object_set_new(tell, "evidence", json_string(path));
        return;
    }
    json_object_set_new(tell, "evidence_lost", json_string(trouble.text));
}

/* The words of a peer that ended the run; they prove nothing. */
static json_t *tell_abort(const struct qrt_peer_abort *abort)
{
    char text[256];

    if (abort->error == QRT_E_PEER_ABORT)
        snprintf(text, sizeof text, "party %u ended the run for a reason unknown here",
                 abort->from);
    else
        snprintf(text, sizeof text, "party %u ended the run: %s", abort->from,
                 qrt_err_text(abort->error));
    return json_pack("{s:s,s:s,s:s,s:i,s:b}", "tell", "failed", "text", text, "error",
                     qrt_err_name(QRT_E_PEER_ABORT), "culprit", (int)abort->accused, "echo", 1);
}

static json_t *tell_error(const struct qrt_run *run)
{
    enum qrt_err e = qrt_run_error(run);

    return json_pack("{s:s,s:s,s:s,s:i}", "tell", "failed", "text", qrt_err_text(e), "error",
                     qrt_err_name(e), "culprit", (int)qrt_run_culprit(run));
}

static void tell_run_failed(struct party *party)
{
    const struct qrt_run *run = qrt_peer_run(party->run.peer);
    const struct qrt_peer_abort *abort = qrt_run_peer_abort(run);
    json_t *tell = abort ? tell_abort(abort) : tell_error(run);
    struct trouble trouble;

    keep_evidence(party, tell);
    /* Advisory: without the note the peer refuses the next run instead of this party. */
    if (abort && abort->error == QRT_E_SG_EXTENSION && abort->accused == party->index)
        (void)party_note_burn(party, abort->from, &trouble);
    channel_tell(&party->control, tell);
}

static void tell_round(struct party *party)
{
    uint8_t round = qrt_run_round(qrt_peer_run(party->run.peer));

    if (round == party->run.round)
        return;
    party->run.round = round;
    channel_tell(&party->control, json_pack("{s:s,s:i}", "tell", "round", "round", (int)round));
}

static void tell_end(struct party *party)
{
    if (qrt_run_phase(qrt_peer_run(party->run.peer)) == QRT_PHASE_FAILED)
        tell_run_failed(party);
    else if (party->run.protocol == QRT_KEYGEN)
        tell_key(party);
    else
        tell_signature(party);
    party_end_run(party);
}

void party_pump(struct party *party)
{
    if (!party->run.peer)
        return;
    settle(party);
    while (is_running(party) && offer_messages(party))
        tell_round(party);
    if (is_running(party))
        tell_round(party);
    else
        tell_end(party);
}

static void tell_silence(struct party *party)
{
    uint16_t silent[1];
    size_t n = qrt_run_waiting_for(qrt_peer_run(party->run.peer), silent, 1);
    char text[128] = "the run did not end in time";

    if (n > 0)
        snprintf(text, sizeof text, "no message from party %u within %d seconds", silent[0],
                 PARTY_RUN_MS / 1000);
    party_tell_failed(party, text);
    party_end_run(party);
}

int party_patience(struct party *party)
{
    int64_t left;

    if (!party->run.peer)
        return -1;
    left = party->run.deadline_ms - clock_now_ms();
    if (left > 0)
        return (int)left;
    tell_silence(party);
    return -1;
}

void party_end_run(struct party *party)
{
    if (!party->run.peer)
        return;
    qrt_peer_wipe(party->run.peer);
    secret_free(party->run.peer);
    party->run.peer = NULL;
}
