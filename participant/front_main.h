/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of parties have in common: one executable that is front, keeper or policy
 * helper, by its arguments; the front starts the keeper before it does anything else. */
#ifndef PARTICIPANT_FRONT_MAIN_H
#define PARTICIPANT_FRONT_MAIN_H

#include "participant/front.h"
#include "system/service/service.h"

/* main of a party: service_main with a keeper at its side. Exit codes are the service's. */
int front_main(int argc, char **argv, const struct service_def *def);

/* The front of this process, for service_def.start: dials router and coordinator as configured.
 * Its faults are the service's. |host| may be NULL; copied. */
struct front *front_begin(const struct service_host *service, const struct front_host *host);

#endif
