/* SPDX-License-Identifier: Apache-2.0 */
/* libquorate's shared tables for a program: one context, made once, read-only afterwards. */
#ifndef SYSTEM_SERVICE_LIBRARY_H
#define SYSTEM_SERVICE_LIBRARY_H

#include "quorate/context.h"

/* Ends the process if there is no memory or no randomness. For the program's life; any thread. */
const struct qrt_ctx *library_ctx(void);

#endif
