/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of a command on stdout: one JSON object, shown as JSON or as lines of text. */
#ifndef QUORATE_CLI_REPORT_H
#define QUORATE_CLI_REPORT_H

#include <jansson.h>
#include <stdbool.h>

/* Takes |report|. False if stdout could not take it, which was said. */
bool report_print(json_t *report, bool as_json);

/* One line of text, printable. */
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* After the last printf: false if stdout could not take everything, which was said. */
bool report_flush(void);

/* Add to |object|; |value| is taken. */
void report_add(json_t *object, const char *key, json_t *value);
/* |text| NULL: nothing. */
void report_add_text(json_t *object, const char *key, const char *text);

#endif
