/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, certificates and env files of `quorate up`. Which process is told what stands in one table
 * here: a party's front and the servers never see a master key that is not their own. */
#include "up.h"

#include "file.h"

#include "system/core/config_form.h"
#include "system/core/secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(sizeof((struct trouble *)0)->text >= CONFIG_ERROR_MAX, "takes its sentences");

enum {
    ENV_MAX = 32768,
    HEX_KEY = 2 * 32 + 1,
    SERVERS = UP_ROUTER | UP_COORDINATOR | UP_ACCOUNT,
    PARTIES = UP_PARTY | UP_PARTY_API,
    ALL = SERVERS | PARTIES
};
/* The party that makes users' shares. */
static const char delegate_id[] = "delegate-1";

/* Secrets of all processes, in guarded memory. */
struct keys {
    uint8_t ca[KEY_FILE_PAIR], operator_key[KEY_FILE_PAIR], initiator[KEY_FILE_PAIR];
    uint8_t jwt[KEY_FILE_SEED], api[KEY_FILE_SEED];
    char jwt_text[HEX_KEY], api_text[HEX_KEY];
    char ca_public[HEX_KEY], operator_public[HEX_KEY], initiator_public[HEX_KEY];
};

static bool make_dir(const struct up_system *system, const char *name, struct trouble *trouble)
{
    char path[PATH_MAX];

    up_path(path, system, name, NULL);
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    return trouble_set(trouble, "cannot make the directory %s: %s", path, strerror(errno));
}

/* A key that signs, and its public half as text. */
static bool one_pair(uint8_t pair[KEY_FILE_PAIR], char public_text[HEX_KEY],
                     const struct up_system *system, const char *name, struct trouble *trouble)
{
    char path[PATH_MAX];

    up_path(path, system, "keys", name);
    if (!up_pair(pair, path, trouble))
        return false;
    sodium_bin2hex(public_text, HEX_KEY, pair + KEY_FILE_SEED, 32);
    return true;
}

/* A secret that is shared as text. */
static bool one_secret(uint8_t key[KEY_FILE_SEED], char text[HEX_KEY],
                       const struct up_system *system, const char *name, struct trouble *trouble)
{
    char path[PATH_MAX];

    up_path(path, system, "keys", name);
    if (!up_seed(key, path, trouble))
        return false;
    sodium_bin2hex(text, HEX_KEY, key, KEY_FILE_SEED);
    return true;
}

static bool make_keys(struct keys *k, const struct up_system *system, struct trouble *trouble)
{
    return make_dir(system, "keys", trouble) &&
           one_pair(k->ca, k->ca_public, system, "ca.key", trouble) &&
           one_pair(k->operator_key, k->operator_public, system, "operator.key", trouble) &&
           one_pair(k->initiator, k->initiator_public, system, "initiator.key", trouble) &&
           one_secret(k->jwt, k->jwt_text, system, "jwt.key", trouble) &&
           one_secret(k->api, k->api_text, system, "api.key", trouble);
}

/* A row per variable, and which kinds are told. */
struct row {
    const char *name;
    int kinds;
    const char *value;
};

/* Values that are made for one member. */
struct values {
    char http[8], grpc[8], coordinator[32], router[32];
    char data[PATH_MAX], identity[PATH_MAX], certificate[PATH_MAX], initiator[PATH_MAX];
    char tls_certificate[PATH_MAX], tls_key[PATH_MAX], tls_ca[PATH_MAX], tls_crl[PATH_MAX];
    char master[HEX_KEY];
};

static void set_values(struct values *v, const struct up_system *system, const struct up_member *m)
{
    uint8_t *master = secret_new(32);

    snprintf(v->http, sizeof v->http, "%d", m->http);
    snprintf(v->grpc, sizeof v->grpc, "%d", m->grpc);
    snprintf(v->coordinator, sizeof v->coordinator, "127.0.0.1:%d",
             up_find(system, UP_COORDINATOR)->grpc);
    snprintf(v->router, sizeof v->router, "127.0.0.1:%d", up_find(system, UP_ROUTER)->grpc);
    up_path(v->data, system, m->name, NULL);
    up_path(v->identity, system, m->name, "identity.key");
    up_path(v->certificate, system, m->name, "party.cert");
    up_path(v->initiator, system, "keys", "initiator.key");
    up_path(v->tls_certificate, system, m->name, "tls.crt");
    up_path(v->tls_key, system, m->name, "tls.key");
    up_path(v->tls_ca, system, "tls", "ca.crt");
    up_path(v->tls_crl, system, "tls", "crl.pem");
    randombytes_buf(master, 32);
    sodium_bin2hex(v->master, sizeof v->master, master, 32);
    secret_free(master);
}

/* |out|: ENV_MAX bytes of guarded memory. Retries begin early and do not end: all processes start
 * at once, and one that is gone comes back. */
