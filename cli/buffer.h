/* SPDX-License-Identifier: Apache-2.0 */
/* Growing bytes on the heap. The command ends at once when there is no memory. Not for secrets:
 * growing leaves copies behind (secret.h is for those). */
#ifndef QUORATE_CLI_BUFFER_H
#define QUORATE_CLI_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *b;
    size_t len, cap;
};

/* malloc that ends the process instead of failing. */
void *need(size_t len);

void buffer_put(struct buffer *buffer, const void *b, size_t len);
void buffer_put_byte(struct buffer *buffer, uint8_t byte);
void buffer_free(struct buffer *buffer);

#endif
