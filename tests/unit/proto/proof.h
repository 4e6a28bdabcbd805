/* SPDX-License-Identifier: Apache-2.0 */
/* Cheats by real peers and the evidence they leave: for each kind one, as the victim holds it. */
#ifndef QRT_TEST_PROOF_H
#define QRT_TEST_PROOF_H

#include "cheats.h"

enum { VICTIM = 1, CHEATER = 2 };

/* Two parties, both needed; the same people and key for all cheats of a program. */
struct people {
    struct world world;
    struct keyring key;
};
const struct people *proof_people(void);

enum proof_kind {
    PROOF_EQUIVOCATION,     /* keygen round 2, said twice */
    PROOF_EQUIVOCATION_EXT, /* sign round 1, another list of hashes */
    PROOF_MALFORMED_KEYGEN,
    PROOF_MALFORMED_SIGN,
    PROOF_MALFORMED_ASSEMBLY,
    PROOF_MALFORMED_ONLINE,
    PROOF_WEAK_KEYGEN,
    PROOF_WEAK_SIGN,
    PROOF_KG_COMMITMENT,
    PROOF_KG_PROOF,
    PROOF_KG_CONFIRMATION,
    PROOF_SG_COMMITMENT,
    PROOF_SG_EXTENSION,
    PROOF_KINDS
};

struct proof {
    const char *what;
    enum qrt_err error;
    uint8_t *b;
    size_t len;
    uint8_t sid[32];
};

/* |r| becomes the bench of the session in which the cheat |kind| happens, before it happens. */
void proof_bench(struct rig *r, enum proof_kind kind);
/* Play the cheat; the victim has failed with the kind's error and accuses CHEATER. */
void proof_play(struct rig *r, enum proof_kind kind);
/* Both, and take the evidence. */
void proof_make(struct proof *p, enum proof_kind kind);
void proof_free(struct proof *p);
enum qrt_err proof_error(enum proof_kind kind);

#endif
