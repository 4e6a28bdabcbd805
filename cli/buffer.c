/* SPDX-License-Identifier: Apache-2.0 */
/* Growing bytes; capacity doubles. */
#include "buffer.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>

void *need(size_t len)
{
    void *p = malloc(len ? len : 1);

    if (!p)
        exit(refuse("out of memory"));
    return p;
}

void buffer_put(struct buffer *buffer, const void *b, size_t len)
{
    if (len > buffer->cap - buffer->len) {
        size_t cap = 2 * (buffer->len + len);
        uint8_t *grown = need(cap);

        if (buffer->len)
            memcpy(grown, buffer->b, buffer->len);
        free(buffer->b);
        buffer->b = grown;
        buffer->cap = cap;
    }
    if (len)
        memcpy(buffer->b + buffer->len, b, len);
    buffer->len += len;
}

void buffer_put_byte(struct buffer *buffer, uint8_t byte)
{
    buffer_put(buffer, &byte, 1);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->b);
    *buffer = (struct buffer){0};
}
