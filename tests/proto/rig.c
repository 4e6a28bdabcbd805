/* SPDX-License-Identifier: Apache-2.0 */
/* The bench (rig.h). */
#include "rig.h"

#include "base/bytes.h"
#include "wire/abort.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

/* ---- recording ---- */

static void record(struct rig *r, enum level level)
{
    struct session *s = malloc(sizeof *s); /* a session starts once: presignatures are used up */
    struct network net;

    assert_non_null(s);
    *s = r->s;
    s->level = level;
    network_init(&net, 1, &fair_weather);
    session_run(s, &net);
    for (uint8_t round = 1; round <= RIG_ROUNDS; round++)
        for (size_t i = 0; i < net.log.n; i++) {
            const struct parcel *p = &net.log.p[i];

            if (p->round == round && p->to == r->victim && level == r->s.level)
                parcels_push(&r->tape, p);
            if (p->round == round && level == RUNS)
                parcels_push(&r->plain, p);
        }
    network_free(&net);
    free(s);
}

static void note_said(struct rig *r, const struct qrt_msg *m)
{
    struct parcel p = {.from = r->victim, .round = m->round, .kind = m->kind, .len = m->len};

    p.b = (uint8_t *)m->b;
    p.to = m->to == QRT_EVERYBODY ? 0 : m->to;
    parcels_push(&r->said, &p);
}

static void quiet(struct rig *r)
{
    const struct qrt_msg *m;
    bool more = true;

    while (more) {
        more = node_settle(&r->node);
        while ((m = node_say(&r->node))) {
            note_said(r, m);
            more = true;
        }
    }
}

const struct parcel *rig_said(const struct rig *r, uint8_t round, uint8_t kind)
{
    for (size_t i = 0; i < r->said.n; i++)
        if (r->said.p[i].round == round && r->said.p[i].kind == kind)
            return &r->said.p[i];
    return NULL;
}

static bool on_tape(const struct rig *r, uint8_t round)
{
    for (size_t i = 0; i < r->tape.n; i++)
        if (r->tape.p[i].round == round)
            return true;
    return false;
}

static void save_image(struct rig *r, uint8_t round)
{
    r->image[round] = malloc(r->node.size);
    assert_non_null(r->image[round]);
    memcpy(r->image[round], r->node.memory, r->node.size);
}

static void start_victim(struct rig *r)
{
    struct session *s = malloc(sizeof *s);

    assert_non_null(s);
    *s = r->s;
    assert_int_equal(session_start(s, &r->node, r->victim), QRT_OK);
    free(s);
    quiet(r);
}

void rig_make(struct rig *r, const struct session *s, uint16_t victim)
{
    *r = (struct rig){.what = "recording", .s = *s, .victim = victim};
    record(r, RUNS);
    if (s->level == PEERS)
        record(r, PEERS);
    start_victim(r);
    for (uint8_t round = 1; round <= RIG_ROUNDS; round++) {
        if (!on_tape(r, round))
            continue;
        save_image(r, round);
        rig_round(r, round, NULL);
    }
    save_image(r, RIG_ROUNDS + 1);
    rig_expect_done(r);
}

void rig_free(struct rig *r)
{
    node_free(&r->node);
    parcels_free(&r->tape);
    parcels_free(&r->plain);
    parcels_free(&r->said);
    for (size_t i = 0; i < sizeof r->image / sizeof *r->image; i++)
        free(r->image[i]);
    *r = (struct rig){.victim = 0};
}

void rig_rewind(struct rig *r, uint8_t round)
{
    struct node *n = &r->node;

    assert_non_null(r->image[round]);
    memcpy(n->memory, r->image[round], n->size);
    for (size_t i = 0; i < n->records_n; i++)
        free(n->records[i].b);
    *n = (struct node){
        .index = n->index, .is_peer = n->is_peer, .memory = n->memory, .size = n->size};
    parcels_free(&r->said);
    r->may_say = 0;
}

static const struct parcel *find(const struct parcels *list, const struct parcel *like)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct parcel *p = &list->p[i];

        if (p->round == like->round && p->kind == like->kind && p->from == like->from &&
            p->to == like->to)
            return p;
    }
    return NULL;
}