static void write_rows(char *out, const struct up_member *m, const struct keys *keys,
                       const struct values *v, bool has_tls)
{
    const int tls = has_tls ? ALL : 0;
    const struct row rows[] = {
        {"ENVIRONMENT", ALL, "production"},
        {"LISTEN_HOST", ALL, "127.0.0.1"},
        {"HTTP_PORT", ALL, v->http},
        {"GRPC_PORT", ALL, v->grpc},
        {"TLS", ALL, has_tls ? "on" : "off"},
        {"TLS_CERT", tls, v->tls_certificate},
        {"TLS_KEY", tls, v->tls_key},
        {"GRPC_TLS_CERT", tls, v->tls_certificate},
        {"GRPC_TLS_KEY", tls, v->tls_key},
        {"GRPC_TLS_CA", tls, v->tls_ca},
        {"GRPC_TLS_CRL", tls, v->tls_crl},
        {"RETRY_MAX", ALL, "1000"},
        {"RETRY_DELAY_MS", ALL, "100"},
        {"COORDINATOR_ADDR", UP_ACCOUNT | PARTIES, v->coordinator},
        {"ROUTER_ADDR", UP_ACCOUNT | UP_COORDINATOR | PARTIES, v->router},
        {"DATA_DIR", UP_ACCOUNT | UP_COORDINATOR | PARTIES, v->data},
        {"MPC_API_KEY", SERVERS | UP_PARTY_API, keys->api_text},
        {"ALLOWED_IPS", SERVERS | UP_PARTY_API, "127.0.0.1,::1"},
        {"JWT_SECRET_KEY", SERVERS, keys->jwt_text},
        {"CA_KEY", ALL, keys->ca_public},
        {"OPERATOR_KEY", UP_COORDINATOR | PARTIES, keys->operator_public},
        {"INITIATOR_KEY_FILE", UP_ACCOUNT, v->initiator},
        {"INITIATOR_KEYS", PARTIES, keys->initiator_public},
        {"IDENTITY_KEY_FILE", PARTIES, v->identity},
        {"CERTIFICATE_FILE", PARTIES, v->certificate},
        {"CRYPTO_MASTER_KEY", PARTIES, v->master},
    };
    int at = snprintf(out, ENV_MAX,
                      "# %s, as quorate up made it. What stands here counts; docs/configuration.md "
                      "lists everything that may.\n",
                      m->name);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].kinds & (int)m->kind)
            at +=
                snprintf(out + at, (size_t)(ENV_MAX - at), "%s=%s\n", rows[i].name, rows[i].value);
    }
}

static bool make_env(const struct up_system *system, const struct up_member *m,
                     const struct keys *keys, const char *path, struct trouble *trouble)
{
    struct values *v = secret_new(sizeof *v);
    char *text = secret_new(ENV_MAX);
    bool ok;

    set_values(v, system, m);
    write_rows(text, m, keys, v, system->has_tls);
    ok = file_write_new(path, (const uint8_t *)text, strlen(text), trouble);
    secret_free(text);
    secret_free(v);
    return ok;
}

static bool port_of(int *port, const struct config_file *env, const char *name)
{
    const char *value = config_file_value(env, name);
    int64_t n = 0;

    if (!value || !config_form_number(&n, value) || n < 1 || n > 65535)
        return false;
    *port = (int)n;
    return true;
}

struct config_file *up_env(char path[PATH_MAX], const struct up_system *system,
                           const struct up_member *m, struct trouble *trouble)
{
    char name[UP_NAME_MAX + 8];

    snprintf(name, sizeof name, "%s.env", m->name);
    up_path(path, system, name, NULL);
    return config_file_read(path, trouble->text);
}

/* An owner may have changed the ports. */
static bool read_ports(const struct up_system *system, struct up_member *m, struct trouble *trouble)
{
    char path[PATH_MAX];
    struct config_file *env = up_env(path, system, m, trouble);
    bool ok;

    if (!env)
        return false;
    ok = port_of(&m->http, env, "HTTP_PORT") && port_of(&m->grpc, env, "GRPC_PORT");
    config_file_free(env);
    return ok || trouble_set(trouble, "%s must set HTTP_PORT and GRPC_PORT, 1 to 65535", path);
}

/* The env file comes last: where it stands everything else of the member stood. */
static bool make_new(const struct up_system *system, const struct up_member *m,
                     const struct keys *keys, const struct up_party *party, struct trouble *trouble)
{
    char path[PATH_MAX], name[UP_NAME_MAX + 8];

    snprintf(name, sizeof name, "%s.env", m->name);
    up_path(path, system, name, NULL);
    return file_exists(path) || ((!(m->kind & PARTIES) || up_identity(party, keys->ca, trouble)) &&
                                 make_env(system, m, keys, path, trouble));
}

static bool make_member(const struct up_system *system, struct up_member *m,
                        const struct keys *keys, struct trouble *trouble)
{
    char dir[PATH_MAX];
    const struct up_party party = {dir, m->kind == UP_PARTY_API ? delegate_id : m->name,
                                   m->kind == UP_PARTY_API ? "delegate" : "persistent"};

    up_path(dir, system, m->name, NULL);
    if (!make_dir(system, m->name, trouble))
        return false;
    if (system->has_tls &&
        !up_tls_member(system, m, m->kind & PARTIES ? party.party_id : NULL, trouble))
        return false;
    return make_new(system, m, keys, &party, trouble) && read_ports(system, m, trouble);
}

bool up_files(struct up_system *system, struct trouble *trouble)
{
    struct keys *keys = secret_new(sizeof *keys);
    bool ok = make_dir(system, "log", trouble) && make_keys(keys, system, trouble) &&
              (!system->has_tls || up_tls_authority(system, keys->ca, trouble));

    for (size_t i = 0; ok && i < system->n; i++)
        ok = make_member(system, &system->members[i], keys, trouble);
    secret_free(keys);
    return ok;
}
