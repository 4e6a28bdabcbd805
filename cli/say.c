/* SPDX-License-Identifier: Apache-2.0 */
/* Talk on stderr. Every line leaves in one write, so lines of several processes do not mix. The
 * state here (is a progress line shown) is the terminal's, one per process. */
#include "say.h"

#include "quorate/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool progress_shown;

static void tame(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

static void put(const char *b, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, b, len);

        if (n <= 0)
            return;
        b += n;
        len -= (size_t)n;
    }
}

static void put_line(const char *prefix, const char *format, va_list args)
{
    char line[1200];
    size_t at = (size_t)snprintf(line, sizeof line, "%s", prefix);

    vsnprintf(line + at, sizeof line - at - 1, format, args);
    tame(line);
    strcat(line, "\n");
    say_progress_end();
    put(line, strlen(line));
}

bool trouble_set(struct trouble *trouble, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(trouble->text, sizeof trouble->text, format, args);
    va_end(args);
    return false;
}

void trouble_add(struct trouble *trouble, const char *format, ...)
{
    size_t at = strlen(trouble->text);
    va_list args;

    va_start(args, format);
    vsnprintf(trouble->text + at, sizeof trouble->text - at, format, args);
    va_end(args);
}

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_line("quorate: ", format, args);
    va_end(args);
}

int refuse(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_line("quorate: ", format, args);
    va_end(args);
    return EXIT_REFUSED;
}

int refuse_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_line("quorate: ", format, args);
    va_end(args);
    return EXIT_USAGE;
}

void say_progress(const char *format, ...)
{
    char line[200];
    va_list args;

    if (!isatty(STDERR_FILENO))
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    tame(line);
    put("\r", 1);
    put(line, strlen(line));
    put("\033[K", 3);
    progress_shown = true;
}

void say_progress_end(void)
{
    if (progress_shown)
        put("\r\033[K", 4);
    progress_shown = false;
}

/* The library's hook for bugs. */
QRT_NORETURN void qrt_panic(const char *file, int line)
{
    say("a bug in the library, at %s:%d; nothing more is done", file, line);
    abort();
}
