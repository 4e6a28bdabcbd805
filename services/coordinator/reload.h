/* SPDX-License-Identifier: Apache-2.0 */
/* The start: open sessions out of the database into memory. */
#ifndef COORDINATOR_RELOAD_H
#define COORDINATOR_RELOAD_H

#include "services/coordinator/coordinator.h"
#include "services/coordinator/store_read.h"

/* All of |load| into |c|, and the numbers of events from there. */
void reload(struct coordinator *c, const struct store_load *load);

#endif
