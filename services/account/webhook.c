/* SPDX-License-Identifier: Apache-2.0 */
/* See webhook.h. A delivery is claimed, then looked after: an open session is waited for, an event
 * is sent. Whatever comes of it, the row says when it is due again. */
#include "services/account/webhook.h"

#include "services/account/account.h"
#include "services/account/await.h"
#include "services/account/lookup.h"
#include "services/account/webhook_post.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAITING_MAX = 256,
    /* a claim; nothing is begun in its last part, a try or a wait must fit in */
    CLAIM_MS = 30000,
    LAST_MS = 15000,
    WAIT_MS = 15000,
    STEP_MS = 5000,
    STEP_MAX_MS = 3600000,
    SECRET_MIN = 16,
    KEEP_DAYS = 30,
    CLEAN_TICKS = 3600
};
#define DAY_MS ((int64_t)24 * 3600 * 1000)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct delivery;

struct webhooks {
    const char *url, *ca, *secrets[WEBHOOK_SECRETS_MAX];
    size_t secrets_n;
    bool is_looking;
    /* deliveries under way; those of them that are claimed and wait for a line; that are sent */
    size_t waiting;
    struct delivery *ready, **ready_end;
    size_t sending;
    void *line[WEBHOOK_SENDING_MAX];
    bool is_busy[WEBHOOK_SENDING_MAX];
    unsigned ticks;
    atomic_bool ends;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct metric *sent, *given_up, *tries_failed;
};

/* Configuration */

static bool load(struct webhooks *hooks, const struct config *config, char error[RPC_TEXT_MAX])
{
    size_t n = config_list_n(config, "WEBHOOK_SECRET");

    if (!webhook_url_is_fit(hooks->url)) {
        snprintf(error, RPC_TEXT_MAX,
                 "WEBHOOK_URL must be an https:// address; http:// is for this machine only");
        return false;
    }
    for (size_t i = 0; i < n && i < WEBHOOK_SECRETS_MAX; i++) {
        hooks->secrets[hooks->secrets_n++] = config_list_item(config, "WEBHOOK_SECRET", i);
        if (strlen(hooks->secrets[i]) < SECRET_MIN)
            n = 0;
    }
    if (n > 0)
        return true;
    snprintf(
        error, RPC_TEXT_MAX,
        "WEBHOOK_SECRET must be set with WEBHOOK_URL: one text of %d characters or more, or two"
        " while rotating",
        SECRET_MIN);
    return false;
}

struct webhooks *webhooks_new(const struct config *config, char error[RPC_TEXT_MAX])
{
    struct webhooks *hooks;

    if (!config_text(config, "WEBHOOK_URL")[0])
        return NULL;
    hooks = mem_new(1, sizeof *hooks);
    hooks->url = config_text(config, "WEBHOOK_URL");
    hooks->ca = config_text(config, "WEBHOOK_CA");
    atomic_init(&hooks->ends, false);
    hooks->sent = metric_new(METRIC_COUNTER, "quorate_webhooks_total", "status=\"sent\"",
                             "Events for WEBHOOK_URL by what became of them.");
    hooks->given_up = metric_new(METRIC_COUNTER, "quorate_webhooks_total", "status=\"failed\"",
                                 "Events for WEBHOOK_URL by what became of them.");
    hooks->tries_failed = metric_new(METRIC_COUNTER, "quorate_webhook_tries_failed_total", NULL,
                                     "Tries to reach WEBHOOK_URL that failed.");
    hooks->ready_end = &hooks->ready;
    for (size_t i = 0; i < WEBHOOK_SENDING_MAX; i++)
        hooks->line[i] = webhook_line_new();
    if (load(hooks, config, error))
        return hooks;
    webhooks_free(hooks);
    return NULL;
}

void webhooks_free(struct webhooks *hooks)
{
    if (!hooks)
        return;
    for (size_t i = 0; i < WEBHOOK_SENDING_MAX; i++)
        webhook_line_free(hooks->line[i]);
    free(hooks);
}

/* Rows. The state is "open", "due", "sent" or "failed". */

/* A row as it was read, and what is being done about it. */
struct delivery {
    struct account_service *s;
    struct delivery *next;
    struct webhook hook;
    bool is_open;
    uint64_t claimed_us;
    size_t line;
    int64_t ended_ms, due_ms, tries;
    char *body;
    char signature[WEBHOOK_HEADER_MAX];
    struct webhook_post post;
    uv_work_t work;
    bool is_sent, is_given_up;
    int64_t wait_ms;
};

static enum db_result claim(struct db_tx *tx, void *arg)
{
    struct delivery *d = arg;
    const struct db_value row[] = {db_text(d->hook.session_id), db_int(d->due_ms),
                                   db_int(CLAIM_MS)};
    int64_t changed = 0;
    enum db_result r = db_exec(tx,
                               "UPDATE webhooks SET due_ms = now_ms() + $3 WHERE session_id = $1"
                               " AND due_ms = $2 AND state IN ('open', 'due')",
                               row, COUNT(row), &changed);

