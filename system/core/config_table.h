/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind config.h: one row per variable. A row is the only place that knows a variable's
 * name, form, default and meaning. */
#ifndef SYSTEM_CORE_CONFIG_TABLE_H
#define SYSTEM_CORE_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_form {
    CONFIG_FORM_TEXT,
    /* |min| .. |max| */
    CONFIG_FORM_INT,
    /* exactly |min| bytes, twice as many hex digits */
    CONFIG_FORM_KEY,
    /* text of at least |min| characters */
    CONFIG_FORM_SECRET_TEXT,
    /* |min| to |max| items; |max| 0: any number */
    CONFIG_FORM_LIST,
    /* at most |max| keys of exactly |min| bytes each, in hex */
    CONFIG_FORM_KEYS,
    /* one of the words in |words|, separated by | */
    CONFIG_FORM_WORD,
    /* addresses or CIDR ranges, comma separated */
    CONFIG_FORM_ADDRESSES,
    /* host:port */
    CONFIG_FORM_TARGET,
    /* one host:port, or several, comma separated */
    CONFIG_FORM_TARGETS,
    /* origins as browsers tell them, comma separated; or * */
    CONFIG_FORM_ORIGINS,
    /* names that parties can have, each alone or as name:role, comma separated */
    CONFIG_FORM_ROLES
};

/* CONFIG_EXAMPLE: the placeholder may be the real value too, as a path may. CONFIG_HTTPS: the
 * target is spoken to with TLS, whatever the variable TLS says. */
enum { CONFIG_SECRET = 1, CONFIG_REQUIRED = 2, CONFIG_EXAMPLE = 4, CONFIG_HTTPS = 8 };

struct config_row {
    const char *name;
    /* enum config_program bits */
    unsigned programs;
    enum config_form form;
    unsigned flags;
    /* NULL: none */
    const char *fallback;
    int64_t min, max;
    const char *words;
    /* one sentence */
    const char *help;
    /* the placeholder of .env.example, refused in production; NULL: the default is shown */
    const char *placeholder;
};

/* |config_rows_n| rows, in the order of the reference. */
extern const struct config_row config_rows[];
extern const size_t config_rows_n;

/* A required variable that need not be set while another, which stands before it, has this value.
 */
struct config_exception {
    const char *name, *other, *value;
};

extern const struct config_exception config_exceptions[];
extern const size_t config_exceptions_n;

#endif
