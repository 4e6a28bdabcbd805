/* SPDX-License-Identifier: Apache-2.0 */
/* What a keeper asks its database for outside of runs, on a thread of its own: the one that reads
 * frames waits neither for a server nor for a disk. One thing at a time; of what is asked for,
 * owed orders and burns go first, then requests in the order in which they came. */
#ifndef PARTICIPANT_UPKEEP_H
#define PARTICIPANT_UPKEEP_H

#include "keeper.pb-c.h"

#include <stdbool.h>

struct keeper;
struct upkeep;

/* |keeper| outlives it. */
struct upkeep *upkeep_start(struct keeper *keeper);
/* Waits for what it is at, and stores what was asked to be stored; other requests get no answer.
 * NULL is nothing. */
void upkeep_stop(struct upkeep *upkeep);

/* Store the orders and burns that are not stored. */
void upkeep_save(struct upkeep *upkeep);
/* Not all that was to be stored is: upkeep_save is called again after a while. */
bool upkeep_owes(struct upkeep *upkeep);
/* Erase what is past its time. */
void upkeep_erase(struct upkeep *upkeep);
/* A ConfirmShare or a LendShare; takes the frame over. Its answer goes to the front; if too many
 * wait, or too much, as soon as what waits of its session is answered. */
void upkeep_take(struct upkeep *upkeep, Mpc__Keeper__V1__ToKeeper *frame);

#endif
