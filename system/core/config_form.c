/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of values. Addresses and targets are checked by form alone: no name is looked up. */
#include "system/core/config_form.h"

#include "system/core/ids.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TARGET_TEXT_MAX = 300 };

bool config_form_number(int64_t *out, const char *text)
{
    size_t digits = strspn(text + (*text == '-'), "0123456789");
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return digits > 0 && *end == 0 && end == text + (*text == '-') + digits && errno == 0;
}

bool config_form_is_list(enum config_form form)
{
    return form == CONFIG_FORM_LIST || form == CONFIG_FORM_KEYS || form == CONFIG_FORM_ADDRESSES ||
           form == CONFIG_FORM_ORIGINS || form == CONFIG_FORM_ROLES;
}

size_t config_form_split(char *text)
{
    char *out = text, *in = text;
    size_t n = 0;

    while (in) {
        char *comma = strchr(in, ',');
        size_t len = comma ? (size_t)(comma - in) : strlen(in);
        char *next = comma ? comma + 1 : NULL;

        for (; len && strchr(" \t", *in); len--)
            in++;
        while (len && strchr(" \t", in[len - 1]))
            len--;
        memmove(out, in, len);
        out[len] = 0;
        out += len + 1;
        in = next;
        n++;
    }
    return n;
}

static bool is_hex(const char *text, size_t bytes)
{
    size_t n = 0;

    while (hex_digit(text[n]) >= 0)
        n++;
    return n == 2 * bytes && text[n] == 0;
}

static bool is_printable(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    }
    return true;
}

/* An address, or an address and /bits. */
static bool is_address(const char *text)
{
    char host[64];
    uint8_t b[16];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    int64_t bits = 0;
    bool is_v4;

    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    is_v4 = inet_pton(AF_INET, host, b) == 1;
    if (!is_v4 && inet_pton(AF_INET6, host, b) != 1)
        return false;
    if (slash && !config_form_number(&bits, slash + 1))
        return false;
    return bits >= 0 && bits <= (is_v4 ? 32 : 128);
}

/* name:port or [v6]:port */
static bool is_target(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    char host[64];
    uint8_t b[16];
    int64_t port;

    if (len == 0 || !config_form_number(&port, colon + 1) || port < 1 || port > 65535)
        return false;
    if (*text != '[')
        return strcspn(text, "[]/ \t:") == len;
    if (len < 3 || len - 2 >= sizeof host || text[len - 1] != ']')
        return false;
    memcpy(host, text + 1, len - 2);
    host[len - 2] = 0;
    return inet_pton(AF_INET6, host, b) == 1;
}

/* Targets with commas between, blanks around them. */
static bool is_targets(const char *text)
{
    char one[TARGET_TEXT_MAX];

    for (;;) {
        size_t len, end;

        text += strspn(text, " \t");
        len = strcspn(text, ", \t");
        end = len + strspn(text + len, " \t");
        if (len >= sizeof one || (text[end] && text[end] != ','))
            return false;
        memcpy(one, text, len);
        one[len] = 0;
        if (!is_target(one))
            return false;
        if (!text[end])
            return true;
        text += end + 1;
    }
}

/* scheme://host or scheme://host:port, and no more: a browser sends no path. */
static bool is_origin(const char *text)
{
    const char *host = strstr(text, "://");

    if (strcmp(text, "*") == 0)
        return true;
    return host && host > text && host[3] && strcspn(host + 3, "/?#@ ") == strlen(host + 3) &&
           is_printable(text);
}

static bool is_word(const char *words, const char *text)
{
    size_t len = strcspn(text, "|");

    for (const char *w = words; w && len && !text[len];
         w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL) {
        if (strncmp(w, text, len) == 0 && (w[len] == '|' || w[len] == 0))
            return true;
    }
    return false;
}

/* name or name:role */
static bool is_name_with_role(const char *text)
{
    size_t len = strcspn(text, ":");
    char name[65];

    if (len >= sizeof name)
        return false;
    memcpy(name, text, len);
    name[len] = 0;
    return party_id_is_valid(name) &&
           (!text[len] || is_word("persistent|delegate|temporary", text + len + 1));
}

static bool item_fits(const struct config_row *row, const char *item)
{
    if (row->form == CONFIG_FORM_KEYS)
        return is_hex(item, (size_t)row->min);
    if (row->form == CONFIG_FORM_ADDRESSES)
        return is_address(item);
    if (row->form == CONFIG_FORM_ORIGINS)
        return is_origin(item);
    if (row->form == CONFIG_FORM_ROLES)
        return is_name_with_role(item);
    return *item && is_printable(item);
}

