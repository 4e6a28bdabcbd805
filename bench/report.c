/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <string.h>

static void cpu_name(char *out, size_t cap)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(out, cap, "unknown CPU");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(out, cap, "%s", colon + 2);
        break;
    }
    if (f)
        fclose(f);
}

bool report_open(struct report *r, const char *json_path, const char *commit, const char *cpu_bits)
{
    char cpu[200];

    *r = (struct report){.first = true, .section = ""};
    cpu_name(cpu, sizeof cpu);
    printf(
        "quorate %s, commit %s, %s (%s)\n"
        "V is one ecdsa_verify of libsecp256k1, measured in turns with each row. CPU time of one "
        "thread, medians.\n",
        qrt_version(), commit, cpu, cpu_bits);
    if (!json_path)
        return true;
    r->json = fopen(json_path, "w");
    if (!r->json)
        return false;
    fprintf(r->json, "{\"version\": \"%s\", \"commit\": \"%s\", \"cpu\": \"%s\", \"rows\": [",
            qrt_version(), commit, cpu);
    return true;
}

void report_close(struct report *r)
{
    printf("\n%u rows with a limit or an exact value, %u missed\n", r->rows, r->missed);
    if (!r->json)
        return;
    fprintf(r->json, "\n]}\n");
    fclose(r->json);
}

void report_section(struct report *r, const char *title)
{
    r->section = title;
    printf("\n%s\n  %-46s %11s %9s %9s %9s\n", title, "", "value", "in V", "must", "met");
}

static void json_row(struct report *r, const char *name)
{
    if (!r->json)
        return;
    fprintf(r->json, "%s\n  {\"section\": \"%s\", \"name\": \"%s\"", r->first ? "" : ",",
            r->section, name);
    r->first = false;
}

static const char *verdict(struct report *r, bool met)
{
    r->rows++;
    r->missed += !met;
    return met ? "yes" : "NO";
}

void report_time(struct report *r, const char *name, const struct timing *t, double must_v)
{
    double in_v = t->us / t->v_us;
    char time[32], must[32] = "", met[8] = "";

    snprintf(time, sizeof time, t->us < 1000 ? "%.1f us" : "%.2f ms",
             t->us < 1000 ? t->us : t->us / 1000);
    if (must_v > 0) {
        snprintf(must, sizeof must, "<= %.0f", must_v);
        snprintf(met, sizeof met, "%s", verdict(r, in_v <= must_v));
    }
    printf("  %-46s %11s %9.1f %9s %9s\n", name, time, in_v, must, met);
    json_row(r, name);
    if (r->json)
        fprintf(r->json,
                ", \"us\": %.2f, \"p10_us\": %.2f, \"p90_us\": %.2f, \"verify_us\": %.2f, "
                "\"in_verifies\": %.2f, \"must\": %.0f, \"samples\": %d}",
                t->us, t->low_us, t->high_us, t->v_us, in_v, must_v, t->samples);
}

void report_count(struct report *r, const char *name, size_t value, size_t must, bool at_most)
{
    char text[32];

    snprintf(text, sizeof text, "%s%zu", at_most ? "<= " : "= ", must);
    printf("  %-46s %11zu %9s %9s %9s\n", name, value, "", text,
           verdict(r, at_most ? value <= must : value == must));
    r->wrong += !at_most && value != must;
    json_row(r, name);
    if (r->json)
        fprintf(r->json, ", \"bytes\": %zu, \"must\": %zu}", value, must);
}

void report_value(struct report *r, const char *name, double value, const char *unit)
{
    char text[32];

    snprintf(text, sizeof text, "%.0f %s", value, unit);
    printf("  %-46s %11s\n", name, text);
    json_row(r, name);
    if (r->json)
        fprintf(r->json, ", \"value\": %.2f, \"unit\": \"%s\"}", value, unit);
}
