/* SPDX-License-Identifier: Apache-2.0 */
/* Overwriting that the compiler may not remove. */
#ifndef QRT_BASE_WIPE_H
#define QRT_BASE_WIPE_H

#include <stddef.h>

void qrt_wipe(void *p, size_t len);
/* Registers are not covered: values stay there until they are used again.
 * Overwrite stack that callees left behind, libsecp256k1's above all (protocol.md O.3). */
void qrt_wipe_stack(void);

#endif
