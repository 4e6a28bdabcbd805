/* SPDX-License-Identifier: Apache-2.0 */
/* See restore.h. A share becomes pending, then active, as one that a keygen makes. */
#include "participant/restore.h"

#include "participant/orders.h"
#include "participant/shares.h"
#include "participant/store_backups.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct restore {
    struct keys *keys;
    struct store *store;
    struct shares *shares;
    char *party_id;
    /* or NULL */
    const uint8_t *operator_key;
    enum restore_into into;
    bool kept_ledger;
    size_t orders;
};

static bool has_ledger(const char *directory)
{
    struct buffer path = {0};
    struct stat st;
    bool has;

    buffer_printf(&path, "%s/ledger", directory);
    has = stat((const char *)path.b, &st) == 0 && st.st_size > 0;
    buffer_free(&path);
    return has;
}

static bool check_shares(const struct restore *r, char error[KEYS_ERROR_MAX])
{
    enum store_result is_empty = store_is_empty(r->store);

    if (is_empty == (r->into == RESTORE_EMPTY ? STORE_OK : STORE_NONE))
        return true;
    if (is_empty == STORE_FAILED)
        store_error(r->store, error);
    else if (r->into == RESTORE_EMPTY)
        snprintf(error, KEYS_ERROR_MAX,
                 "the database of party %s has shares: backups are restored into an empty one "
                 "only; quorate backup merge adds burns and orders",
                 r->party_id);
    else
        snprintf(error, KEYS_ERROR_MAX,
                 "the database of party %s has no share: quorate backup restore is for that",
                 r->party_id);
    return false;
}

static bool open_all(struct restore *r, const struct config *config, const char *program,
                     char error[KEYS_ERROR_MAX])
{
    const char *directory = config_text(config, "DATA_DIR");
    struct shares_params params = {.party_id = r->party_id, .capacity = 1};

    r->operator_key = config_key(config, "OPERATOR_KEY", 32);
    r->keys = keys_open(config, program, error);
    if (!r->keys)
        return false;
    if (r->into == RESTORE_EMPTY && mkdir(directory, 0700) != 0 && errno != EEXIST) {
        snprintf(error, KEYS_ERROR_MAX, "cannot make %.200s: %s", directory, strerror(errno));
        return false;
    }
    r->kept_ledger = has_ledger(directory);
    r->store = store_open_configured(config, 0, error);
    if (!r->store || !check_shares(r, error) || !keys_settle(r->keys, r->store, directory, error))
        return false;
    params.vault = keys_vault(r->keys);
    params.store = r->store;
    r->shares = shares_new(&params);
    return true;
}

struct restore *restore_open(const struct config *config, const char *program, const char *party_id,
                             enum restore_into into, char error[KEYS_ERROR_MAX])
{
    struct restore *r = mem_new(1, sizeof *r);

    r->into = into;
    r->party_id = text_copy(party_id);
    if (open_all(r, config, program, error))
        return r;
    restore_close(r);
    return NULL;
}

void restore_close(struct restore *r)
{
    if (!r)
        return;
    shares_free(r->shares);
    store_close(r->store);
    keys_close(r->keys);
    free(r->party_id);
    free(r);
}

bool restore_kept_ledger(const struct restore *r)
{
    return r->kept_ledger;
}

void restore_error(const struct restore *r, char out[STORE_ERROR_MAX])
{
    store_error(r->store, out);
}

bool restore_burn(struct restore *r, const struct store_burn *burn)
{
    return store_put_burn(r->store, NULL, burn) == STORE_OK;
}

static bool put_order(struct restore *r, const struct store_order *known, enum orders_worth worth)
{
    enum store_result result = worth == ORDERS_HELD  ? store_put_held_order(r->store, known)
                               : worth == ORDERS_OWN ? store_put_own_order(r->store, known)
                                                     : store_put_order(r->store, known);

    r->orders += result != STORE_FAILED;
    return result != STORE_FAILED;
}

bool restore_order(struct restore *r, const struct store_order *order)
{
    struct store_order known;
    char subject[ID_TEXT_MAX];
    enum orders_worth worth = orders_judge(&known, subject, order, r->operator_key);
    bool is_merged = r->into == RESTORE_MERGE;

    if (worth == ORDERS_NOTHING || (is_merged && worth == ORDERS_HELD) ||
        (is_merged && worth == ORDERS_OWN && !known.is_frozen))
        return true;
    return put_order(r, &known, worth);
}

size_t restore_orders(const struct restore *r)
{
    return r->orders;
}

bool restore_each_frozen(const struct restore *r, void (*each)(void *arg, const char *subject),
                         void *arg)
{
    struct orders *orders = orders_new(r->store, r->operator_key);
    bool ok = orders != NULL;

    if (ok)
        orders_each_frozen(orders, each, arg);
    orders_free(orders);
    return ok;
}

bool restore_has_operator(const struct restore *r)
{
    return r->operator_key != NULL;
}

bool restore_serial(struct restore *r, uint64_t serial)
{
    uint64_t taken;

    return store_next_serial(r->store, serial, (uint64_t)clock_unix_ms(), &taken) == STORE_OK;
}

bool restore_share(struct restore *r, const struct backup_share *share, const uint8_t key_id[32])
{
    struct store_share row = share->row;
    bool ok;

    memcpy(row.key_id, key_id, sizeof row.key_id);
    row.status = STORE_PENDING;
    ok = shares_seal(r->shares, &row, share->record, share->record_len) &&
         store_put_pending(r->store, &row) == STORE_OK;
    free(row.sealed);
    row.sealed = NULL;
    row.status = STORE_ACTIVE;
    ok = ok && shares_seal(r->shares, &row, share->record, share->record_len) &&
         store_activate(r->store, &row, NULL) == STORE_OK;
    free(row.sealed);
    return ok;
}
