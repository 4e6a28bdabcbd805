/* SPDX-License-Identifier: Apache-2.0 */
/* Who is expected: the parties that there should be, by configuration or as Kubernetes has them.
 * Who is live is another question, which registration answers; nobody is chosen, refused or waited
 * for because of what is said here. So it may be late, old or missing. */
#ifndef SYSTEM_DISCOVERY_DISCOVERY_H
#define SYSTEM_DISCOVERY_DISCOVERY_H

#include "system/core/config.h"
#include "system/rpc/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct discovery;

struct expected {
    const char *id, *role;
};

/* DISCOVERY and what belongs to it. False with one line in |error|. */
bool discovery_check(const struct config *config, char error[RPC_TEXT_MAX]);

/* As discovery_check found it good. |config| is lent as long as it lives. */
struct discovery *discovery_new(uv_loop_t *loop, const struct config *config);
/* Its memory goes when the loop has run once more. */
void discovery_free(struct discovery *discovery);

/* Everybody, heap, the caller's; the texts are lent until the loop runs. */
struct expected *discovery_expected(struct discovery *discovery, size_t *n);
/* False while Kubernetes is to say it and cannot be asked. */
bool discovery_is_current(const struct discovery *discovery);

#endif
