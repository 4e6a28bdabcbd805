/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: the process of a party that holds identity key and shares and runs the protocols. It
 * has no network: it answers the requests of proto/keeper.proto on descriptor 3, a socket pair to
 * the front that started it, and ends when that ends. */
#ifndef PARTICIPANT_KEEPER_H
#define PARTICIPANT_KEEPER_H

/* `<exe> --keeper [--env-file FILE]`: 0 after an orderly end, 1 after a fault told in one line.
 * `<exe> --keeper --policy` and `--vault` are the keeper's own helpers (policy.h, hsm.h). */
int keeper_main(int argc, char **argv);

#endif
