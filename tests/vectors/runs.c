/* SPDX-License-Identifier: Apache-2.0 */
/* Whole runs, message by message, through the public interface. A run in the file carries its
 * seeds, iid and identity hashes, and in "key" the run its shares come from: nothing is derived
 * from its name. Fresh keys are made first, whatever the order in the file. */
#include "hash/sha256.h"
#include "kat.h"
#include "key/presig.h"
#include "key/share.h"
#include "math/scalar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 64

struct keys {
    const char *name[KEYS_MAX];
    struct kat_group group[KEYS_MAX];
    size_t n;
};

static int by_route(const void *a, const void *b)
{
    const struct kat_msg *x = a, *y = b;

    if (x->round != y->round)
        return x->round < y->round ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

static struct kat_msg *find(struct kat_group *const groups[2], const json_t *row)
{
    for (size_t g = 0; g < 2 && groups[g]; g++)
        for (size_t i = 0; i < groups[g]->msg_n; i++) {
            struct kat_msg *m = &groups[g]->msg[i];

            if (!m->seen && m->round == json_integer_value(json_array_get(row, 0)) &&
                m->from == json_integer_value(json_array_get(row, 1)) &&
                m->to == json_integer_value(json_array_get(row, 2)))
                return m;
        }
    return NULL;
}

static void message_is(struct kat *k, struct kat_group *const groups[2], const json_t *row)
{
    long long v[4];
    uint8_t want[32], got[32];
    struct kat_msg *m = find(groups, row);

    for (size_t i = 0; i < 4; i++)
        v[i] = (long long)json_integer_value(json_array_get(row, i));
    if (!kat_check(k, m, "message of round %lld from %lld to %lld was not made", v[0], v[1], v[2]))
        return;
    m->seen = true;
    qrt_sha256(k->ctx, got, m->b + QRT_HEADER_BYTES, m->len - QRT_HEADER_BYTES);
    kat_check(k,
              m->len - QRT_HEADER_BYTES == (size_t)v[3] &&
                  kat_unhex(want, 32, json_array_get(row, 4)) && memcmp(want, got, 32) == 0,
              "message of round %lld from %lld to %lld differs (%zu bytes)", v[0], v[1], v[2],
              m->len - QRT_HEADER_BYTES);
}

/* |later| may be NULL: the online runs that followed |g|. */
static void messages_are(struct kat *k, const json_t *v, struct kat_group *g,
                         struct kat_group *later)
{
    struct kat_group *const groups[2] = {g, later};
    const json_t *rows = json_object_get(v, "messages");

    kat_check(k, json_array_size(rows) > 0, "the file holds no messages");
    for (size_t i = 0; i < json_array_size(rows); i++)
        message_is(k, groups, json_array_get(rows, i));
    for (size_t i = 0; i < 2 && groups[i]; i++) {
        qsort(groups[i]->msg, groups[i]->msg_n, sizeof *groups[i]->msg, by_route);
        for (size_t j = 0; j < groups[i]->msg_n; j++)
            kat_check(k, groups[i]->msg[j].seen,
                      "message of round %u from %u to %u is not in the file",
                      groups[i]->msg[j].round, groups[i]->msg[j].from, groups[i]->msg[j].to);
    }
}

/* A whole number, or 64 digits of hexadecimal for what does not fit into one. */
static bool read_coordinate(uint8_t x[32], const json_t *v)
{
    if (json_is_string(v))
        return kat_unhex(x, 32, v);
    memset(x, 0, 32);
    for (unsigned i = 0; i < 8; i++)
        x[31 - i] = (uint8_t)((uint64_t)json_integer_value(v) >> (8 * i));
    return json_is_integer(v);
}

static int by_index(const void *a, const void *b)
{
    const struct qrt_party *x = a, *y = b;

    return (x->index > y->index) - (x->index < y->index);
}

static bool read_roster(struct kat *k, const json_t *v, struct kat_key_input *in)
{
    const json_t *roster = json_object_get(v, "roster_x");
    const char *key;
    json_t *x;
    size_t n = 0;
    bool ok = json_object_size(roster) <= QRT_PARTIES_MAX;

    json_object_foreach((json_t *)roster, key, x)
    {
        struct qrt_party *p = &in->parties[n];

        ok = ok && n++ < QRT_PARTIES_MAX;
        if (!ok)
            break;
        p->index = (uint16_t)strtoul(key, NULL, 10);
        ok = read_coordinate(p->x, x) &&
             kat_unhex(p->idk, 32, kat_at(json_object_get(v, "idk"), p->index));
    }
    qsort(in->parties, n, sizeof *in->parties, by_index);
    for (size_t i = 0; ok && i < n; i++)
        ok = kat_unhex(in->seeds[i], 32, kat_at(json_object_get(v, "seeds"), in->parties[i].index));
    in->params.n = (size_t)json_integer_value(json_object_get(v, "n"));
    in->params.t = (size_t)json_integer_value(json_object_get(v, "t"));
    return kat_check(
        k, ok && n == in->params.n && kat_unhex(in->params.iid, 32, json_object_get(v, "iid")),
        "the inputs are not complete");
}

static void pairs_are(struct kat *k, const json_t *v, const struct qrt_share *share)
{
    for (size_t i = 0; i < share->n; i++) {
        uint16_t j = (uint16_t)(share->parties[i].index[0] << 8 | share->parties[i].index[1]);
        const struct qrt_share_pair *pair = j == share->own ? NULL : qrt_share_pair(share, j);
        const json_t *ystar = kat_at(json_object_get(v, "alice_ystar"), j);

        if (!pair)
            continue;
        kat_hashed(k, kat_at(json_object_get(v, "bob_seeds_sha"), j), pair->bob_seeds,
                   sizeof pair->bob_seeds, "Bob's seeds");
        kat_bytes(k, kat_at(json_object_get(v, "zseed"), j), pair->zs, 32, "zseed");
        for (size_t t = 0; t < 32; t++)
            kat_number(k, json_array_get(ystar, t), pair->delta[t / 2] >> (4 * (t % 2)) & 15,
                       "alice_ystar");
    }
}

static void share_is(struct kat *k, const json_t *v, const struct qrt_share *share)
{
    const json_t *own = kat_at(json_object_get(v, "shares"), share->own);

    kat_bytes(k, json_object_get(v, "kgid"), share->kgid, 32, "kgid");
    kat_bytes(k, json_object_get(v, "pk"), share->pk, 33, "pk");
    kat_bytes(k, json_object_get(v, "cc"), share->cc, 32, "cc");
    kat_bytes(k, json_object_get(own, "x"), share->s, 32, "x");
    for (size_t i = 0; i < share->n; i++) {
        const struct qrt_share_party *p = &share->parties[i];
        unsigned index = (unsigned)(p->index[0] << 8 | p->index[1]);

        kat_bytes(k, json_object_get(kat_at(json_object_get(v, "shares"), index), "X"), p->X, 33,
                  "X");
        kat_bytes(k, kat_at(json_object_get(v, "idk"), index), p->idk, 32, "idk");
    }
    pairs_are(k, own, share);
}

static void keygen_run(struct kat *k, const json_t *v, struct kat_group *g)
{
    struct kat_key_input in = {.params = {.created = 1700000000}};
    enum qrt_err e;

    if (!read_roster(k, v, &in))
        return;
    e = kat_keygen(k, g, &in);
    kat_check(k, e == QRT_OK, "key generation ends with: %s", qrt_err_text(e));
    messages_are(k, v, g, NULL);
    for (size_t i = 0; i < g->n; i++) {
        const struct qrt_share *share = qrt_keygen_share(g->run[i]);

        if (kat_check(k, share, "party %u has no share", g->index[i]))
            share_is(k, v, share);
    }
    for (size_t i = 0; i < g->msg_n; i++)
        if (g->msg[i].round == 4)
            kat_bytes(k, json_object_get(v, "conf"), g->msg[i].b + QRT_HEADER_BYTES, 32, "conf");
}

static bool read_path(struct kat_sign_input *in, const json_t *path)
{
    size_t n = json_array_size(path);

    for (size_t i = 0; i < n && n <= QRT_PATH_MAX; i++)
        in->path[i] = (uint32_t)json_integer_value(json_array_get(path, i));
    in->params.path_n = n;
    return json_is_array(path) && n <= QRT_PATH_MAX;
}

static bool read_signing(struct kat *k, const json_t *v, struct kat_sign_input *in)
{
    const json_t *set = json_object_get(v, "P");
    size_t n = json_array_size(set);
    bool ok = n <= QRT_PARTIES_MAX && read_path(in, json_object_get(v, "path")) &&
              kat_unhex(in->params.iid, 32, json_object_get(v, "iid")) &&
              kat_unhex(in->digest, 32, json_object_get(v, "m")) &&
              kat_unhex(in->req, 32, json_object_get(v, "req"));

    in->params.signers_n = n;
    for (size_t i = 0; ok && i < n; i++) {
        in->signers[i] = (uint16_t)json_integer_value(json_array_get(set, i));
        ok = kat_unhex(in->seeds[i], 32, kat_at(json_object_get(v, "seeds"), in->signers[i]));
    }
    return kat_check(k, ok, "the inputs are not complete");
}

static void share_fits(struct kat *k, const json_t *v, const struct kat_sign_input *in)
{
    for (size_t i = 0; i < in->params.signers_n; i++) {
        const struct qrt_share *share = kat_share(in->key, in->signers[i]);
        const struct qrt_share_party *p;

        if (!kat_check(k, share, "party %u has no share of that key", in->signers[i]))
            continue;
        kat_number(k, json_object_get(v, "epoch"), share->epoch, "epoch");
        p = qrt_share_party(share, share->own);
        if (kat_check(k, p, "party %u is not in its own roster", share->own))
            kat_bytes(k, kat_at(json_object_get(v, "idk"), share->own), p->idk, 32, "idk");
    }
}

static void signatures_are(struct kat *k, const json_t *v, const struct kat_group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        struct qrt_sig sig;
        struct qrt_pubkey pk;
        struct qrt_hash digest;

        if (!kat_check(k, qrt_sign_result(g->run[i], &sig, &pk, &digest) == QRT_OK,
                       "party %u has no signature", g->index[i]))
            continue;
        kat_bytes(k, json_object_get(v, "pk"), pk.b, 33, "pk");
        kat_bytes(k, json_object_get(v, "r"), sig.r, 32, "r");
        kat_bytes(k, json_object_get(v, "s"), sig.s, 32, "s");
        kat_bytes(k, json_object_get(v, "m"), digest.b, 32, "the digest");
        kat_number(k, json_object_get(v, "recid"), sig.recid, "recid");
    }
}

