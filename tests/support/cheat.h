/* SPDX-License-Identifier: Apache-2.0 */
/* Cheats of the OT layer (protocol.md M.4), made from an honest message and what its sender knows.
 * The sender's own state stays valid, so a whole run can go on with the changed message. */
#ifndef QRT_TEST_CHEAT_H
#define QRT_TEST_CHEAT_H

#include "ot/rvole.h"

/* M.4a: in |tree| Bob encodes another choice vector, changed in |bit| (0..639; from 512 on the pads
 * are not touched), and shifts the check values so that they fit if y* of that tree is |guess|. */
struct cheat_guess {
    size_t tree, bit;
    uint8_t guess;
};
void cheat_e1_guess(const struct qrt_ctx *ctx, uint8_t e1[QRT_E1_BYTES],
                    const struct qrt_rvole_id *id, const qrt_seeds seeds,
                    const struct cheat_guess *g);

/* Bit |bit| (0..639) of u_tree, M.4c. */
void cheat_e1_flip(uint8_t e1[QRT_E1_BYTES], size_t tree, size_t bit);

/* M.4b: Alice uses a_0 + 9 in |row| only; eta and mu are made again as an honest Alice would.
 * |alice| is her state from qrt_rvole_alice_check, before qrt_rvole_alice. */
void cheat_e2_row(const struct qrt_ctx *ctx, uint8_t e2[QRT_E2_BYTES],
                  const struct qrt_rvole_alice *alice, size_t row);

/* M.4g: the correction of |depth| (1..3) on |side| is wrong. */
void cheat_pprf_branch(uint8_t msg[QRT_PPRF_BYTES], size_t tree, size_t depth, size_t side);

#endif
