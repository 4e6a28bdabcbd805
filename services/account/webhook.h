/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: WEBHOOK_URL hears of every session of this service that has ended (docs/api.md).
 *
 * An end is a row that is written by the work that stores it, so an event exists if and only if
 * its end does. Sessions that are under way have an open row: whoever waited for them is gone
 * when that is due, and they are looked after from here. Rows are claimed by moving the time when
 * they are due, by the database's clock, so that replicas do not send one twice; after a crash in
 * between they may. Tries go on for a day, with growing waits.
 *
 * Sending is done by threads of the loop's pool, one try each. */
#ifndef ACCOUNT_WEBHOOK_H
#define ACCOUNT_WEBHOOK_H

#include "services/account/audit.h"
#include "system/core/config.h"
#include "system/core/ids.h"
#include "system/db/db.h"
#include "system/rpc/status.h"

#include <stdbool.h>
#include <stdint.h>

struct account_service;
struct webhooks;

/* Posts at one time, and threads of libuv's pool: as many again look up names of hosts. */
enum { WEBHOOK_SENDING_MAX = 8 };
#define WEBHOOK_THREADS "16"

enum { WEBHOOK_CODE_MAX = 48, WEBHOOK_TEXT_MAX = 256, WEBHOOK_WORD_MAX = 16 };

/* An end, or |status| "": a session under way. */
struct webhook {
    void *owner;
    char session_id[ID_TEXT_MAX], account_id[ID_TEXT_MAX];
    /* "keygen", "sign"; "completed", "failed", "expired", "cancelled" */
    char kind[WEBHOOK_WORD_MAX], status[WEBHOOK_WORD_MAX];
    char code[WEBHOOK_CODE_MAX], error[WEBHOOK_TEXT_MAX];
    /* under way: from now on so long somebody waits for it */
    int64_t wait_ms;
};

/* NULL without WEBHOOK_URL, or on a fault, with one line in |error|. */
struct webhooks *webhooks_new(const struct config *config, char error[RPC_TEXT_MAX]);
void webhooks_free(struct webhooks *hooks);

/* The session is under way; a work of its own. */
db_work webhook_open;
/* Inside the work that stores the end; once for a session. |hook| NULL: nothing. */
enum db_result webhook_end(struct db_tx *tx, const struct webhook *hook);

/* Look for what is due, and begin it. Every second. */
void webhooks_tick(struct account_service *s);
/* No more tries; |stopped| when none is under way. */
void webhooks_stop(struct account_service *s, void (*stopped)(void *arg), void *arg);

#endif
