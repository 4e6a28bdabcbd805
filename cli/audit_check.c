/* SPDX-License-Identifier: Apache-2.0 */
/* See audit_check.h. After a row that does not fit, the chain is followed from what is written
 * there, so that each fault is told once. */
#include "audit_check.h"

#include "system/core/buffer.h"
#include "system/core/map.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAID_MAX = 20, PLACE_MAX = 64 };

struct chain {
    struct audit_head head;
    struct chain *next;
};

/* A head that must be there. Several may be about one row. */
struct want {
    char place[PLACE_MAX];
    struct audit_head head;
    const char *who;
    bool is_seen;
    struct want *next, *twin;
};

struct audit_check {
    struct map *chains, *places;
    struct chain *chain;
    struct want *want;
    struct audit_result result;
};

struct audit_check *audit_check_new(void)
{
    struct audit_check *check = mem_new(1, sizeof *check);

    check->chains = map_new();
    check->places = map_new();
    return check;
}

void audit_check_free(struct audit_check *check)
{
    map_free(check->chains);
    map_free(check->places);
    while (check->chain) {
        struct chain *next = check->chain->next;

        free(check->chain);
        check->chain = next;
    }
    while (check->want) {
        struct want *next = check->want->next;

        free(check->want);
        check->want = next;
    }
    free(check);
}

__attribute__((format(printf, 2, 3))) static void fault(struct audit_check *check,
                                                        const char *format, ...)
{
    char text[512];
    va_list args;

    if (check->result.faults++ >= SAID_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say("%s", text);
}

static void place_of(char out[PLACE_MAX], const struct audit_head *head)
{
    snprintf(out, PLACE_MAX, "%s %" PRId64, head->chain, head->seq);
}

void audit_check_want(struct audit_check *check, const struct audit_head *head, const char *who)
{
    struct want *want = mem_new(1, sizeof *want);

    want->head = *head;
    want->who = who;
    want->next = check->want;
    check->want = want;
    place_of(want->place, head);
    want->twin = map_get(check->places, want->place);
    map_put(check->places, want->place, want);
}

static struct chain *chain_of(struct audit_check *check, const char *name)
{
    struct chain *chain = map_get(check->chains, name);

    if (chain)
        return chain;
    chain = mem_new(1, sizeof *chain);
    snprintf(chain->head.chain, sizeof chain->head.chain, "%s", name);
    chain->next = check->chain;
    check->chain = chain;
    map_put(check->chains, chain->head.chain, chain);
    check->result.chains++;
    return chain;
}

static void look_for(struct audit_check *check, const struct audit_head *head)
{
    char place[PLACE_MAX];

    place_of(place, head);
    for (struct want *want = map_get(check->places, place); want; want = want->twin) {
        want->is_seen = true;
        if (memcmp(want->head.hash, head->hash, AUDIT_HASH) != 0)
            fault(check,
                  "chain %s, row %" PRId64 ": %s names another hash: the chain was made anew",
                  head->chain, head->seq, want->who);
    }
}

void audit_check_row(struct audit_check *check, const struct audit_link *link)
{
    const struct audit_row *row = &link->row;
    struct chain *chain;
    uint8_t hash[AUDIT_HASH];

    if (strlen(row->chain) != sizeof chain->head.chain - 1) {
        fault(check, "%.40s is no name of a chain", row->chain);
        return;
    }
    chain = chain_of(check, row->chain);
    check->result.rows++;
    audit_digest(hash, row);
    audit_link(hash, link->prev, hash);
    if (row->seq != chain->head.seq + 1)
        fault(check, "chain %s: row %" PRId64 " stands where row %" PRId64 " should", row->chain,
              row->seq, chain->head.seq + 1);
    else if (memcmp(link->prev, chain->head.hash, AUDIT_HASH) != 0)
        fault(check, "chain %s, row %" PRId64 ": it does not follow the row before it", row->chain,
              row->seq);
    if (memcmp(hash, link->hash, AUDIT_HASH) != 0)
        fault(check, "chain %s, row %" PRId64 ": it was changed", row->chain, row->seq);
    chain->head.seq = row->seq;
    memcpy(chain->head.hash, link->hash, AUDIT_HASH);
    look_for(check, &chain->head);
}

struct audit_result audit_check_end(struct audit_check *check)
{
    for (const struct want *want = check->want; want; want = want->next)
        if (!want->is_seen)
            fault(check,
                  "chain %s: row %" PRId64 " is not there, but %s names it: the chain was cut",
                  want->head.chain, want->head.seq, want->who);
    if (check->result.faults > SAID_MAX)
        say("... and %zu more", check->result.faults - SAID_MAX);
    return check->result;
}

char *audit_check_heads(const struct audit_check *check)
{
    struct buffer out = {0};

    buffer_text(&out, "");
    for (const struct chain *chain = check->chain; chain; chain = chain->next) {
        char text[AUDIT_HEAD_TEXT];

        audit_head_text(text, &chain->head);
        buffer_printf(&out, "%s\n", text);
    }
    return (char *)out.b;
}
