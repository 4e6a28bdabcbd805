/* SPDX-License-Identifier: Apache-2.0 */
/* What a party must never forget, in a file of its own directory: burned pairs, sessions that a
 * share was lent for, the operator's orders, shares that are gone. A database that is set back, or
 * a server that undoes a commit, changes nothing here: the file only grows.
 *
 * Whoever writes to the directory is the party itself; the checks are against a disk's faults. A
 * file with something else in it is not opened. Any thread. */
#ifndef PARTICIPANT_LEDGER_H
#define PARTICIPANT_LEDGER_H

#include "participant/store.h"

struct ledger;

enum ledger_kind { LEDGER_BURN = 1, LEDGER_LOAN = 2, LEDGER_ORDER = 3, LEDGER_GONE = 4 };

struct ledger_fact {
    enum ledger_kind kind;
    /* one of these */
    struct store_burn burn;
    uint8_t loan[16];
    struct ledger_order {
        /* zeroes: the whole system */
        uint8_t account[16];
        uint64_t serial;
        bool is_frozen;
    } order;
    /* this epoch of a key's share: given away, or replaced */
    struct ledger_gone {
        uint8_t kgid[32];
        uint32_t epoch;
    } gone;
};

/* The file in |directory|, made if it is not there. NULL with one line in |error|. */
struct ledger *ledger_open(const char *directory, char error[STORE_ERROR_MAX]);
void ledger_close(struct ledger *ledger);

/* All of them durable when it returns. False: the disk does not take them, and none counts. Once it
 * has failed to sync, the ledger takes nothing new until it is opened again. */
bool ledger_put(struct ledger *ledger, const struct ledger_fact *facts, size_t n);
bool ledger_has(struct ledger *ledger, const struct ledger_fact *fact);
/* In the order in which they came. False: not all could be read. |each| puts nothing. */
bool ledger_each(struct ledger *ledger, void (*each)(void *arg, const struct ledger_fact *fact),
                 void *arg);

#endif