    return r == DB_OK && changed == 0 ? DB_REFUSED : r;
}

static enum db_result note_try(struct db_tx *tx, void *arg)
{
    struct delivery *d = arg;
    const char *state = d->is_sent ? "sent" : d->is_given_up ? "failed" : "due";
    const struct db_value row[] = {db_text(d->hook.session_id), db_text(state), db_int(d->wait_ms)};

    return db_exec(tx,
                   "UPDATE webhooks SET state = $2, due_ms = now_ms() + $3, tries = tries + 1"
                   " WHERE session_id = $1 AND state = 'due'",
                   row, COUNT(row), NULL);
}

static enum db_result end_open(struct db_tx *tx, void *arg)
{
    const struct delivery *d = arg;

    return webhook_end(tx, &d->hook);
}

/* Deliveries */

static void delivery_free(struct delivery *d)
{
    d->s->webhooks->waiting--;
    free(d->body);
    free(d);
}

static void done(void *arg, enum db_result result)
{
    struct delivery *d = arg;

    if (result == DB_FAILED)
        (void)lookup_database_fault(d->s);
    delivery_free(d);
}

/* Doubled each time, +-20 %. */
static int64_t wait_after(int64_t tries)
{
    int64_t wait = STEP_MS;

    for (int64_t i = 0; i < tries && wait < STEP_MAX_MS; i++)
        wait *= 2;
    if (wait > STEP_MAX_MS)
        wait = STEP_MAX_MS;
    return wait * (80 + (int64_t)randombytes_uniform(41)) / 100;
}

static void tell_failure(struct delivery *d)
{
    struct webhooks *hooks = d->s->webhooks;

    metric_add(hooks->tries_failed, 1);
    if (d->is_given_up)
        metric_add(hooks->given_up, 1);
    log_event(d->is_given_up ? LOG_ERROR : LOG_WARN,
              d->is_given_up ? "a webhook was given up" : "a webhook was not taken",
              LOG_S("session", d->hook.session_id), LOG_S("account", d->hook.account_id),
              LOG_I("try", d->tries + 1), LOG_S("error", d->post.error));
}

/* Those that are not sent now are due again when their claims run out. */
static void drop_ready(struct webhooks *hooks)
{
    while (hooks->ready) {
        struct delivery *d = hooks->ready;

        hooks->ready = d->next;
        delivery_free(d);
    }
    hooks->ready_end = &hooks->ready;
}

static void send_ready(struct webhooks *hooks);

static void was_sent(uv_work_t *work, int status)
{
    struct delivery *d = work->data;
    struct account_service *s = d->s;
    struct webhooks *hooks = s->webhooks;

    (void)status;
    hooks->sending--;
    hooks->is_busy[d->line] = false;
    if (atomic_load(&hooks->ends)) { /* the claim runs out, and another process tries */
        delivery_free(d);
        if (hooks->sending == 0 && hooks->stopped)
            hooks->stopped(hooks->stopped_arg);
        return;
    }
    d->wait_ms = wait_after(d->tries);
    d->is_given_up = !d->is_sent && clock_unix_ms() - d->ended_ms > DAY_MS;
    if (d->is_sent)
        metric_add(hooks->sent, 1);
    else
        tell_failure(d);
    if (!d->is_sent)
        drop_ready(hooks);
    db_submit(s->db, DB_LAZY, note_try, done, d);
    send_ready(hooks);
    if (!hooks->ready)
        webhooks_tick(s);
}

/* On a thread of the pool. */
static void send_it(uv_work_t *work)
{
    struct delivery *d = work->data;

    d->is_sent = webhook_post(&d->post);
}

static void begin_sending(struct webhooks *hooks, struct delivery *d, size_t line)
{
    d->body = webhook_body(&d->hook, d->ended_ms);
    webhook_sign(d->signature, d->body, clock_unix_ms() / 1000, hooks->secrets, hooks->secrets_n);
    d->post = (struct webhook_post){.line = hooks->line[line],
                                    .url = hooks->url,
                                    .ca = hooks->ca,
                                    .body = d->body,
                                    .signature = d->signature,
                                    .ends = &hooks->ends};
    d->work.data = d;
    d->line = line;
    hooks->is_busy[line] = true;
    hooks->sending++;
    uv_queue_work(d->s->host->loop, &d->work, send_it, was_sent);
}

static bool is_stale(const struct delivery *d)
{
    return clock_steady_us() - d->claimed_us > (CLAIM_MS - LAST_MS) * UINT64_C(1000);
}

static void send_ready(struct webhooks *hooks)
{
    for (size_t line = 0; line < WEBHOOK_SENDING_MAX; line++) {
        while (hooks->ready && !hooks->is_busy[line]) {
            struct delivery *d = hooks->ready;

            hooks->ready = d->next;
            if (!hooks->ready)
                hooks->ready_end = &hooks->ready;
            if (is_stale(d))
                delivery_free(d);
            else
                begin_sending(hooks, d, line);
        }
    }
}

