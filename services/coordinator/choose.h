/* SPDX-License-Identifier: Apache-2.0 */
/* Which parties take part: pure, over what is known of the candidates. */
#ifndef COORDINATOR_CHOOSE_H
#define COORDINATOR_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct candidate {
    /* may be asked at all: alive, not refusing, of a role that fits */
    bool is_able;
    /* what speaks against it: 0 nothing; the more, the later it is asked */
    unsigned suspicion;
    /* sessions it runs, and how many it can; full parties are asked after the others */
    uint32_t load, capacity;
    /* when it was chosen last, any counter: equal loads take turns */
    uint64_t turn;
    /* lent; equally loaded parties at one router work together, so that less is passed on between
     * routers. NULL or "": that is not known, or of no matter */
    const char *router;
    /* candidates (a bit each) that it cannot work with */
    uint64_t bad_pairs;
};

/* True if |a| is to be asked before |b|, by all but their turn in the list. */
bool choose_before(const struct candidate *a, const struct candidate *b);

/* Choose |needed| of |n| <= 64 candidates: the least suspect, then the least loaded, in a
 * set without a bad pair. |out| gets positions, ascending. False: there is no such set. The search
 * is greedy from each candidate in turn: with few bad pairs, as they are, it finds one. */
bool choose_quorum(uint8_t *out, const struct candidate *candidates, size_t n, size_t needed);

#endif
