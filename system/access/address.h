/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses and ranges of them. An IPv4 address mapped into IPv6 (::ffff:1.2.3.4) is the IPv4
 * address everywhere here, so that no list is passed by writing an address the other way. */
#ifndef SYSTEM_ACCESS_ADDRESS_H
#define SYSTEM_ACCESS_ADDRESS_H

#include "system/core/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDRESS_TEXT_MAX = 64 };

struct address {
    /* 4 or 16 */
    size_t len;
    uint8_t b[16];
};

struct address_range {
    struct address base;
    unsigned bits;
};

struct address_list {
    struct address_range *ranges;
    size_t n;
};

/* "10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", "fe80::1%eth0" (the zone is dropped). */
bool address_parse(struct address *out, const char *text);
void address_print(char out[ADDRESS_TEXT_MAX], const struct address *address);
/* An address alone is the range of one. Bits below the prefix must be zero. */
bool address_range_parse(struct address_range *out, const char *text);
bool address_is_in(const struct address *address, const struct address_list *list);
/* 127.0.0.0/8 or ::1 in text; a name is none. */
bool address_is_loopback(const char *text);

/* The ranges in a variable. False with the item that is malformed in |bad| (lent). */
bool address_list_load(struct address_list *out, const struct config *config, const char *name,
                       const char **bad);
void address_list_free(struct address_list *list);

/* Who called: |peer|, unless that is one of |proxies|; then the last hop of |forwarded| (text of
 * X-Forwarded-For, may be NULL) that is not. Where the text is malformed, the hop that wrote it. */
void address_of_caller(struct address *out, const struct address *peer, const char *forwarded,
                       const struct address_list *proxies);

#endif
