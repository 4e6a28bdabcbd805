/* SPDX-License-Identifier: Apache-2.0 */
/* See head.h. */
#include "system/rpc/head.h"

#include <string.h>
#include <strings.h>

struct place {
    size_t name, value;
};

static struct place *place_of(const struct head *head, const char *name, size_t len)
{
    struct place *places = (struct place *)(void *)head->places.b;

    for (size_t i = 0; i < head->places.len / sizeof *places; i++) {
        const char *have = (const char *)head->text.b + places[i].name;

        if (strncasecmp(have, name, len) == 0 && !have[len])
            return &places[i];
    }
    return NULL;
}

static size_t add_text(struct head *head, const char *text, size_t len)
{
    size_t at = head->text.len;

    buffer_add(&head->text, text, len);
    buffer_add(&head->text, "", 1);
    return at;
}

/* The joined value is a fresh one: the room of the old is not used again, and counts. */
static bool join(struct head *head, struct place *place, const char *value, size_t len)
{
    size_t old = strlen((const char *)head->text.b + place->value);
    struct buffer both = {0};

    if (head->text.len + old + len + 3 > head->max)
        return false;
    buffer_add(&both, head->text.b + place->value, old);
    buffer_add(&both, ", ", 2);
    buffer_add(&both, value, len);
    place->value = add_text(head, (const char *)both.b, both.len);
    buffer_free(&both);
    return true;
}

bool head_add(struct head *head, const char *name, size_t name_len, const char *value,
              size_t value_len)
{
    struct place *have = place_of(head, name, name_len);
    struct place place;

    if ((value_len && memchr(value, 0, value_len)) || (name_len && memchr(name, 0, name_len)))
        return false;
    if (have)
        return join(head, have, value, value_len);
    if (head->text.len + name_len + value_len + 2 > head->max ||
        head->places.len / sizeof place >= HEAD_FIELDS_MAX)
        return false;
    place.name = add_text(head, name, name_len);
    for (size_t i = place.name; i < place.name + name_len; i++) {
        if (head->text.b[i] >= 'A' && head->text.b[i] <= 'Z')
            head->text.b[i] = (uint8_t)(head->text.b[i] + ('a' - 'A'));
    }
    place.value = add_text(head, value, value_len);
    buffer_add(&head->places, &place, sizeof place);
    return true;
}

const char *head_get(const struct head *head, const char *name)
{
    const struct place *place = place_of(head, name, strlen(name));

    return place ? (const char *)head->text.b + place->value : NULL;
}

void head_free(struct head *head)
{
    buffer_free(&head->text);
    buffer_free(&head->places);
}

bool head_list_has(const char *list, const char *word)
{
    size_t len = strlen(word);

    while (list && *list) {
        size_t n;

        list += strspn(list, " \t,");
        n = strcspn(list, ",");
        while (n && (list[n - 1] == ' ' || list[n - 1] == '\t'))
            n--;
        if (n == len && strncasecmp(list, word, len) == 0)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

bool head_is_type(const char *value, const char *type)
{
    size_t len = strlen(type);

    if (!value || strncasecmp(value, type, len) != 0)
        return false;
    value += len;
    value += strspn(value, " \t");
    return !*value || *value == ';';
}
