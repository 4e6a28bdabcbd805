/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in memory: finding, seats, lists, and their projection as a row. */
#ifndef COORDINATOR_RECORD_H
#define COORDINATOR_RECORD_H

#include "services/coordinator/coordinator.h"

/* A record of |request| (owned from now on), whose intent decodes. Not yet in any list. */
struct record *record_new(Mpc__Coordinator__V1__CreateSessionRequest *request);
void record_free(struct record *r);

/* NULL: not in memory. */
struct record *record_find(const struct coordinator *c, const char *session_id);
void record_open(struct coordinator *c, struct record *r);
/* Out of the map and the list of open ones, never to be seen again. */
void record_drop(struct coordinator *c, struct record *r);
/* From the open sessions to the ended ones; the oldest of those are forgotten. */
void record_end(struct coordinator *c, struct record *r);
void record_expire(struct coordinator *c, int64_t now_ms);

void record_queue(struct coordinator *c, struct record *r, bool at_front);
void record_unqueue(struct coordinator *c, struct record *r);

/* SEAT_NONE if the party is not of the request. */
uint8_t record_seat(const struct record *r, const char *party_id);
/* The seat with an index of the roster. */
uint8_t record_seat_of_index(const struct record *r, uint32_t index);
const char *record_party(const struct record *r, uint8_t seat);

/* |out| becomes a copy of the row with what the state says now. */
void record_project(struct store_row *out, const struct record *r);

void record_note_report(struct record *r, const struct store_report *report);
const struct store_report *record_report(const struct record *r, const char *party_id,
                                         uint32_t attempt);
void record_note_join(struct record *r, const struct store_join *join);
const struct store_join *record_join(const struct record *r, const char *token_id);

#endif
