/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as Prometheus reads them. */
#include "system/core/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not in the text: %s", part);
}

static void test_counter_and_gauge(void **state)
{
    struct metric *a =
        metric_new(METRIC_COUNTER, "quorate_calls_total", "method=\"Sign\"", "Calls.");
    struct metric *g = metric_new(METRIC_GAUGE, "quorate_depth", NULL, "Depth.");
    struct metric *b =
        metric_new(METRIC_COUNTER, "quorate_calls_total", "method=\"Join\"", "Calls.");
    size_t len;
    char *text;

    (void)state;
    assert_ptr_equal(a, metric_new(METRIC_COUNTER, "quorate_calls_total", "method=\"Sign\"", ""));
    assert_ptr_not_equal(a, b);
    metric_add(a, 2);
    metric_add(a, 1);
    metric_add(b, 7);
    metric_set(g, -5);
    metric_add(g, 1);
    assert_int_equal(metric_value(a), 3);
    text = metrics_text(&len);
    assert_int_equal(strlen(text), len);
    /* one head for a name, its series together although another name came between */
    assert_has(text, "# HELP quorate_calls_total Calls.\n# TYPE quorate_calls_total counter\n"
                     "quorate_calls_total{method=\"Sign\"} 3\n"
                     "quorate_calls_total{method=\"Join\"} 7\n");
    assert_has(text, "# TYPE quorate_depth gauge\nquorate_depth -4\n");
    assert_null(
        strstr(strstr(text, "# TYPE quorate_calls_total") + 1, "# TYPE quorate_calls_total"));
    free(text);
}

static void test_histogram(void **state)
{
    struct metric *h = metric_new(METRIC_HISTOGRAM, "quorate_seconds", NULL, "Seconds.");
    struct metric *l = metric_new(METRIC_HISTOGRAM, "quorate_seconds", "op=\"x\"", "Seconds.");
    size_t len;
    char *text;

    (void)state;
    metric_observe_us(h, 0);
    metric_observe_us(h, 1000);
    metric_observe_us(h, 1001);
    metric_observe_us(h, 61000000);
    metric_observe_us(l, 3000000);
    assert_int_equal(metric_value(h), 4);
    text = metrics_text(&len);
    assert_has(text, "# TYPE quorate_seconds histogram\nquorate_seconds_bucket{le=\"0.001\"} 2\n"
                     "quorate_seconds_bucket{le=\"0.002\"} 3\n");
    assert_has(text, "quorate_seconds_bucket{le=\"60\"} 3\n"
                     "quorate_seconds_bucket{le=\"+Inf\"} 4\n"
                     "quorate_seconds_sum 61.002001\nquorate_seconds_count 4\n");
    assert_has(text, "quorate_seconds_bucket{op=\"x\",le=\"2\"} 0\n"
                     "quorate_seconds_bucket{op=\"x\",le=\"5\"} 1\n");
    assert_has(text, "quorate_seconds_sum{op=\"x\"} 3.000000\nquorate_seconds_count{op=\"x\"} 1\n");
    free(text);
}

static void test_process(void **state)
{
    size_t len;
    char *text = metrics_text(&len);
    long resident = 0, fds = 0;
    const char *at;

    (void)state;
    assert_has(text, "\nprocess_cpu_seconds_total ");
    assert_has(text, "\nprocess_start_time_seconds 1");
    at = strstr(text, "\nprocess_resident_memory_bytes ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, " process_resident_memory_bytes %ld", &resident), 1);
    assert_true(resident > 100000);
    at = strstr(text, "\nprocess_open_fds ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, " process_open_fds %ld", &fds), 1);
    assert_true(fds >= 3);
    free(text);
}

static void *hammer(void *arg)
{
    struct metric *metric = metric_new(METRIC_COUNTER, "quorate_hammered_total", NULL, "Hammer.");

    (void)arg;
    for (int i = 0; i < 50000; i++)
        metric_add(metric, 1);
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(
        metric_value(metric_new(METRIC_COUNTER, "quorate_hammered_total", NULL, "Hammer.")),
        200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_and_gauge),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