/* What is not final is looked after again when the claim runs out. */
static void session_ended(void *arg, const Mpc__Coordinator__V1__GetSessionStatusResponse *r,
                          const struct rpc_status *status)
{
    struct delivery *d = arg;
    struct webhook *hook = &d->hook;

    if (r && r->session && await_is_final(r->session->status)) {
        snprintf(hook->status, sizeof hook->status, "%s", r->session->status);
        snprintf(hook->code, sizeof hook->code, "%s", r->session->error_code);
        snprintf(hook->error, sizeof hook->error, "%s", r->session->error);
    } else if (!r && status->code == RPC_NOT_FOUND) {
        strcpy(hook->status, "failed");
        strcpy(hook->code, "session_not_found");
    } else {
        delivery_free(d);
        return;
    }
    db_submit(d->s->db, DB_LAZY, end_open, done, d);
}

static void claimed(void *arg, enum db_result result)
{
    struct delivery *d = arg;
    struct webhooks *hooks = d->s->webhooks;
    const struct await_end end = {session_ended, d};
    char trace[TRACE_TEXT_MAX];

    if (result != DB_OK || atomic_load(&hooks->ends)) {
        done(d, result);
        return;
    }
    d->claimed_us = clock_steady_us();
    if (!d->is_open) {
        d->next = NULL;
        *hooks->ready_end = d;
        hooks->ready_end = &d->next;
        send_ready(hooks);
        return;
    }
    trace_new(trace);
    await_session(d->s, d->hook.session_id, WAIT_MS, trace, end);
}

/* What is due */

struct look_out {
    struct account_service *s;
    size_t max, n;
    struct delivery *found[WAITING_MAX];
};

static bool take_due(const struct db_row *row, void *arg)
{
    struct look_out *look = arg;
    struct delivery *d = mem_new(1, sizeof *d);

    d->s = look->s;
    db_copy_text(d->hook.session_id, sizeof d->hook.session_id, row, 0);
    db_copy_text(d->hook.account_id, sizeof d->hook.account_id, row, 1);
    db_copy_text(d->hook.kind, sizeof d->hook.kind, row, 2);
    db_copy_text(d->hook.status, sizeof d->hook.status, row, 3);
    db_copy_text(d->hook.code, sizeof d->hook.code, row, 4);
    db_copy_text(d->hook.error, sizeof d->hook.error, row, 5);
    d->is_open = strcmp(db_get_text(row, 6), "open") == 0;
    d->ended_ms = db_get_int(row, 7);
    d->due_ms = db_get_int(row, 8);
    d->tries = db_get_int(row, 9);
    look->found[look->n++] = d;
    return look->n < look->max;
}

static enum db_result read_due(struct db_tx *tx, void *arg)
{
    struct look_out *look = arg;
    const struct db_value max = db_int((int64_t)look->max);

    while (look->n > 0)
        free(look->found[--look->n]);
    return db_query(tx,
                    "SELECT session_id, account_id, kind, status, code, error, state, ended_ms,"
                    " due_ms, tries FROM webhooks WHERE state IN ('open', 'due')"
                    " AND due_ms <= now_ms() ORDER BY due_ms LIMIT $1",
                    &max, 1, take_due, look);
}

static void found_due(void *arg, enum db_result result)
{
    struct look_out *look = arg;
    struct account_service *s = look->s;
    struct webhooks *hooks = s->webhooks;

    hooks->is_looking = false;
    for (size_t i = 0; i < look->n; i++) {
        struct delivery *d = look->found[i];

        if (result != DB_OK || s->is_ending) {
            free(d);
            continue;
        }
        hooks->waiting++;
        db_submit(s->db, DB_LAZY, claim, claimed, d);
    }
    free(look);
}

static enum db_result clean(struct db_tx *tx, void *arg)
{
    const struct db_value keep = db_int(KEEP_DAYS * DAY_MS);

    (void)arg;
    return db_exec(tx,
                   "DELETE FROM webhooks WHERE state IN ('sent', 'failed') AND"
                   " ended_ms < now_ms() - $1",
                   &keep, 1, NULL);
}

void webhooks_tick(struct account_service *s)
{
    struct webhooks *hooks = s->webhooks;
    struct look_out *look;

    if (!hooks || hooks->is_looking || atomic_load(&hooks->ends) || hooks->waiting >= WAITING_MAX)
        return;
    if (hooks->ticks++ % CLEAN_TICKS == 0)
        db_submit(s->db, DB_LAZY, clean, NULL, NULL);
    look = mem_new(1, sizeof *look);
    look->s = s;
    look->max = WAITING_MAX - hooks->waiting;
    hooks->is_looking = true;
    db_submit(s->db, DB_READ, read_due, found_due, look);
}

void webhooks_stop(struct account_service *s, void (*stopped)(void *arg), void *arg)
{
    struct webhooks *hooks = s->webhooks;

    if (hooks) {
        atomic_store(&hooks->ends, true);
        drop_ready(hooks);
    }
    if (!hooks || hooks->sending == 0) {
        stopped(arg);
        return;
    }
    hooks->stopped = stopped;
    hooks->stopped_arg = arg;
}
