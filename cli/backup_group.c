/* SPDX-License-Identifier: Apache-2.0 */
/* Backups of several parties, opened together: shares of one account, one sharing, different
 * parties, and among them enough to sign, no two of which have burned their pair. */
#include "backup.h"

#include "api.h"
#include "report.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void backup_group_close(struct backup_group *group)
{
    if (!group)
        return;
    for (size_t i = 0; i < group->n; i++)
        backup_item_close(&group->items[i]);
    free(group->burns.v);
    json_decref(group->left_out);
    free(group);
}

/* Of one account and one sharing, and not the same party twice. */
static bool fits(const struct backup_item *a, const struct backup_item *b, struct trouble *trouble)
{
    const struct backup_head *x = &a->parsed.head, *y = &b->parsed.head;
    char first[ID_TEXT_MAX], second[ID_TEXT_MAX];

    id_text(first, x->account);
    id_text(second, y->account);
    if (memcmp(x->account, y->account, sizeof x->account) != 0)
        return trouble_set(trouble,
                           "%s is of account %s, %s of account %s: give backups of one account, "
                           "or choose it with --account",
                           a->path, first, b->path, second);
    if (memcmp(x->kgid, y->kgid, sizeof x->kgid) != 0 || x->epoch != y->epoch)
        return trouble_set(trouble,
                           "%s is of epoch %u, %s of epoch %u of another sharing of account %s: "
                           "shares sign together only with their own sharing",
                           a->path, x->epoch, b->path, y->epoch, first);
    return a->opened.own != b->opened.own ||
           trouble_set(trouble, "%s and %s are backups of the same party's share", a->path,
                       b->path);
}

static bool add_item(struct backup_group *group, struct backup_item *item, struct trouble *trouble)
{
    if (group->n == QRT_PARTIES_MAX)
        return trouble_set(trouble, "these are more shares than a key has parties");
    for (size_t i = 0; i < group->n; i++) {
        if (!fits(&group->items[i], item, trouble))
            return false;
    }
    group->items[group->n++] = *item;
    *item = (struct backup_item){0};
    return true;
}

static void leave_out(struct backup_group *group, const char *path, const struct trouble *why)
{
    json_t *one = json_object();

    report_add(one, "file", json_string(path));
    report_add(one, "why", json_string(why->text));
    json_array_append_new(group->left_out, one);
}

/* The first of them, in the words of a refusal. */
static const char *why_left_out(const struct backup_group *group)
{
    return api_text(json_array_get(group->left_out, 0), "why");
}

static bool is_others(const struct backup_group *group, const struct backup_item *item)
{
    char account[ID_TEXT_MAX];

    id_text(account, item->parsed.head.account);
    return group->account && item->parsed.head.kind == BACKUP_SHARE &&
           strcasecmp(group->account, account) != 0;
}

static bool add(struct backup_group *group, const char *path, struct trouble *trouble)
{
    struct backup_item item;
    struct trouble why;
    bool ok = true, is_read = backup_item_read(&item, path, &why);

    if (!is_read ||
        (!is_others(group, &item) && !backup_item_unseal(&item, group->key, group->ctx, &why)))
        leave_out(group, path, &why);
    else if (item.parsed.head.kind == BACKUP_STATE)
        backup_burns_add(&group->burns, &item);
    else if (!is_others(group, &item))
        ok = add_item(group, &item, trouble);
    backup_item_close(&item);
    return ok;
}

/* By its own party's word: another's state says nothing of it. */
static bool is_burned(const struct backup_group *group, const struct backup_item *item,
                      uint16_t peer)
{
    const struct qrt_share *share = &item->opened;

    if (qrt_share_burn_bits(share, peer) != 0)
        return true;
    for (size_t i = 0; i < group->burns.n; i++) {
        const struct store_burn *burn = &group->burns.v[i].burn;

        if (memcmp(group->burns.v[i].identity, item->parsed.head.identity, 32) == 0 &&
            memcmp(burn->kgid, share->kgid, 32) == 0 && burn->epoch == share->epoch &&
            burn->own == share->own && burn->peer == peer)
            return true;
    }
    return false;
}

/* By either of the two. */
static bool is_pair_burned(const struct backup_group *group, size_t i, size_t j)
{
    const struct backup_item *a = &group->items[i], *b = &group->items[j];

    return is_burned(group, a, b->opened.own) || is_burned(group, b, a->opened.own);
}

