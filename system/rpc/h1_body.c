/* SPDX-License-Identifier: Apache-2.0 */
/* See h1_body.h. */
#include "system/rpc/h1_body.h"

#include "system/core/ids.h"

enum { SIZE_DIGITS_MAX = 8, EXTENSION_MAX = 256, TRAILERS_MAX = 8192 };

enum state {
    /* data of known length, then the end */
    LENGTH,
    SIZE,
    EXTENSION,
    SIZE_LF,
    CHUNK,
    CHUNK_CR,
    CHUNK_LF,
    TRAILER,
    TRAILER_LF,
    DONE
};

void h1_body_init(struct h1_body *body, bool is_chunked, uint64_t length)
{
    *body = (struct h1_body){.left = is_chunked ? 0 : length, .state = is_chunked ? SIZE : LENGTH};
}

static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool take_size(struct h1_body *body, uint8_t c)
{
    int digit = hex_digit((char)c);

    if (digit >= 0) {
        body->left = body->left << 4 | (unsigned)digit;
        return ++body->digits <= SIZE_DIGITS_MAX;
    }
    body->line = 0;
    body->state = c == '\r' ? SIZE_LF : EXTENSION;
    return body->digits > 0 && (c == '\r' || c == ';' || c == ' ' || c == '\t');
}

static bool take_size_end(struct h1_body *body, uint8_t c)
{
    body->state = body->left ? CHUNK : TRAILER;
    body->digits = body->line = 0;
    return c == '\n';
}

/* A trailer line that is empty is the end. */
static bool take_trailer(struct h1_body *body, uint8_t c)
{
    if (c == '\r') {
        body->state = TRAILER_LF;
        return true;
    }
    body->line++;
    return is_text(c) && ++body->trailers <= TRAILERS_MAX;
}

/* One byte that is not data. */
static bool take_byte(struct h1_body *body, uint8_t c)
{
    switch ((enum state)body->state) {
    case SIZE:
        return take_size(body, c);
    case EXTENSION:
        if (c == '\r')
            body->state = SIZE_LF;
        return c == '\r' || (is_text(c) && ++body->line <= EXTENSION_MAX);
    case SIZE_LF:
        return take_size_end(body, c);
    case CHUNK_CR:
        body->state = CHUNK_LF;
        return c == '\r';
    case CHUNK_LF:
        body->state = SIZE;
        return c == '\n';
    case TRAILER:
        return take_trailer(body, c);
    case TRAILER_LF:
        body->state = body->line ? TRAILER : DONE;
        body->line = 0;
        return c == '\n';
    default:
        return false;
    }
}

enum h1_step h1_body_next(struct h1_body *body, struct h1_piece *piece, const uint8_t *b,
                          size_t len)
{
    *piece = (struct h1_piece){.used = 0};
    while (body->state != LENGTH && body->state != CHUNK && body->state != DONE) {
        if (piece->used == len)
            return H1_MORE;
        if (!take_byte(body, b[piece->used++]))
            return H1_FAULT;
    }
    if (body->state == DONE || (body->state == LENGTH && !body->left))
        return H1_DONE;
    if (piece->used == len)
        return H1_MORE;
    piece->b = b + piece->used;
    piece->n = body->left < len - piece->used ? (size_t)body->left : len - piece->used;
    piece->used += piece->n;
    body->left -= piece->n;
    if (body->state == CHUNK && !body->left)
        body->state = CHUNK_CR;
    return H1_DATA;
}