const struct parcel *rig_parcel(const struct rig *r, uint8_t round, uint8_t kind, uint16_t from)
{
    struct parcel like = {.from = from, .to = r->victim, .round = round, .kind = kind};
    const struct parcel *p = find(&r->tape, &like);

    assert_non_null(p);
    return p;
}

const struct parcel *rig_plain(const struct rig *r, uint8_t round, uint8_t kind, uint16_t from)
{
    struct parcel like = {.from = from, .to = r->victim, .round = round, .kind = kind};
    const struct parcel *p = find(&r->plain, &like);

    assert_non_null(p);
    return p;
}

struct parcel rig_copy(const struct parcel *p, size_t extra)
{
    struct parcel copy = *p;

    copy.b = calloc(1, p->len + extra);
    assert_non_null(copy.b);
    memcpy(copy.b, p->b, p->len);
    return copy;
}

/* ---- the cheater's envelope (protocol.md B.7, K.1), from its own secrets ---- */

static void key_of(const struct rig *r, uint16_t index, uint8_t esk[32], uint8_t ek[32])
{
    struct qrt_entropy entropy;

    session_entropy(&r->s, index, &entropy);
    memcpy(esk, entropy.ephemeral, 32);
    qrt_seal_ephemeral(ek, esk);
}

/* ek, then for signing the hash of the E1 to each peer, ascending. */
static size_t first_ext(const struct rig *r, const struct parcel *p, const struct parcel *e1,
                        uint8_t *ext)
{
    size_t len = 32;
    uint8_t esk[32];

    key_of(r, p->from, esk, ext);
    for (uint16_t to = 1; r->s.protocol != QRT_KEYGEN && to <= NODES_MAX; to++) {
        struct parcel like = {.from = p->from, .to = to, .round = 1, .kind = QRT_KIND_PRIVATE};
        const struct parcel *open = find(&r->plain, &like);

        if (open && e1 && to == r->victim)
            open = e1;
        if (!open)
            continue;
        qrt_envelope_open_hash(full_ctx(), ext + len, open->b, open->b + QRT_HEADER_BYTES,
                               open->len - QRT_HEADER_BYTES);
        len += 32;
    }
    return len;
}

void rig_sign_again(const struct rig *r, struct parcel *wire, size_t ext_len)
{
    struct qrt_signed covered = {.header = wire->b, .ext = wire->b + QRT_HEADER_BYTES};

    covered.ext_len = ext_len;
    covered.payload = covered.ext + ext_len;
    covered.payload_len = wire->len - QRT_HEADER_BYTES - ext_len - QRT_SIG_BYTES;
    qrt_envelope_sign(full_ctx(), wire->b + wire->len - QRT_SIG_BYTES, &covered,
                      r->s.world->identity[world_at(r->s.world, wire->from)]);
}

static struct parcel pack_signed(const struct rig *r, const struct parcel *p,
                                 const struct parcel *e1)
{
    struct parcel wire = *p;
    uint8_t ext[32 + 32 * NODES_MAX];
    size_t payload_len = p->len - QRT_HEADER_BYTES, ext_len = 0;

    if (p->round == 1 && p->kind == QRT_KIND_BROADCAST)
        ext_len = first_ext(r, p, e1, ext);
    wire.len = p->len + ext_len + QRT_SIG_BYTES;
    wire.b = malloc(wire.len);
    assert_non_null(wire.b);
    memcpy(wire.b, p->b, QRT_HEADER_BYTES);
    memcpy(wire.b + QRT_HEADER_BYTES, ext, ext_len);
    memcpy(wire.b + QRT_HEADER_BYTES + ext_len, p->b + QRT_HEADER_BYTES, payload_len);
    rig_sign_again(r, &wire, ext_len);
    return wire;
}

static struct parcel pack_sealed(const struct rig *r, const struct parcel *p)
{
    const struct world *w = r->s.world;
    struct parcel wire = rig_copy(p, QRT_TAG_BYTES);
    uint8_t esk[32], ek[32], victim_esk[32], victim_ek[32], prk[32], key[32];
    struct qrt_seal_side own = {p->from, w->roster[world_at(w, p->from)].idk, ek};
    struct qrt_seal_side other = {r->victim, w->roster[world_at(w, r->victim)].idk, victim_ek};

