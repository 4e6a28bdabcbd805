/* SPDX-License-Identifier: Apache-2.0 */
/* People, keys and sessions (session.h). */
#include "session.h"

#include "base/bytes.h"
#include "quorate/derive.h"
#include "quorate/signature.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

const struct qrt_ctx *full_ctx(void)
{
    static struct qrt_ctx *ctx;

    if (ctx)
        return ctx;
    assert_true(sodium_init() >= 0);
    ctx = aligned_alloc(QRT_ALIGN, (qrt_ctx_size() + QRT_ALIGN - 1) / QRT_ALIGN * QRT_ALIGN);
    assert_non_null(ctx);
    qrt_ctx_init(ctx, secp256k1_context_create(SECP256K1_CONTEXT_NONE), QRT_CPU_ALL);
    return ctx;
}

void test_bytes32(uint8_t out[32], const char *what, uint64_t seed, uint16_t i)
{
    crypto_hash_sha256_state h;
    uint8_t b[10];

    qrt_be64_put(b, seed);
    qrt_be16_put(b + 8, i);
    crypto_hash_sha256_init(&h);
    crypto_hash_sha256_update(&h, (const uint8_t *)what, strlen(what) + 1);
    crypto_hash_sha256_update(&h, b, sizeof b);
    crypto_hash_sha256_final(&h, out);
}

/* ---- people ---- */

void world_init(struct world *w, size_t n)
{
    full_ctx();
    *w = (struct world){.n = n};
    for (size_t i = 0; i < n; i++) {
        uint8_t seed[32];

        w->roster[i].index = w->keys[i].index = (uint16_t)(i + 1);
        qrt_party_default_x(&w->roster[i]);
        test_bytes32(seed, "identity", 0, w->roster[i].index);
        crypto_sign_seed_keypair(w->keys[i].idpk, w->identity[i], seed);
        crypto_hash_sha256(w->roster[i].idk, w->keys[i].idpk, 32);
    }
}

size_t world_at(const struct world *w, uint16_t index)
{
    size_t i = 0;

    while (i < w->n && w->roster[i].index != index)
        i++;
    assert_true(i < w->n);
    return i;
}

/* ---- keys ---- */

void keyring_take(struct keyring *k, const struct session *s, const struct network *net)
{
    *k = (struct keyring){.world = s->world, .n = s->n, .t = s->t};
    for (size_t i = 0; i < s->n; i++) {
        const struct note *note = node_noted(&net->nodes[i], QRT_RECORD_SHARE);

        assert_non_null(note);
        k->len[i] = note->len;
        k->record[i] = malloc(note->len);
        assert_non_null(k->record[i]);
        memcpy(k->record[i], note->b, note->len);
        assert_int_equal(qrt_share_open(&k->share[i], full_ctx(), k->record[i], k->len[i]), QRT_OK);
    }
}

void keyring_make(struct keyring *k, const struct world *w, size_t t, uint64_t seed)
{
    struct network net;
    struct session s;

    session_keygen(&s, w, t, seed);
    network_init(&net, seed, &fair_weather);
    session_run(&s, &net);
    keyring_take(k, &s, &net);
    network_free(&net);
}

void keyring_free(struct keyring *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->record[i]);
    *k = (struct keyring){0};
}

const struct qrt_share *keyring_share(const struct keyring *k, uint16_t index)
{
    return &k->share[world_at(k->world, index)];
}

/* ---- sessions ---- */

void session_keygen(struct session *s, const struct world *w, size_t t, uint64_t seed)
{
    *s = (struct session){.protocol = QRT_KEYGEN, .level = PEERS, .world = w, .seed = seed};
    s->n = w->n;
    s->t = t;
    for (size_t i = 0; i < w->n; i++)
        s->members[i] = w->roster[i].index;
}

