/* SPDX-License-Identifier: Apache-2.0 */
/* The round engine: who may speak, when and how often. What is said is the protocols' (keygen.c,
 * sign.c, online.c), each a table of rounds; how it travels is peer.c's.
 *
 * A participant has a position 0..n-1, ascending by index; |own| is this party's. Every message
 * that a run can ever take has a slot from the start, so early messages are simply kept. Nothing is
 * computed before a round's inbox is complete: then all echoes, then all parsing, then cryptography
 * (protocol.md B.7, F.10). Memory has two parts: what is public (headers, broadcasts) outlives a
 * failure as evidence, the rest is wiped by it. */
#ifndef QRT_PROTO_ROUND_H
#define QRT_PROTO_ROUND_H

#include "base/arena.h"
#include "base/ctx.h"
#include "hash/drbg.h"
#include "key/share.h"
#include "quorate/run.h"
#include "quorate/wire.h"
#include "wire/abort.h"

#include <stdbool.h>

#define QRT_ROUNDS_MAX 4
#define QRT_TAIL_BYTES 16 /* room after an outgoing payload, for the tag */

/* The place of one message in the inbox. The own broadcast stands in its slot too. */
struct qrt_slot {
    bool filled;
    uint8_t echo[32];
    uint8_t *payload;
};

/* One message in the outbox: header, payload, QRT_TAIL_BYTES. */
struct qrt_out {
    bool waiting;
    uint8_t *b;
};

struct qrt_run;

/* One round, in the order of its calls. |number| is the header's. */
struct qrt_round_def {
    uint8_t number;
    bool has[2];                                /* by kind: broadcast, private */
    enum qrt_err (*write)(struct qrt_run *run); /* make this round's messages */
    enum qrt_err (*parse)(
        struct qrt_run *run); /* K.3 on the complete inbox; NULL: nothing to parse */
    enum qrt_err (*check)(struct qrt_run *run); /* verify, compute, set the next round's echo */
};

struct qrt_protocol_def {
    enum qrt_protocol id;
    size_t rounds_n;
    uint8_t abort_rounds; /* aborts of later rounds are dropped */
    struct qrt_round_def rounds[QRT_ROUNDS_MAX];
    /* The protocol's state, from the secret and the public part; run->n and run->t are set. */
    void (*layout)(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open);
};

extern const struct qrt_protocol_def qrt_keygen_def, qrt_sign_def, qrt_presign_def, qrt_online_def;

struct qrt_run {
    const struct qrt_run *self; /* a copy of a run is a bug: nonces would be used twice */
    const struct qrt_ctx *ctx;
    const struct qrt_protocol_def *def;
    size_t size;
    size_t n, t, own;
    uint16_t index[QRT_PARTIES_MAX];
    uint8_t sid[32];
    size_t row; /* of def->rounds; rounds_n when the last is over */
    enum qrt_phase phase;
    enum qrt_err error;
    uint16_t culprit;
    uint8_t abort_rounds; /* as in def; 0 in a resumed run */
    struct qrt_peer_abort peer_abort;
    uint8_t echo[QRT_ROUNDS_MAX + 1][32]; /* by round number: expected, and sent */
    struct qrt_record record;             /* kind 0: none */
    uint8_t burn[QRT_BURN_MAX];           /* bytes of a gate or burn record */
    size_t burn_len;
    struct qrt_msg msg;   /* lent by qrt_run_next */
    struct qrt_out *lent; /* whose message |msg| is */
    struct qrt_out abort;
    uint8_t abort_buf[QRT_HEADER_BYTES + QRT_ABORT_BYTES];
    struct qrt_slot *slots[QRT_ROUNDS_MAX + 1][2]; /* by round number and kind, n each */
    struct qrt_out *outs[QRT_ROUNDS_MAX + 1][2];   /* [0]: one; [1]: n */
    uint8_t *secret;
    size_t secret_len;
    void *state; /* struct keygen, struct sign, struct online: in the secret part */
    void *open;  /* the protocol's public part that outlives failure */
};

/* What every start hands to the engine. */
struct qrt_run_params {
    const struct qrt_protocol_def *def;
    const uint16_t *index; /* ascending */
    size_t n, t, own;      /* |own| is a position */
};

/* Lay out and clear |run|: phase RUNNING, row 0, nothing written yet. The sid comes next. */
void qrt_run_init(struct qrt_run *run, const struct qrt_ctx *ctx, const struct qrt_run_params *p);
/* Write the first round; an error has failed the run. */
enum qrt_err qrt_run_begin(struct qrt_run *run);

