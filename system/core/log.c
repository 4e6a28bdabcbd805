/* SPDX-License-Identifier: Apache-2.0 */
/* The log. A line is built on the stack and written at once, so lines of threads and processes that
 * share stderr do not mix. A line that does not fit is cut and ends with "...". Text from outside
 * cannot forge a line or steer a terminal: what is not printable ASCII is escaped. */
#include "system/core/log.h"

#include "system/core/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, END_BYTES = 5 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static char service_name[64] = "quorate";
static enum log_level least_level = LOG_INFO;

struct line {
    size_t len;
    bool cut;
    char b[LINE_MAX_BYTES];
};

void log_setup(const char *service, enum log_level least)
{
    snprintf(service_name, sizeof service_name, "%s", service);
    least_level = least;
}

enum log_level log_level_of(const char *name)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(name, level_names[i]) == 0)
            return (enum log_level)i;
    }
    return LOG_INFO;
}

static void add(struct line *line, const char *text, size_t len)
{
    if (line->cut || len > sizeof line->b - END_BYTES - line->len) {
        line->cut = true;
        return;
    }
    memcpy(line->b + line->len, text, len);
    line->len += len;
}

static void add_text(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

static bool is_plain(char c)
{
    return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '=';
}

static void add_escaped(struct line *line, const char *text)
{
    for (; *text && !line->cut; text++) {
        char hex[5];

        if (*text == '"' || *text == '\\')
            add(line, "\\", 1);
        if (*text >= ' ' && *text <= '~') {
            add(line, text, 1);
            continue;
        }
        snprintf(hex, sizeof hex, "\\x%02x", (unsigned char)*text);
        add_text(line, *text == '\n' ? "\\n" : hex);
    }
}

static void add_value(struct line *line, const char *text)
{
    const char *c = text;

    while (is_plain(*c))
        c++;
    if (*c == 0 && c != text) {
        add_text(line, text);
        return;
    }
    add(line, "\"", 1);
    add_escaped(line, text);
    add(line, "\"", 1);
}

/* The time in the zone of TZ, with its offset; Z if that is none. */
static void add_time(struct line *line)
{
    int64_t now = clock_unix_ms();
    time_t seconds = (time_t)(now / 1000);
    char day[32], zone[8], text[64];
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z", &tm);
    if (strcmp(zone, "+0000") == 0)
        snprintf(text, sizeof text, "%s.%03dZ", day, (int)(now % 1000));
    else
        snprintf(text, sizeof text, "%s.%03d%.3s:%s", day, (int)(now % 1000), zone, zone + 3);
    add_text(line, text);
}

static void add_field(struct line *line, const struct log_field *field)
{
    char number[24];

    add(line, " ", 1);
    add_text(line, field->key);
    add(line, "=", 1);
    if (field->is_text) {
        add_value(line, field->text ? field->text : "");
        return;
    }
    snprintf(number, sizeof number, "%" PRId64, field->number);
    add_text(line, number);
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    struct line line = {.len = 0};

    if (level < least_level)
        return;
    add_time(&line);
    add(&line, " ", 1);
    add_text(&line, level_names[level]);
    add(&line, " ", 1);
    add_text(&line, service_name);
    add(&line, " ", 1);
    add_escaped(&line, message);
    for (size_t i = 0; i < n; i++)
        add_field(&line, &fields[i]);
    if (line.cut) {
        memcpy(line.b + line.len, " ...", 4);
        line.len += 4;
    }
    line.b[line.len++] = '\n';
    /* a log that cannot be written is nobody's to tell */
    (void)!write(STDERR_FILENO, line.b, line.len);
}

void log_line(enum log_level level, const char *message)
{
    log_fields(level, message, NULL, 0);
}
