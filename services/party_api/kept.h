/* SPDX-License-Identifier: Apache-2.0 */
/* Users' sealed shares until their owners confirmed them, or an hour is over: only the owner can
 * open one. A confirmed share leaves its session's id, so that repeats get the same answer. */
#ifndef SERVICES_PARTY_API_KEPT_H
#define SERVICES_PARTY_API_KEPT_H

#include "system/core/ids.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEPT_MS = 3600000, KEPT_MAX = 65536, KEPT_KEY_BYTES = 33 };

struct kept {
    struct kept *next;
    char session_id[ID_TEXT_MAX];
    /* the key is made: the session was completed */
    bool is_complete;
    bool is_confirmed;
    uint8_t public_key[KEPT_KEY_BYTES];
    /* NULL once confirmed */
    uint8_t *sealed;
    size_t sealed_len;
    int64_t until_ms;
};

/* All zero is empty. */
struct kept_list {
    struct kept *first;
    size_t n;
};

struct kept *kept_find(const struct kept_list *list, const char *session_id);
/* A share of a session, instead of an earlier one. False: too many are kept, or it was
 * confirmed. */
bool kept_put(struct kept_list *list, const char *session_id, const uint8_t *sealed, size_t len,
              const uint8_t public_key[KEPT_KEY_BYTES], int64_t now_ms);
void kept_confirm(struct kept *kept);
void kept_remove(struct kept_list *list, const char *session_id);
/* Forget what is older than an hour. */
void kept_expire(struct kept_list *list, int64_t now_ms);
void kept_free(struct kept_list *list);

#endif
