/* SPDX-License-Identifier: Apache-2.0 */
/* Where calls come in when there may be several replicas: the one that leads answers them, the
 * others pass them on to it (system/rpc/relay.h), so that anybody may talk to any replica. While
 * nobody leads, or this one is not sure that it does, calls wait, at most GATE_WAITING_MAX of them
 * and as long as their callers do.
 *
 * Nothing waits or is passed on whose proof is not good: where a method is open because its message
 * carries a token, that is read here first. Messages held here, waiting or under way to the leader,
 * are GATE_BYTES_MAX together and GATE_CALLER_BYTES_MAX of one caller. */
#ifndef COORDINATOR_GATE_H
#define COORDINATOR_GATE_H

#include "services/coordinator/coordinator.h"

enum { GATE_WAITING_MAX = 4096, GATE_BYTES_MAX = 64 << 20, GATE_CALLER_BYTES_MAX = 16 << 20 };

/* Stands before |c|'s methods, which it registers at c->host->server. */
struct gate *gate_new(struct coordinator *c);
/* Calls that wait are looked at again: who answers may have changed. */
void gate_pump(struct gate *gate);
/* Another replica leads there; NULL: none does. */
void gate_follow(struct gate *gate, const char *address);
/* Is there a leader that can be reached? */
bool gate_reaches(const struct gate *gate);
/* Ends the calls that wait. NULL is nothing. */
void gate_free(struct gate *gate);

#endif
