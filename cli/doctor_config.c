/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a process's configuration: its own program is asked (--check), so that nothing is
 * judged twice; where the program is not installed, the table of variables alone judges. */
#include "doctor.h"

#include "report.h"
#include "up.h"

#include "system/core/config_file.h"
#include "system/core/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 1024 };

static const char *program_of(enum config_program program)
{
    if (program & CONFIG_ACCOUNT)
        return "quorate-account-service";
    if (program & CONFIG_COORDINATOR)
        return "quorate-session-coordinator";
    if (program & CONFIG_ROUTER)
        return "quorate-message-router";
    return program & CONFIG_PARTY_API ? "quorate-server-party-api" : "quorate-server-party";
}

/* In the child. */
static void become(const char *program, const char *env_file, int out)
{
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--check",
                    (char *)(uintptr_t) "--env-file", (char *)(uintptr_t)env_file, NULL};
    int null = open("/dev/null", O_RDWR);

    if (!env_file)
        argv[2] = NULL;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execv(program, argv);
    dprintf(STDERR_FILENO, "cannot start %s: %s\n", program, strerror(errno));
    _exit(127);
}

/* The exit code, and what it said. */
static int ask(const char *program, const char *env_file, char said[SAID_MAX])
{
    int ends[2], status = 0;
    size_t len = 0;
    pid_t pid;

    said[0] = '\0';
    if (pipe(ends) != 0)
        return -1;
    pid = fork();
    if (pid == 0)
        become(program, env_file, ends[1]);
    close(ends[1]);
    if (pid > 0)
        (void)disk_read(ends[0], said, SAID_MAX - 1, &len);
    said[len] = '\0';
    close(ends[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A line of the log begins with time, level and name: "2026-... error NAME ". */
static const char *sentence_of(char *said)
{
    char *at = strstr(said, " error ");
    char *end = at ? strchr(at + 7, ' ') : NULL;

    said[strcspn(said, "\r\n")] = '\0';
    if (!at || !end || at > strchr(said, ' '))
        return said;
    return end + 1;
}

static bool ask_program(struct doctor *doctor)
{
    char dir[PATH_MAX], program[PATH_MAX + 64], said[SAID_MAX];
    struct trouble trouble;
    int code;

    if (!up_services(dir, NULL, &trouble))
        return true;
    snprintf(program, sizeof program, "%s/%s", dir, program_of(doctor->program));
    code = ask(program, doctor->env_file, said);
    doctor_check(doctor, code == 0, "correct its configuration, then start it again", "%s",
                 said[0] ? sentence_of(said) : "its program cannot be asked");
    return code == 0;
}

/* Others may miss it there. As its file has them: what else is wrong there may keep it from being
 * loaded. */
static void note_ports(struct doctor *doctor)
{
    static const char *const names[] = {"HTTP_PORT", "GRPC_PORT"};
    char error[CONFIG_ERROR_MAX];
    struct config_file *file = doctor->env_file ? config_file_read(doctor->env_file, error) : NULL;

    for (size_t i = 0; file && i < sizeof names / sizeof names[0]; i++) {
        const char *port = config_file_value(file, names[i]);

        if (port)
            report_add(doctor->ports, port, json_string(doctor->where));
    }
    config_file_free(file);
}

bool doctor_config(struct doctor *doctor)
{
    char error[CONFIG_ERROR_MAX] = "";
    bool ok;

    note_ports(doctor);
    doctor->kind = DOCTOR_DOWN;
    ok = ask_program(doctor);
    if (ok) {
        doctor->config = config_load(doctor->program, doctor->env_file, error);
        doctor_check(doctor, doctor->config != NULL,
                     "correct its configuration, then start it again", "%s", error);
    }
    doctor->kind = DOCTOR_PLAIN;
    return doctor->config != NULL;
}
