/* SPDX-License-Identifier: Apache-2.0 */
/* Options: "--name value", "--name=value" and flags, each at most once. "--" ends them. */
#include "option.h"

#include "report.h"
#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool takes_many(const struct option_row *row)
{
    size_t len = row->arg ? strlen(row->arg) : 0;

    return len > 3 && strcmp(row->arg + len - 3, "...") == 0;
}

static void help_row(const struct option_row *row)
{
    const char *arg = row->arg ? row->arg : "";
    const bool is_many = takes_many(row);
    char left[64];

    snprintf(left, sizeof left, "%s%s%.*s", row->name, row->arg ? " " : "",
             (int)(strlen(arg) - (is_many ? 3 : 0)), arg);
    printf("  %-26s %s%s\n", left, row->help, is_many ? "; may be given several times" : "");
}

static void help(const struct options *o)
{
    printf("usage: quorate %s [options]%s%s\n\n%s\n\noptions:\n", o->command, o->rest[0] ? " " : "",
           o->rest, o->help);
    for (size_t i = 0; i < o->rows_n; i++)
        help_row(&o->rows[i]);
    printf("  %-26s %s\n", "--help", "this page");
}

static const struct option_row *find(const struct options *o, const char *name, size_t len)
{
    for (size_t i = 0; i < o->rows_n; i++) {
        if (strlen(o->rows[i].name) == len && memcmp(o->rows[i].name, name, len) == 0)
            return &o->rows[i];
    }
    return NULL;
}

static bool set_flag(const struct options *o, const struct option_row *row, bool has_value)
{
    if (has_value) {
        say("%s takes no value; see quorate %s --help", row->name, o->command);
        return false;
    }
    *row->flag = true;
    return true;
}

/* Where the next value of an option goes; NULL if it has them all. */
static const char **place_of(const struct option_row *row)
{
    size_t most = takes_many(row) ? OPTION_REPEATS - 1 : 1, n = 0;

    while (n < most && row->value[n])
        n++;
    return n < most ? &row->value[n] : NULL;
}

static bool set_value(const struct options *o, const struct option_row *row, const char *value)
{
    const char **place = place_of(row);

    if (!value) {
        say("%s needs a value (%s); see quorate %s --help", row->name, row->arg, o->command);
        return false;
    }
    if (!value[0]) {
        say("%s is empty; see quorate %s --help", row->name, o->command);
        return false;
    }
    if (!place) {
        if (takes_many(row))
            say("%s is given more than %d times", row->name, OPTION_REPEATS - 1);
        else
            say("%s is given twice", row->name);
        return false;
    }
    *place = value;
    return true;
}

/* One option at argv[0]; returns how many words it took, 0 if it is wrong. */
static int one(const struct options *o, char **argv)
{
    const char *equals = strchr(argv[0], '=');
    size_t len = equals ? (size_t)(equals - argv[0]) : strlen(argv[0]);
    const struct option_row *row = find(o, argv[0], len);

    if (!row) {
        say("unknown option %.*s; see quorate %s --help", (int)len, argv[0], o->command);
        return 0;
    }
    if (!row->arg)
        return set_flag(o, row, equals != NULL) ? 1 : 0;
    if (equals)
        return set_value(o, row, equals + 1) ? 1 : 0;
    return set_value(o, row, argv[1]) ? 2 : 0;
}

static bool wants_help(char **argv)
{
    for (argv++; *argv && strcmp(*argv, "--") != 0; argv++) {
        if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0)
            return true;
    }
    return false;
}

enum options_answer options_read(const struct options *o, char **argv, const char **rest,
                                 size_t rest_max, size_t *rest_n)
{
    bool ended = false;

    *rest_n = 0;
    if (wants_help(argv)) {
        help(o);
        return OPTIONS_HELPED;
    }
    for (argv++; *argv;) {
        int took = 1;

        if (!ended && strcmp(*argv, "--") == 0) {
            ended = true;
        } else if (!ended && argv[0][0] == '-' && argv[0][1]) {
            took = one(o, argv);
        } else if (*rest_n < rest_max) {
            rest[(*rest_n)++] = *argv;
        } else {
            say("%s is one argument too many; see quorate %s --help", *argv, o->command);
            took = 0;
        }
        if (!took)
            return OPTIONS_BAD;
        argv += took;
    }
    return OPTIONS_GO;
}

static bool is_one_of(const char *word, const char *words)
{
    size_t len = strlen(word);

    for (; words; words = strchr(words, '|')) {
        words += *words == '|';
        if (strcspn(words, "|") == len && memcmp(words, word, len) == 0)
            return true;
    }
    return false;
}

static void say_what(const struct options *o)
{
    size_t first = strcspn(o->rest, "|");

    say("say what: quorate %s %.*s%s%s", o->command, (int)first, o->rest,
        o->rest[first] ? " or " : "", o->rest[first] ? o->rest + first + 1 : "");
}

enum options_answer options_read_word(const struct options *o, char **argv, const char **word)
{
    size_t n;
    enum options_answer answer = options_read(o, argv, word, 1, &n);

    if (answer != OPTIONS_GO || (n == 1 && is_one_of(*word, o->rest)))
        return answer;
    say_what(o);
    return OPTIONS_BAD;
}

int options_code(enum options_answer answer)
{
    if (answer == OPTIONS_HELPED)
        return report_flush() ? EXIT_DONE : EXIT_REFUSED;
    return EXIT_USAGE;
}

bool option_number(long *out, const char *text, long min, long max)
{
    char *end;

    errno = 0;
    *out = strtol(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *out >= min && *out <= max;
}
