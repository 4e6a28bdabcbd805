/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/attendance.h"

#include "system/core/buffer.h"
#include "system/core/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { ROLES_N = 3 };

static const struct {
    const char *name, *label;
} roles[ROLES_N] = {{"persistent", "role=\"persistent\""},
                    {"delegate", "role=\"delegate\""},
                    {"temporary", "role=\"temporary\""}};

struct attendance {
    const struct registry *registry;
    struct discovery *discovery;
    struct metric *is_current, *expected[ROLES_N], *absent[ROLES_N];
};

static void make_metrics(struct attendance *a)
{
    a->is_current =
        metric_new(METRIC_GAUGE, "quorate_router_discovery_up", NULL,
                   "0: Kubernetes is to say which parties are expected, and cannot be asked.");
    for (size_t i = 0; i < ROLES_N; i++) {
        a->expected[i] = metric_new(METRIC_GAUGE, "quorate_router_parties_expected", roles[i].label,
                                    "Parties that there should be.");
        a->absent[i] = metric_new(METRIC_GAUGE, "quorate_router_parties_absent", roles[i].label,
                                  "Parties that there should be and that are not live.");
    }
}

struct attendance *attendance_new(uv_loop_t *loop, const struct config *config,
                                  const struct registry *registry)
{
    struct attendance *a = mem_new(1, sizeof *a);

    a->registry = registry;
    a->discovery = discovery_new(loop, config);
    make_metrics(a);
    attendance_measure(a);
    return a;
}

void attendance_free(struct attendance *attendance)
{
    discovery_free(attendance->discovery);
    free(attendance);
}

static bool is_absent(const struct attendance *a, const char *id)
{
    const struct party *party = registry_party(a->registry, id);

    return !party || !party->live;
}

struct expected *attendance_absent(struct attendance *attendance, const char *role, size_t *n)
{
    size_t all_n;
    struct expected *all = discovery_expected(attendance->discovery, &all_n);

    *n = 0;
    for (size_t i = 0; i < all_n; i++)
        if ((!*role || strcmp(all[i].role, role) == 0) && is_absent(attendance, all[i].id))
            all[(*n)++] = all[i];
    return all;
}

void attendance_measure(struct attendance *attendance)
{
    size_t n;
    struct expected *all = discovery_expected(attendance->discovery, &n);

    metric_set(attendance->is_current, discovery_is_current(attendance->discovery));
    for (size_t r = 0; r < ROLES_N; r++) {
        int64_t expected = 0, absent = 0;

        for (size_t i = 0; i < n; i++) {
            bool has_role = strcmp(all[i].role, roles[r].name) == 0;

            expected += has_role;
            absent += has_role && is_absent(attendance, all[i].id);
        }
        metric_set(attendance->expected[r], expected);
        metric_set(attendance->absent[r], absent);
    }
    free(all);
}
