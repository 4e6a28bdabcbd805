/* SPDX-License-Identifier: Apache-2.0 */
/* What most programs begin with: three parties and a key of theirs, or two keys, made once for all
 * tests of the program by cmocka's group set-up. */
#ifndef TESTS_PROTO_FIXTURE_H
#define TESTS_PROTO_FIXTURE_H

#include "session.h"

extern struct world world;
extern struct keyring key, other_key;

/* |key| is 2-of-3. */
int make_key(void **state);
int free_key(void **state);

/* |other_key| is, too, of another session. */
int make_keys(void **state);
int free_keys(void **state);

#endif
