/* SPDX-License-Identifier: Apache-2.0 */
/* The options that every service takes. */
#ifndef SYSTEM_SERVICE_OPTIONS_H
#define SYSTEM_SERVICE_OPTIONS_H

#include "system/core/config.h"

#include <stdbool.h>

struct options {
    /* NULL: not given */
    const char *env_file;
    /* --check: look at the configuration, then end */
    bool check;
};

/* -1: go on; otherwise the exit status, and everything there was to say has been said. */
int options_parse(struct options *out, int argc, char **argv, enum config_program program);

#endif
