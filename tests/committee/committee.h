/* SPDX-License-Identifier: Apache-2.0 */
/* A committee: n parties and their key, all in this process, for benchmarks, fuzzing and the
 * constant-time tests. It uses public headers only.
 *
 * A session is one protocol run of some of them, bare or with envelope. Its seats are driven one by
 * one (seat_recv, seat_next, ...), or all together and in order by session_play. Everything follows
 * from the committee's seed. It is not a model of a network: tests/proto has that.
 */
#ifndef QRT_COMMITTEE_H
#define QRT_COMMITTEE_H

#include "quorate/quorate.h"

#include <stdbool.h>

#define COMMITTEE_MAX 16

struct committee {
    const struct qrt_ctx *ctx;
    size_t n, t;
    uint64_t draws; /* state of the seeded generator */
    /* Called for each run's secrets before its start; NULL: nothing. */
    void (*mark_secret)(const void *p, size_t len);
    struct qrt_party parties[COMMITTEE_MAX];
    struct qrt_peer_key keys[COMMITTEE_MAX];
    uint8_t identity[COMMITTEE_MAX][64];
    uint8_t *records[COMMITTEE_MAX]; /* share records with certificates */
    size_t record_len;
    struct qrt_share shares[COMMITTEE_MAX];
};

/* Identities and roster, no key yet. Party i has index i + 1. */
void committee_init(struct committee *c, const struct qrt_ctx *ctx, size_t n, size_t t,
                    uint64_t seed);
/* Make the key by a keygen of all, with envelope; ends the process if that fails. */
void committee_make_key(struct committee *c);
void committee_free(struct committee *c);
/* The next bytes of the seeded generator. */
void committee_draw(struct committee *c, void *out, size_t len);

struct seat {
    struct committee *c;
    size_t who;    /* place in the committee */
    void *memory;  /* of the run or the peer */
    bool envelope; /* |memory| is a peer */
    bool started;
    uint8_t *record; /* copy of the last share record it handed out */
    size_t record_len;
    size_t sent; /* bytes of messages, without headers for bare runs */
};

struct session {
    struct committee *c;
    enum qrt_protocol protocol;
    bool envelope;
    size_t n; /* seats */
    size_t memory_len;
    uint8_t iid[32];
    struct seat seats[COMMITTEE_MAX];
    uint8_t *presigs[COMMITTEE_MAX]; /* for QRT_ONLINE: session_take_presigs */
};

/* Seats for parties 0 .. n-1 of the committee: all for keygen, otherwise t. Memory only. */
void session_init(struct session *s, struct committee *c, enum qrt_protocol protocol,
                  bool envelope);
void session_free(struct session *s);
/* Draw a new iid and start all seats; what ran before is wiped. */
enum qrt_err session_start(struct session *s);
/* Start one seat. The seats of a session agree on the iid that session_new_iid drew. */
void session_new_iid(struct session *s);
enum qrt_err session_start_seat(struct session *s, size_t i);
/* Start and deliver everything in order until nothing moves. True if all are done. */
bool session_play(struct session *s);
/* Deliver what seats want to send, once around. True if anything moved. */
bool session_step(struct session *s);
bool session_done(const struct session *s);
/* Move the presignatures of finished |presign| into |online|, for its next start. */
void session_take_presigs(struct session *online, struct session *presign);

/* A run or a peer, whichever the seat has. */
enum qrt_err seat_recv(struct seat *seat, uint16_t from, const uint8_t *b, size_t len);
const struct qrt_msg *seat_next(struct seat *seat);
const struct qrt_record *seat_record(const struct seat *seat);
enum qrt_err seat_confirm(struct seat *seat);
const struct qrt_run *seat_run(const struct seat *seat);
uint16_t seat_index(const struct seat *seat);
/* Copy a waiting share record, then confirm. True if there was a record. */
bool seat_store(struct seat *seat);
void seat_wipe(struct seat *seat);

#endif
