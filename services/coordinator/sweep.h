/* SPDX-License-Identifier: Apache-2.0 */
/* What time does: attempts and sessions that are over, waits that ran out, parties that did not
 * come back, old sessions deleted. One timer. */
#ifndef COORDINATOR_SWEEP_H
#define COORDINATOR_SWEEP_H

#include "services/coordinator/coordinator.h"

void sweep_start(struct coordinator *c);
/* Something with a deadline began: look often. */
void sweep_wake(struct coordinator *c);
void sweep_stop(struct coordinator *c);

#endif
