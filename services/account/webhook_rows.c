/* SPDX-License-Identifier: Apache-2.0 */
/* How an event comes to be: its row. See webhook.h. */
#include "services/account/webhook.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum db_result webhook_open(struct db_tx *tx, void *arg)
{
    const struct webhook *hook = arg;
    const struct db_value row[] = {db_text(hook->session_id), db_text(hook->account_id),
                                   db_text(hook->kind), db_int(hook->wait_ms)};

    return db_exec(tx,
                   "INSERT INTO webhooks (session_id, account_id, kind, status, code, error, state,"
                   " ended_ms, due_ms, tries)"
                   " VALUES ($1, $2, $3, '', '', '', 'open', 0, now_ms() + $4, 0)"
                   " ON CONFLICT (session_id) DO NOTHING",
                   row, COUNT(row), NULL);
}

enum db_result webhook_end(struct db_tx *tx, const struct webhook *hook)
{
    if (!hook)
        return DB_OK;
    const struct db_value row[] = {db_text(hook->session_id), db_text(hook->account_id),
                                   db_text(hook->kind),       db_text(hook->status),
                                   db_text(hook->code),       db_text(hook->error)};

    return db_exec(tx,
                   "INSERT INTO webhooks (session_id, account_id, kind, status, code, error, state,"
                   " ended_ms, due_ms, tries)"
                   " VALUES ($1, $2, $3, $4, $5, $6, 'due', now_ms(), now_ms(), 0)"
                   " ON CONFLICT (session_id) DO UPDATE SET status = $4, code = $5, error = $6,"
                   " state = 'due', ended_ms = now_ms(), due_ms = now_ms()"
                   " WHERE webhooks.state = 'open'",
                   row, COUNT(row), NULL);
}
