/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this layer share: the known answers and a pair after its OT setup. */
#ifndef QRT_TEST_OT_SETUP_H
#define QRT_TEST_OT_SETUP_H

#include "ot/ext.h"
#include "ot/rvole.h"
#include "support.h"

/* A string of kats.json, or an element of a list of strings. */
const char *kat_text(const char *group, const char *name);
const char *kat_item(const char *group, const char *name, size_t i);
int kat_int(const char *group, const char *name, size_t i);

/* The generator of the model's DRBG(name): its seed is SHA-256(name). */
void setup_drbg(const struct qrt_ctx *ctx, struct qrt_drbg *rng, const char *name);
/* SHA-256("kat"), the session of all known answers of this layer. */
void setup_sid(const struct qrt_ctx *ctx, uint8_t sid[32]);
void assert_sha(const struct qrt_ctx *ctx, const void *b, size_t len, const char *hex);

/* A pair: seeds at both ends. The sides differ in the 32 leaves that Delta names. */
struct pair_seeds {
    qrt_seeds bob, alice;
    uint8_t delta[16];
};
/* The pair of the known answers, through the base OT and the trees. */
void setup_kat_pair(const struct qrt_ctx *ctx, struct pair_seeds *p);
/* Any pair: random seeds, or with this Delta. */
void setup_pair(struct pair_seeds *p, struct test_rng *rng);
void setup_pair_delta(struct pair_seeds *p, struct test_rng *rng, const uint8_t delta[16]);

/* The sender's part of a base OT; |ot1->points| need not be set. */
void setup_send(const struct qrt_ctx *ctx, uint8_t b33[33], uint8_t both[QRT_OT_N][2][16],
                const struct qrt_ot1 *ot1, struct qrt_drbg *rng);

#endif
