/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate backup restore" and "merge": everything is read and checked before anything is written;
 * what is written goes the way a keeper's own shares go. Burns and orders are stored before the
 * first share, so that a break in the middle leaves no share without them; they are all that is
 * merged. */
#include "backup.h"
#include "backup_party.h"

#include "library.h"
#include "report.h"

#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/secret.h"

#include <stdlib.h>
#include <string.h>

struct found {
    /* among the paths */
    size_t place;
    uint8_t account[16], key_id[32];
    uint32_t epoch;
    int64_t time_ms;
};

struct restoring {
    const struct backup_request *request;
    struct backup_paths paths;
    /* what was checked, one for each path */
    uint8_t (*digests)[BACKUP_DIGEST];
    struct backup_key *key;
    struct library library;
    struct backup_party party;
    /* of the first of these backups, whose all are; its name is empty before */
    struct backup_head whose;
    uint8_t *identity;
    struct found *shares;
    size_t shares_n, restored;
    /* of all states */
    size_t signed_orders;
    struct backup_burns burns;
    /* of the newest state; -1: there is none */
    int64_t state_ms, share_ms;
    uint64_t serial;
    uint32_t had_shares;
    struct buffer certificate;
};

/* Reading */

static bool is_same_party(struct restoring *r, const struct backup_item *item,
                          struct trouble *trouble)
{
    const struct backup_head *head = &item->parsed.head;
    bool is_same_name;

    if (!r->whose.party_id[0])
        r->whose = *head;
    is_same_name = strcmp(r->whose.party_id, head->party_id) == 0;
    return (is_same_name && memcmp(r->whose.identity, head->identity, 32) == 0) ||
           trouble_set(trouble, "%s is a backup of party %s, %s of %sparty %s: give one party's",
                       r->paths.v[0], r->whose.party_id, item->path,
                       is_same_name ? "another identity of " : "", head->party_id);
}

static void note_share(struct restoring *r, const struct backup_item *item, size_t place)
{
    struct found *f = &r->shares[r->shares_n++];

    *f = (struct found){
        .place = place, .epoch = item->opened.epoch, .time_ms = item->parsed.head.time_ms};
    memcpy(f->account, item->parsed.head.account, sizeof f->account);
    memcpy(f->key_id, item->opened.keyid, sizeof f->key_id);
    memcpy(r->identity, item->share.identity, 64);
    /* of a share whose clock was ahead nothing is known */
    if (f->time_ms > r->share_ms && f->time_ms <= clock_unix_ms() + BACKUP_AHEAD_MS)
        r->share_ms = f->time_ms;
}

/* The clock says nothing of two states that both have a serial. */
static bool is_newest(const struct restoring *r, const struct backup_item *item)
{
    if (r->state_ms < 0 || item->state.serial != r->serial)
        return r->state_ms < 0 || item->state.serial > r->serial;
    return item->parsed.head.time_ms > r->state_ms;
}

static void note_state(struct restoring *r, const struct backup_item *item)
{
    const struct backup_state *state = &item->state;

    backup_burns_add(&r->burns, item);
    for (size_t i = 0; i < state->orders_n; i++)
        r->signed_orders += state->orders[i].order.signature != NULL;
    if (!is_newest(r, item))
        return;
    r->serial = state->serial;
    r->state_ms = item->parsed.head.time_ms;
    r->had_shares = state->shares_n;
    buffer_free(&r->certificate);
    buffer_add(&r->certificate, state->certificate, state->certificate_len);
}

static bool look(struct restoring *r, struct trouble *trouble)
{
    struct backup_item item;
    bool ok = true;

    r->shares = mem_new(r->paths.n + 1, sizeof *r->shares);
    r->digests = mem_new(r->paths.n + 1, sizeof *r->digests);
    for (size_t i = 0; ok && i < r->paths.n; i++) {
        ok = backup_item_open(&item, r->paths.v[i], r->key, r->library.ctx, trouble) &&
             is_same_party(r, &item, trouble);
        if (ok)
            backup_digest(r->digests[i], item.file.b, item.file.len);
        if (ok && item.parsed.head.kind == BACKUP_SHARE)
            note_share(r, &item, i);
        else if (ok)
            note_state(r, &item);
        backup_item_close(&item);
    }
    return ok;
}

static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order = memcmp(x->account, y->account, sizeof x->account);

    if (order == 0)
        order = memcmp(x->key_id, y->key_id, sizeof x->key_id);
    if (order == 0)
        order = (x->epoch < y->epoch) - (x->epoch > y->epoch);
    return order != 0 ? order : (x->time_ms < y->time_ms) - (x->time_ms > y->time_ms);
}

/* Of every key the newest sharing; older ones must not come back. */
static void keep_newest(struct restoring *r)
{
    size_t n = 0;

    qsort(r->shares, r->shares_n, sizeof *r->shares, compare);
    for (size_t i = 0; i < r->shares_n; i++) {
        const struct found *last = n > 0 ? &r->shares[n - 1] : NULL;

        if (!last || memcmp(last->account, r->shares[i].account, sizeof last->account) != 0 ||
            memcmp(last->key_id, r->shares[i].key_id, sizeof last->key_id) != 0)
            r->shares[n++] = r->shares[i];
    }
    r->shares_n = n;
}

