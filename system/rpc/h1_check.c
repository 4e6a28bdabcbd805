/* SPDX-License-Identifier: Apache-2.0 */
/* See h1_check.h; RFC 9112. */
#include "system/rpc/h1_check.h"

#include <stdbool.h>
#include <string.h>

size_t h1_head_len(const uint8_t *b, size_t len, size_t *seen)
{
    /* The end may begin three bytes before what is new. */
    size_t at = *seen > 3 ? *seen - 3 : 0;

    *seen = len;
    while (at + 4 <= len) {
        const uint8_t *cr = memchr(b + at, '\r', len - at - 3);

        if (!cr)
            return 0;
        at = (size_t)(cr - b);
        if (memcmp(cr, "\r\n\r\n", 4) == 0)
            return at + 4;
        at++;
    }
    return 0;
}

/* tchar of RFC 9110. */
static bool is_token(uint8_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c && strchr("!#$%&'*+-.^_`|~", c);
}

/* 0x16 begins a TLS handshake; CR may begin an empty line. */
const char *h1_first_fault(uint8_t first)
{
    if (first == 0x16)
        return "this port speaks plain text, not TLS";
    return is_token(first) || first == '\r' ? NULL : "this is no HTTP request";
}

static const char *request_line_fault(const uint8_t *b, size_t len)
{
    const uint8_t *first = memchr(b, ' ', len);
    const uint8_t *second;

    if (!first || first == b)
        return "the request line has no method";
    second = memchr(first + 1, ' ', len - (size_t)(first + 1 - b));
    if (!second || second == first + 1)
        return "the request line has no target";
    for (const uint8_t *c = b; c < b + len; c++) {
        if ((*c <= ' ' && c != first && c != second) || *c >= 0x7f || *c == '#')
            return "the request line holds a byte that is not allowed";
    }
    return NULL;
}

static const char *field_fault(const uint8_t *b, size_t len)
{
    const uint8_t *colon = memchr(b, ':', len);

    if (!colon || colon == b)
        return "a header line has no name";
    for (const uint8_t *c = b; c < colon; c++) {
        if (!is_token(*c))
            return "a header name holds a byte that is not allowed";
    }
    for (const uint8_t *c = colon + 1; c < b + len; c++) {
        if ((*c < ' ' && *c != '\t') || *c == 0x7f)
            return "a header value holds a control byte";
    }
    return NULL;
}

const char *h1_head_fault(const uint8_t *b, size_t len)
{
    size_t at = 0;

    while (at < len) {
        const uint8_t *lf = memchr(b + at, '\n', len - at);
        size_t line = lf ? (size_t)(lf - b) - at : 0;
        const char *fault;

        if (!lf || !line || b[at + line - 1] != '\r')
            return "a line does not end with CR LF";
        line--;
        if (!line)
            return at + 2 == len && at ? NULL : "an empty line inside the head";
        fault = at ? field_fault(b + at, line) : request_line_fault(b, line);
        if (fault)
            return fault;
        at += line + 2;
    }
    return "the head does not end with an empty line";
}
