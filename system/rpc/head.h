/* SPDX-License-Identifier: Apache-2.0 */
/* The header fields of one message: names lower case, a repeated field joined by ", " (RFC 9110,
 * 5.3), so that nobody can look at one and overlook the other. Bounded in bytes and in number. */
#ifndef SYSTEM_RPC_HEAD_H
#define SYSTEM_RPC_HEAD_H

#include "system/core/buffer.h"

#include <stdbool.h>
#include <stddef.h>

enum { HEAD_FIELDS_MAX = 100 };

/* A field to send; both strings are lent. */
struct rpc_field {
    const char *name, *value;
};

/* Empty if it is all zero but |max|. */
struct head {
    /* names and values, each with its zero byte */
    struct buffer text;
    /* pairs of offsets into |text| */
    struct buffer places;
    /* bytes allowed in |text| */
    size_t max;
};

/* False, and nothing added, when it would be more than head->max bytes or HEAD_FIELDS_MAX fields,
 * or there is a zero byte in it. */
bool head_add(struct head *head, const char *name, size_t name_len, const char *value,
              size_t value_len);
/* NULL if it is missing. Lent until the next head_add. */
const char *head_get(const struct head *head, const char *name);
void head_free(struct head *head);

/* Is |word| one of the comma-separated words of |list|? Either case. |list| NULL: no. */
bool head_list_has(const char *list, const char *word);
/* Is |value| the media type |type|, whatever parameters follow? Either case. */
bool head_is_type(const char *value, const char *type);

#endif
