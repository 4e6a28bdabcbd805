/* SPDX-License-Identifier: Apache-2.0 */
/* Byte strings and heap that cannot fail. Capacity doubles, so that adding is linear in total; one
 * byte more than |cap| asks for is never needed because the ending zero is counted in it. */
#include "system/core/buffer.h"

#include "system/core/log.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void no_memory(void)
{
    log_line(LOG_ERROR, "out of memory: give this process more, then start it again");
    _exit(1);
}

void *mem_new(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        no_memory();
    return p;
}

void *mem_copy(const void *b, size_t len)
{
    void *p = mem_new(1, len);

    if (len)
        memcpy(p, b, len);
    return p;
}

char *text_copy(const char *text)
{
    return mem_copy(text, strlen(text) + 1);
}

void mem_give_back(void)
{
    (void)malloc_trim(0);
}

/* Room for |len| bytes more and a zero. */
static void reserve(struct buffer *buffer, size_t len)
{
    size_t cap = buffer->cap ? buffer->cap : 64;
    uint8_t *b;

    if (len >= SIZE_MAX / 2 - buffer->len)
        no_memory();
    while (cap < buffer->len + len + 1)
        cap *= 2;
    if (cap == buffer->cap)
        return;
    b = realloc(buffer->b, cap);
    if (!b)
        no_memory();
    buffer->b = b;
    buffer->cap = cap;
}

void buffer_add(struct buffer *buffer, const void *b, size_t len)
{
    reserve(buffer, len);
    if (len)
        memcpy(buffer->b + buffer->len, b, len);
    buffer->len += len;
    buffer->b[buffer->len] = 0;
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list first, second;
    int len;

    va_start(first, format);
    va_copy(second, first);
    len = vsnprintf(NULL, 0, format, first);
    va_end(first);
    if (len > 0) {
        reserve(buffer, (size_t)len);
        vsnprintf((char *)buffer->b + buffer->len, (size_t)len + 1, format, second);
        buffer->len += (size_t)len;
    }
    va_end(second);
}

void buffer_drop(struct buffer *buffer, size_t len)
{
    if (len >= buffer->len)
        len = buffer->len;
    if (len == 0)
        return;
    buffer->len -= len;
    memmove(buffer->b, buffer->b + len, buffer->len + 1);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->b);
    *buffer = (struct buffer){0};
}
