/* SPDX-License-Identifier: Apache-2.0 */
/* See front_main.h. The keeper's end is a file-local value: it is made before there is a service to
 * hold it. */
#include "participant/front_main.h"

#include "participant/backup.h"
#include "participant/front_spawn.h"
#include "participant/keeper.h"
#include "system/service/certificates.h"
#include "system/service/dial.h"
#include "system/service/options.h"

#include <stdio.h>
#include <string.h>

_Static_assert((int)CONFIG_ERROR_MAX >= (int)BACKUP_ERROR_MAX, "takes its sentences");

static struct front_child keeper = {.fd = -1};

static bool has_argument(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name))
            return true;
    return false;
}

/* --check: the keeper's half, in a process that opens no connection and ends. */
static bool check_keeper(const char *env_file)
{
    char error[CONFIG_ERROR_MAX] = "";
    struct config *config = config_load(CONFIG_KEEPER, env_file, error);
    const char *recipient = config ? config_text(config, "BACKUP_RECIPIENT") : "";
    bool ok = config && (!recipient[0] || backup_check_recipient(recipient, error));

    if (!ok)
        fprintf(stderr, "%s\n", error);
    config_free(config);
    return ok;
}

int front_main(int argc, char **argv, const struct service_def *def)
{
    char error[FRONT_SPAWN_ERROR_MAX] = "";
    struct options options;
    int code;

    if (has_argument(argc, argv, "--keeper") || has_argument(argc, argv, "--policy"))
        return keeper_main(argc, argv);
    code = options_parse(&options, argc, argv, def->program | CONFIG_KEEPER);
    if (code >= 0)
        return code;
    if (options.check)
        return check_keeper(options.env_file) ? service_main(argc, argv, def) : 1;
    if (!front_spawn(&keeper, argv[0], options.env_file, error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    front_forget_secrets();
    return service_main(argc, argv, def);
}

static void fault(void *arg, const char *why)
{
    (void)arg;
    service_fault("%s", why);
}

struct front *front_begin(const struct service_host *service, const struct front_host *host)
{
    const struct config *config = service->config;
    struct front_params params = {
        .loop = service->loop,
        .keeper_fd = keeper.fd,
        .link = {.router = service_dial(service, "ROUTER_ADDR", false),
                 .coordinator = service_dial(service, "COORDINATOR_ADDR", false),
                 .hangup = service_hangup,
                 .version = QRT_VERSION,
                 .capacity = (uint32_t)config_int(config, "PARTY_CAPACITY"),
                 .heartbeat_ms = (unsigned)config_int(config, "HEARTBEAT_MS"),
                 .tries = (uint32_t)config_int(config, "RETRY_MAX")},
        .fault = fault,
        .host = host,
        .backup_dir = config_text(config, "BACKUP_DIR")};

    certificates_party(params.tls_party, config);
    return front_new(&params);
}
