/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of "quorate demo" share: options, plan, processes, report. */
#ifndef QUORATE_CLI_DEMO_H
#define QUORATE_CLI_DEMO_H

#include "crew.h"
#include "ethereum.h"
#include "library.h"
#include "share_file.h"

#include "quorate/quorate.h"

#include <limits.h>

enum { DEMO_PARTIES = 3, DEMO_THRESHOLD = 2, DEMO_SETS_MAX = 3 };

struct demo_options {
    const char *dir, *tx, *message_hash, *signers, *shares, *passphrase_fd;
    const char *relay_log, *relay_hold; /* for tests, see relay.c */
    bool json, trace;
};

enum demo_mode {
    DEMO_NEW,    /* make a key */
    DEMO_RESUME, /* finish a key generation that was interrupted after round 3 */
    DEMO_SHARES  /* sign with share files that exist */
};

/* One party: its files, and what is known of it. */
struct seat {
    uint16_t index;
    char active[PATH_MAX], pending[PATH_MAX]; /* |pending| is empty for DEMO_SHARES */
    bool has_active, has_pending;
    struct share_facts facts; /* of the file it has */
    uint8_t identity[32];     /* public key, as the party told it */
};

struct signer_set {
    uint16_t indices[QRT_PARTIES_MAX];
    size_t n;
};

struct demo {
    struct demo_options options;
    struct library library;
    enum demo_mode mode;

    /* What is signed: a transaction, or a hash from outside. */
    bool has_tx;
    const char *tx_name;
    struct eth_tx tx;
    struct buffer unsigned_tx;
    struct qrt_hash hash;

    int passphrase_fd; /* -1: make one */
    struct seat seats[QRT_PARTIES_MAX];
    size_t seats_n;
    struct signer_set sets[DEMO_SETS_MAX];
    size_t sets_n;
    char dir[PATH_MAX];
    bool temporary, made_dir;
    int lock_fd;

    struct crew crew;
    uint8_t *initiator; /* secret key of the one who asks for the signatures */
    struct share_facts key;
    json_t *report, *steps, *signatures;
};

/* demo_plan.c: everything that can be refused before a process starts. Nothing is written. The
 * answer is EXIT_DONE or the exit code, after saying why. */
int demo_plan(struct demo *demo);
/* Make or lock the directory. */
bool demo_enter(struct demo *demo, struct trouble *trouble);
/* Add to |trouble|: what is left of a key generation that failed, and what to do with it. */
void demo_explain(struct demo *demo, struct trouble *trouble);
/* Remove what is temporary. */
void demo_leave(struct demo *demo);

/* demo_steps.c: what the processes are asked to do, one step after the other. */
bool demo_open(struct demo *demo, struct trouble *trouble);
bool demo_make_key(struct demo *demo, struct trouble *trouble);
bool demo_sign(struct demo *demo, const struct signer_set *set, struct trouble *trouble);

/* demo_show.c: the report, line by line as text or at the end as JSON. */

/* What a step cost: |parties| is a list of {party, bytes_sent, ...}. */
struct demo_cost {
    int64_t us;
    uint64_t bytes; /* on the wire, each broadcast once per sender */
    json_t *parties;
};
void demo_show_start(struct demo *demo);
void demo_show_key(struct demo *demo);
void demo_show_step(struct demo *demo, const char *name, const struct demo_cost *cost);
void demo_show_signature(struct demo *demo, const struct signer_set *set, const struct qrt_sig *sig,
                         const struct demo_cost *cost);
bool demo_show_end(struct demo *demo);

#endif
