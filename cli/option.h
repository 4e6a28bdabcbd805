/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a subcommand: one table makes the parser and the --help page. */
#ifndef QUORATE_CLI_OPTION_H
#define QUORATE_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>

enum { OPTION_REPEATS = 65 };

struct option_row {
    const char *name;   /* "--json" */
    const char *arg;    /* what the help page calls its value; NULL: a flag. With "..." at its end
                         * it may be given several times, a value each: |value| has
                         * OPTION_REPEATS places and is NULL behind the last */
    bool *flag;         /* set for a flag */
    const char **value; /* set for a value */
    const char *help;
};

struct options {
    const char *command; /* "verify" */
    const char *rest;    /* how the help page shows what is no option, "" if nothing is taken */
    const char *help;    /* paragraphs above the table */
    const struct option_row *rows;
    size_t rows_n;
};

enum options_answer { OPTIONS_GO, OPTIONS_HELPED, OPTIONS_BAD };

/* Read argv[1..]. What is no option goes to |rest|, at most |rest_max|; its number to |rest_n|.
 * OPTIONS_HELPED: --help was given and answered; OPTIONS_BAD: the mistake was said. */
enum options_answer options_read(const struct options *options, char **argv, const char **rest,
                                 size_t rest_max, size_t *rest_n);

/* The same, where options->rest is "init" or "list|verify": the word, or one of the two, has to
 * follow, and goes to |word|. */
enum options_answer options_read_word(const struct options *options, char **argv,
                                      const char **word);

/* The exit code of a command whose options answered something else than OPTIONS_GO. */
int options_code(enum options_answer answer);

/* A decimal number in [min, max]. */
bool option_number(long *out, const char *text, long min, long max);

#endif