static void sids_are(struct kat *k, const json_t *v, const struct kat_group *g)
{
    for (size_t i = 0; i < g->n; i++)
        kat_bytes(k, json_object_get(v, "ssid"), qrt_run_sid(g->run[i]), 32, "ssid");
}

/* What signing keeps to itself, as the sum of the points in the second round. */
static void nonce_is(struct kat *k, const json_t *v, const struct kat_group *g)
{
    struct qrt_pt sum = {.inf = true}, p;
    uint8_t b[33] = {0};

    for (size_t i = 0; i < g->msg_n; i++)
        if (g->msg[i].round == 2 && g->msg[i].to == 0 &&
            qrt_pt_decode(k->ctx, &p, g->msg[i].b + QRT_HEADER_BYTES))
            qrt_pt_add(k->ctx, &sum, &sum, &p);
    if (!sum.inf)
        qrt_pt_encode(k->ctx, b, &sum);
    kat_bytes(k, json_object_get(v, "R_presign"), b, sizeof b, "R_presign");
}

static void sign_run(struct kat *k, const json_t *v, struct kat_sign_input *in)
{
    struct kat_group g;
    enum qrt_err e = kat_sign(k, &g, in);

    kat_check(k, e == QRT_OK, "signing ends with: %s", qrt_err_text(e));
    messages_are(k, v, &g, NULL);
    sids_are(k, v, &g);
    nonce_is(k, v, &g);
    signatures_are(k, v, &g);
    kat_group_free(&g);
}

