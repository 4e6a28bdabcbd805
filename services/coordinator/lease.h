/* SPDX-License-Identifier: Apache-2.0 */
/* The row that says which replica leads: works (system/db/db.h) on the table leadership.
 *
 * A lease is over by the database's clock, the only one that all replicas share. Each taking of it
 * has a fence, a number that only grows. What decides is the fence: lease_fence is the beginning of
 * every transaction of a leader that writes, and holds the row until its commit. So whoever takes
 * the lease takes it after that commit or before that transaction, which then comes to nothing;
 * clocks and pauses of processes decide only when it is taken. PostgreSQL only.
 *
 * Others send what they are asked, and their own token, to the address in the row. So whoever takes
 * the lease signs for it with a key that is made from JWT_SECRET_KEY: who can only write to the
 * database leads nobody anywhere. */
#ifndef COORDINATOR_LEASE_H
#define COORDINATOR_LEASE_H

#include "system/db/db.h"

#include <stdbool.h>
#include <stdint.h>

enum { LEASE_MS = 3000, LEASE_REPLICA_MAX = 33, LEASE_ADDRESS_MAX = 264, LEASE_KEY = 32 };

struct lease {
    /* the submitter's */
    void *owner;
    /* in for lease_take; out of lease_look */
    char replica[LEASE_REPLICA_MAX], address[LEASE_ADDRESS_MAX];
    /* in for lease_take and lease_look; lent */
    const uint8_t *key;
    /* out of lease_look and lease_take, in for the others */
    int64_t fence;
    /* out: it is over (look), it is ours now (take) */
    bool is_over, is_taken;
    /* out of lease_look: a replica wrote it */
    bool is_signed;
};

/* No number of takings leads to another: somebody wrote it into the database. */
bool lease_is_possible(int64_t fence);

void lease_key(uint8_t key[LEASE_KEY], const char *secret);

/* Who leads. */
db_work lease_look;
/* Take it if it is over, of a possible fence, and nobody else is just at it. */
db_work lease_take;
/* So long from now. DB_REFUSED: it is somebody else's. */
db_work lease_renew;
/* Over at once, if it is ours. */
db_work lease_give_up;
/* For db_fence: DB_REFUSED if another fence than |arg|'s is there. */
db_work lease_fence;

#endif
