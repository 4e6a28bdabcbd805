/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line per event on stderr, `time level service message key=value ...`, values quoted
 * when they need it. Never a secret, never a payload. Each failure is told once, where it is known
 * what it means. Safe from any thread; one write per line.
 *
 *     log_event(LOG_INFO, "signing started", LOG_S("session", id), LOG_S("trace", trace),
 *               LOG_I("attempt", attempt));
 */
#ifndef SYSTEM_CORE_LOG_H
#define SYSTEM_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* |key| is a constant; text that is NULL is written as empty. */
struct log_field {
    const char *key;
    const char *text;
    int64_t number;
    bool is_text;
};
#define LOG_S(k, v) ((struct log_field){.key = (k), .text = (v), .is_text = true})
#define LOG_I(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})

/* Name of the service and the least level that is written. Before: "quorate", LOG_INFO. */
void log_setup(const char *service, enum log_level least);
/* debug, info, warn, error; LOG_INFO for anything else. */
enum log_level log_level_of(const char *name);
void log_fields(enum log_level level, const char *message, const struct log_field *fields,
                size_t n);
void log_line(enum log_level level, const char *message);
/* |...|: one or more of LOG_S and LOG_I. */
#define log_event(level, message, ...)                                                             \
    log_fields(level, message, (const struct log_field[]){__VA_ARGS__},                            \
               sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