static void presignatures_are(struct kat *k, const json_t *v, const uint8_t *presigs, size_t t)
{
    for (size_t i = 0; i < t; i++) {
        struct qrt_presig p;
        uint8_t point[33];

        if (!kat_check(k,
                       qrt_presig_decode(&p, k->ctx, presigs + i * QRT_PRESIG_BYTES(t),
                                         QRT_PRESIG_BYTES(t)) == QRT_OK,
                       "presignature %zu does not decode", i))
            continue;
        qrt_pt_encode(k->ctx, point, &p.R);
        kat_bytes(k, json_object_get(v, "R_presign"), point, sizeof point, "R_presign");
        kat_bytes(k, json_object_get(v, "ssid"), p.info.id, 32, "the presignature's id");
        kat_bytes(k, json_object_get(v, "pk"), p.info.pk.b, 33, "the presignature's key");
    }
}

static void presign_run(struct kat *k, const json_t *v, struct kat_sign_input *in)
{
    uint8_t presigs[QRT_PARTIES_MAX * QRT_PRESIG_BYTES(QRT_PARTIES_MAX)];
    struct kat_group pre, g = {0};
    enum qrt_err e = kat_presign(k, &pre, in);

    if (kat_check(k, e == QRT_OK, "presigning ends with: %s", qrt_err_text(e))) {
        nonce_is(k, v, &pre);
        e = kat_online(k, &g, &pre, in, presigs);
        if (kat_check(k, e == QRT_OK, "the online round ends with: %s", qrt_err_text(e)))
            presignatures_are(k, v, presigs, pre.n);
    }
    messages_are(k, v, &pre, &g);
    sids_are(k, v, &pre);
    signatures_are(k, v, &g);
    kat_group_free(&g);
    kat_group_free(&pre);
}

