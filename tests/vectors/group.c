/* SPDX-License-Identifier: Apache-2.0 */
/* Several runs in one process, messages carried in the order in which they are made. */
#include "base/bytes.h"
#include "kat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qrt_run *kat_memory(enum qrt_protocol protocol, size_t n, size_t t)
{
    size_t size = qrt_run_size(protocol, n, t);
    void *memory = size ? aligned_alloc(QRT_ALIGN, size) : NULL;

    if (!memory) {
        fprintf(stderr, "kat: no memory for %zu parties, threshold %zu\n", n, t);
        exit(2);
    }
    memset(memory, 0xA5, size);
    return memory;
}

static void keep(struct kat_group *g, uint16_t from, const struct qrt_msg *m)
{
    struct kat_msg *new;

    if (g->msg_n == g->msg_cap) {
        g->msg_cap = g->msg_cap ? 2 * g->msg_cap : 64;
        g->msg = realloc(g->msg, g->msg_cap * sizeof *g->msg);
        if (!g->msg)
            abort();
    }
    new = &g->msg[g->msg_n++];
    *new = (struct kat_msg){.from = from, .round = m->round, .b = malloc(m->len), .len = m->len};
    new->to = m->to == QRT_EVERYBODY ? 0 : m->to;
    if (!new->b)
        abort();
    memcpy(new->b, m->b, m->len);
}

static enum qrt_err collect(struct kat_group *g, size_t i)
{
    const struct qrt_msg *m;
    enum qrt_err e = QRT_OK;

    while (e == QRT_OK && qrt_run_record(g->run[i]))
        e = qrt_run_confirm(g->run[i]);
    while ((m = qrt_run_next(g->run[i])))
        keep(g, g->index[i], m);
    return e;
}

static enum qrt_err deliver(struct kat_group *g, const struct kat_msg *m)
{
    enum qrt_err e = QRT_OK;

    for (size_t i = 0; i < g->n && e == QRT_OK; i++)
        if (g->index[i] != m->from && (m->to == 0 || m->to == g->index[i]))
            e = qrt_run_recv(g->run[i], m->from, m->b, m->len);
    return e;
}

enum qrt_err kat_group_drive(struct kat_group *g)
{
    enum qrt_err e = QRT_OK;

    do {
        for (size_t i = 0; i < g->n && e == QRT_OK; i++)
            e = collect(g, i);
        while (e == QRT_OK && g->delivered < g->msg_n) {
            struct kat_msg m = g->msg[g->delivered++];

            e = deliver(g, &m);
            for (size_t i = 0; i < g->n && e == QRT_OK; i++)
                e = collect(g, i);
        }
    } while (e == QRT_OK && g->delivered < g->msg_n);
    for (size_t i = 0; i < g->n && e == QRT_OK; i++)
        if (qrt_run_phase(g->run[i]) != QRT_PHASE_DONE)
            e = QRT_E_STATE;
    return e;
}

void kat_group_free(struct kat_group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        if (g->run[i])
            qrt_run_wipe(g->run[i]);
        free(g->run[i]);
    }
    for (size_t i = 0; i < g->msg_n; i++)
        free(g->msg[i].b);
    free(g->msg);
    *g = (struct kat_group){0};
}

/* A run that never started must not be wiped as one. */
static enum qrt_err drop_unstarted(struct kat_group *g, size_t i, enum qrt_err e)
{
    free(g->run[i]);
    g->run[i] = NULL;
    g->n = i;
    return e;
}

enum qrt_err kat_keygen(const struct kat *k, struct kat_group *g, struct kat_key_input *in)
{
    *g = (struct kat_group){.n = in->params.n};
    in->params.parties = in->parties;
    for (size_t i = 0; i < g->n; i++) {
        enum qrt_err e;

        g->index[i] = in->parties[i].index;
        in->params.own = g->index[i];
        g->run[i] = kat_memory(QRT_KEYGEN, in->params.n, in->params.t);
        e = qrt_keygen_start(g->run[i], k->ctx, &in->params, in->seeds[i]);
        if (e != QRT_OK)
            return drop_unstarted(g, i, e);
    }
    return kat_group_drive(g);
}

const struct qrt_share *kat_share(const struct kat_group *key, uint16_t index)
{
    for (size_t i = 0; i < key->n; i++)
        if (key->index[i] == index)
            return qrt_keygen_share(key->run[i]);
    return NULL;
}

static enum qrt_err start_signers(const struct kat *k, struct kat_group *g,
                                  struct kat_sign_input *in, enum qrt_protocol protocol)
{
    *g = (struct kat_group){.n = in->params.signers_n};
    in->params.signers = in->signers;
    in->params.path = in->path;
    in->params.message = (struct qrt_message){QRT_DIGEST_LOCAL, in->digest, sizeof in->digest};
    for (size_t i = 0; i < g->n; i++) {
        enum qrt_err e = QRT_E_SIGNER;

        g->index[i] = in->signers[i];
        g->run[i] = kat_memory(protocol, g->n, g->n);
        in->params.share = kat_share(in->key, in->signers[i]);
        if (in->params.share && protocol == QRT_SIGN)
            e = qrt_sign_start(g->run[i], k->ctx, &in->params, in->seeds[i]);
        else if (in->params.share)
            e = qrt_presign_start(g->run[i], k->ctx, &in->params, in->seeds[i]);
        if (e != QRT_OK)
            return drop_unstarted(g, i, e);
    }
    return QRT_OK;
}

enum qrt_err kat_sign(const struct kat *k, struct kat_group *g, struct kat_sign_input *in)
{
    enum qrt_err e = start_signers(k, g, in, QRT_SIGN);

    return e == QRT_OK ? kat_group_drive(g) : e;
}

enum qrt_err kat_presign(const struct kat *k, struct kat_group *g, struct kat_sign_input *in)
{
    enum qrt_err e = start_signers(k, g, in, QRT_PRESIGN);

    return e == QRT_OK ? kat_group_drive(g) : e;
}

enum qrt_err kat_online(const struct kat *k, struct kat_group *g, struct kat_group *pre,
                        const struct kat_sign_input *in, uint8_t *presigs)
{
    struct qrt_online_params params = {.message = in->params.message};
    uint8_t presig[QRT_PRESIG_BYTES(QRT_PARTIES_MAX)];
    size_t len = QRT_PRESIG_BYTES(pre->n);

    *g = (struct kat_group){.n = pre->n};
    memcpy(params.req, in->req, sizeof params.req);
    params.presig = presig;
    params.presig_len = len;
    for (size_t i = 0; i < g->n; i++) {
        enum qrt_err e = qrt_presign_take(pre->run[i], 1700000000, presig, len);

        g->index[i] = pre->index[i];
        g->run[i] = kat_memory(QRT_ONLINE, g->n, g->n);
        if (e == QRT_OK && presigs)
            memcpy(presigs + i * len, presig, len);
        params.share = kat_share(in->key, g->index[i]);
        if (e == QRT_OK)
            e = qrt_online_start(g->run[i], k->ctx, &params);
        if (e != QRT_OK)
            return drop_unstarted(g, i, e);
    }
    return kat_group_drive(g);
}
