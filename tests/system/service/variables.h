/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a service on this machine: loopback, plain text, free ports. */
#ifndef TESTS_SYSTEM_SERVICE_VARIABLES_H
#define TESTS_SYSTEM_SERVICE_VARIABLES_H

#include "system/core/config.h"

/* Sets every variable that a router or coordinator needs; call it before each config_load, which
 * wipes secrets. */
void variables_set(void);
/* Loads them; a fault ends the test. The caller frees it. */
struct config *variables_load(enum config_program program);

#endif
