/* SPDX-License-Identifier: Apache-2.0 */
/* Cheats and their evidence (proof.h). */
#include "proof.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };
enum how { FIELD, TWICE, OTHER_EXT, WEAK_KEY };

static const struct {
    const char *what;
    enum qrt_protocol protocol;
    enum how how;
    uint8_t round, kind;
    long at;
    enum twist twist;
    enum qrt_err error;
} kinds[PROOF_KINDS] = {
    [PROOF_EQUIVOCATION] = {"twice", QRT_KEYGEN, TWICE, 2, B, 100, FLIP, QRT_E_EQUIVOCATION},
    [PROOF_EQUIVOCATION_EXT] = {"two exts", QRT_SIGN, OTHER_EXT, 1, B, 0, FLIP, QRT_E_EQUIVOCATION},
    [PROOF_MALFORMED_KEYGEN] = {"z = 0", QRT_KEYGEN, FIELD, 2, B, 163, ZERO,
                                QRT_E_MALFORMED_BROADCAST},
    [PROOF_MALFORMED_SIGN] = {"R no point", QRT_SIGN, FIELD, 2, B, 0, OFF_CURVE,
                              QRT_E_MALFORMED_BROADCAST},
    [PROOF_MALFORMED_ASSEMBLY] = {"w = q", QRT_SIGN, FIELD, 3, B, 0, ORDER,
                                  QRT_E_MALFORMED_BROADCAST},
    [PROOF_MALFORMED_ONLINE] = {"u = q", QRT_ONLINE, FIELD, 3, B, 32, ORDER,
                                QRT_E_MALFORMED_BROADCAST},
    [PROOF_WEAK_KEYGEN] = {"ek = 0 in keygen", QRT_KEYGEN, WEAK_KEY, 1, B, 0, ZERO,
                           QRT_E_WEAK_EPHEMERAL},
    [PROOF_WEAK_SIGN] = {"ek = 0 in signing", QRT_SIGN, WEAK_KEY, 1, B, 0, ZERO,
                         QRT_E_WEAK_EPHEMERAL},
    [PROOF_KG_COMMITMENT] = {"rho", QRT_KEYGEN, FIELD, 2, B, 98, FLIP, QRT_E_KG_COMMITMENT},
    [PROOF_KG_PROOF] = {"T", QRT_KEYGEN, FIELD, 2, B, 130, NEGATE, QRT_E_KG_PROOF},
    [PROOF_KG_CONFIRMATION] = {"conf", QRT_KEYGEN, FIELD, 4, B, 31, FLIP, QRT_E_KG_CONFIRMATION},
    [PROOF_SG_COMMITMENT] = {"R", QRT_PRESIGN, FIELD, 2, B, 0, NEGATE, QRT_E_SG_COMMITMENT},
    [PROOF_SG_EXTENSION] = {"E1", QRT_SIGN, FIELD, 1, P, 2608, FLIP, QRT_E_SG_EXTENSION},
};

const struct people *proof_people(void)
{
    static struct people people;

    if (!people.world.n) {
        world_init(&people.world, 2);
        keyring_make(&people.key, &people.world, 2, 1);
    }
    return &people;
}

enum qrt_err proof_error(enum proof_kind kind)
{
    return kinds[kind].error;
}

static void online_session(struct session *online, const struct session *presign)
{
    struct session *s = malloc(sizeof *s);
    struct network net;

    assert_non_null(s);
    *s = *presign;
    s->protocol = QRT_PRESIGN;
    network_init(&net, 1, &fair_weather);
    session_run(s, &net);
    session_take_presigs(s, &net, online);
    network_free(&net);
    free(s);
}

void proof_bench(struct rig *r, enum proof_kind kind)
{
    static const uint16_t both[] = {VICTIM, CHEATER};
    const struct people *people = proof_people();
    enum qrt_protocol protocol = kinds[kind].protocol;
    struct session *s = malloc(sizeof *s);

    assert_non_null(s);
    if (protocol == QRT_KEYGEN)
        session_keygen(s, &people->world, 2, 2);
    else
        session_sign(s, protocol, &people->key, both, 3);
    if (protocol == QRT_ONLINE)
        online_session(s, s);
    rig_make(r, s, VICTIM);
    r->what = kinds[kind].what;
    free(s);
}

static size_t ext_len(const struct rig *r)
{
    return r->s.protocol == QRT_KEYGEN ? 32 : 64;
}

/* The taped broadcast, honest or not, with |at| changed and signed again. */
static void say_signed(struct rig *r, uint8_t round, size_t at, enum twist twist, size_t ext)
{
    struct parcel p = rig_copy(rig_parcel(r, round, B, CHEATER), 0);

    cheat_twist(p.b + at, twist);
    rig_sign_again(r, &p, ext);
    (void)rig_give(r, p.from, p.b, p.len);
    free(p.b);
}

void proof_play(struct rig *r, enum proof_kind kind)
{
    uint8_t round = kinds[kind].round;
    struct parcel p;

    if (kinds[kind].how == FIELD) {
        p = rig_copy(rig_plain(r, round, kinds[kind].kind, CHEATER), 0);
        cheat_twist(p.b + QRT_HEADER_BYTES + kinds[kind].at, kinds[kind].twist);
        rig_attack(r, &p);
        free(p.b);
    } else {
        rig_rewind(r, round);
        if (kinds[kind].how != WEAK_KEY)
            (void)rig_give(r, CHEATER, rig_parcel(r, round, B, CHEATER)->b,
                           rig_parcel(r, round, B, CHEATER)->len);
        if (kinds[kind].how == TWICE)
            say_signed(r, round, QRT_HEADER_BYTES + (size_t)kinds[kind].at, FLIP, 0);
        else if (kinds[kind].how == OTHER_EXT)
            say_signed(r, round, QRT_HEADER_BYTES + ext_len(r) - 1, FLIP, ext_len(r));
        else
            say_signed(r, round, QRT_HEADER_BYTES, ZERO, ext_len(r));
    }
    rig_expect_failure(r, kinds[kind].error, CHEATER);
}

void proof_make(struct proof *p, enum proof_kind kind)
{
    const uint8_t *b;
    struct rig r;

    proof_bench(&r, kind);
    proof_play(&r, kind);
    *p = (struct proof){.what = kinds[kind].what, .error = kinds[kind].error};
    b = qrt_peer_evidence(r.node.memory, &p->len);
    assert_non_null(b);
    p->b = malloc(p->len + 1);
    assert_non_null(p->b);
    memcpy(p->b, b, p->len);
    memcpy(p->sid, qrt_run_sid(node_run(&r.node)), 32);
    rig_free(&r);
}

void proof_free(struct proof *p)
{
    free(p->b);
    *p = (struct proof){0};
}