    key_of(r, p->from, esk, ek);
    key_of(r, r->victim, victim_esk, victim_ek);
    assert_true(qrt_seal_agree(full_ctx(), prk, esk, &own, &other, qrt_run_sid(node_run(&r->node)),
                               (uint8_t)r->s.protocol));
    qrt_seal_key(key, prk, p->round, p->from, r->victim);
    qrt_seal(wire.b, p->len - QRT_HEADER_BYTES, key);
    wire.len += QRT_TAG_BYTES;
    return wire;
}

struct parcel rig_pack(const struct rig *r, const struct parcel *p, const struct parcel *e1)
{
    if (r->s.level == RUNS)
        return rig_copy(p, 0);
    if (p->kind != QRT_KIND_PRIVATE)
        return pack_signed(r, p, e1);
    if (p->round == 1)
        return rig_copy(p, 0);
    return pack_sealed(r, p);
}

/* ---- playing ---- */

enum qrt_err rig_give(struct rig *r, uint16_t from, const uint8_t *b, size_t len)
{
    enum qrt_err e = node_recv(&r->node, from, b, len);

    quiet(r);
    return e;
}

void rig_round(struct rig *r, uint8_t round, const struct parcel *except)
{
    for (size_t i = 0; i < r->tape.n; i++) {
        const struct parcel *p = &r->tape.p[i];

        if (p->round == round && p != except)
            (void)rig_give(r, p->from, p->b, p->len);
    }
}

void rig_rest(struct rig *r, uint8_t round, const struct parcel *except)
{
    for (; round <= RIG_ROUNDS; round++)
        rig_round(r, round, except);
}

enum qrt_err rig_give_plain(struct rig *r, const struct parcel *p)
{
    struct parcel wire = rig_pack(r, p, NULL);
    enum qrt_err e = rig_give(r, wire.from, wire.b, wire.len);

    free(wire.b);
    return e;
}

static void give_packed(struct rig *r, const struct parcel *plain, const struct parcel *e1)
{
    struct parcel wire = rig_pack(r, plain, e1);

    (void)rig_give(r, wire.from, wire.b, wire.len);
    free(wire.b);
}

void rig_attack(struct rig *r, const struct parcel *changed)
{
    const struct parcel *honest = rig_parcel(r, changed->round, changed->kind, changed->from);
    bool is_e1 = changed->round == 1 && changed->kind == QRT_KIND_PRIVATE;

    rig_rewind(r, changed->round);
    for (size_t i = 0; i < r->tape.n; i++) {
        const struct parcel *p = &r->tape.p[i];

        if (p->round != changed->round)
            continue;
        if (p == honest)
            give_packed(r, changed, NULL);
        else if (is_e1 && p->from == changed->from)
            give_packed(r, rig_plain(r, 1, QRT_KIND_BROADCAST, p->from), changed);
        else
            (void)rig_give(r, p->from, p->b, p->len);
    }
}

/* ---- outcomes ---- */

static uint8_t class_on_the_wire(enum qrt_err e)
{
    switch (qrt_err_class(e)) {
    case QRT_CLASS_B1:
        return QRT_ABORT_B1;
    case QRT_CLASS_B2:
        return QRT_ABORT_B2;
    case QRT_CLASS_B3:
        return QRT_ABORT_B3;
    case QRT_CLASS_BURN:
        return QRT_ABORT_BURN;
    default:
        return QRT_ABORT_B0;
    }
}

static void expect_abort(const struct rig *r, enum qrt_err error, uint16_t culprit)
{
    const struct node *n = &r->node;
    const uint8_t *payload = n->abort + QRT_HEADER_BYTES;
    struct qrt_header h;

    if (n->sent != r->may_say || n->aborts != 1)
        fail_msg("%s: %zu messages and %zu aborts left the victim", r->what, n->sent, n->aborts);
    assert_int_equal(n->abort_len, QRT_HEADER_BYTES + 5 + (n->is_peer ? 64 : 0));
    assert_int_equal(qrt_header_decode(&h, n->abort, n->abort_len), QRT_OK);
    assert_int_equal(h.kind, QRT_KIND_ABORT);
    assert_int_equal(h.sender, r->victim);
    assert_int_equal(h.receiver, QRT_EVERYBODY);
    assert_int_equal(h.payload_len, 5);
    for (size_t i = 0; i < sizeof h.echo; i++)
        assert_int_equal(h.echo[i], 0);
    assert_int_equal(payload[0], class_on_the_wire(error));
    assert_int_equal(payload[1], qrt_err_code(error));
    assert_int_equal(payload[2], h.round);
    assert_int_equal(qrt_be16_get(payload + 3), culprit);
}

