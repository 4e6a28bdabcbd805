/* SPDX-License-Identifier: Apache-2.0 */
/* The library's context, made once per process. */
#ifndef QUORATE_CLI_LIBRARY_H
#define QUORATE_CLI_LIBRARY_H

#include "quorate/context.h"

struct library {
    secp256k1_context *secp;
    struct qrt_ctx *ctx;
};

void library_open(struct library *library);
void library_close(struct library *library);

/* A public key in hex, compressed or not; false if it is no point. */
bool library_pubkey(struct qrt_pubkey *out, const struct library *library, const char *hex);

#endif
