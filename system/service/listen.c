/* SPDX-License-Identifier: Apache-2.0 */
/* See listen.h. "Loopback" means an address of 127.0.0.0/8 or ::1, or for targets also the name
 * localhost; other names could lead anywhere. */
#include "system/service/listen.h"

#include "system/access/address.h"
#include "system/core/config_table.h"
#include "system/core/log.h"
#include "system/rpc/targets.h"
#include "system/service/certificates.h"

#include <stdio.h>
#include <string.h>

bool listen_has_tls(const struct config *config)
{
    return strcmp(config_text(config, "TLS"), "off") != 0;
}

/* host:port or [host]:port */
static bool target_is_loopback(const char *target)
{
    const char *end = strrchr(target, ':');
    size_t len = end ? (size_t)(end - target) : strlen(target);
    char host[ADDRESS_TEXT_MAX];

    if (len >= 2 && target[0] == '[' && target[len - 1] == ']') {
        target++;
        len -= 2;
    }
    if (len >= sizeof host)
        return false;
    memcpy(host, target, len);
    host[len] = '\0';
    return strcmp(host, "localhost") == 0 || address_is_loopback(host);
}

/* All of a list. */
static bool targets_are_loopback(const char *text)
{
    struct targets targets;
    bool all = true;

    targets_init(&targets, text);
    for (size_t i = 0; i < targets.n; i++)
        all = all && target_is_loopback(targets.list[i]);
    targets_free(&targets);
    return all;
}

static bool check_plain(const struct config *config, enum config_program program,
                        char error[RPC_TEXT_MAX])
{
    const char *host = config_text(config, "LISTEN_HOST");

    if (!address_is_loopback(host)) {
        snprintf(error, RPC_TEXT_MAX,
                 "TLS=off is allowed on loopback addresses only, LISTEN_HOST is %.64s: "
                 "set LISTEN_HOST=127.0.0.1 or TLS=on",
                 host);
        return false;
    }
    for (size_t i = 0; i < config_rows_n; i++) {
        const struct config_row *row = &config_rows[i];

        if ((row->form != CONFIG_FORM_TARGET && row->form != CONFIG_FORM_TARGETS) ||
            row->flags & CONFIG_HTTPS || !(row->programs & (unsigned)program) ||
            !config_text(config, row->name)[0] ||
            targets_are_loopback(config_text(config, row->name)))
            continue;
        snprintf(error, RPC_TEXT_MAX,
                 "TLS=off is allowed on loopback addresses only, %s is %.64s: "
                 "set it to an address like 127.0.0.1:50051, or TLS=on",
                 row->name, config_text(config, row->name));
        return false;
    }
    return true;
}

/* Whoever is on the way reads the password, and answers in Redis's place. */
static bool check_redis(const struct config *config, enum config_program program,
                        char error[RPC_TEXT_MAX])
{
    const unsigned users = CONFIG_ACCOUNT | CONFIG_COORDINATOR | CONFIG_ROUTER | CONFIG_PARTY_API;
    const char *host = (unsigned)program & users ? config_text(config, "REDIS_HOST") : "";

    if (!host[0] || strcmp(host, "localhost") == 0 || address_is_loopback(host) ||
        strcmp(config_text(config, "REDIS_PLAINTEXT"), "true") == 0)
        return true;
    snprintf(error, RPC_TEXT_MAX,
             "REDIS_HOST is %.64s, and nothing that goes there is encrypted: set "
             "REDIS_PLAINTEXT=true if the network to it is the operator's own",
             host);
    return false;
}

bool listen_check(const struct config *config, enum config_program program,
                  char error[RPC_TEXT_MAX])
{
    if (!check_redis(config, program, error))
        return false;
    if (listen_has_tls(config))
        return certificates_check(config, error);
    return check_plain(config, program, error);
}

static bool start_one(struct rpc_server *server, const struct config *config, const char *variable,
                      const struct rpc_tls *tls, char error[RPC_TEXT_MAX])
{
    const char *host = config_text(config, "LISTEN_HOST");
    int port = (int)config_int(config, variable);
    char why[RPC_TEXT_MAX];

    if (rpc_server_listen(server, host, port, listen_has_tls(config) ? tls : NULL, why))
        return true;
    snprintf(error, RPC_TEXT_MAX, "%s: %.200s", variable, why);
    return false;
}

bool listen_start(struct rpc_server *server, const struct config *config, char error[RPC_TEXT_MAX])
{
    const struct rpc_tls http = certificates_http(config), grpc = certificates_grpc(config);
    int http_port;

    if (!start_one(server, config, "HTTP_PORT", &http, error))
        return false;
    http_port = rpc_server_port(server);
    if (config_int(config, "HTTP_PORT_ALSO") != 0 &&
        !start_one(server, config, "HTTP_PORT_ALSO", &http, error))
        return false;
    if (!start_one(server, config, "GRPC_PORT", &grpc, error))
        return false;
    log_event(LOG_INFO, "listening", LOG_S("host", config_text(config, "LISTEN_HOST")),
              LOG_I("http", http_port), LOG_I("grpc", rpc_server_port(server)),
              LOG_S("tls", config_text(config, "TLS")));
    return true;
}