static void expect_burn(const struct rig *r, uint16_t culprit)
{
    const struct note *note = node_noted(&r->node, QRT_RECORD_BURN);
    struct qrt_burn burn;

    if (!note)
        fail_msg("%s: no burn record", r->what);
    assert_int_equal(qrt_burn_decode(&burn, note->b, note->len), QRT_OK);
    assert_int_equal(burn.own, r->victim);
    assert_int_equal(burn.peers_n, 1);
    assert_int_equal(burn.peers[0], culprit);
}

static void expect_evidence(const struct rig *r, enum qrt_err error, uint16_t culprit)
{
    bool proven = qrt_err_class(error) == QRT_CLASS_B2;
    bool due = proven || qrt_err_class(error) == QRT_CLASS_BURN;
    struct qrt_evidence evidence;
    size_t len = 0;
    const uint8_t *b = qrt_peer_evidence(r->node.memory, &len);

    if (!due) {
        assert_null(b);
        return;
    }
    if (!b || qrt_evidence_verify(&evidence, full_ctx(), b, len) !=
                  (proven ? QRT_OK : QRT_E_EVIDENCE_PRIVATE))
        fail_msg("%s: no evidence, or it does not verify", r->what);
    assert_int_equal(evidence.error, error);
    assert_int_equal(evidence.accused, culprit);
    assert_int_equal(evidence.proven, proven);
    assert_memory_equal(evidence.idpk, r->s.world->keys[world_at(r->s.world, culprit)].idpk, 32);
    assert_memory_equal(evidence.sid, qrt_run_sid(node_run(&r->node)), 32);
}

void rig_expect_failure(struct rig *r, enum qrt_err error, uint16_t culprit)
{
    const struct qrt_run *run = node_run(&r->node);

    if (qrt_run_error(run) != error || qrt_run_phase(run) != QRT_PHASE_FAILED ||
        qrt_run_culprit(run) != culprit)
        fail_msg("%s: expected %s by %u, not %s by %u (phase %d, last answer %s)", r->what,
                 qrt_err_name(error), culprit, qrt_err_name(qrt_run_error(run)),
                 qrt_run_culprit(run), qrt_run_phase(run), qrt_err_name(r->node.last));
    expect_abort(r, error, culprit);
    if (qrt_err_class(error) == QRT_CLASS_BURN)
        expect_burn(r, culprit);
    else
        assert_null(node_noted(&r->node, QRT_RECORD_BURN));
    if (r->s.level == PEERS)
        expect_evidence(r, error, culprit);
    for (size_t i = 0; i < r->tape.n; i++) {
        const struct parcel *p = &r->tape.p[i];

        assert_int_not_equal(node_recv(&r->node, p->from, p->b, p->len), QRT_OK);
        assert_null(node_record(&r->node));
        assert_null(node_next(&r->node));
    }
}

void rig_expect_done(struct rig *r)
{
    const struct qrt_run *run = node_run(&r->node);

    if (qrt_run_phase(run) != QRT_PHASE_DONE || qrt_run_culprit(run) != 0 || r->node.aborts != 0)
        fail_msg("%s: not done but %s by %u (phase %d, last answer %s)", r->what,
                 qrt_err_name(qrt_run_error(run)), qrt_run_culprit(run), qrt_run_phase(run),
                 qrt_err_name(r->node.last));
}

void rig_expect_recovery(struct rig *r, uint8_t round)
{
    const struct qrt_run *run = node_run(&r->node);

    if (qrt_run_phase(run) != QRT_PHASE_RUNNING || qrt_run_culprit(run) != 0 || r->node.aborts != 0)
        fail_msg("%s: the victim does not go on: %s by %u", r->what,
                 qrt_err_name(qrt_run_error(run)), qrt_run_culprit(run));
    rig_rest(r, round, NULL);
    rig_expect_done(r);
}
