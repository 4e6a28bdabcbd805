/* SPDX-License-Identifier: Apache-2.0 */
/* A list: there are as many as delegates' keygens in an hour. */
#include "services/party_api/kept.h"

#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

struct kept *kept_find(const struct kept_list *list, const char *session_id)
{
    struct kept *kept = list->first;

    while (kept && strcmp(kept->session_id, session_id) != 0)
        kept = kept->next;
    return kept;
}

static struct kept *add(struct kept_list *list, const char *session_id)
{
    struct kept *kept;

    if (list->n >= KEPT_MAX || strlen(session_id) >= ID_TEXT_MAX)
        return NULL;
    kept = mem_new(1, sizeof *kept);
    memcpy(kept->session_id, session_id, strlen(session_id) + 1);
    kept->next = list->first;
    list->first = kept;
    list->n++;
    return kept;
}

bool kept_put(struct kept_list *list, const char *session_id, const uint8_t *sealed, size_t len,
              const uint8_t public_key[KEPT_KEY_BYTES], int64_t now_ms)
{
    struct kept *kept = kept_find(list, session_id);

    if (kept && kept->is_confirmed)
        return false;
    if (!kept)
        kept = add(list, session_id);
    if (!kept)
        return false;
    free(kept->sealed);
    kept->sealed = mem_copy(sealed, len);
    kept->sealed_len = len;
    memcpy(kept->public_key, public_key, KEPT_KEY_BYTES);
    kept->until_ms = now_ms + KEPT_MS;
    return true;
}

void kept_confirm(struct kept *kept)
{
    kept->is_confirmed = true;
    free(kept->sealed);
    kept->sealed = NULL;
    kept->sealed_len = 0;
}

static void remove_at(struct kept_list *list, struct kept **at)
{
    struct kept *kept = *at;

    *at = kept->next;
    list->n--;
    free(kept->sealed);
    free(kept);
}

void kept_remove(struct kept_list *list, const char *session_id)
{
    struct kept **at = &list->first;

    while (*at && strcmp((*at)->session_id, session_id) != 0)
        at = &(*at)->next;
    if (*at)
        remove_at(list, at);
}

void kept_expire(struct kept_list *list, int64_t now_ms)
{
    struct kept **at = &list->first;

    while (*at) {
        if ((*at)->until_ms <= now_ms)
            remove_at(list, at);
        else
            at = &(*at)->next;
    }
}

void kept_free(struct kept_list *list)
{
    while (list->first)
        remove_at(list, &list->first);
}