static const char *protocol_of(const json_t *v)
{
    const char *protocol = json_string_value(json_object_get(v, "protocol"));

    return protocol ? protocol : "";
}

static bool is_protocol(const json_t *v, const char *protocol)
{
    return strcmp(protocol_of(v), protocol) == 0;
}

static const struct kat_group *find_key(const struct keys *keys, const json_t *v)
{
    const char *name = json_string_value(json_object_get(v, "key"));

    for (size_t i = 0; name && i < keys->n; i++)
        if (strcmp(keys->name[i], name) == 0)
            return &keys->group[i];
    return NULL;
}

static void signing_run(struct kat *k, const json_t *v, const struct keys *keys)
{
    struct kat_sign_input in = {.key = find_key(keys, v)};

    if (!kat_check(k, in.key, "the key's run is missing or failed") || !read_signing(k, v, &in))
        return;
    share_fits(k, v, &in);
    if (is_protocol(v, "sign"))
        sign_run(k, v, &in);
    else
        presign_run(k, v, &in);
}

static bool is_signing(const json_t *v)
{
    return is_protocol(v, "sign") || is_protocol(v, "presign");
}

/* Protocols that the library does not have yet, and runs whose shares come from one of them. */
static bool is_not_built(const struct kat *k, const json_t *v)
{
    const char *key = json_string_value(json_object_get(v, "key"));

    return is_protocol(v, "reshare") ||
           (is_signing(v) && key && is_protocol(json_object_get(k->file, key), "reshare"));
}

/* Before any is tried: what the file demands does not depend on how far the runner gets. */
static void count(struct kat *k, struct kat_tally *tally)
{
    json_t *v;

    json_object_foreach(k->file, k->entry, v)
    {
        if (!json_object_get(v, "protocol"))
            continue;
        if (is_not_built(k, v)) {
            printf("skipped %s: reshare is not built\n", k->entry);
            tally->skipped++;
        } else if (kat_check(k, is_protocol(v, "keygen") || is_signing(v), "unknown protocol %s",
                             protocol_of(v))) {
            tally->known++;
        }
    }
    k->entry = "runs";
    kat_check(k, tally->known > 0, "the file holds none that is built");
}

static void keygens(struct kat *k, struct keys *keys, struct kat_tally *tally)
{
    const char *name;
    json_t *v;

    json_object_foreach(k->file, name, v)
    {
        k->entry = name;
        if (!is_protocol(v, "keygen") ||
            !kat_check(k, keys->n < KEYS_MAX, "more than %d keys", KEYS_MAX))
            continue;
        tally->tried++;
        keys->name[keys->n] = name;
        keygen_run(k, v, &keys->group[keys->n++]);
    }
}

static void signings(struct kat *k, const struct keys *keys, struct kat_tally *tally)
{
    const char *name;
    json_t *v;

    json_object_foreach(k->file, name, v)
    {
        if (!is_signing(v) || is_not_built(k, v))
            continue;
        k->entry = name;
        tally->tried++;
        signing_run(k, v, keys);
    }
}

void kat_runs(struct kat *k, struct kat_tally *tally)
{
    struct keys *keys = calloc(1, sizeof *keys);

    if (!keys)
        abort();
    count(k, tally);
    keygens(k, keys, tally);
    signings(k, keys, tally);
    for (size_t i = 0; i < keys->n; i++)
        kat_group_free(&keys->group[i]);
    free(keys);
}
