/* SPDX-License-Identifier: Apache-2.0 */
/* Who of a session's parties can take part in its next attempt. */
#ifndef COORDINATOR_QUORUM_H
#define COORDINATOR_QUORUM_H

#include "services/coordinator/coordinator.h"

/* Seats for the next attempt, ascending; false if there are too few. */
bool quorum_choose(uint8_t seats[QRT_PARTIES_MAX], const struct coordinator *c,
                   const struct record *r);
/* There may be enough in a moment: some were seen shortly ago. */
bool quorum_may_come(const struct coordinator *c, const struct record *r, int64_t now_ms);
/* "2 parties are needed, 1 can be had: party-2 was not seen for 12 s". */
void quorum_explain(char *out, size_t size, const struct coordinator *c, const struct record *r,
                    int64_t now_ms);

/* The party in this seat is there and may be asked. */
bool quorum_may_ask(const struct coordinator *c, const struct record *r, uint8_t seat);
/* The request names the party. */
bool quorum_is_preferred(const struct record *r, const char *party_id);

#endif
