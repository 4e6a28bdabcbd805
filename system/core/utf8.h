/* SPDX-License-Identifier: Apache-2.0 */
/* Text that can be stored and sent: UTF-8 as in RFC 3629 (shortest form, no surrogates), without a
 * zero byte. */
#ifndef SYSTEM_CORE_UTF8_H
#define SYSTEM_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The longest prefix of |text| that is such. */
size_t utf8_prefix(const char *text, size_t len);
/* Shorten to that prefix: a text that was cut for its room may end in half a character, which a
 * database and every receiver refuse. */
void utf8_mend(char *text);
/* No character of |text|, which is such, steers how it is shown: no controls (C0, DEL, C1), no ends
 * of lines, nothing that turns the direction of writing (Unicode's Bidi_Control). */
bool utf8_is_plain(const char *text);

#endif
