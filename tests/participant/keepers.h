/* SPDX-License-Identifier: Apache-2.0 */
/* Several keepers as real processes, and a relay between them that speaks proto/keeper.proto and
 * does to messages what a test wants. Test programs that use it hand `--keeper` to keeper_main:
 * keepers_main does. Nothing here waits for time: everything waits for frames. */
#ifndef TEST_PARTICIPANT_KEEPERS_H
#define TEST_PARTICIPANT_KEEPERS_H

#include "keeper.pb-c.h"
#include "party_db.h"
#include "quorate/intent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { KEEPERS_MAX = 5, OUTCOMES_MAX = 1024 };

struct keepers;

struct keeper_seat {
    char party_id[32], directory[128];
    pid_t pid;
    int fd;
    uint8_t seed[32], secret[64], key[32];
    uint8_t boot_id[16];
    Mpc__Session__V1__PartyCertificate *certificate;
    uint8_t *in;
    size_t in_len, in_cap;
    bool is_gone;
    struct party_db db;
};

/* A message from one keeper to another. */
struct letter {
    size_t from, to;
    const char *session_id;
    uint32_t attempt;
    const uint8_t *b;
    size_t len;
};

struct told {
    size_t who;
    char session_id[37];
    uint32_t attempt;
    Mpc__Keeper__V1__Outcome__OutcomeCase kind;
    char code[40], text[256];
    bool retry;
    uint32_t culprit;
    uint8_t b[4096];
    size_t len;
};

struct keepers_options {
    /* extra lines of every env file, or NULL; @DIR@ becomes the directory of all */
    const char *settings;
    /* the last one has role delegate */
    bool with_delegate;
};

struct keepers {
    size_t n;
    char directory[64];
    struct keepers_options options;
    uint8_t ca_secret[64], ca_key[32];
    uint8_t initiator_secret[64], initiator_key[32];
    uint8_t caller_secret[64], caller_key[32];
    uint8_t operator_secret[64], operator_key[32];
    struct keeper_seat seats[KEEPERS_MAX];
    struct told told[OUTCOMES_MAX];
    size_t told_n;
    /* the last of each */
    Mpc__Keeper__V1__FromKeeper *last_stats, *last_share_key, *last_sealed, *last_answer,
        *last_proof;
    /* keepers_sync's own question was answered */
    bool is_settled;
    /* the test's hands: false drops the letter */
    bool (*letter)(struct keepers *k, const struct letter *letter, void *arg);
    /* before a Send is split into letters; may change payloads */
    void (*send)(struct keepers *k, size_t from, Mpc__Keeper__V1__Send *send, void *arg);
    void *arg;
    /* both get this session's alone, "": all. Answers of a key generation that went before may
     * come at any time. */
    char watched[37];
};

/* First thing in main: runs a keeper if that is what this process is. */
bool keepers_main(int argc, char **argv, int *result);

struct keepers *keepers_new(size_t n, const struct keepers_options *options);
void keepers_free(struct keepers *k);
/* (Re)start keeper |i| and take its Ready. False if it ended instead. */
bool keepers_start(struct keepers *k, size_t i);
/* It must end instead. Waits for its end, with which it lets go of its files: the exit status. */
int keepers_refuse_to_start(struct keepers *k, size_t i);
/* SIGKILL, and wait for its end. */
void keepers_kill(struct keepers *k, size_t i);
/* Close the socket and wait: the exit status. */
int keepers_stop(struct keepers *k, size_t i);

/* A request in the making; keepers_job fills the usual. */
struct job {
    struct qrt_intent intent;
    char session_id[37];
    const char *type;
    uint32_t attempt;
    size_t members[KEEPERS_MAX];
    size_t members_n;
    uint32_t threshold_n;
    int64_t deadline_ms, attempt_deadline_ms;
    bool by_caller;
    uint8_t presignature_id[32];
    bool has_presignature;
    /* in the setup, signed like the intent */
    uint8_t user_key[32];
    bool has_user_key;
    /* beside the setup, as fronts give it; in the setup is then, signed, that it names none */
    uint8_t offered_key[32];
    bool has_offered_key;
};
struct job keepers_keygen(const struct keepers *k, size_t n, size_t t);
/* With the members given by seat numbers; |keygen| made the key, |key_id| is its name. */
struct job keepers_sign(const struct job *keygen, const uint8_t key_id[32], const size_t *members,
                        size_t n);
/* Heap: mpc__session__v1__setup__free_unpacked. */
Mpc__Session__V1__Setup *keepers_setup(const struct keepers *k, const struct job *job);

void keepers_send(struct keepers *k, size_t i, const Mpc__Keeper__V1__ToKeeper *frame);
void keepers_open(struct keepers *k, size_t i, const Mpc__Session__V1__Setup *setup);
/* With a user's key from the front, or NULL. */
void keepers_open_for(struct keepers *k, size_t i, const Mpc__Session__V1__Setup *setup,
                      const uint8_t offered_key[32]);
/* To all members. */
void keepers_open_all(struct keepers *k, const struct job *job);
void keepers_close(struct keepers *k, size_t i, const char *session_id);
void keepers_deliver(struct keepers *k, const struct letter *letter);
/* Letters of |job|'s session, and no others, go to |letter|, and what is sent for it to k->send.
 * |job| NULL: those of all sessions. |letter| NULL: they go to nobody. */
void keepers_watch(struct keepers *k, const struct job *job,
                   bool (*letter)(struct keepers *k, const struct letter *letter, void *arg));

/* Carry messages until |done|; the test fails after 60 seconds of silence. */
void keepers_relay(struct keepers *k, bool (*done)(struct keepers *k, void *arg), void *arg);
/* Until every member has told an outcome of this job. */
void keepers_play(struct keepers *k, const struct job *job);
/* Until keeper |i| has answered a GetStats, whatever else it is at. */
void keepers_ask_stats(struct keepers *k, size_t i);
/* Until keeper |i| has answered everything that was sent to it before, and stored what it said. */
void keepers_sync(struct keepers *k, size_t i);
/* What |who| told about an attempt, or NULL. */
const struct told *keepers_told(const struct keepers *k, size_t who, const char *session_id,
                                uint32_t attempt);

/* Open to all, play, expect the same key; its id and public key. */
void keepers_make_key(struct keepers *k, const struct job *job, uint8_t key_id[32], uint8_t pk[33]);
/* The signature verifies under |pk| for this job's message. */
bool keepers_is_signed(const struct told *told, const struct job *job, const uint8_t pk[33]);
int64_t keepers_now(void);

#endif
