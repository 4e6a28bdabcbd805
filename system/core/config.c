/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a program's variables. Where a value is secret, every copy of it that this file makes
 * lies in guarded memory. Errors name the variable and never show its value. */
#include "system/core/config.h"

#include "system/core/buffer.h"
#include "system/core/config_file.h"
#include "system/core/config_form.h"
#include "system/core/config_table.h"
#include "system/core/ids.h"
#include "system/core/log.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct value {
    /* lists: the items one after another, each ended by a zero byte; NULL: not set */
    char *text;
    size_t n;
    /* decoded, of a list all of them */
    uint8_t *key;
};

struct config {
    unsigned programs;
    /* by row of the table */
    struct value *values;
};

static void *value_memory(const struct config_row *row, size_t len)
{
    return row->flags & CONFIG_SECRET ? secret_new(len) : mem_new(1, len);
}

static void value_free(const struct config_row *row, void *p)
{
    if (row->flags & CONFIG_SECRET)
        secret_free(p);
    else
        free(p);
}

/* Overwritten with zeroes up to its end, so that nothing of it stays in the process's block. */
static void wipe_variable(const struct config_row *row)
{
    char *text = row->flags & CONFIG_SECRET ? getenv(row->name) : NULL;

    if (text)
        sodium_memzero(text, strlen(text));
}

/* An empty variable is one that is not set. Lent; NULL if there is none. */
static const char *find_text(const struct config_row *row, const struct config_file *file)
{
    const char *text = getenv(row->name);

    if (!text || !*text)
        text = file ? config_file_value(file, row->name) : NULL;
    if (!text || !*text)
        text = row->fallback;
    return text && *text ? text : NULL;
}

static bool complain(char error[CONFIG_ERROR_MAX], const struct config_row *row, const char *what)
{
    char form[CONFIG_FORM_TEXT_MAX];

    config_form_text(form, row);
    snprintf(error, CONFIG_ERROR_MAX, "%s %s; it must be %s", row->name, what, form);
    return false;
}

/* The form has been checked. */
static void decode_keys(struct value *value, const struct config_row *row)
{
    size_t n = config_form_is_list(row->form) ? value->n : 1, len = (size_t)row->min;
    const char *item = value->text;

    value->key = value_memory(row, n * len + 1);
    for (size_t i = 0; i < n; i++, item += strlen(item) + 1)
        (void)hex_decode(value->key + i * len, len, item);
}

static bool take_value(struct value *value, const struct config_row *row, const char *text,
                       char error[CONFIG_ERROR_MAX])
{
    size_t len = strlen(text);

    value->text = value_memory(row, len + 1);
    memcpy(value->text, text, len + 1);
    if (config_form_is_list(row->form))
        value->n = config_form_split(value->text);
    if (!config_form_fits(row, value->text, value->n))
        return complain(error, row, "is not of the right form");
    if (row->form == CONFIG_FORM_KEY || row->form == CONFIG_FORM_KEYS)
        decode_keys(value, row);
    return true;
}

static bool is_placeholder(const struct value *value, const struct config_row *row)
{
    const char *item = value->text;

    if (!item || !row->placeholder || row->flags & CONFIG_EXAMPLE)
        return false;
    for (size_t i = 0; i < (value->n ? value->n : 1); i++) {
        if (strcmp(item, row->placeholder) == 0)
            return true;
        item += strlen(item) + 1;
    }
    return false;
}

/* Of the rows before: those that were loaded. */
static bool is_excused(const struct config *config, const struct config_row *row)
{
    for (size_t i = 0; i < config_exceptions_n; i++) {
        const struct config_exception *e = &config_exceptions[i];

        if (strcmp(e->name, row->name) == 0 && strcmp(config_text(config, e->other), e->value) == 0)
            return true;
    }
    return false;
}

static bool load_values(struct config *config, const struct config_file *file,
                        char error[CONFIG_ERROR_MAX])
{
    for (size_t i = 0; i < config_rows_n; i++) {
        const struct config_row *row = &config_rows[i];
        const char *text = row->programs & config->programs ? find_text(row, file) : NULL;

        if (!(row->programs & config->programs))
            continue;
        if (!text && row->flags & CONFIG_REQUIRED && !is_excused(config, row))
            return complain(error, row, "is not set");
        if (text && !take_value(&config->values[i], row, text, error))
            return false;
        wipe_variable(row);
    }
    return true;
}

