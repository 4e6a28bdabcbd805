/* SPDX-License-Identifier: Apache-2.0 */
/* See store_helper.h. */
#include "participant/store_helper.h"

#include "system/core/helper.h"
#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/db/remote.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int store_helper_start(const char *program, char error[STORE_ERROR_MAX])
{
    int fd = helper_start(program, "--store", SOCK_STREAM, HELPER_EMPTY);

    if (fd < 0)
        snprintf(error, STORE_ERROR_MAX, "the database's process cannot be started: %s",
                 strerror(errno));
    return fd;
}

int store_helper_main(void)
{
    secret_harden();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    log_setup("keeper-store", LOG_INFO);
    db_remote_serve(HELPER_FD);
    return 0;
}
