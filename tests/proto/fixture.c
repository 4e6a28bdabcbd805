/* SPDX-License-Identifier: Apache-2.0 */
/* See fixture.h. */
#include "fixture.h"

struct world world;
struct keyring key, other_key;

int make_key(void **state)
{
    (void)state;
    world_init(&world, 3);
    keyring_make(&key, &world, 2, 1);
    return 0;
}

int free_key(void **state)
{
    (void)state;
    keyring_free(&key);
    return 0;
}

int make_keys(void **state)
{
    (void)make_key(state);
    keyring_make(&other_key, &world, 2, 2);
    return 0;
}

int free_keys(void **state)
{
    keyring_free(&other_key);
    return free_key(state);
}
