/* SPDX-License-Identifier: Apache-2.0 */
/* A machine without vector implementations of the square root: libsecp256k1's is used. */
#include "math/sqrt_impl.h"

const struct qrt_sqrt_impl *const qrt_sqrt_impls[] = {NULL};
