/* SPDX-License-Identifier: Apache-2.0 */
/* Wiping through libsodium, whose store is one that the compiler must keep. */
#include "base/wipe.h"

#include "base/port.h"

#include <sodium.h>

/* Deeper than what libsecp256k1 uses below secp256k1_ecdh or secp256k1_ec_pubkey_create
 * (tables of its multiplication included). */
#define STACK_LEN 16384

void qrt_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}

/* Not inlined: the array has to lie where the frames of earlier callees lay. */
QRT_NOINLINE void qrt_wipe_stack(void)
{
    uint8_t below[STACK_LEN];

    sodium_memzero(below, sizeof below);
}