static bool check_age(const struct restoring *r, struct trouble *trouble)
{
    int64_t now = clock_unix_ms();

    if (r->request->accept_age)
        return true;
    if (r->state_ms < 0)
        return trouble_set(trouble,
                           "none of these files is the state of party %s: which pairs it has "
                           "burned and what is frozen is not known; give its newest state, or "
                           "accept that with --accept-age",
                           r->whose.party_id);
    if (r->state_ms < now - BACKUP_AGE_MS || r->state_ms > now + BACKUP_AHEAD_MS)
        return trouble_set(trouble,
                           "the newest state of party %s here is more than %d days old, or of a "
                           "clock that was ahead, and a party writes one every day: pairs burned "
                           "since are not known; give its newest state, or accept that with "
                           "--accept-age",
                           r->whose.party_id, BACKUP_AGE_DAYS);
    return r->state_ms >= r->share_ms ||
           trouble_set(trouble,
                       "the newest state of party %s here is older than the newest share: pairs "
                       "burned since are not known; give its newest state, or accept that with "
                       "--accept-age",
                       r->whose.party_id);
}

/* Writing */

static bool fault(const struct restoring *r, struct trouble *trouble)
{
    char why[STORE_ERROR_MAX];

    restore_error(r->party.restore, why);
    if (r->party.into == RESTORE_MERGE)
        return trouble_set(trouble, "the database of party %s cannot be written (%s): try again",
                           r->whose.party_id, why);
    return trouble_set(trouble,
                       "the database of party %s cannot be written (%s): empty it before the next "
                       "try (for SQLite remove party.db* from its DATA_DIR, and nothing else: "
                       "ledger and reserve know its burns)",
                       r->whose.party_id, why);
}

static bool write_orders(const struct restoring *r, const struct backup_state *state)
{
    for (size_t i = 0; i < state->orders_n; i++) {
        struct store_order order = state->orders[i].order;

        order.subject = state->orders[i].subject;
        if (!restore_order(r->party.restore, &order))
            return false;
    }
    return true;
}

/* The file that was checked, and no other that has its name now. */
static bool open_again(const struct restoring *r, size_t place, struct backup_item *item,
                       struct trouble *trouble)
{
    const char *path = r->paths.v[place];
    uint8_t digest[BACKUP_DIGEST];

    if (!backup_item_open(item, path, r->key, r->library.ctx, trouble))
        return false;
    backup_digest(digest, item->file.b, item->file.len);
    return memcmp(digest, r->digests[place], sizeof digest) == 0 ||
           trouble_set(trouble,
                       "%s has changed since it was checked: copy the backups to where nobody "
                       "writes%s%s and try again",
                       path, r->party.into == RESTORE_EMPTY ? ", empty the database of party " : "",
                       r->party.into == RESTORE_EMPTY ? r->whose.party_id : "");
}

/* Of every file that is one. */
static bool write_states(struct restoring *r, struct trouble *trouble)
{
    struct backup_item item;
    bool ok = true;

    for (size_t i = 0; ok && i < r->burns.n; i++)
        ok = restore_burn(r->party.restore, &r->burns.v[i].burn) || fault(r, trouble);
    for (size_t i = 0; ok && i < r->paths.n; i++) {
        ok = open_again(r, i, &item, trouble);
        if (ok && item.parsed.head.kind == BACKUP_STATE)
            ok = write_orders(r, &item.state) || fault(r, trouble);
        backup_item_close(&item);
    }
    return ok && (restore_serial(r->party.restore, r->serial) || fault(r, trouble));
}

/* What was burned after the share's file was made is erased in it (docs/wire.md, burn record). */
static bool burn(const struct restoring *r, struct backup_item *item, struct trouble *trouble)
{
    uint8_t *record = item->body + (item->share.record - item->body);
    uint8_t b[47] = {'D', 'K', 'B', '1', 1};

    for (size_t i = 0; i < r->burns.n; i++) {
        const struct store_burn *burn = &r->burns.v[i].burn;

        if (memcmp(burn->kgid, item->parsed.head.kgid, 32) != 0 ||
            burn->epoch != item->parsed.head.epoch || burn->own != item->share.row.own)
            continue;
        memcpy(b + 5, burn->kgid, 32);
        be_put(b + 37, 4, burn->epoch);
        be_put(b + 41, 2, burn->own);
        be_put(b + 43, 2, 1);
        be_put(b + 45, 2, burn->peer);
        if (qrt_share_burn(record, item->share.record_len, b, sizeof b) != QRT_OK)
            return trouble_set(trouble, "%s: a burn of the party's state does not fit this share",
                               item->path);
    }
    return true;
}

static bool write_share(struct restoring *r, const struct found *found, struct trouble *trouble)
{
    struct backup_item item;
    bool ok = open_again(r, found->place, &item, trouble) && burn(r, &item, trouble) &&
              (restore_share(r->party.restore, &item.share, found->key_id) || fault(r, trouble));

    backup_item_close(&item);
    return ok;
}

