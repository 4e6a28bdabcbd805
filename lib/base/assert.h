/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions for bugs of ours or of the caller; on in release builds too. Never about what a peer
 * sent. */
#ifndef QRT_BASE_ASSERT_H
#define QRT_BASE_ASSERT_H

#include "quorate/error.h"

#define qrt_assert(cond) ((cond) ? (void)0 : qrt_panic(__FILE__, __LINE__))

#endif
