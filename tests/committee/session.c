/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: starting the seats of one protocol run, and delivering their messages in order. */
#include "committee.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATED 1700000000u

static const uint8_t digest[32] = {0x51, 0x75, 0x6f, 0x72, 0x61, 0x74, 0x65};

static size_t memory_len(const struct session *s)
{
    size_t n = s->protocol == QRT_KEYGEN ? s->c->n : s->c->t;

    return s->envelope ? qrt_peer_size(s->protocol, n, s->c->t)
                       : qrt_run_size(s->protocol, n, s->c->t);
}

void session_init(struct session *s, struct committee *c, enum qrt_protocol protocol, bool envelope)
{
    memset(s, 0, sizeof *s);
    s->c = c;
    s->protocol = protocol;
    s->envelope = envelope;
    s->n = protocol == QRT_KEYGEN ? c->n : c->t;
    s->memory_len = memory_len(s);
    for (size_t i = 0; i < s->n; i++) {
        s->seats[i] = (struct seat){.c = c, .who = i, .envelope = envelope};
        s->seats[i].memory = aligned_alloc(QRT_ALIGN, s->memory_len);
        if (!s->seats[i].memory)
            abort();
        if (protocol == QRT_ONLINE)
            s->presigs[i] = calloc(1, QRT_PRESIG_BYTES(c->t));
    }
}

void session_free(struct session *s)
{
    for (size_t i = 0; i < s->n; i++) {
        seat_wipe(&s->seats[i]);
        free(s->seats[i].memory);
        free(s->seats[i].record);
        free(s->presigs[i]);
    }
    memset(s, 0, sizeof *s);
}

static enum qrt_err start_keygen(struct session *s, struct seat *seat, struct qrt_entropy *entropy,
                                 const struct qrt_peer_params *envelope)
{
    struct committee *c = s->c;
    struct qrt_keygen_params params = {
        .parties = c->parties,
        .n = c->n,
        .t = c->t,
        .own = seat_index(seat),
        .created = CREATED,
    };

    memcpy(params.iid, s->iid, 32);
    return s->envelope ? qrt_peer_keygen(seat->memory, c->ctx, &params, envelope, entropy)
                       : qrt_keygen_start(seat->memory, c->ctx, &params, entropy->seed);
}

static enum qrt_err start_sign(struct session *s, struct seat *seat, struct qrt_entropy *entropy,
                               const struct qrt_peer_params *envelope)
{
    const struct qrt_ctx *ctx = s->c->ctx;
    uint16_t signers[COMMITTEE_MAX];
    struct qrt_sign_params params = {
        .share = &s->c->shares[seat->who],
        .signers = signers,
        .signers_n = s->n,
        .message = {QRT_DIGEST_LOCAL, digest, sizeof digest},
    };

    for (size_t i = 0; i < s->n; i++)
        signers[i] = seat_index(&s->seats[i]);
    memcpy(params.iid, s->iid, 32);
    if (s->protocol == QRT_SIGN)
        return s->envelope ? qrt_peer_sign(seat->memory, ctx, &params, envelope, entropy)
                           : qrt_sign_start(seat->memory, ctx, &params, entropy->seed);
    return s->envelope ? qrt_peer_presign(seat->memory, ctx, &params, envelope, entropy)
                       : qrt_presign_start(seat->memory, ctx, &params, entropy->seed);
}

static enum qrt_err start_online(struct session *s, size_t i,
                                 const struct qrt_peer_params *envelope)
{
    struct seat *seat = &s->seats[i];
    struct qrt_online_params params = {
        .share = &s->c->shares[seat->who],
        .presig = s->presigs[i],
        .presig_len = QRT_PRESIG_BYTES(s->c->t),
        .message = {QRT_DIGEST_LOCAL, digest, sizeof digest},
    };

    memcpy(params.req, s->iid, 32);
    return s->envelope ? qrt_peer_online(seat->memory, s->c->ctx, &params, envelope)
                       : qrt_online_start(seat->memory, s->c->ctx, &params);
}

static enum qrt_err start_seat(struct session *s, size_t i)
{
    struct seat *seat = &s->seats[i];
    struct qrt_entropy entropy;
    struct qrt_peer_params envelope = {
        .identity = s->c->identity[seat->who],
        .keys = s->c->keys,
        .keys_n = s->c->n,
    };

    committee_draw(s->c, &entropy, sizeof entropy);
    if (s->c->mark_secret)
        s->c->mark_secret(&entropy, sizeof entropy);
    if (s->protocol == QRT_KEYGEN)
        return start_keygen(s, seat, &entropy, &envelope);
    if (s->protocol == QRT_ONLINE)
        return start_online(s, i, &envelope);
    return start_sign(s, seat, &entropy, &envelope);
}

void session_new_iid(struct session *s)
{
    committee_draw(s->c, s->iid, sizeof s->iid);
}

enum qrt_err session_start_seat(struct session *s, size_t i)
{
    enum qrt_err e;

    seat_wipe(&s->seats[i]);
    s->seats[i].sent = 0;
    e = start_seat(s, i);
    s->seats[i].started = e == QRT_OK;
    return e;
}

enum qrt_err session_start(struct session *s)
{
    session_new_iid(s);
    for (size_t i = 0; i < s->n; i++) {
        enum qrt_err e = session_start_seat(s, i);

        if (e != QRT_OK)
            return e;
    }
    return QRT_OK;
}

static void deliver(struct session *s, struct seat *from, const struct qrt_msg *msg)
{
    from->sent += s->envelope ? msg->len : msg->len - QRT_HEADER_BYTES;
    for (size_t i = 0; i < s->n; i++) {
        struct seat *to = &s->seats[i];
        bool meant = msg->to == QRT_EVERYBODY || msg->to == seat_index(to);
        enum qrt_err e;

        if (to == from || !meant)
            continue;
        e = seat_recv(to, seat_index(from), msg->b, msg->len);
        if (e != QRT_OK)
            fprintf(stderr, "party %u to party %u, round %u: %s\n", seat_index(from),
                    seat_index(to), msg->round, qrt_err_name(e));
    }
}

bool session_step(struct session *s)
{
    bool moved = false;

    /* All broadcasts of a round come before its private messages, so nobody answers AGAIN. */
    for (size_t i = 0; i < s->n; i++) {
        const struct qrt_msg *msg;

        moved |= seat_store(&s->seats[i]);
        while ((msg = seat_next(&s->seats[i]))) {
            deliver(s, &s->seats[i], msg);
            moved = true;
        }
    }
    return moved;
}

bool session_done(const struct session *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (qrt_run_phase(seat_run(&s->seats[i])) != QRT_PHASE_DONE || seat_record(&s->seats[i]))
            return false;
    return true;
}

bool session_play(struct session *s)
{
    enum qrt_err e = session_start(s);

    if (e != QRT_OK) {
        fprintf(stderr, "start: %s\n", qrt_err_text(e));
        return false;
    }
    while (session_step(s))
        ;
    return session_done(s);
}

void session_take_presigs(struct session *online, struct session *presign)
{
    for (size_t i = 0; i < online->n; i++) {
        struct seat *seat = &presign->seats[i];
        struct qrt_run *run = seat->envelope ? qrt_peer_run_mut(seat->memory) : seat->memory;
        enum qrt_err e =
            qrt_presign_take(run, CREATED, online->presigs[i], QRT_PRESIG_BYTES(online->c->t));

        if (e != QRT_OK)
            abort();
    }
}
