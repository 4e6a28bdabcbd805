/* SPDX-License-Identifier: Apache-2.0 */
/* See address.h. The forwarded list is read from its right end: what stands left of the first
 * address that is no proxy of ours was written by strangers. */
#include "system/access/address.h"

#include "system/core/buffer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void unmap(struct address *a)
{
    if (a->len != 16 || memcmp(a->b, mapped, sizeof mapped) != 0)
        return;
    memmove(a->b, a->b + 12, 4);
    memset(a->b + 4, 0, 12);
    a->len = 4;
}

static bool parse_plain(struct address *out, const char *text)
{
    *out = (struct address){0};
    if (inet_pton(AF_INET, text, out->b) == 1)
        out->len = 4;
    else if (inet_pton(AF_INET6, text, out->b) == 1)
        out->len = 16;
    return out->len != 0;
}

bool address_parse(struct address *out, const char *text)
{
    char plain[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "%");

    if (len >= sizeof plain)
        return false;
    memcpy(plain, text, len);
    plain[len] = '\0';
    if (!parse_plain(out, plain))
        return false;
    unmap(out);
    return true;
}

void address_print(char out[ADDRESS_TEXT_MAX], const struct address *address)
{
    if (!inet_ntop(address->len == 4 ? AF_INET : AF_INET6, address->b, out, ADDRESS_TEXT_MAX))
        out[0] = '\0';
}

/* The prefix length after the slash: one to three digits. */
static bool parse_bits(unsigned *bits, const char *text)
{
    size_t n = strspn(text, "0123456789");

    if (n < 1 || n > 3 || text[n] != '\0')
        return false;
    *bits = (unsigned)strtoul(text, NULL, 10);
    return true;
}

static bool low_bits_are_zero(const struct address_range *range)
{
    for (size_t bit = range->bits; bit < range->base.len * 8; bit++)
        if (range->base.b[bit / 8] & (0x80u >> bit % 8))
            return false;
    return true;
}

bool address_range_parse(struct address_range *out, const char *text)
{
    const char *slash = strchr(text, '/');
    char base[INET6_ADDRSTRLEN];
    size_t len = slash ? (size_t)(slash - text) : strlen(text);

    if (len >= sizeof base)
        return false;
    memcpy(base, text, len);
    base[len] = '\0';
    if (!parse_plain(&out->base, base))
        return false;
    out->bits = (unsigned)out->base.len * 8;
    if (slash && (!parse_bits(&out->bits, slash + 1) || out->bits > out->base.len * 8))
        return false;
    if (out->base.len == 16 && out->bits >= 96 && memcmp(out->base.b, mapped, 12) == 0) {
        unmap(&out->base);
        out->bits -= 96;
    }
    return low_bits_are_zero(out);
}

static bool is_in_range(const struct address *a, const struct address_range *range)
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;

    if (a->len != range->base.len || memcmp(a->b, range->base.b, whole) != 0)
        return false;
    return rest == 0 || ((a->b[whole] ^ range->base.b[whole]) >> (8 - rest)) == 0;
}

bool address_is_in(const struct address *address, const struct address_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (is_in_range(address, &list->ranges[i]))
            return true;
    return false;
}

bool address_is_loopback(const char *text)
{
    struct address_range ranges[2];
    const struct address_list loopback = {ranges, 2};
    struct address address;

    return address_range_parse(&ranges[0], "127.0.0.0/8") &&
           address_range_parse(&ranges[1], "::1") && address_parse(&address, text) &&
           address_is_in(&address, &loopback);
}

bool address_list_load(struct address_list *out, const struct config *config, const char *name,
                       const char **bad)
{
    size_t n = config_list_n(config, name);

    out->n = 0;
    out->ranges = mem_new(n + 1, sizeof *out->ranges);
    for (size_t i = 0; i < n; i++) {
        *bad = config_list_item(config, name, i);
        if (!address_range_parse(&out->ranges[i], *bad))
            return false;
        out->n++;
    }
    return true;
}

void address_list_free(struct address_list *list)
{
    free(list->ranges);
    *list = (struct address_list){0};
}

/* The last item of text[0..len), trimmed; |len| is cut before it. */
static bool take_last(struct address *out, const char *text, size_t *len)
{
    char item[ADDRESS_TEXT_MAX];
    size_t end = *len, start;

    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t'))
        end--;
    for (start = end; start > 0 && text[start - 1] != ','; start--)
        continue;
    *len = start > 0 ? start - 1 : 0;
    while (start < end && (text[start] == ' ' || text[start] == '\t'))
        start++;
    if (end - start >= sizeof item)
        return false;
    memcpy(item, text + start, end - start);
    item[end - start] = '\0';
    return address_parse(out, item);
}

void address_of_caller(struct address *out, const struct address *peer, const char *forwarded,
                       const struct address_list *proxies)
{
    size_t len = forwarded ? strlen(forwarded) : 0;
    struct address hop;

    *out = *peer;
    while (len > 0 && address_is_in(out, proxies)) {
        if (!take_last(&hop, forwarded, &len))
            return;
        *out = hop;
    }
}
