/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz harnesses share. Each is one file with LLVMFuzzerTestOneInput: linked with
 * libFuzzer in builds with -Dfuzz=true, with replay.c otherwise, which runs the corpus of the tree.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "committee.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End the program if a property that must hold for every input does not. */
#define fuzz_need(cond) ((cond) ? (void)0 : qrt_panic(__FILE__, __LINE__))

const struct qrt_ctx *fuzz_ctx(void);
/* A committee with a key, made at the first call with these numbers, always the same. */
struct committee *fuzz_committee(size_t n, size_t t);

/* Reading the input as numbers; zero when it is used up. */
struct fuzz_in {
    const uint8_t *b;
    size_t left;
};
uint8_t fuzz_u8(struct fuzz_in *in);
uint16_t fuzz_u16(struct fuzz_in *in);

/* Play the machine of |protocol|: the input says in which order messages arrive, which are lost,
 * repeated, cut and altered. */
void fuzz_machine(enum qrt_protocol protocol, const uint8_t *data, size_t size);

#endif
