/* SPDX-License-Identifier: Apache-2.0 */
/* URL and API key of the system, as its owner and the other commands get them. */
#include "up.h"

#include "file.h"

#include "system/core/secret.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 1024 };

static bool read_env(struct up_access *access, const struct up_system *system,
                     struct trouble *trouble)
{
    const struct up_member *account = up_find(system, UP_ACCOUNT);
    char path[PATH_MAX];
    struct config_file *env = up_env(path, system, account, trouble);
    const char *key;

    if (!env)
        return false;
    key = config_file_value(env, "MPC_API_KEY");
    snprintf(access->api_key, KEY_MAX, "%s", key && strlen(key) < KEY_MAX ? key : "");
    config_file_free(env);
    /* the first of two, while keys are exchanged */
    access->api_key[strcspn(access->api_key, ", \t")] = '\0';
    snprintf(access->url, sizeof access->url, "http%s://127.0.0.1:%d", system->has_tls ? "s" : "",
             account->http);
    return (access->api_key[0] && !strpbrk(access->api_key, "\"\\")) ||
           trouble_set(trouble, "%s has no MPC_API_KEY that can be used", path);
}

/* The object of client.json, in guarded memory: jansson would leave the key on the heap. */
static void print_client(char *out, size_t cap, const struct up_access *access,
                         const struct up_system *system)
{
    char path[PATH_MAX], *ca;
    json_t *name;

    snprintf(out, cap, "{\"url\": \"%s\", \"api_key\": \"%s\"}\n", access->url, access->api_key);
    if (!system->has_tls)
        return;
    up_path(path, system, "tls", "ca.crt");
    name = json_string(path);
    ca = json_dumps(name, JSON_ENCODE_ANY);
    if (ca)
        snprintf(out, cap, "{\"url\": \"%s\", \"api_key\": \"%s\", \"ca\": %s}\n", access->url,
                 access->api_key, ca);
    free(ca);
    json_decref(name);
}

static bool write_client(const struct up_access *access, const struct up_system *system,
                         struct trouble *trouble)
{
    enum { CLIENT_MAX = KEY_MAX + UP_URL_MAX + 6 * PATH_MAX + 64 };
    char path[PATH_MAX], *text = secret_new(CLIENT_MAX);
    bool ok;

    up_path(path, system, "client.json", NULL);
    print_client(text, CLIENT_MAX, access, system);
    ok = file_update(path, (const uint8_t *)text, strlen(text), trouble);
    secret_free(text);
    return ok;
}

bool up_access(struct up_access *access, const struct up_system *system, struct trouble *trouble)
{
    access->api_key = secret_new(KEY_MAX);
    if (read_env(access, system, trouble) && write_client(access, system, trouble))
        return true;
    up_access_free(access);
    return false;
}

void up_access_free(struct up_access *access)
{
    secret_free(access->api_key);
    access->api_key = NULL;
}
