/* SPDX-License-Identifier: Apache-2.0 */
/* Talk, all of it on stderr: one line per sentence, and a progress line while something works.
 * Data goes to stdout, through report.h. Text from files and peers is shown with its control
 * characters replaced, so that a file name cannot write on the terminal. */
#ifndef QUORATE_CLI_SAY_H
#define QUORATE_CLI_SAY_H

#include <stdbool.h>

/* What the process answers. */
enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

/* One clear sentence about what went wrong, passed up until somebody says it. */
struct trouble {
    char text[1024];
};

/* Set |trouble| and return false, for "return trouble_set(...)". */
bool trouble_set(struct trouble *trouble, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append. */
void trouble_add(struct trouble *trouble, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One line: "quorate: ...". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and the exit code to return. */
int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
int refuse_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line that is overwritten by the next; shown only if stderr is a terminal. */
void say_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Before anything else is written to the terminal. */
void say_progress_end(void);

#endif
