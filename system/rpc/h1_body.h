/* SPDX-License-Identifier: Apache-2.0 */
/* Where the body of an HTTP/1.1 request ends: by its length or by its chunks (RFC 9112, 7.1).
 * Strict: every line ends with CR LF, sizes are short hexadecimal numbers. Trailers are read over.
 */
#ifndef SYSTEM_RPC_H1_BODY_H
#define SYSTEM_RPC_H1_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum h1_step { H1_MORE, H1_DATA, H1_DONE, H1_FAULT };

struct h1_body {
    /* of the body or of the chunk, not read yet */
    uint64_t left;
    /* the state of h1_body.c */
    int state;
    /* digits of the size; bytes of the line; of all trailers */
    unsigned digits, line, trailers;
};

void h1_body_init(struct h1_body *body, bool is_chunked, uint64_t length);
/* What a step found: bytes read, and of these at the end the body's own, lent. */
struct h1_piece {
    size_t used;
    const uint8_t *b;
    size_t n;
};

/* One step over |b|. H1_DATA: a piece of the body, n > 0. H1_MORE: all is read, more is needed.
 * H1_FAULT is final. */
enum h1_step h1_body_next(struct h1_body *body, struct h1_piece *piece, const uint8_t *b,
                          size_t len);

#endif
