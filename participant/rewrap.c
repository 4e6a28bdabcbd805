/* SPDX-License-Identifier: Apache-2.0 */
/* Passes over the rows under the old key, until there are none. A pass that the database or the
 * token breaks off is begun again after a while; so is one that left rows which do not unwrap. */
#include "participant/rewrap.h"

#include "participant/pause.h"
#include "system/core/buffer.h"
#include "system/core/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { PAUSE_MS = 10 * 1000 };

struct rewrap {
    struct store *store;
    const struct shares *shares;
    uint8_t old[STORE_KEY_ID];
    pthread_t thread;
    atomic_uint_fast64_t left;
    struct pause pause;
    /* the thread's: damaged rows were named once */
    bool is_told;
};

static void tell_damage(struct rewrap *r, const struct store_share *row)
{
    if (!r->is_told)
        log_event(LOG_ERROR, "a share is damaged and stays under the old wrapping key: restore it",
                  LOG_S("account", row->account_id));
}

/* False: neither this row nor others can be done now. */
static bool do_row(struct rewrap *r, const struct store_share *row)
{
    uint8_t *sealed = NULL;
    size_t len;
    enum vault_result wrapped = shares_rewrap(r->shares, row, &sealed, &len);
    enum store_result put = STORE_NONE;

    if (wrapped == VAULT_OK)
        put = store_put_seal(r->store, row, sealed, len);
    else if (wrapped != VAULT_AWAY)
        tell_damage(r, row);
    free(sealed);
    if (put == STORE_OK)
        atomic_fetch_sub(&r->left, 1);
    return wrapped != VAULT_AWAY && put != STORE_FAILED;
}

/* False: broken off. */
static bool pass(struct rewrap *r)
{
    struct store_share row, last = {0};
    enum store_result found = store_next_under(r->store, &row, r->old, NULL);
    bool goes_on = true;

    while (found == STORE_OK && goes_on) {
        goes_on = do_row(r, &row) && !pause_is_stopped(&r->pause);
        store_share_free(&row);
        last = row;
        if (goes_on)
            found = store_next_under(r->store, &row, r->old, &last);
    }
    return goes_on && found == STORE_NONE;
}

/* What is left, counted. False: the database does not say. */
static bool recount(struct rewrap *r)
{
    size_t n;

    if (store_count_under(r->store, r->old, &n) != STORE_OK)
        return false;
    atomic_store(&r->left, n);
    return true;
}

static void *work(void *arg)
{
    struct rewrap *r = arg;

    while (!pause_is_stopped(&r->pause)) {
        bool whole = pass(r);

        if (whole && recount(r) && rewrap_left(r) == 0) {
            log_line(LOG_INFO, "every share is under the next wrapping key: make it the only one");
            return NULL;
        }
        r->is_told = r->is_told || whole;
        if (!pause_is_stopped(&r->pause))
            pause_for(&r->pause, PAUSE_MS);
    }
    return NULL;
}

/* A count that cannot be read is one more than none: the thread finds out. */
struct rewrap *rewrap_start(struct store *store, const struct shares *shares,
                            const struct vault *vault)
{
    uint8_t next[VAULT_CHECK_BYTES];
    struct rewrap *r;

    if (!vault_next_check(vault, next))
        return NULL;
    r = mem_new(1, sizeof *r);
    r->store = store;
    r->shares = shares;
    vault_check(vault, r->old);
    pause_init(&r->pause);
    if (!recount(r))
        atomic_store(&r->left, 1);
    log_event(LOG_INFO, "shares are being put under the next wrapping key",
              LOG_I("rows", (int64_t)rewrap_left(r)));
    if (pthread_create(&r->thread, NULL, work, r) != 0) {
        log_line(LOG_ERROR, "no thread for the change of the wrapping key");
        abort();
    }
    return r;
}

void rewrap_stop(struct rewrap *r)
{
    if (!r)
        return;
    pause_stop(&r->pause);
    (void)pthread_join(r->thread, NULL);
    pause_close(&r->pause);
    free(r);
}

uint64_t rewrap_left(const struct rewrap *r)
{
    return r ? atomic_load(&r->left) : 0;
}
