/* SPDX-License-Identifier: Apache-2.0 */
/* The known-answer runner: what its parts share.
 *
 * kat.c reads the file and dispatches, report.c counts and compares, layers.c has the vectors of
 * the sub-protocols, group.c drives several runs in one process, runs.c has the whole runs. */
#ifndef QRT_TEST_KAT_H
#define QRT_TEST_KAT_H

#include "base/ctx.h"
#include "quorate/derive.h"
#include "quorate/keygen.h"
#include "quorate/sign.h"
#include "quorate/wire.h"

#include <jansson.h>
#include <stdbool.h>

struct kat {
    const struct qrt_ctx *ctx;
    json_t *file;
    const char *entry; /* the one at work */
    size_t passed, failed;
};

/* Count one check; a failed one is told with its entry and |what|. Returns |ok|. */
bool kat_check(struct kat *k, bool ok, const char *what, ...) __attribute__((format(printf, 3, 4)));
/* Count whether |b| is the hexadecimal string |want|. */
void kat_bytes(struct kat *k, const json_t *want, const uint8_t *b, size_t len, const char *what);
/* The same for SHA256 of |b|. */
void kat_hashed(struct kat *k, const json_t *want, const uint8_t *b, size_t len, const char *what);
/* Count whether |want| is the number |got|. */
void kat_number(struct kat *k, const json_t *want, uint64_t got, const char *what);

/* Exactly |len| bytes of hexadecimal, or false and |out| zero. */
bool kat_unhex(uint8_t *out, size_t len, const json_t *v);
/* Member |index| of an object whose keys are decimal numbers. */
const json_t *kat_at(const json_t *object, unsigned index);

/* A message as it left a run: header and payload. */
struct kat_msg {
    uint16_t from, to; /* to: 0 for everybody */
    uint8_t round;
    bool seen;
    uint8_t *b;
    size_t len;
};

/* Runs of one protocol in one process, and all they said. */
struct kat_group {
    size_t n;
    uint16_t index[QRT_PARTIES_MAX];
    struct qrt_run *run[QRT_PARTIES_MAX];
    struct kat_msg *msg;
    size_t msg_n, msg_cap, delivered;
};

struct qrt_run *kat_memory(enum qrt_protocol protocol, size_t n, size_t t);
/* Carry messages in order until nobody has more to say. QRT_OK if all runs are done. */
enum qrt_err kat_group_drive(struct kat_group *g);
void kat_group_free(struct kat_group *g);

/* What a fresh key is made from. */
struct kat_key_input {
    struct qrt_keygen_params params; /* |own| is set for each party */
    struct qrt_party parties[QRT_PARTIES_MAX];
    uint8_t seeds[QRT_PARTIES_MAX][32];
};
enum qrt_err kat_keygen(const struct kat *k, struct kat_group *g, struct kat_key_input *in);

/* What a signature is made from; seeds in the order of |signers|. */
struct kat_sign_input {
    const struct kat_group *key;   /* finished keygen runs */
    struct qrt_sign_params params; /* |share| is set for each signer */
    uint16_t signers[QRT_PARTIES_MAX];
    uint32_t path[QRT_PATH_MAX];
    uint8_t digest[32];
    uint8_t seeds[QRT_PARTIES_MAX][32];
    uint8_t req[32];
};
enum qrt_err kat_sign(const struct kat *k, struct kat_group *g, struct kat_sign_input *in);
enum qrt_err kat_presign(const struct kat *k, struct kat_group *g, struct kat_sign_input *in);
/* Take the presignatures of |pre| and use them; |presigs| (may be NULL) gets copies of them, one
 * after the other. */
enum qrt_err kat_online(const struct kat *k, struct kat_group *g, struct kat_group *pre,
                        const struct kat_sign_input *in, uint8_t *presigs);
const struct qrt_share *kat_share(const struct kat_group *key, uint16_t index);

/* Every vector that is not a run; one that the file lacks is a failure. */
void kat_layers(struct kat *k);

struct kat_tally {
    size_t known; /* runs that should be reproduced */
    size_t tried;
    size_t skipped;
};
void kat_runs(struct kat *k, struct kat_tally *tally);

#endif
