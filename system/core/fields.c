/* SPDX-License-Identifier: Apache-2.0 */
/* See fields.h. */
#include "system/core/fields.h"

#include "system/core/be.h"

#include <string.h>

uint8_t *fields_put(uint8_t *at, const void *b, size_t len)
{
    if (len > 0)
        memcpy(at, b, len);
    return at + len;
}

uint8_t *fields_put_number(uint8_t *at, uint64_t v, size_t number_len)
{
    be_put(at, number_len, v);
    return at + number_len;
}

const uint8_t *fields_take(struct fields *f, size_t len)
{
    const uint8_t *at = f->b;

    if (f->failed || f->left < len) {
        f->failed = true;
        return NULL;
    }
    f->b += len;
    f->left -= len;
    return at;
}

void fields_copy(struct fields *f, void *out, size_t len)
{
    const uint8_t *b = fields_take(f, len);

    if (b)
        memcpy(out, b, len);
    else
        memset(out, 0, len);
}

uint64_t fields_number(struct fields *f, size_t number_len)
{
    const uint8_t *b = fields_take(f, number_len);

    return b ? be_get(b, number_len) : 0;
}

bool fields_end(const struct fields *f)
{
    return !f->failed && f->left == 0;
}