/* The first |t| places, in order, of which no two are a burned pair; |n| of them are chosen. Burned
 * pairs are few, so it seldom has to go back. */
static bool choose(const struct backup_group *group, size_t places[], size_t n, size_t t)
{
    if (n == t)
        return true;
    for (size_t i = n ? places[n - 1] + 1 : 0; i + (t - n) <= group->n; i++) {
        size_t fitting = 0;

        while (fitting < n && !is_pair_burned(group, places[fitting], i))
            fitting++;
        places[n] = i;
        if (fitting == n && choose(group, places, n + 1, t))
            return true;
    }
    return false;
}

/* |places| ascend, and come to the front in their order. */
static void bring_forward(struct backup_group *group, const size_t places[], size_t t)
{
    for (size_t i = 0; i < t; i++) {
        struct backup_item item = group->items[places[i]];

        memmove(&group->items[i + 1], &group->items[i], (places[i] - i) * sizeof group->items[0]);
        group->items[i] = item;
    }
}

static bool refuse_pairs(const struct backup_group *group, struct trouble *trouble)
{
    const char *between = "";

    trouble_set(trouble,
                "no %u of these parties have an unburned pair each with each; give a backup of "
                "another party; burned: ",
                group->items[0].opened.t);
    for (size_t i = 0; i < group->n; i++) {
        for (size_t j = i + 1; j < group->n; j++) {
            if (!is_pair_burned(group, i, j))
                continue;
            trouble_add(trouble, "%s%s with %s", between, group->items[i].parsed.head.party_id,
                        group->items[j].parsed.head.party_id);
            between = ", ";
        }
    }
    return false;
}

static bool choose_signers(struct backup_group *group, struct trouble *trouble)
{
    size_t places[QRT_PARTIES_MAX], t = group->items[0].opened.t;

    if (!choose(group, places, 0, t))
        return refuse_pairs(group, trouble);
    bring_forward(group, places, t);
    return true;
}

static bool refuse_few(const struct backup_group *group, struct trouble *trouble)
{
    const struct backup_item *first = &group->items[0];
    char account[ID_TEXT_MAX];

    id_text(account, first->parsed.head.account);
    trouble_set(trouble, "account %s signs with the shares of %u parties, and %zu %s here", account,
                first->opened.t, group->n, group->n == 1 ? "is" : "are");
    if (json_array_size(group->left_out) > 0)
        trouble_add(trouble, "; %s", why_left_out(group));
    return false;
}

static bool check(struct backup_group *group, struct trouble *trouble)
{
    if (group->n == 0 && json_array_size(group->left_out) > 0)
        return trouble_set(trouble, "%s", why_left_out(group));
    if (group->n == 0 && group->account)
        return trouble_set(trouble, "there is no share of account %s among these backups",
                           group->account);
    if (group->n == 0)
        return trouble_set(trouble, "there is no share among these backups");
    return group->n < group->items[0].opened.t ? refuse_few(group, trouble)
                                               : choose_signers(group, trouble);
}

struct backup_group *backup_group_open(const struct backup_group *begin,
                                       const struct backup_paths *paths, struct trouble *trouble)
{
    struct backup_group *group = mem_new(1, sizeof *group);
    bool ok = true;

    group->ctx = begin->ctx;
    group->key = begin->key;
    group->account = begin->account;
    group->left_out = json_array();
    for (size_t i = 0; ok && i < paths->n; i++)
        ok = add(group, paths->v[i], trouble);
    if (ok && check(group, trouble))
        return group;
    backup_group_close(group);
    return NULL;
}

json_t *backup_group_json(const struct backup_group *group)
{
    json_t *json = json_object(), *parties = json_array();
    char account[ID_TEXT_MAX];

    id_text(account, group->items[0].parsed.head.account);
    for (size_t i = 0; i < group->items[0].opened.t; i++)
        json_array_append_new(parties, json_string(group->items[i].parsed.head.party_id));
    report_add(json, "account_id", json_string(account));
    report_add(json, "parties", parties);
    if (json_array_size(group->left_out) > 0)
        report_add(json, "left_out", json_incref(group->left_out));
    return json;
}
