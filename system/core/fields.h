/* SPDX-License-Identifier: Apache-2.0 */
/* Fields one behind the other, in the order of a layout: numbers most significant byte first, and
 * bytes. Who writes has made room before. Who reads never passes the end, and learns at last
 * whether it would have. */
#ifndef SYSTEM_CORE_FIELDS_H
#define SYSTEM_CORE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns where the next field goes; |number_len| is at most 8. */
uint8_t *fields_put(uint8_t *at, const void *b, size_t len);
uint8_t *fields_put_number(uint8_t *at, uint64_t v, size_t number_len);

/* What is left to be read; once it was not enough, |failed| stays. */
struct fields {
    const uint8_t *b;
    size_t left;
    bool failed;
};

/* |len| bytes, lent; NULL if there are not so many. */
const uint8_t *fields_take(struct fields *f, size_t len);
/* |out| is zero if there are not so many. */
void fields_copy(struct fields *f, void *out, size_t len);
uint64_t fields_number(struct fields *f, size_t number_len);
/* Everything was read, and nothing was missing. */
bool fields_end(const struct fields *f);

#endif
