/* SPDX-License-Identifier: Apache-2.0 */
/* Parties in one process, joined by a network whose weather is seeded.
 *
 * A node is one participant's run or peer with the host around it: it deals with records, keeps
 * copies of them and counts what it was answered. The network carries parcels, one for each
 * receiver, in any order, late, twice, or piece by piece; what a peer answers with QRT_E_AGAIN is
 * offered again. A hook sees every parcel before it is delivered and may change it. */
#ifndef QRT_TEST_NETWORK_H
#define QRT_TEST_NETWORK_H

#include "quorate/peer.h"
#include "quorate/wire.h"
#include "support.h"

#define NODES_MAX 8
#define RECORDS_MAX 8

struct note {
    enum qrt_record_kind kind;
    uint8_t *b;
    size_t len;
};

struct node {
    uint16_t index;
    bool is_peer;
    void *memory; /* struct qrt_run or struct qrt_peer */
    size_t size;
    bool refuse[QRT_RECORD_CONSUMED + 1]; /* by record kind: what the host will not store */
    struct note records[RECORDS_MAX];
    size_t records_n;
    size_t answers[QRT_E_COUNT]; /* of recv and confirm */
    enum qrt_err last;           /* the last that was not QRT_OK */
    size_t sent;                 /* messages of rounds */
    size_t aborts;
    uint8_t abort[QRT_HEADER_BYTES + 5 + 64];
    size_t abort_len;
};

/* Either level behind one name. */
const struct qrt_run *node_run(const struct node *node);
enum qrt_err node_recv(struct node *node, uint16_t from, const uint8_t *b, size_t len);
const struct qrt_msg *node_next(struct node *node);
const struct qrt_record *node_record(const struct node *node);
/* Note the waiting record, then confirm or refuse it. False if there is none. */
bool node_settle(struct node *node);
/* As node_next, counted in |sent| and |aborts|. */
const struct qrt_msg *node_say(struct node *node);
const struct note *node_noted(const struct node *node, enum qrt_record_kind kind);
void node_free(struct node *node);

struct parcel {
    uint16_t from, to; /* indices */
    uint8_t round, kind;
    uint8_t copies;
    uint8_t *b;
    size_t len; /* 0 after a hook dropped it */
};

struct parcels {
    struct parcel *p;
    size_t n, cap;
};

void parcels_push(struct parcels *list, const struct parcel *parcel); /* copies the bytes */
void parcels_free(struct parcels *list);

/* How often, in percent. */
struct weather {
    unsigned shuffle; /* the next parcel is any, not the oldest */
    unsigned repeat;  /* a delivered parcel comes once more */
    unsigned delay;   /* a parcel goes to the back of the queue */
    unsigned dribble; /* a node keeps the rest of what it has to say for later */
    unsigned laze;    /* a host leaves a record for later */
};
extern const struct weather fair_weather, drizzle, storm;

struct network {
    struct test_rng rng;
    struct weather weather;
    size_t n;
    struct node nodes[NODES_MAX];
    struct parcels queue;
    struct parcels log; /* all parcels as they were sent */
    size_t idle;        /* deliveries since the last that changed something */
    void (*hook)(void *arg, struct network *net, struct parcel *parcel);
    void *hook_arg;
};

void network_init(struct network *net, uint64_t seed, const struct weather *weather);
struct node *network_node(struct network *net, uint16_t index);
/* Deliver until nobody has anything to say. */
void network_run(struct network *net);
/* One parcel of network_run, so that several networks take turns; false: nothing is left to do. */
bool network_step(struct network *net);
void network_free(struct network *net);

#endif
