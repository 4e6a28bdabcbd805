/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte string on the heap. No memory ends the process: a daemon cannot do better. */
#ifndef SYSTEM_CORE_BUFFER_H
#define SYSTEM_CORE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* All zero is an empty buffer. |b| always has a zero byte after |len| once anything was added. */
struct buffer {
    uint8_t *b;
    size_t len, cap;
};

void buffer_add(struct buffer *buffer, const void *b, size_t len);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Forget the first |len| bytes. */
void buffer_drop(struct buffer *buffer, size_t len);
void buffer_free(struct buffer *buffer);

/* Heap that exists or ends the process. mem_new gives zeroes. */
void *mem_new(size_t n, size_t size);
void *mem_copy(const void *b, size_t len);
char *text_copy(const char *text);
/* Much has been freed: memory goes back to the system. For moments that are rare. */
void mem_give_back(void);

#endif
