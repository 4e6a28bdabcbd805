/* SPDX-License-Identifier: Apache-2.0 */
/* Which replica leads, seen from one of them: looks at the lease, takes it when it is over, renews
 * it every second. Once it leads it does so to its end: from the fence on every commit is refused
 * when another one has taken over (db_fence), and that ends the process.
 *
 * "Sure" is less than leading: the lease was confirmed so lately, by a clock of this machine that
 * goes on in its sleep, that nobody else can have taken it. A leader that is not sure answers
 * nobody from its memory. */
#ifndef COORDINATOR_LEADERSHIP_H
#define COORDINATOR_LEADERSHIP_H

#include "services/coordinator/lease.h"
#include "system/service/service.h"

struct leadership;

struct leadership_params {
    uv_loop_t *loop;
    struct db *db;
    /* where other replicas reach this one */
    const char *address;
    /* lease_key's; lent */
    const uint8_t *key;
    /* ours from now on: once */
    void (*takes)(void *arg);
    /* sure again after it was not */
    void (*is_sure)(void *arg);
    /* another one leads, at |address|; told at each change */
    void (*follows)(void *arg, const char *address);
    void *arg;
};

/* Looks at once and takes what is over, blocking, so that a replica alone leads from its start;
 * leadership_leads says whether it does (takes is not called then). Later ones are told by the
 * callbacks. NULL: the database cannot be read or written. */
struct leadership *leadership_new(const struct leadership_params *params);
bool leadership_leads(const struct leadership *leadership);
bool leadership_is_sure(const struct leadership *leadership);
/* Give it up for another to take at once, then |done|; after everything that was submitted to the
 * database before. From then on it looks who leads, and takes nothing. */
void leadership_leave(struct leadership *leadership, void (*done)(void *arg), void *arg);
bool leadership_has_left(const struct leadership *leadership);
/* After db_close. NULL is nothing. */
void leadership_free(struct leadership *leadership);

#endif
