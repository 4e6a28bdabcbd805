/* SPDX-License-Identifier: Apache-2.0 */
/* What the coordinator counts. */
#ifndef COORDINATOR_MEASURE_H
#define COORDINATOR_MEASURE_H

#include "services/coordinator/coordinator.h"

void measure_init(struct coordinator *c);

#endif
