/* SPDX-License-Identifier: Apache-2.0 */
/* The book of presignatures that keepers hold ready: which there are, for whom they sign, and who
 * made them in which life. Ids only: nothing in it is secret, and it is lost with the process,
 * which costs a round or two more for some signatures.
 *
 *   - What is taken is out for good, whatever comes of it: no two sessions get the same one.
 *   - One whose signers are not all the processes that made it is of no use and is forgotten.
 *   - Bounded for each key and set of signers and in all: the oldest goes.
 *
 * It decides nothing about secrets. A keeper gives up a presignature once, whatever this book says.
 * Pure: time and the signers' present state are told to it. */
#ifndef COORDINATOR_PRESIG_BOOK_H
#define COORDINATOR_PRESIG_BOOK_H

#include "participant/presig_life.h"
#include "quorate/intent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRESIG_BOOK_PLACE_MAX = 32,
    PRESIG_BOOK_MAX = 1024,
    PRESIG_BOOK_LIFE_MS = PRESIG_OFFER_S * 1000,
    PRESIG_BOOK_PARTY_MAX = 65
};

/* Who made it, and with which boot id. */
struct presig_signer {
    char party_id[PRESIG_BOOK_PARTY_MAX];
    uint8_t boot_id[16];
};

struct presig {
    /* presig_book_key */
    uint8_t key[32];
    uint8_t id[32];
    size_t signers_n;
    /* heap */
    struct presig_signer *signers;
};

enum presig_state {
    /* the process that made it, and it may be asked now */
    PRESIG_FITS,
    /* not now */
    PRESIG_AWAY,
    /* another process, or none for a long time */
    PRESIG_GONE
};
typedef enum presig_state presig_look(const struct presig_signer *signer, void *arg);

/* What a presignature is good for: the account, key, threshold and path of an intent. */
void presig_book_key(uint8_t key[32], const struct qrt_intent *intent);

struct presig_book *presig_book_new(void);
void presig_book_free(struct presig_book *book);

/* Copies. False: it is in the book. Times are of any clock that only goes forward. */
bool presig_book_put(struct presig_book *book, const struct presig *presig, int64_t now_ms);
/* The newest for |key| whose signers all fit, out of the book; its signers are the caller's to
 * free. False: there is none. */
bool presig_book_take(struct presig_book *book, struct presig *out, const uint8_t key[32],
                      presig_look *look, void *arg);
/* Forget what is too old and what has lost a signer. */
void presig_book_expire(struct presig_book *book, presig_look *look, void *arg, int64_t now_ms);
/* |key| NULL: in all. */
size_t presig_book_count(const struct presig_book *book, const uint8_t *key);

#endif
