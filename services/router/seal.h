/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between routers: sealed by XChaCha20-Poly1305 under a key that only programs with
 * JWT_SECRET_KEY can make. The broker sees lengths and who sends to whom; it can withhold, delay
 * and repeat frames, not read or make one.
 *
 * A frame says which process made it, under which address it was connected, for which address it
 * is, and its number in the process's life. So a repeated frame is told from a new one, and one
 * for this connection's address was made after this connection began. */
#ifndef ROUTER_SEAL_H
#define ROUTER_SEAL_H

#include "system/core/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL_KEY_BYTES = 32, SEAL_ID_BYTES = 16, SEAL_WINDOW = 4096 };

struct seal_head {
    uint8_t instance[SEAL_ID_BYTES];
    uint8_t address[SEAL_ID_BYTES];
    /* zeroes: all */
    uint8_t to[SEAL_ID_BYTES];
    /* from 1 */
    uint64_t number;
};

void seal_key(uint8_t key[SEAL_KEY_BYTES], const char *secret);
/* The frame, into |out|, which is empty. */
void seal_frame(struct buffer *out, const uint8_t key[SEAL_KEY_BYTES], const struct seal_head *head,
                const uint8_t *b, size_t len);
/* False: nobody with |key| made it. The content is heap, the caller's. */
bool open_frame(struct seal_head *head, uint8_t **content, size_t *content_len,
                const uint8_t key[SEAL_KEY_BYTES], const uint8_t *b, size_t len);

/* Which numbers of one process have come. All zero: none. */
struct seal_window {
    uint64_t highest;
    uint64_t bits[SEAL_WINDOW / 64];
};
/* False: it has come before, or is older than the window knows. */
bool seal_window_take(struct seal_window *window, uint64_t number);

#endif
