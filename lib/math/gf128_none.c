/* SPDX-License-Identifier: Apache-2.0 */
/* A machine without carry-less multiplication: the portable one of gf128.c is used. */
#include "math/gf128_impl.h"

const struct qrt_gf128_impl *const qrt_gf128_fast = NULL;