/* Where a decoded header would go: its slot and the sender's position. Class DROP otherwise. */
enum qrt_err qrt_run_find(struct qrt_run *run, const struct qrt_header *h, struct qrt_slot **slot,
                          size_t *pos);
/* Fill |slot|, which is empty, with an authenticated message of the right length, and go on.
 * |payload| may be slot->payload. */
enum qrt_err qrt_run_fill(struct qrt_run *run, struct qrt_slot *slot, const struct qrt_header *h,
                          const uint8_t *payload);
/* An authenticated abort arrived. */
enum qrt_err qrt_run_take_abort(struct qrt_run *run, const struct qrt_header *h,
                                const uint8_t *payload, size_t len);
/* Whether a message could end the run just now: QRT_OK; QRT_E_AGAIN while a record is lent, whose
 * bytes a failure would wipe; QRT_E_DROP_DUPLICATE when the run is over. */
enum qrt_err qrt_run_not_now(const struct qrt_run *run);

/* Accuse position |pos|; returns |e|, which then ends the run. */
enum qrt_err qrt_run_blame(struct qrt_run *run, size_t pos, enum qrt_err e);
/* The one place where a run fails: secrets are wiped, the outbox is emptied, an abort message and,
 * for class BURN, the record in run->burn take its place. Returns |e|. */
enum qrt_err qrt_run_fail(struct qrt_run *run, enum qrt_err e);

/* As far as the inbox and a waiting record allow. */
enum qrt_err qrt_run_advance(struct qrt_run *run);
/* The awaited round; NULL when the last is over. */
const struct qrt_round_def *qrt_run_current(const struct qrt_run *run);
/* All that position |pos| has to say in round |def| is there. */
bool qrt_run_is_heard(const struct qrt_run *run, const struct qrt_round_def *def, size_t pos);
size_t qrt_run_payload_size(const struct qrt_run *run, uint8_t number, uint8_t kind);
/* Places in the outbox of round |def|. */
size_t qrt_run_outs_n(const struct qrt_run *run, const struct qrt_round_def *def, uint8_t kind);

/* For the protocols. */
/* The own broadcast's payload of round |number|, to be filled: it is the slot and goes out. */
uint8_t *qrt_run_broadcast(struct qrt_run *run, uint8_t number);
/* It is filled: into the own slot, and out. The engine does this for rounds it writes itself. */
void qrt_run_send_broadcast(struct qrt_run *run, uint8_t number);
/* The payload of the private message to position |pos|, to be filled. */
uint8_t *qrt_run_private(struct qrt_run *run, uint8_t number, size_t pos);
const uint8_t *qrt_run_inbox(const struct qrt_run *run, uint8_t number, uint8_t kind, size_t pos);
/* The payloads of one round's broadcasts, ascending, own included. */
struct qrt_broadcasts {
    size_t n;
    uint16_t index[QRT_PARTIES_MAX];
    const uint8_t *payload[QRT_PARTIES_MAX];
    size_t len; /* of each */
};
void qrt_run_broadcasts(const struct qrt_run *run, struct qrt_broadcasts *out, uint8_t number);
/* bh_r of protocol.md B.4. */
void qrt_broadcasts_hash(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid[32],
                         uint8_t number, const struct qrt_broadcasts *b);
/* The same of this run's inbox. */
void qrt_run_broadcast_hash(const struct qrt_run *run, uint8_t out[32], const uint8_t ssid[32],
                            uint8_t number);
/* Nothing leaves until the host has dealt with it. */
void qrt_run_hold(struct qrt_run *run, enum qrt_record_kind kind, const uint8_t *b, size_t len);
/* Wipe every private message taken in round |number|. */
void qrt_run_wipe_inbox(struct qrt_run *run, uint8_t number);
/* Wipe the secret part: the last of the protocol's secrets is no longer needed. */
void qrt_run_forget(struct qrt_run *run);

/* The header of a message of this run, echo and length filled in. */
void qrt_run_header(const struct qrt_run *run, struct qrt_header *h, uint8_t number, uint8_t kind,
                    uint16_t to);
/* Position of |index|, or n. */
size_t qrt_run_position(const struct qrt_run *run, uint16_t index);
/* Row of position |pos| in a table of n-1 peers that leaves out the own one. */
size_t qrt_run_peer_row(const struct qrt_run *run, size_t pos);
const struct qrt_protocol_def *qrt_protocol_def(enum qrt_protocol protocol);

#endif
