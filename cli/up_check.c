/* SPDX-License-Identifier: Apache-2.0 */
/* Is what earlier starts of `quorate up` made still there, and nobody else's to read? What is lost
 * is named and never made again: a new key would be one that nobody obeys, a new database one
 * without the accounts or shares.
 *
 * A member's env file is written last, so where it stands the member's other files stood, and all
 * keys before it. That a member has run, and so has a database, the plan says. A first start that
 * was cut short has less, and goes on. */
#include "up.h"

#include "file.h"

#include "system/core/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What a member's directory holds. */
static const struct holding {
    enum up_kind kind;
    const char *database, *what;
} holdings[] = {
    {UP_ACCOUNT, "account.db", "the accounts"},
    {UP_COORDINATOR, "coordinator.db", "the sessions"},
    {UP_PARTY, "party.db", "a party's shares"},
    {UP_PARTY_API, "party.db", "the users' shares that it makes"},
    {UP_ROUTER, NULL, "its configuration"},
};

static const struct holding *holding_of(const struct up_member *m)
{
    size_t i = 0;

    while (holdings[i].kind != m->kind)
        i++;
    return &holdings[i];
}

static bool is_lost(const struct up_system *system, const char *path, const char *what,
                    struct trouble *trouble)
{
    return trouble_set(trouble,
                       "%s is missing; it held %s: restore it from a backup, or remove all of %s "
                       "to begin anew, without its accounts",
                       path, what, system->dir);
}

static void env_path(char path[PATH_MAX], const struct up_system *system, const struct up_member *m)
{
    char name[UP_NAME_MAX + 8];

    snprintf(name, sizeof name, "%s.env", m->name);
    up_path(path, system, name, NULL);
}

static bool has_env(const struct up_system *system, const struct up_member *m)
{
    char path[PATH_MAX];

    env_path(path, system, m);
    return file_exists(path);
}

/* It can be read, as its party will; NULL: none. */
static bool check_identity(const char *path, struct trouble *trouble)
{
    uint8_t *seed = secret_new(KEY_FILE_SEED);
    bool ok = !path || !path[0] || key_file_read(seed, path, trouble->text);

    secret_free(seed);
    return ok;
}

/* The files that the env file names. */
static bool check_named(const struct up_system *system, const struct config_file *env,
                        struct trouble *trouble)
{
    static const struct {
        const char *variable, *what;
    } rows[] = {
        {"IDENTITY_KEY_FILE", "a party's identity key"},
        {"CERTIFICATE_FILE", "a party's certificate"},
        {"INITIATOR_KEY_FILE", "the key that signs requests"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *path = config_file_value(env, rows[i].variable);

        if (path && path[0] && !file_exists(path))
            return is_lost(system, path, rows[i].what, trouble);
    }
    return check_identity(config_file_value(env, "IDENTITY_KEY_FILE"), trouble);
}

static bool check_database(const struct up_system *system, const struct up_member *m,
                           const struct config_file *env, struct trouble *trouble)
{
    const struct holding *h = holding_of(m);
    const char *dir = config_file_value(env, "DATA_DIR"),
               *server = config_file_value(env, "POSTGRES_HOST");
    char path[PATH_MAX];

    if (!h->database || !dir)
        return true;
    if (!file_exists(dir))
        return is_lost(system, dir, h->what, trouble);
    if (!m->has_run || (server && server[0]))
        return true;
    snprintf(path, sizeof path, "%.*s/%s", UP_DIR_MAX, dir, h->database);
    return file_exists(path) || is_lost(system, path, h->what, trouble);
}

/* Without an env file: it never had one, or it is lost. */
static bool check_no_env(const struct up_system *system, const struct up_member *m,
                         struct trouble *trouble)
{
    const char *database = holding_of(m)->database;
    char path[PATH_MAX];
    bool has_run = m->has_run;

    if (database) {
        up_path(path, system, m->name, database);
        has_run = has_run || file_exists(path);
    }
    env_path(path, system, m);
    return !has_run || is_lost(system, path,
                               m->kind & (UP_PARTY | UP_PARTY_API) ? "the key of a party's shares"
                                                                   : "its variables",
                               trouble);
}

static bool check_member(const struct up_system *system, const struct up_member *m,
                         struct trouble *trouble)
{
    char path[PATH_MAX];
    struct config_file *env;
    bool ok;

    if (!has_env(system, m))
        return check_no_env(system, m, trouble);
    env = up_env(path, system, m, trouble);
    ok = env && check_named(system, env, trouble) && check_database(system, m, env, trouble);
    config_file_free(env);
    return ok;
}

static bool check_shared(const struct up_system *system, struct trouble *trouble)
{
    static const struct {
        const char *name, *what;
    } keys[] = {
        {"ca.key", "the key that certifies parties"},
        {"operator.key", "the key that orders freezes"},
        {"initiator.key", "the key that signs requests"},
        {"jwt.key", "the secret of the services' tokens"},
        {"api.key", "the API key"},
    };
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        up_path(path, system, "keys", keys[i].name);
        if (!file_exists(path))
            return is_lost(system, path, keys[i].what, trouble);
    }
    up_path(path, system, "tls", NULL);
    return !system->has_tls || file_exists(path) ||
           is_lost(system, path, "the authority of TLS certificates", trouble);
}

bool up_check_lost(const struct up_system *system, struct trouble *trouble)
{
    bool has_any = false;

    for (size_t i = 0; i < system->n; i++)
        has_any = has_any || has_env(system, &system->members[i]);
    if (has_any && !check_shared(system, trouble))
        return false;
    for (size_t i = 0; i < system->n; i++) {
        if (!check_member(system, &system->members[i], trouble))
            return false;
    }
    return true;
}

bool up_check_unused(const struct up_system *system, struct trouble *trouble)
{
    char plan[PATH_MAX], keys[PATH_MAX], env[PATH_MAX];

    up_path(plan, system, "up.json", NULL);
    up_path(keys, system, "keys", NULL);
    up_path(env, system, "account-service.env", NULL);
    return (!file_exists(keys) && !file_exists(env)) ||
           is_lost(system, plan, "its parties and ports", trouble);
}

static bool is_private(const char *path, const char *mode, struct trouble *trouble)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return errno == ENOENT || trouble_set(trouble, "cannot use %s: %s", path, strerror(errno));
    return (st.st_mode & 077) == 0 ||
           trouble_set(trouble, "%s can be used by others: chmod %s it", path, mode);
}

bool up_check_private(const struct up_system *system, struct trouble *trouble)
{
    char path[PATH_MAX];

    up_path(path, system, "client.json", NULL);
    return is_private(system->dir, "700", trouble) && is_private(path, "600", trouble);
}