static bool write_all(struct restoring *r, struct trouble *trouble)
{
    bool ok = write_states(r, trouble);

    for (; ok && r->restored < r->shares_n; r->restored += ok)
        ok = write_share(r, &r->shares[r->restored], trouble);
    return ok && backup_party_files(&r->party, r->identity, &r->certificate, trouble);
}

/* The answer */

static void add_subject(void *arg, const char *subject)
{
    json_array_append_new(arg, json_string(subject[0] ? subject : "all"));
}

/* The coordinator's database may know less: `quorate freeze list` does not show these then. */
static json_t *frozen_by(const struct restoring *r)
{
    json_t *list = json_array();

    if (restore_each_frozen(r->party.restore, add_subject, list))
        return list;
    json_decref(list);
    return json_null();
}

static json_t *report_of(const struct restoring *r)
{
    json_t *report = json_object();

    report_add(report, "party_id", json_string(r->whose.party_id));
    report_add(report, "shares", json_integer((json_int_t)r->restored));
    report_add(report, "burns", json_integer((json_int_t)r->burns.n));
    report_add(report, "orders", json_integer((json_int_t)restore_orders(r->party.restore)));
    report_add(report, "frozen", frozen_by(r));
    report_add(report, "known_until", backup_time_json(r->state_ms));
    report_add(report, "ledger_kept", json_boolean(restore_kept_ledger(r->party.restore)));
    report_add(report, "shares_then", r->state_ms >= 0 ? json_integer(r->had_shares) : json_null());
    return report;
}

static bool restore(struct restoring *r, struct trouble *trouble)
{
    if (!look(r, trouble))
        return false;
    if (r->shares_n == 0)
        return trouble_set(trouble, "there is no share among these backups");
    if (!check_age(r, trouble))
        return false;
    keep_newest(r);
    return backup_party_open(&r->party, r->request->env, &r->whose, trouble) &&
           write_all(r, trouble);
}

/* An order that nobody can check is not merged, and must not be left out unsaid. */
static bool check_operator(const struct restoring *r, struct trouble *trouble)
{
    return r->signed_orders == 0 || restore_has_operator(r->party.restore) ||
           trouble_set(trouble,
                       "these states have orders of the operator and OPERATOR_KEY is not set in "
                       "%s: set it as party %s had it",
                       r->request->env, r->whose.party_id);
}

/* Shares among the files say nothing here. */
static bool merge(struct restoring *r, struct trouble *trouble)
{
    if (!look(r, trouble))
        return false;
    if (r->state_ms < 0)
        return trouble_set(trouble, "there is no state (PARTY.state.qbk) among these backups");
    return backup_party_open(&r->party, r->request->env, &r->whose, trouble) &&
           check_operator(r, trouble) && write_states(r, trouble);
}

static void close_all(struct restoring *r)
{
    backup_party_close(&r->party);
    buffer_free(&r->certificate);
    free(r->burns.v);
    free(r->digests);
    free(r->shares);
    secret_free(r->identity);
    secret_free(r->key);
    backup_paths_free(&r->paths);
    library_close(&r->library);
}

static json_t *report_of_merge(const struct restoring *r)
{
    json_t *report = json_object();

    report_add(report, "party_id", json_string(r->whose.party_id));
    report_add(report, "burns", json_integer((json_int_t)r->burns.n));
    report_add(report, "orders", json_integer((json_int_t)restore_orders(r->party.restore)));
    report_add(report, "frozen", frozen_by(r));
    report_add(report, "known_until", backup_time_json(r->state_ms));
    return report;
}

static int finish(const struct restoring *r)
{
    json_t *report = r->party.into == RESTORE_MERGE ? report_of_merge(r) : report_of(r);

    if (r->party.into == RESTORE_EMPTY && r->restored < r->had_shares)
        say("party %s had %u shares when its newest state was made; %zu are restored",
            r->whose.party_id, r->had_shares, r->restored);
    return report_print(report, r->request->json) ? EXIT_DONE : EXIT_REFUSED;
}

static int run(const struct backup_request *request, enum restore_into into,
               bool (*work)(struct restoring *r, struct trouble *trouble))
{
    struct restoring r = {.request = request, .party.into = into, .state_ms = -1, .share_ms = -1};
    struct trouble trouble;
    int code;

    if (!request->env)
        return refuse_usage("--env is missing: the settings of the party");
    r.identity = secret_new(64);
    library_open(&r.library);
    r.key = backup_key_read(request->key, request->passphrase_file, &trouble);
    if (r.key && backup_paths_of(&r.paths, request, &trouble) && work(&r, &trouble))
        code = finish(&r);
    else
        code = refuse("%s", trouble.text);
    close_all(&r);
    return code;
}

int backup_command_restore(const struct backup_request *request)
{
    return run(request, RESTORE_EMPTY, restore);
}

int backup_command_merge(const struct backup_request *request)
{
    return run(request, RESTORE_MERGE, merge);
}