static bool check_placeholders(const struct config *config, char error[CONFIG_ERROR_MAX])
{
    for (size_t i = 0; i < config_rows_n && config_is_production(config); i++) {
        if (is_placeholder(&config->values[i], &config_rows[i]))
            return complain(error, &config_rows[i],
                            "is still the placeholder of .env.example: set one of your own");
    }
    return true;
}

/* The log's times follow TZ, also when it stands in the file. */
static void set_zone(const struct config *config)
{
    setenv("TZ", config_text(config, "TZ"), 1);
    tzset();
}

struct config *config_load(enum config_program program, const char *env_file,
                           char error[CONFIG_ERROR_MAX])
{
    const char *path = env_file ? env_file : access(".env", F_OK) == 0 ? ".env" : NULL;
    struct config_file *file = path ? config_file_read(path, error) : NULL;
    struct config *config;
    bool ok;

    if (path && !file)
        return NULL;
    config = mem_new(1, sizeof *config);
    config->programs = program;
    config->values = mem_new(config_rows_n, sizeof *config->values);
    ok = load_values(config, file, error) && check_placeholders(config, error);
    config_file_free(file);
    if (ok) {
        set_zone(config);
        return config;
    }
    config_free(config);
    return NULL;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config_rows_n; i++) {
        value_free(&config_rows[i], config->values[i].text);
        value_free(&config_rows[i], config->values[i].key);
    }
    free(config->values);
    free(config);
}

static _Noreturn void bug(const char *name)
{
    log_event(LOG_ERROR, "asked for a variable that the table does not give this program so",
              LOG_S("name", name));
    abort();
}

static size_t find_row(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config_rows_n; i++) {
        if (strcmp(config_rows[i].name, name) == 0 && config_rows[i].programs & config->programs)
            return i;
    }
    bug(name);
}

const char *config_text(const struct config *config, const char *name)
{
    size_t i = find_row(config, name);
    enum config_form form = config_rows[i].form;

    if (form != CONFIG_FORM_TEXT && form != CONFIG_FORM_SECRET_TEXT && form != CONFIG_FORM_WORD &&
        form != CONFIG_FORM_TARGET && form != CONFIG_FORM_TARGETS)
        bug(name);
    return config->values[i].text ? config->values[i].text : "";
}

int64_t config_int(const struct config *config, const char *name)
{
    size_t i = find_row(config, name);
    int64_t number = 0;

    if (config_rows[i].form != CONFIG_FORM_INT || !config->values[i].text)
        bug(name);
    (void)config_form_number(&number, config->values[i].text);
    return number;
}

const uint8_t *config_key(const struct config *config, const char *name, size_t len)
{
    size_t i = find_row(config, name);

    if (config_rows[i].form != CONFIG_FORM_KEY || (size_t)config_rows[i].min != len)
        bug(name);
    return config->values[i].key;
}

const uint8_t *config_keys(const struct config *config, const char *name, size_t len, size_t *n)
{
    size_t i = find_row(config, name);

    if (config_rows[i].form != CONFIG_FORM_KEYS || (size_t)config_rows[i].min != len)
        bug(name);
    *n = config->values[i].n;
    return config->values[i].key;
}

size_t config_list_n(const struct config *config, const char *name)
{
    size_t i = find_row(config, name);

    if (!config_form_is_list(config_rows[i].form))
        bug(name);
    return config->values[i].n;
}

const char *config_list_item(const struct config *config, const char *name, size_t i)
{
    const struct value *value = &config->values[find_row(config, name)];
    const char *item = value->text;

    if (i >= config_list_n(config, name))
        bug(name);
    for (; i > 0; i--)
        item += strlen(item) + 1;
    return item;
}

bool config_is_production(const struct config *config)
{
    return strcmp(config_text(config, "ENVIRONMENT"), "development") != 0;
}
