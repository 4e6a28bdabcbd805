/* SPDX-License-Identifier: Apache-2.0 */
/* How long a protocol message may be: the longest that any round of a protocol sends. The router
 * looks no further into a message than this. */
#ifndef ROUTER_SIZE_CAP_H
#define ROUTER_SIZE_CAP_H

#include <stddef.h>

/* The longest message of a session of |session_type| with |n| participants of a key with threshold
 * |t|; of all types if |session_type| is not one that this router knows. Counts above the
 * protocol's are taken as its highest. */
size_t size_cap(const char *session_type, size_t n, size_t t);
/* For sessions whose roster is not known: any protocol, 8 parties. */
size_t size_cap_general(void);

#endif
