/* SPDX-License-Identifier: Apache-2.0 */
/* Account rows by id, through a cache of a second. */
#include "services/account/lookup.h"

#include "system/core/buffer.h"
#include "system/core/log.h"

#include <stdlib.h>
#include <string.h>

enum { FRESH_MS = 1000 };

struct lookup {
    struct account_service *s;
    lookup_done *done;
    void *arg;
    struct store_get get;
};

struct rpc_status lookup_database_fault(const struct account_service *s)
{
    char text[DB_ERROR_MAX];

    db_error(s->db, text);
    log_event(LOG_ERROR, "the database failed", LOG_S("error", text));
    if (db_is_full(s->db))
        return rpc_error(RPC_UNAVAILABLE, "database_full",
                         "nothing can be stored: the disk of the account database is full; "
                         "its operator has to make room");
    return rpc_error(RPC_UNAVAILABLE, "database_unavailable",
                     "the account database is not available: try again later");
}

static void found(void *arg, enum db_result result)
{
    struct lookup *lookup = ((struct store_get *)arg)->owner;
    struct account_service *s = lookup->s;
    struct account *account = &lookup->get.account;
    struct rpc_status status = rpc_ok();

    if (result == DB_OK) {
        cache_put(s->rows, account->account_id, account, sizeof *account, FRESH_MS);
        lookup->done(lookup->arg, account, &status);
    } else {
        status = result == DB_REFUSED
                     ? rpc_error(RPC_NOT_FOUND, "account_not_found", "no account has the id %s",
                                 lookup->get.account_id)
                     : lookup_database_fault(s);
        lookup->done(lookup->arg, NULL, &status);
    }
    free(lookup);
}

void lookup_account(struct account_service *s, const char *account_id, lookup_done *done, void *arg)
{
    struct rpc_status ok = rpc_ok();
    size_t len;
    const void *row = cache_get(s->rows, account_id, &len);
    struct lookup *lookup;

    if (row) {
        struct account account;

        memcpy(&account, row, sizeof account);
        done(arg, &account, &ok);
        return;
    }
    lookup = mem_new(1, sizeof *lookup);
    *lookup = (struct lookup){.s = s, .done = done, .arg = arg};
    memcpy(lookup->get.account_id, account_id, strlen(account_id) + 1);
    lookup->get.owner = lookup;
    db_submit(s->db, DB_READ, store_get, found, &lookup->get);
}

void lookup_forget(struct account_service *s, const char *account_id)
{
    cache_remove(s->rows, account_id);
}
