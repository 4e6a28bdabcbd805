/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus metrics of a process: registered once at start, changed from any thread, printed as
 * text. A labelled metric is registered once per value of the label. Names begin with quorate_. */
#ifndef SYSTEM_CORE_METRICS_H
#define SYSTEM_CORE_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct metric;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* |labels| like `method="Sign"` or NULL. All strings are constants or outlive the process.
 * Registering the same name and labels again gives the same metric. Histograms measure seconds in
 * buckets from 1 ms to 60 s. */
struct metric *metric_new(enum metric_type type, const char *name, const char *labels,
                          const char *help);
void metric_add(struct metric *metric, int64_t by);
void metric_set(struct metric *metric, int64_t value);
void metric_observe_us(struct metric *metric, uint64_t microseconds);
int64_t metric_value(const struct metric *metric);

/* The exposition text, heap, ends with a zero byte; with process_* (CPU, resident memory, open
 * descriptors, start time). The caller frees it. */
char *metrics_text(size_t *len);

#endif
