/* SPDX-License-Identifier: Apache-2.0 */
/* Reports. In text a key is shown with blanks for underscores, nested objects are indented, and a
 * duration says its unit behind the number. */
#include "report.h"

#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_WIDTH = 20 };

void report_add(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        exit(refuse("out of memory"));
}

static void put_scalar(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        printf("%s", json_string_value(value));
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

/* "1, 2, 3" if all are scalars, "none" if there are none. */
static bool put_flat_array(const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (!is_scalar(json_array_get(array, i)))
            return false;
    }
    printf("%s", json_array_size(array) ? "" : "none");
    for (size_t i = 0; i < json_array_size(array); i++) {
        printf("%s", i ? ", " : "");
        put_scalar(json_array_get(array, i));
    }
    printf("\n");
    return true;
}

/* Is it a duration, such as "signing_ms": 13.4? */
static bool is_duration(const char *key, const json_t *value)
{
    size_t len = strlen(key);

    return json_is_real(value) && len > 3 && strcmp(key + len - 3, "_ms") == 0;
}

static void put_key(const char *key, size_t len, int level)
{
    int n = printf("%*s", 2 * level, "");

    for (size_t i = 0; i < len; i++, n++)
        putchar(key[i] == '_' ? ' ' : key[i]);
    printf("%*s", KEY_WIDTH - n > 0 ? KEY_WIDTH - n : 1, "");
}

static void put_object(json_t *object, int level);

/* What has no line of its own; |level| is theirs. */
static void put_nested(json_t *value, int level)
{
    if (json_is_object(value)) {
        printf("\n");
        put_object(value, level);
        return;
    }
    if (put_flat_array(value))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        printf("\n");
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

        put_key(key, strlen(key) - (unit ? 3 : 0), level);
        if (is_scalar(value)) {
            put_scalar(value);
            printf("%s\n", unit ? " ms" : "");
        } else {
            put_nested(value, level + 1);
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

bool report_flush(void)
{
    (void)fflush(stdout);
    note();
    if (!stdout_error)
        return true;
    say("cannot write to stdout: %s", strerror(stdout_error));
    return false;
}
