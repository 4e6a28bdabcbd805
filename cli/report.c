/* SPDX-License-Identifier: Apache-2.0 */
/* Reports. In text a key is shown with blanks for underscores, nested objects are indented, and a
 * duration says its unit behind the number. */
#include "report.h"

#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_WIDTH = 20 };

void report_add(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        exit(refuse("out of memory"));
}

void report_add_text(json_t *object, const char *key, const char *text)
{
    if (text)
        report_add(object, key, json_string(text));
}

/* Whoever made the text must not write on the terminal by it. */
static void put_text(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void put_scalar(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        put_text(json_string_value(value));
        return;
    case JSON_INTEGER:
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    case JSON_REAL:
        printf("%.1f", json_real_value(value));
        return;
    default:
        printf("%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "none");
        return;
    }
}

static bool is_scalar(const json_t *value)
{
    return !json_is_object(value) && !json_is_array(value);
}

/* Does it fit on its key's line? */
static bool is_flat(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!is_scalar(json_array_get(value, i)))
            return false;
    }
    return !json_is_object(value);
}

/* "1, 2, 3", or "none". */
static void put_flat_array(const json_t *array)
{
    printf("%s", json_array_size(array) ? "" : "none");
    for (size_t i = 0; i < json_array_size(array); i++) {
        printf("%s", i ? ", " : "");
        put_scalar(json_array_get(array, i));
    }
    printf("\n");
}

/* Is it a duration, such as "signing_ms": 13.4? */
static bool is_duration(const char *key, const json_t *value)
{
    size_t len = strlen(key);

    return json_is_real(value) && len > 3 && strcmp(key + len - 3, "_ms") == 0;
}

/* The number of columns that it took. */
static int put_key(const char *key, size_t len, int level)
{
    printf("%*s", 2 * level, "");
    for (size_t i = 0; i < len; i++)
        putchar(key[i] == '_' ? ' ' : key[i]);
    return 2 * level + (int)len;
}

static void put_blanks(int column)
{
    printf("%*s", KEY_WIDTH - column > 0 ? KEY_WIDTH - column : 1, "");
}

static void put_object(json_t *object, int level);

/* What takes more lines; |level| is theirs. */
static void put_nested(json_t *value, int level)
{
    printf("\n");
    if (json_is_object(value))
        put_object(value, level);
    for (size_t i = 0; i < json_array_size(value); i++) {
        printf("%s", i ? "\n" : "");
        put_object(json_array_get(value, i), level);
    }
}

static void put_object(json_t *object, int level)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        bool unit = is_duration(key, value);
        int column = put_key(key, strlen(key) - (unit ? 3 : 0), level);

        if (!is_flat(value)) {
            put_nested(value, level + 1);
            continue;
        }
        put_blanks(column);
        if (json_is_array(value)) {
            put_flat_array(value);
        } else {
            put_scalar(value);
            printf("%s\n", unit ? " ms" : "");
        }
    }
}

/* Why stdout failed first; 0: it did not. */
static int stdout_error;

/* So that the reason of a write error is known at the end, after printf. */
static void note(void)
{
    int why = errno;

    if (ferror(stdout) && !stdout_error)
        stdout_error = why ? why : EIO;
}

bool report_print(json_t *report, bool as_json)
{
    if (as_json) {
        json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        note();
        printf("\n");
    } else {
        put_object(report, 0);
    }
    note();
    json_decref(report);
    return report_flush();
}

void report_line(const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_text(text);
    putchar('\n');
    note();
}

bool report_flush(void)
{
    (void)fflush(stdout);
    note();
    if (!stdout_error)
        return true;
    say("cannot write to stdout: %s", strerror(stdout_error));
    return false;
}