void session_sign(struct session *s, enum qrt_protocol protocol, const struct keyring *k,
                  const uint16_t *signers, uint64_t seed)
{
    *s = (struct session){.protocol = protocol, .level = PEERS, .world = k->world, .key = k};
    s->seed = seed;
    s->n = s->t = k->t;
    memcpy(s->members, signers, k->t * sizeof *signers);
}

void session_entropy(const struct session *s, uint16_t index, struct qrt_entropy *out)
{
    bool again = !s->restart_only || s->restart_only == index;
    uint64_t seed = s->seed + (again ? s->restart << 32 : 0);

    test_bytes32(out->seed, "seed", seed, index);
    test_bytes32(out->ephemeral, "ephemeral", seed, index);
}

void session_iid(const struct session *s, uint8_t iid[32])
{
    test_bytes32(iid, "iid", s->seed, 0);
}

static struct qrt_message message_of(const struct session *s)
{
    if (!s->text)
        return (struct qrt_message){QRT_DIGEST_SHA256, (const uint8_t *)"pay", 3};
    return (struct qrt_message){QRT_DIGEST_SHA256, s->text, s->text_len};
}

static struct qrt_peer_params envelope_of(const struct session *s, uint16_t index)
{
    return (struct qrt_peer_params){s->world->identity[world_at(s->world, index)], s->world->keys,
                                    s->world->n};
}

static enum qrt_err start_keygen(const struct session *s, struct node *node, uint16_t index)
{
    struct qrt_peer_params envelope = envelope_of(s, index);
    struct qrt_keygen_params p = {.parties = s->world->roster, .n = s->n, .t = s->t};
    struct qrt_entropy entropy;

    p.own = index;
    p.created = 1700000000;
    session_iid(s, p.iid);
    session_entropy(s, index, &entropy);
    if (node->is_peer)
        return qrt_peer_keygen(node->memory, full_ctx(), &p, &envelope, &entropy);
    return qrt_keygen_start(node->memory, full_ctx(), &p, entropy.seed);
}

static enum qrt_err start_sign(const struct session *s, struct node *node, uint16_t index)
{
    struct qrt_peer_params envelope = envelope_of(s, index);
    struct qrt_sign_params p = {.share = keyring_share(s->key, index), .signers = s->members};
    struct qrt_entropy entropy;

    p.signers_n = s->n;
    p.path = s->path;
    p.path_n = s->path_n;
    p.message = message_of(s);
    session_iid(s, p.iid);
    session_entropy(s, index, &entropy);
    if (s->protocol == QRT_SIGN && node->is_peer)
        return qrt_peer_sign(node->memory, full_ctx(), &p, &envelope, &entropy);
    if (s->protocol == QRT_SIGN)
        return qrt_sign_start(node->memory, full_ctx(), &p, entropy.seed);
    if (node->is_peer)
        return qrt_peer_presign(node->memory, full_ctx(), &p, &envelope, &entropy);
    return qrt_presign_start(node->memory, full_ctx(), &p, entropy.seed);
}

static enum qrt_err start_online(struct session *s, struct node *node, uint16_t index)
{
    struct qrt_peer_params envelope = envelope_of(s, index);
    struct qrt_online_params p = {.share = keyring_share(s->key, index), .message = message_of(s)};

    for (size_t i = 0; i < s->n; i++)
        if (s->members[i] == index)
            p.presig = s->presig[i];
    assert_non_null(p.presig);
    p.presig_len = QRT_PRESIG_BYTES(s->t);
    p.late_path = s->late_path;
    p.late_path_n = s->late_path_n;
    test_bytes32(p.req, "req", s->seed, 0);
    if (node->is_peer)
        return qrt_peer_online(node->memory, full_ctx(), &p, &envelope);
    return qrt_online_start(node->memory, full_ctx(), &p);
}

enum qrt_err session_start(struct session *s, struct node *node, uint16_t index)
{
    enum qrt_err e;

