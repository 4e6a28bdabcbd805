/* SPDX-License-Identifier: Apache-2.0 */
/* What `quorate doctor` knows of the process that it looks at, and where findings go. Everything
 * here only looks: no file, database or service is changed. */
#ifndef QUORATE_CLI_DOCTOR_H
#define QUORATE_CLI_DOCTOR_H

#include "system/core/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a finding is to others, of which it may be the cause (doctor_fold.c). */
enum doctor_kind {
    DOCTOR_PLAIN,
    /* the process does not run; in |what| is why */
    DOCTOR_DOWN,
    /* it does not run, and nobody knows why */
    DOCTOR_STOPPED,
    /* it runs and waits for something */
    DOCTOR_UNREADY,
    /* another process at |port| of this machine, as this one sees it: it does not answer */
    DOCTOR_PEER_AWAY,
    /* it answers, and is not ready */
    DOCTOR_PEER_UNREADY
};

struct doctor {
    /* the process, as findings name it */
    const char *where;
    /* NULL: `.env` and the environment */
    const char *env_file;
    /* bits: of a party its front and its keeper */
    enum config_program program;
    struct config *config;
    /* [{where, what, do}]; until doctor_fold with kind and port */
    json_t *findings;
    size_t checks;
    /* of the findings that come next; back to DOCTOR_PLAIN is whoever set it */
    enum doctor_kind kind;
    long port;
    /* who listens: {port: name} */
    json_t *ports;
};

/* doctor.c: |what| is wrong, and |todo| is what to do about it; one line each. */
void doctor_find(struct doctor *doctor, const char *todo, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
/* Counts a check, and finds |what| unless |is_well|. */
void doctor_check(struct doctor *doctor, bool is_well, const char *todo, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
/* |who|'s clock says |theirs_ms|: it is ours within seconds. */
void doctor_check_clock(struct doctor *doctor, const char *who, int64_t theirs_ms);
/* "" and 0 if the process does not read it. */
const char *doctor_text(const struct doctor *doctor, const char *name);
int64_t doctor_int(const struct doctor *doctor, const char *name);
bool doctor_is(const struct doctor *doctor, const char *name, const char *value);

/* doctor_fold.c: one finding for one cause. What follows from another finding is left out, and what
 * several processes tell in the same words is told once, |where| naming them all. */
void doctor_fold(struct doctor *doctor);

/* doctor_config.c: what the program says of its configuration; loads it. False: it is of no use. */
bool doctor_config(struct doctor *doctor);
/* doctor_files.c: certificates and keys. */
void doctor_files(struct doctor *doctor);
/* doctor_servers.c: the database, Redis, RabbitMQ. */
void doctor_servers(struct doctor *doctor);
/* doctor_peers.c: the process itself and those that it calls; what its metrics say. */
void doctor_peers(struct doctor *doctor);
/* doctor_machine.c: room on the disk of its files; and once, what the system allows a process. */
void doctor_disk(struct doctor *doctor);
void doctor_machine(struct doctor *doctor);

#endif
