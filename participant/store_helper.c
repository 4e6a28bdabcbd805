/* SPDX-License-Identifier: Apache-2.0 */
/* See store_helper.h. */
#include "participant/store_helper.h"

#include "participant/sandbox.h"
#include "system/core/helper.h"
#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/db/remote.h"
#include "system/db/remote_wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool say_files(int fd, const char *const files[STORE_HELPER_FILES])
{
    struct buffer out = {0};
    bool ok;

    for (size_t i = 0; i < STORE_HELPER_FILES; i++)
        wire_put_text(&out, files[i]);
    ok = wire_send(fd, &out);
    buffer_free(&out);
    return ok;
}

int store_helper_start(const char *program, const char *const files[STORE_HELPER_FILES],
                       char error[STORE_ERROR_MAX])
{
    int fd = helper_start(program, "--store", SOCK_STREAM, HELPER_EMPTY);

    if (fd >= 0 && say_files(fd, files))
        return fd;
    snprintf(error, STORE_ERROR_MAX, "the database's process cannot be started: %s",
             strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Nothing of the network was read before. */
static bool enter_sandbox(char error[SANDBOX_ERROR_MAX])
{
    struct wire first;
    const char *files[STORE_HELPER_FILES];

    if (!wire_receive(HELPER_FD, &first)) {
        snprintf(error, SANDBOX_ERROR_MAX, "the database's process is started by a keeper");
        return false;
    }
    for (size_t i = 0; i < STORE_HELPER_FILES; i++)
        files[i] = wire_get_text(&first);
    if (!sandbox_client_files(files, STORE_HELPER_FILES))
        log_line(LOG_WARN, "the kernel has no Landlock: the process that speaks to the database's "
                           "server could open every file of its user; use Linux 5.13 or later "
                           "with it");
    free(first.b);
    return sandbox_client_calls(error);
}

int store_helper_main(void)
{
    char error[SANDBOX_ERROR_MAX];

    secret_harden();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    log_setup("keeper-store", LOG_INFO);
    if (!enter_sandbox(error)) {
        log_line(LOG_ERROR, error);
        return 1;
    }
    db_remote_serve(HELPER_FD);
    return 0;
}
