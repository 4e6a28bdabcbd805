/* SPDX-License-Identifier: Apache-2.0 */
/* One party of a demo, in a process of its own: the only one that ever sees its share. It keeps
 * one share file, runs one session at a time, and speaks JSON with the process that started it
 * ("do": open, keygen, resume, sign; "tell": ready, stored, round, key, signature, failed). No
 * secret passes there: the passphrase comes through a pipe, messages go through the relay. */
#ifndef QUORATE_CLI_PARTY_H
#define QUORATE_CLI_PARTY_H

#include "channel.h"
#include "library.h"
#include "secret.h"
#include "share_file.h"

#include "quorate/quorate.h"

#include <limits.h>

/* Inherited descriptors. */
enum { PARTY_FD_CONTROL = 3, PARTY_FD_RELAY = 4, PARTY_FD_PASSPHRASE = 5, PARTY_FD_LOCK = 6 };

/* Evidence of a cheat is kept beside the active share. */
#define PARTY_EVIDENCE_SUFFIX ".evidence"
/* A run that takes longer is over: nobody waits for ever. */
#define PARTY_RUN_MS 60000

/* Messages that came before their run, or before what they need. */
struct party_inbox {
    struct buffer *messages;
    size_t n, cap;
};

/* An intent that an order was accepted for, and its highest attempt. */
struct party_attempt {
    uint8_t intent[32]; /* hash */
    uint32_t number;
};

/* One run and what it cost. */
struct party_run {
    struct qrt_peer *peer; /* NULL: none; from secret_alloc */
    enum qrt_protocol protocol;
    bool resumed;
    uint8_t round;
    int64_t deadline_ms, started_cpu_us;
    uint64_t bytes_sent, bytes_received, messages_dropped;
};

struct party {
    struct library library;
    struct channel control, relay;
    struct passphrase *passphrase;
    struct share_key *key;        /* NULL until a file is opened or a first one can be written */
    uint8_t *identity;            /* IDENTITY_BYTES, secret */
    struct share_content content; /* identity key and current record */
    struct share_facts facts;     /* of the record, if there is one */
    struct qrt_share share;       /* view into |content|; valid if |has_share| */
    bool has_share;
    int share_lock; /* descriptor that holds the lock on the share file; 0: none */
    uint16_t index;
    uint8_t initiator[32];
    char active_path[PATH_MAX], pending_path[PATH_MAX]; /* pending: empty for --shares */
    struct party_inbox inbox;
    struct buffer attempts; /* of struct party_attempt */
    struct party_run run;
};

/* party_store.c: the share file. */

/* Open the share file if there is one, active before pending; otherwise make an identity key. */
bool party_open(struct party *party, struct trouble *trouble);
/* Make |rec| durable. False: the run must be refused. */
bool party_store(struct party *party, const struct qrt_record *rec, struct trouble *trouble);
/* Party |peer| says that it burned its side of the pair: it is no co-signer any more. */
bool party_note_burn(struct party *party, uint16_t peer, struct trouble *trouble);

/* party_run.c: the run. */

bool party_keygen(struct party *party, const json_t *order, struct trouble *trouble);
bool party_resume(struct party *party, const json_t *order, struct trouble *trouble);
bool party_sign(struct party *party, const json_t *order, struct trouble *trouble);
/* Keep a message that the relay brought. */
void party_inbox_put(struct party *party, const uint8_t *b, size_t len);
/* Offer the messages to the run until it takes no more; store its records, send what it has to
 * send, tell how it ended. */
void party_pump(struct party *party);
/* Milliseconds until the run's deadline; -1 if there is none. Zero ends the run. */
int party_patience(struct party *party);
void party_end_run(struct party *party);

void party_tell_failed(struct party *party, const char *text);

#endif
