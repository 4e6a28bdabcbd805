/* SPDX-License-Identifier: Apache-2.0 */
/* Who should be there and is not: what discovery expects beside what the registry knows. For people
 * only, in a list and in metrics: the router treats no party differently because of it. */
#ifndef ROUTER_ATTENDANCE_H
#define ROUTER_ATTENDANCE_H

#include "services/router/registry.h"
#include "system/discovery/discovery.h"

struct attendance;

/* |registry| and |config| outlive it. */
struct attendance *attendance_new(uv_loop_t *loop, const struct config *config,
                                  const struct registry *registry);
/* The loop must run once more. */
void attendance_free(struct attendance *attendance);

/* Those of |role| ("" for all) that are expected and not live at any router: |n| of them, heap, the
 * caller's; the texts are lent until the loop runs. */
struct expected *attendance_absent(struct attendance *attendance, const char *role, size_t *n);
/* Set the metrics. */
void attendance_measure(struct attendance *attendance);

#endif
