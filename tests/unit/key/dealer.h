/* SPDX-License-Identifier: Apache-2.0 */
/* A dealer for tests: whole, valid share records without a protocol run, written field by field
 * after protocol.md F.8 and not through the library's own layout. */
#ifndef QRT_TEST_DEALER_H
#define QRT_TEST_DEALER_H

#include "key/share.h"

#define DEAL_RECORD_MAX (6 * 16435 + 8192)
#define DEAL_PARTIES_MAX 6

struct deal {
    struct qrt_ctx *ctx;
    /* Set by deal_plan, may be changed before deal_make. */
    uint16_t n, t, own;
    uint16_t index[DEAL_PARTIES_MAX]; /* then those of the dealers that receive nothing */
    uint16_t dealers_n;
    size_t degree; /* of the polynomial; t - 1 in a valid record */
    uint8_t flags, protocol;
    uint32_t epoch;
    /* What deal_make made. */
    uint8_t identity[DEAL_PARTIES_MAX][64];
    uint8_t pk[33], cc[32], s[DEAL_PARTIES_MAX][32], X[DEAL_PARTIES_MAX][33];
    uint8_t record[DEAL_RECORD_MAX];
    size_t len;
};

/* Offsets in the record. */
enum {
    AT_VERSION = 4,
    AT_SUITE = 5,
    AT_PROFILE = 6,
    AT_FLAGS = 7,
    AT_KGID = 8,
    AT_EPOCH = 40,
    AT_KEYID = 44,
    AT_CREATED = 76,
    AT_N = 84,
    AT_T = 86,
    AT_OWN = 88,
    AT_PK = 90,
    AT_CC = 123,
    AT_S = 155,
    AT_PARTIES = 187
};
size_t deal_at_party(size_t row);
size_t deal_at_d(const struct deal *d);
size_t deal_at_pair(const struct deal *d, size_t row);
size_t deal_at_certificate(const struct deal *d);
size_t deal_at_cert_row(const struct deal *d, size_t row);

/* A fresh 2-of-3 key of parties 1, 2, 3, seen by party 1. Static, made anew by each call. */
struct deal *deal_plan(void);
/* The record. Deterministic. */
void deal_make(struct deal *d);
/* Fill in every signature of the certificate for the record as it stands. */
void deal_sign(struct deal *d);

/* What opening the record says (by the flag: active or pending). */
enum qrt_err deal_open(const struct deal *d);

#endif
