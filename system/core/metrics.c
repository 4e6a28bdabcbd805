/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: a list that only grows. Values are atomics, so that changing one takes no lock; the lock
 * is for registering. A reader sees a histogram's parts at slightly different moments, which the
 * format allows. */
#include "system/core/metrics.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BUCKETS = 15 };
static const uint64_t bucket_us[BUCKETS] = {1000,    2000,    5000,     10000,    20000,
                                            50000,   100000,  200000,   500000,   1000000,
                                            2000000, 5000000, 10000000, 30000000, 60000000};

struct metric {
    enum metric_type type;
    const char *name, *labels, *help;
    /* counter and gauge: the value; histogram: the number of observations */
    atomic_int_fast64_t value;
    atomic_uint_fast64_t sum_us;
    /* not cumulative; what is above the last bound is in |value| alone */
    atomic_uint_fast64_t buckets[BUCKETS];
    _Atomic(struct metric *) next;
};

static _Atomic(struct metric *) first;
static pthread_mutex_t registering = PTHREAD_MUTEX_INITIALIZER;
static int64_t started_ms;

static struct metric *metric_made(enum metric_type type, const char *name, const char *labels,
                                  const char *help)
{
    struct metric *metric = mem_new(1, sizeof *metric);

    metric->type = type;
    metric->name = name;
    metric->labels = labels ? labels : "";
    metric->help = help;
    return metric;
}

struct metric *metric_new(enum metric_type type, const char *name, const char *labels,
                          const char *help)
{
    struct metric *metric = NULL;
    _Atomic(struct metric *) *at = &first;

    pthread_mutex_lock(&registering);
    if (!started_ms)
        started_ms = clock_unix_ms();
    while ((metric = atomic_load(at))) {
        if (strcmp(metric->name, name) == 0 && strcmp(metric->labels, labels ? labels : "") == 0)
            break;
        at = &metric->next;
    }
    if (!metric) {
        metric = metric_made(type, name, labels, help);
        atomic_store(at, metric);
    }
    pthread_mutex_unlock(&registering);
    return metric;
}

void metric_add(struct metric *metric, int64_t by)
{
    atomic_fetch_add_explicit(&metric->value, by, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe_us(struct metric *metric, uint64_t microseconds)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        if (microseconds <= bucket_us[i]) {
            atomic_fetch_add_explicit(&metric->buckets[i], 1, memory_order_relaxed);
            break;
        }
    }
    atomic_fetch_add_explicit(&metric->sum_us, microseconds, memory_order_relaxed);
    metric_add(metric, 1);
}

int64_t metric_value(const struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

/* name suffix{labels,le="..."}; |le| NULL: none. */
static void put_series(struct buffer *out, const struct metric *metric, const char *suffix,
                       const char *le)
{
    buffer_printf(out, "%s%s", metric->name, suffix);
    if (*metric->labels || le)
        buffer_printf(out, "{%s", metric->labels);
    if (le)
        buffer_printf(out, "%sle=\"%s\"", *metric->labels ? "," : "", le);
    buffer_text(out, *metric->labels || le ? "} " : " ");
}

static void put_seconds(struct buffer *out, uint64_t us)
{
    buffer_printf(out, "%" PRIu64 ".%06u\n", us / 1000000, (unsigned)(us % 1000000));
}

static void put_histogram(struct buffer *out, const struct metric *metric)
{
    /* before the buckets: an observation that comes meanwhile must not make the last one larger */
    uint64_t sum = atomic_load(&metric->sum_us), below = 0;
    int64_t total;

    for (size_t i = 0; i < BUCKETS; i++) {
        char le[24];

        below += atomic_load(&metric->buckets[i]);
        snprintf(le, sizeof le, "%g", (double)bucket_us[i] / 1e6);
        put_series(out, metric, "_bucket", le);
        buffer_printf(out, "%" PRIu64 "\n", below);
    }
    total = metric_value(metric);
    if (total < (int64_t)below)
        total = (int64_t)below;
    put_series(out, metric, "_bucket", "+Inf");
    buffer_printf(out, "%" PRId64 "\n", total);
    put_series(out, metric, "_sum", NULL);
    put_seconds(out, sum);
    put_series(out, metric, "_count", NULL);
    buffer_printf(out, "%" PRId64 "\n", total);
}

static void put_metric(struct buffer *out, const struct metric *metric)
{
    if (metric->type == METRIC_HISTOGRAM) {
        put_histogram(out, metric);
        return;
    }
    put_series(out, metric, "", NULL);
    buffer_printf(out, "%" PRId64 "\n", metric_value(metric));
}

static void put_head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* All series of |metric|'s name: the format wants them together. */
static void put_family(struct buffer *out, const struct metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    put_head(out, metric->name, types[metric->type], metric->help);
    for (const struct metric *m = metric; m; m = atomic_load(&m->next)) {
        if (strcmp(m->name, metric->name) == 0)
            put_metric(out, m);
    }
}

static int is_first_of_name(const struct metric *metric)
{
    const struct metric *m = atomic_load(&first);

    while (strcmp(m->name, metric->name) != 0)
        m = atomic_load(&m->next);
    return m == metric;
}

static void put_memory(struct buffer *out)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!f)
        return;
    if (fscanf(f, "%*d %ld", &pages) == 1) {
        put_head(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
        buffer_printf(out, "process_resident_memory_bytes %ld\n", pages * sysconf(_SC_PAGESIZE));
    }
    fclose(f);
}

static void put_descriptors(struct buffer *out)
{
    DIR *dir = opendir("/proc/self/fd");
    long n = 0;

    if (!dir)
        return;
    while (readdir(dir))
        n++;
    closedir(dir);
    put_head(out, "process_open_fds", "gauge", "Open descriptors.");
    /* without ".", ".." and the one that looked */
    buffer_printf(out, "process_open_fds %ld\n", n - 3);
}

static uint64_t in_us(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

/* What a sandbox does not let us see is left out. */
static void put_process(struct buffer *out)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    put_head(out, "process_cpu_seconds_total", "counter", "User and system CPU time.");
    buffer_text(out, "process_cpu_seconds_total ");
    put_seconds(out, in_us(&use.ru_utime) + in_us(&use.ru_stime));
    put_memory(out);
    put_descriptors(out);
    put_head(out, "process_start_time_seconds", "gauge", "When the process started, unix time.");
    buffer_printf(out, "process_start_time_seconds %" PRId64 ".%03d\n", started_ms / 1000,
                  (int)(started_ms % 1000));
}

char *metrics_text(size_t *len)
{
    struct buffer out = {0};

    pthread_mutex_lock(&registering);
    if (!started_ms)
        started_ms = clock_unix_ms();
    pthread_mutex_unlock(&registering);
    for (const struct metric *m = atomic_load(&first); m; m = atomic_load(&m->next)) {
        if (is_first_of_name(m))
            put_family(&out, m);
    }
    put_process(&out);
    *len = out.len;
    return (char *)out.b;
}