    *node = (struct node){.index = index, .is_peer = s->level == PEERS};
    node->size = node->is_peer ? qrt_peer_size(s->protocol, s->n, s->t)
                               : qrt_run_size(s->protocol, s->n, s->t);
    assert_true(node->size > 0);
    node->memory = aligned_alloc(QRT_ALIGN, node->size);
    assert_non_null(node->memory);
    memset(node->memory, 0x5A, node->size);
    if (s->protocol == QRT_KEYGEN)
        e = start_keygen(s, node, index);
    else if (s->protocol == QRT_ONLINE)
        e = start_online(s, node, index);
    else
        e = start_sign(s, node, index);
    if (e != QRT_OK) {
        free(node->memory);
        *node = (struct node){.index = index};
    }
    return e;
}

void session_join(struct session *s, struct network *net)
{
    for (size_t i = 0; i < s->n; i++) {
        assert_true(net->n < NODES_MAX);
        assert_int_equal(session_start(s, &net->nodes[net->n++], s->members[i]), QRT_OK);
    }
}

void session_run(struct session *s, struct network *net)
{
    session_join(s, net);
    network_run(net);
    for (size_t i = 0; i < net->n; i++) {
        assert_int_equal(qrt_run_error(node_run(&net->nodes[i])), QRT_OK);
        assert_int_equal(qrt_run_phase(node_run(&net->nodes[i])), QRT_PHASE_DONE);
    }
}

static struct qrt_run *run_mut(struct node *node)
{
    return node->is_peer ? qrt_peer_run_mut(node->memory) : node->memory;
}

void session_take_presigs(const struct session *presign, struct network *net,
                          struct session *online)
{
    *online = *presign;
    online->protocol = QRT_ONLINE;
    for (size_t i = 0; i < online->n; i++) {
        struct node *node = network_node(net, online->members[i]);

        assert_int_equal(qrt_presign_take(run_mut(node), 1700000001, online->presig[i],
                                          QRT_PRESIG_BYTES(online->t)),
                         QRT_OK);
    }
}

static void derived_key(const struct session *s, struct qrt_pubkey *pk)
{
    const struct qrt_share *share = keyring_share(s->key, s->members[0]);
    struct qrt_child child;
    uint32_t path[2 * QRT_PATH_MAX];
    size_t n = s->path_n + s->late_path_n;

    memcpy(pk->b, share->pk, sizeof pk->b);
    if (s->path_n)
        memcpy(path, s->path, s->path_n * sizeof *path);
    if (s->late_path_n)
        memcpy(path + s->path_n, s->late_path, s->late_path_n * sizeof *path);
    assert_int_equal(qrt_derive(&child, full_ctx(), pk, share->cc, path, n), QRT_OK);
    *pk = child.pk;
}

void session_expect_signature(const struct session *s, const struct network *net,
                              struct qrt_sig *sig)
{
    struct qrt_message m = message_of(s);
    struct qrt_pubkey key, pk, recovered;
    struct qrt_hash digest, given;
    struct qrt_sig other;

    derived_key(s, &key);
    assert_int_equal(qrt_digest(&digest, full_ctx(), m.digest, m.b, m.len), QRT_OK);
    for (size_t i = 0; i < net->n; i++) {
        const struct qrt_run *run = node_run(&net->nodes[i]);

        assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
        assert_int_equal(qrt_sign_result(run, i ? &other : sig, &pk, &given), QRT_OK);
        if (i)
            assert_memory_equal(&other, sig, sizeof *sig);
        assert_memory_equal(pk.b, key.b, sizeof pk.b);
        assert_memory_equal(given.b, digest.b, sizeof given.b);
    }
    assert_int_equal(qrt_sig_verify(full_ctx(), sig, &digest, &key), QRT_OK);
    assert_int_equal(qrt_sig_recover(&recovered, full_ctx(), sig, &digest), QRT_OK);
    assert_memory_equal(recovered.b, key.b, sizeof key.b);
}
