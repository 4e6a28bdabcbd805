/* SPDX-License-Identifier: Apache-2.0 */
/* What a front shows at /metrics: its own counts, and the keeper's as it tells them every few
 * seconds. */
#include "participant/front_state.h"

#include "system/core/metrics.h"

void front_make_metrics(struct front_metrics *m)
{
    m->running = metric_new(METRIC_GAUGE, "quorate_party_running", NULL,
                            "Sessions that this party takes part in.");
    m->kept = metric_new(METRIC_GAUGE, "quorate_party_kept_bytes", NULL,
                         "Sent messages kept until their sessions end.");
    m->sent = metric_new(METRIC_COUNTER, "quorate_party_sent_total", NULL,
                         "Messages handed to the router.");
    m->resent = metric_new(METRIC_COUNTER, "quorate_party_resent_total", NULL,
                           "Messages handed to the router again.");
    m->received = metric_new(METRIC_COUNTER, "quorate_party_received_total", NULL,
                             "Messages taken from the router.");
    m->reports = metric_new(METRIC_COUNTER, "quorate_party_reports_total", NULL,
                            "Outcomes that the coordinator acknowledged.");
    m->refused = metric_new(METRIC_COUNTER, "quorate_party_reports_refused_total", NULL,
                            "Outcomes that the coordinator refused.");
    m->shares = metric_new(METRIC_GAUGE, "quorate_party_shares", NULL, "Shares kept.");
    m->dropped = metric_new(METRIC_COUNTER, "quorate_party_dropped_total", NULL,
                            "Messages that did not authenticate or that nobody waited for.");
    m->burned = metric_new(METRIC_COUNTER, "quorate_party_burned_total", NULL,
                           "Pairs burned after a proven cheat.");
    m->presignatures =
        metric_new(METRIC_GAUGE, "quorate_party_presignatures", NULL, "Presignatures in the pool.");
    m->signatures = metric_new(METRIC_COUNTER, "quorate_party_signatures_total", NULL,
                               "Signatures that this party ended.");
    m->signatures_online = metric_new(METRIC_COUNTER, "quorate_party_signatures_online_total", NULL,
                                      "Of these: with a presignature, in one round.");
    m->failures =
        metric_new(METRIC_COUNTER, "quorate_party_failures_total", NULL, "Runs that failed here.");
}

void front_take_stats(struct front *front, const Mpc__Keeper__V1__Stats *stats)
{
    const struct front_metrics *m = &front->metrics;

    metric_set(m->shares, stats->shares);
    metric_set(m->dropped, (int64_t)stats->dropped);
    metric_set(m->burned, (int64_t)stats->burned);
    metric_set(m->presignatures, (int64_t)stats->presignatures);
    metric_set(m->signatures, (int64_t)stats->signatures);
    metric_set(m->signatures_online, (int64_t)stats->signatures_online);
    metric_set(m->failures, (int64_t)stats->failures);
    if (!front->metrics.to_rewrap)
        front->metrics.to_rewrap =
            metric_new(METRIC_GAUGE, "quorate_vault_rows_to_rewrap", NULL,
                       "Shares that are still under the wrapping key that is being replaced.");
    metric_set(m->to_rewrap, (int64_t)stats->rows_to_rewrap);
    if (!front->metrics.without_backup)
        front->metrics.without_backup =
            metric_new(METRIC_GAUGE, "quorate_party_keys_without_backup", NULL,
                       "Shares that have no backup with a receipt of its recipient.");
    metric_set(m->without_backup, (int64_t)stats->keys_without_backup);
}
