/* SPDX-License-Identifier: Apache-2.0 */
/* A set of states that a search has seen, as hashes of 128 bits: no two of some millions are
 * equal. */
#ifndef TEST_COORDINATOR_SEEN_H
#define TEST_COORDINATOR_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Empty if it is all zero. */
struct seen {
    size_t n, cap;
    uint64_t (*keys)[2];
};

/* True if the state is new. */
bool seen_add(struct seen *seen, const uint8_t *state, size_t len);
void seen_free(struct seen *seen);

#endif
