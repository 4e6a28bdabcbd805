/* SPDX-License-Identifier: Apache-2.0 */
/* A source for each role: names from the configuration, or the pods behind a headless Service. */
#include "system/discovery/discovery.h"

#include "system/core/buffer.h"
#include "system/discovery/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 65, SERVICES_MAX = 16, FILE_MAX = 16384 };

static const char default_role[] = "persistent";

/* NAME or NAME:ROLE of the configuration. */
struct entry {
    char name[NAME_MAX_LEN];
    const char *role;
    /* NULL: |name| is the party's */
    struct watch *watch;
};

struct discovery {
    struct entry *entries;
    size_t n;
};

static bool is_mode(const struct config *config, const char *mode)
{
    return strcmp(config_text(config, "DISCOVERY"), mode) == 0;
}

/* --- settings --- */

static bool check_files(const struct config *config, char error[RPC_TEXT_MAX])
{
    static const char *const names[] = {"token", "ca.crt", "namespace"};
    const char *dir = config_text(config, "KUBERNETES_DIR");
    char text[FILE_MAX];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (watch_read_file(text, sizeof text, dir, names[i]))
            continue;
        snprintf(error, RPC_TEXT_MAX,
                 "KUBERNETES_DIR: the file %.100s/%s cannot be read: mount the service account's "
                 "token there, or set DISCOVERY=none",
                 dir, names[i]);
        return false;
    }
    return true;
}

bool discovery_check(const struct config *config, char error[RPC_TEXT_MAX])
{
    if (is_mode(config, "static") && config_list_n(config, "EXPECTED_PARTIES") == 0)
        snprintf(error, RPC_TEXT_MAX,
                 "DISCOVERY=static needs EXPECTED_PARTIES: the parties' ids, comma separated");
    else if (config_list_n(config, "DISCOVERY_SERVICES") > SERVICES_MAX)
        snprintf(error, RPC_TEXT_MAX, "DISCOVERY_SERVICES has more than %d Services", SERVICES_MAX);
    else
        return !is_mode(config, "kubernetes") || check_files(config, error);
    return false;
}

static void take_entry(struct entry *entry, const char *text)
{
    size_t len = strcspn(text, ":");

    snprintf(entry->name, sizeof entry->name, "%.*s", (int)len, text);
    entry->role = text[len] == ':' ? text + len + 1 : default_role;
}

static void take_entries(struct discovery *discovery, const struct config *config,
                         const char *variable)
{
    discovery->n = config_list_n(config, variable);
    discovery->entries = mem_new(discovery->n + 1, sizeof *discovery->entries);
    for (size_t i = 0; i < discovery->n; i++)
        take_entry(&discovery->entries[i], config_list_item(config, variable, i));
}

static void start_watches(struct discovery *discovery, uv_loop_t *loop, const struct config *config)
{
    uint32_t step = (uint32_t)config_int(config, "RETRY_DELAY_MS");

    for (size_t i = 0; i < discovery->n; i++) {
        struct entry *entry = &discovery->entries[i];

        entry->watch = watch_new(
            loop, &(struct watch_params){.target = config_text(config, "KUBERNETES_API"),
                                         .dir = config_text(config, "KUBERNETES_DIR"),
                                         .service = entry->name,
                                         .retry = {.step_ms = step, .cap_ms = step * 10}});
    }
}

/* --- */

struct discovery *discovery_new(uv_loop_t *loop, const struct config *config)
{
    struct discovery *discovery = mem_new(1, sizeof *discovery);

    if (is_mode(config, "static")) {
        take_entries(discovery, config, "EXPECTED_PARTIES");
    } else if (is_mode(config, "kubernetes")) {
        take_entries(discovery, config, "DISCOVERY_SERVICES");
        start_watches(discovery, loop, config);
    }
    return discovery;
}

void discovery_free(struct discovery *discovery)
{
    for (size_t i = 0; i < discovery->n; i++)
        if (discovery->entries[i].watch != NULL)
            watch_free(discovery->entries[i].watch);
    free(discovery->entries);
    free(discovery);
}

/* |one| is |entry|'s own name, unless it stands for pods. */
static const char *const *names_of(struct entry *entry, const char **one, size_t *n)
{
    if (entry->watch != NULL)
        return watch_pods(entry->watch, n);
    *one = entry->name;
    *n = 1;
    return one;
}

static void fill(struct expected *out, struct entry *entry)
{
    const char *one, *const *names;
    size_t n;

    names = names_of(entry, &one, &n);
    for (size_t i = 0; i < n; i++)
        out[i] = (struct expected){.id = names[i], .role = entry->role};
}

struct expected *discovery_expected(struct discovery *discovery, size_t *n)
{
    struct expected *all;
    const char *one;
    size_t more;

    *n = 0;
    for (size_t i = 0; i < discovery->n; i++, *n += more)
        names_of(&discovery->entries[i], &one, &more);
    all = mem_new(*n, sizeof *all);
    *n = 0;
    for (size_t i = 0; i < discovery->n; i++, *n += more) {
        fill(all + *n, &discovery->entries[i]);
        names_of(&discovery->entries[i], &one, &more);
    }
    return all;
}

bool discovery_is_current(const struct discovery *discovery)
{
    for (size_t i = 0; i < discovery->n; i++)
        if (discovery->entries[i].watch != NULL && !watch_is_current(discovery->entries[i].watch))
            return false;
    return true;
}