static bool list_fits(const struct config_row *row, const char *items, size_t n)
{
    if (row->form == CONFIG_FORM_LIST && n < (size_t)row->min)
        return false;
    if (row->max && n > (size_t)row->max)
        return false;
    for (; n > 0; n--) {
        if (!item_fits(row, items))
            return false;
        items += strlen(items) + 1;
    }
    return true;
}

static bool number_fits(const struct config_row *row, const char *text)
{
    int64_t number;

    return config_form_number(&number, text) && number >= row->min && number <= row->max;
}

bool config_form_fits(const struct config_row *row, const char *text, size_t n)
{
    switch (row->form) {
    case CONFIG_FORM_TEXT:
        return is_printable(text);
    case CONFIG_FORM_INT:
        return number_fits(row, text);
    case CONFIG_FORM_KEY:
        return is_hex(text, (size_t)row->min);
    case CONFIG_FORM_SECRET_TEXT:
        return is_printable(text) && strlen(text) >= (size_t)row->min;
    case CONFIG_FORM_WORD:
        return is_word(row->words, text);
    case CONFIG_FORM_TARGET:
        return is_target(text);
    case CONFIG_FORM_TARGETS:
        return is_targets(text);
    case CONFIG_FORM_LIST:
    case CONFIG_FORM_KEYS:
    case CONFIG_FORM_ADDRESSES:
    case CONFIG_FORM_ORIGINS:
    case CONFIG_FORM_ROLES:
        return list_fits(row, text, n);
    }
    return false;
}

/* "a|b|c" as "a, b or c". */
static void words_text(char out[CONFIG_FORM_TEXT_MAX], const char *words)
{
    size_t at = 0;

    for (const char *w = words; *w && at < CONFIG_FORM_TEXT_MAX - 6; w++) {
        const char *between = strchr(w + 1, '|') ? ", " : " or ";

        if (*w != '|')
            out[at++] = *w;
        else
            at += (size_t)snprintf(out + at, 5, "%s", between);
    }
    out[at] = 0;
}

static void list_text(char out[CONFIG_FORM_TEXT_MAX], const struct config_row *row)
{
    if (row->min && row->max)
        snprintf(out, CONFIG_FORM_TEXT_MAX, "%" PRId64 " to %" PRId64 " texts, comma separated",
                 row->min, row->max);
    else
        snprintf(out, CONFIG_FORM_TEXT_MAX, "texts, comma separated");
}

void config_form_text(char out[CONFIG_FORM_TEXT_MAX], const struct config_row *row)
{
    const int64_t min = row->min, max = row->max;

    switch (row->form) {
    case CONFIG_FORM_TEXT:
        snprintf(out, CONFIG_FORM_TEXT_MAX, "printable text");
        break;
    case CONFIG_FORM_INT:
        snprintf(out, CONFIG_FORM_TEXT_MAX, "a whole number from %" PRId64 " to %" PRId64, min,
                 max);
        break;
    case CONFIG_FORM_KEY:
        snprintf(out, CONFIG_FORM_TEXT_MAX, "exactly %" PRId64 " hex digits", 2 * min);
        break;
    case CONFIG_FORM_SECRET_TEXT:
        snprintf(out, CONFIG_FORM_TEXT_MAX, "text of %" PRId64 " characters or more", min);
        break;
    case CONFIG_FORM_LIST:
        list_text(out, row);
        break;
    case CONFIG_FORM_KEYS:
        snprintf(out, CONFIG_FORM_TEXT_MAX,
                 "at most %" PRId64 " keys of exactly %" PRId64 " hex digits, comma separated", max,
                 2 * min);
        break;
    case CONFIG_FORM_WORD:
        words_text(out, row->words);
        break;
    case CONFIG_FORM_ADDRESSES:
        snprintf(out, CONFIG_FORM_TEXT_MAX, "IP addresses or CIDR ranges, comma separated");
        break;
    case CONFIG_FORM_ORIGINS:
        snprintf(out, CONFIG_FORM_TEXT_MAX, "origins like https://admin.example, comma separated");
        break;
    case CONFIG_FORM_ROLES:
        snprintf(out, CONFIG_FORM_TEXT_MAX,
                 "names, or name:role with persistent, delegate or temporary, comma separated");
        break;
    case CONFIG_FORM_TARGET:
        snprintf(out, CONFIG_FORM_TEXT_MAX, "host:port");
        break;
    case CONFIG_FORM_TARGETS:
        snprintf(out, CONFIG_FORM_TEXT_MAX, "host:port, or several, comma separated");
        break;
    }
}
