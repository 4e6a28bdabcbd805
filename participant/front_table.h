/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions that a front knows, by id: live ones with all that is needed for them, ended ones as
 * a small remnant, so that a late or repeated event opens nothing again. */
#ifndef PARTICIPANT_FRONT_TABLE_H
#define PARTICIPANT_FRONT_TABLE_H

#include "coordinator.pb-c.h"
#include "keeper.pb-c.h"
#include "participant/front_outbox.h"
#include "participant/front_session.h"
#include "system/core/ids.h"
#include "system/core/retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* live sessions; more invitations wait for a poll after one has ended */
    FRONT_SESSIONS_MAX = 4096,
    /* with the ended ones */
    FRONT_REMNANTS_MAX = 65536
};

/* One known session. Strings are heap or NULL. */
struct front_entry {
    struct front_entry *next;
    char id[ID_TEXT_MAX];
    struct front_session core;
    struct front_mail mail;
    /* of the highest attempt; NULL: only a token is known, or ended */
    Mpc__Session__V1__Setup *setup;
    /* of that attempt, with the key that makes a repeated call recognisable */
    char *join_token;
    char join_key[TRACE_TEXT_MAX];
    char *session_token;
    /* beside core.reports */
    Mpc__Keeper__V1__Outcome *outcomes[FRONT_ATTEMPTS_MAX];
    uint8_t *share;
    size_t share_len;
    /* what the host gave with front_release */
    uint8_t user_key[32];
    bool has_user_key;
    /* a host asked and waits for the answer */
    bool is_asked;
    /* counted in the party's load */
    bool counts;
    const char *status;
    char *detail;
    char trace[TRACE_TEXT_MAX];
    /* unix ms: when this party gives up, when the remnant goes */
    int64_t deadline_ms, forget_ms;
    /* steady ms of the next try of lost calls */
    uint64_t again_ms;
    struct retry retry;
};

struct front_table {
    struct front_entry **rows;
    size_t rows_n;
    size_t all, live;
};

void front_table_init(struct front_table *table);
struct front_entry *front_table_find(const struct front_table *table, const char *session_id);
/* A fresh live entry; NULL if there are too many. */
struct front_entry *front_table_add(struct front_table *table, const char *session_id);
/* It ended: free all but the remnant. The mail was dropped before. */
void front_table_end(struct front_table *table, struct front_entry *entry);
/* |visit| may end its entry; false removes it. */
void front_table_each(struct front_table *table,
                      bool (*visit)(void *arg, struct front_entry *entry), void *arg);
void front_table_free(struct front_table *table);

#endif
