/* SPDX-License-Identifier: Apache-2.0 */
/* What is printed: a table for people, the same rows as JSON for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "sample.h"

#include <stdbool.h>
#include <stdio.h>

struct report {
    FILE *json; /* NULL: none */
    bool first; /* no row in the JSON yet */
    const char *section;
    unsigned rows, missed;
    unsigned wrong; /* exact values that differ: an error, not a matter of speed */
};

bool report_open(struct report *r, const char *json_path, const char *commit,
                 const char *section_of_machine);
void report_close(struct report *r);
void report_section(struct report *r, const char *title);

/* A time against V; |must_v| is the most it may be, 0: no limit. */
void report_time(struct report *r, const char *name, const struct timing *t, double must_v);
/* A number that must be exactly |must| (bytes of messages), or at most (|at_most|). */
void report_count(struct report *r, const char *name, size_t value, size_t must, bool at_most);
/* A number without a limit. */
void report_value(struct report *r, const char *name, double value, const char *unit);

#endif
