/* SPDX-License-Identifier: Apache-2.0 */
/* Constant time: whole runs. Secret are the seed of each run (and so everything it draws), the
 * share, the seeds and Delta of the share record, the presignature, and what a private message
 * tells its receiver. */
#include "ctime.h"

#include "committee.h"
#include "key/share.h"

#include <stdlib.h>
#include <string.h>

static struct committee c;

static void deliver(struct session *s, struct seat *from, const struct qrt_msg *msg)
{
    for (size_t i = 0; i < s->n; i++) {
        struct seat *to = &s->seats[i];

        if (to == from || (msg->to != QRT_EVERYBODY && msg->to != seat_index(to)))
            continue;
        ctime_need(seat_recv(to, seat_index(from), msg->b, msg->len) == QRT_OK, "delivery");
    }
}

static void play(struct session *s)
{
    bool moved = true;

    c.mark_secret = qrt_secret;
    ctime_need(session_start(s) == QRT_OK, "start");
    while (moved) {
        moved = false;
        for (size_t i = 0; i < s->n; i++) {
            const struct qrt_msg *msg;

            moved |= seat_store(&s->seats[i]);
            while ((msg = seat_next(&s->seats[i]))) {
                deliver(s, &s->seats[i], msg);
                moved = true;
            }
        }
    }
    ctime_need(session_done(s), "a run that does not end");
    c.mark_secret = NULL;
}

/* The secret fields of party |i|'s share record. */
static void mark_share(size_t i)
{
    const struct qrt_share *share = &c.shares[i];

    qrt_secret(share->s, 32);
    for (size_t j = 0; j + 1 < share->n; j++) {
        const struct qrt_share_pair *pair =
            (const void *)(share->pairs + j * sizeof(struct qrt_share_pair));

        qrt_secret(pair->zs, sizeof pair->zs);
        qrt_secret(pair->bob_seeds, sizeof pair->bob_seeds);
        qrt_secret(pair->alice_seeds, sizeof pair->alice_seeds);
        qrt_secret(pair->delta, sizeof pair->delta);
    }
}

static void keygen(const struct qrt_ctx *ctx)
{
    struct session s;

    committee_init(&c, ctx, 3, 2, 1);
    session_init(&s, &c, QRT_KEYGEN, false);
    play(&s);
    session_free(&s);
}

static void keygen_with_envelope(const struct qrt_ctx *ctx)
{
    struct session s;

    committee_init(&c, ctx, 2, 2, 2);
    for (size_t i = 0; i < c.n; i++)
        qrt_secret(c.identity[i], 32);
    session_init(&s, &c, QRT_KEYGEN, true);
    play(&s);
    session_free(&s);
}

/* The key that the cases below use; made in the open. */
static void open_shares(const struct qrt_ctx *ctx)
{
    committee_init(&c, ctx, 3, 2, 3);
    committee_make_key(&c);
    for (size_t i = 0; i < c.n; i++) {
        mark_share(i);
        ctime_need(qrt_share_open(&c.shares[i], ctx, c.records[i], c.record_len) == QRT_OK,
                   "opening a share");
    }
}

static void sign(const struct qrt_ctx *ctx)
{
    struct session s;
    struct qrt_sig sig;

    (void)ctx;
    session_init(&s, &c, QRT_SIGN, false);
    play(&s);
    ctime_need(qrt_sign_result(seat_run(&s.seats[0]), &sig, NULL, NULL) == QRT_OK, "signature");
    session_free(&s);
}

static void sign_with_envelope(const struct qrt_ctx *ctx)
{
    struct session s;

    (void)ctx;
    for (size_t i = 0; i < c.n; i++)
        qrt_secret(c.identity[i], 32);
    session_init(&s, &c, QRT_SIGN, true);
    play(&s);
    session_free(&s);
}

static void presign_and_online(const struct qrt_ctx *ctx)
{
    struct session presign, online;

    (void)ctx;
    session_init(&presign, &c, QRT_PRESIGN, false);
    session_init(&online, &c, QRT_ONLINE, false);
    play(&presign);
    session_take_presigs(&online, &presign);
    for (size_t i = 0; i < online.n; i++)
        qrt_secret(online.presigs[i] + QRT_PRESIG_BYTES(c.t) - 104, 96); /* phi, u, v */
    play(&online);
    session_free(&online);
    session_free(&presign);
}

static const struct ctime_case cases[] = {
    {"keygen", keygen},
    {"keygen with envelope", keygen_with_envelope},
    {"a share is opened", open_shares},
    {"signing", sign},
    {"signing with envelope", sign_with_envelope},
    {"presigning and the online round", presign_and_online},
};

int main(int argc, char **argv)
{
    return ctime_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
