/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up protocol for the round engine: three parties, keygen's messages, no cryptography. Its
 * rounds write patterns, log their calls, and fail or hold a record on demand. Everything one party
 * hears in a good run is on a tape. */
#ifndef QRT_TEST_TOY_H
#define QRT_TEST_TOY_H

#include "proto/round.h"
#include "session.h"

enum { TOY_N = 3 };

struct toy {
    uint8_t hold[4];                            /* rounds whose writing holds a record */
    uint8_t fail_write, fail_parse, fail_check; /* rounds; the second party is accused */
    enum qrt_err error;
    const struct qrt_run *watched; /* all of this happens to this run alone */
    char log[64];                  /* "w1c1w2p2": written, parsed, checked */
};
extern struct toy toy;
extern const uint16_t toy_indices[TOY_N];
extern const struct qrt_protocol_def toy_def;

/* All that party 0 hears, in order. */
extern struct parcels toy_tape;
int toy_make_tape(void **state);
int toy_free_tape(void **state);
int toy_reset(void **state);
const struct parcel *toy_taped(uint8_t round, uint8_t kind, uint16_t from);

/* A run before its first round; party 0's, watched and begun. */
struct qrt_run *toy_start(size_t own);
struct qrt_run *toy_begin(void);
void toy_end(struct qrt_run *run);
enum qrt_err toy_give(struct qrt_run *run, const struct parcel *p);
/* All of a round; what is there already is no error. */
enum qrt_err toy_give_round(struct qrt_run *run, uint8_t round);
/* How many messages it has to say. */
size_t toy_drain(struct qrt_run *run);

void toy_expect_all(const uint8_t *b, size_t len, uint8_t value);
/* The run failed so: one abort, then nothing, and nothing is taken; secrets are gone, what is
 * public is still there. Ends the run. */
void toy_expect_failed(struct qrt_run *run, enum qrt_err e, uint16_t culprit, uint8_t round);

#endif
