/* SPDX-License-Identifier: Apache-2.0 */
/* What `quorate up` keeps running: which processes, where each listens, in which directory.
 *
 *   DIR/up.json            the plan: directory, ports, members
 *   DIR/client.json        url and api_key, for the other commands
 *   DIR/identities.json    {party id: identity key}, as the certificates say: for `account verify`
 *   DIR/tls/               with --tls: the authority of its certificates (pki.h)
 *   DIR/keys/              the operator's authority, order key, the initiator's key, shared secrets
 *   DIR/<name>.env         the variables of one process; what stands there counts
 *   DIR/<name>/            its database; a party's identity key and certificate; tls.crt, tls.key
 *   DIR/log/<name>.log
 *
 * Files are made when they are missing and never written again: a party's env file holds the key of
 * its shares. The plan is written first, so that a first start that was cut short goes on where it
 * was. client.json alone follows the account service's env file, identities.json the certificates
 * that the parties' env files name. */
#ifndef QUORATE_CLI_UP_H
#define QUORATE_CLI_UP_H

#include "say.h"

#include "system/core/config_file.h"
#include "system/core/key_file.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    UP_PARTIES_MAX = 64,
    UP_MEMBERS_MAX = 4 + UP_PARTIES_MAX,
    UP_NAME_MAX = 32,
    UP_URL_MAX = 64,
    /* leaves room for every name below it */
    UP_DIR_MAX = PATH_MAX - 128,
    /* |port_base|: the ports of the manual, or whatever is free */
    UP_PORTS_DEFAULT = 0,
    UP_PORTS_FREE = -1
};

/* A bit each. */
enum up_kind { UP_ROUTER = 1, UP_COORDINATOR = 2, UP_PARTY = 4, UP_PARTY_API = 8, UP_ACCOUNT = 16 };

struct up_member {
    enum up_kind kind;
    /* "party-1"; also of its files */
    char name[UP_NAME_MAX];
    int http, grpc;
    /* it was ready once: its database is there */
    bool has_run;
};

struct up_system {
    /* absolute */
    char dir[UP_DIR_MAX];
    long port_base;
    bool has_tls;
    size_t n;
    struct up_member members[UP_MEMBERS_MAX];
};

/* What was asked for; 0 parties: as many as there are, or 3. */
struct up_wish {
    const char *dir;
    long parties, port_base;
    bool has_port_base, tls, prepare;
};

/* up_plan.c: read the plan, or make it; add parties, or change ports, as was asked for. The
 * directory is there. Nothing is written if something of an earlier start is lost, or if a port of
 * a new plan is taken. */
bool up_plan(struct up_system *system, const struct up_wish *wish, struct trouble *trouble);
bool up_plan_write(const struct up_system *system, struct trouble *trouble);
/* NULL if there is none. */
const struct up_member *up_find(const struct up_system *system, enum up_kind kind);
/* DIR/a/b; |b| NULL: DIR/a. */
void up_path(char out[PATH_MAX], const struct up_system *system, const char *a, const char *b);

/* up_check.c: nothing that an earlier start made is lost. */
bool up_check_lost(const struct up_system *system, struct trouble *trouble);
/* A directory without a plan has no keys either. */
bool up_check_unused(const struct up_system *system, struct trouble *trouble);
/* The directory and client.json are their owner's alone; key and env files are looked at when they
 * are read. */
bool up_check_private(const struct up_system *system, struct trouble *trouble);

/* up_ports.c */
bool up_port_is_free(int port);
/* Every port is free, waiting some seconds for the processes of an earlier run to end. */
bool up_ports_are_free(const struct up_system *system, struct trouble *trouble);
/* Other ports for those that are taken or 0. */
bool up_ports_choose(struct up_system *system, struct trouble *trouble);
/* Env files that say the ports of |from| say those of |to|; the plan is |to|. */
bool up_ports_move(const struct up_system *from, const struct up_system *to,
                   struct trouble *trouble);

/* up_files.c: make what is missing. Afterwards ports are those of the env files. */
bool up_files(struct up_system *system, struct trouble *trouble);
/* A member's env file as its service reads it; the caller's, config_file_free. NULL with |trouble|.
 * |path| gets its name. */
struct config_file *up_env(char path[PATH_MAX], const struct up_system *system,
                           const struct up_member *m, struct trouble *trouble);

/* up_key.c: the seed in a key file, or its Ed25519 key pair; the file is made if it is missing.
 * Into the caller's guarded memory. */
bool up_seed(uint8_t seed[KEY_FILE_SEED], const char *path, struct trouble *trouble);
bool up_pair(uint8_t pair[KEY_FILE_PAIR], const char *path, struct trouble *trouble);

/* up_tls.c: the authority, made with |ca| as the one of identity keys; a member's certificate, of
 * |party_id| if that is not NULL. Both if they are missing. */
bool up_tls_authority(const struct up_system *system, const uint8_t ca[KEY_FILE_PAIR],
                      struct trouble *trouble);
bool up_tls_member(const struct up_system *system, const struct up_member *m, const char *party_id,
                   struct trouble *trouble);

/* up_identity.c: a party's identity key and certificate, made if they are missing. |party_id|,
 * |role| as the certificate says them. */
struct up_party {
    const char *dir, *party_id, *role;
};
bool up_identity(const struct up_party *party, const uint8_t ca[KEY_FILE_PAIR],
                 struct trouble *trouble);
/* identities.json is brought up to date. */
bool up_identities(const struct up_system *system, struct trouble *trouble);

/* up_access.c: what the owner gets. Lent until up_access_free; the key is in guarded memory. */
struct up_access {
    char url[UP_URL_MAX];
    char *api_key;
};
/* From the account service's env file; client.json is brought up to date. */
bool up_access(struct up_access *access, const struct up_system *system, struct trouble *trouble);
void up_access_free(struct up_access *access);

/* up_process.c: the processes. */
struct up_crew;

struct up_start {
    const struct up_system *system;
    /* where the executables are */
    const char *services;
    /* NULL: what the env files say */
    const char *log_level;
    /* other ports may be chosen as long as nothing was announced */
    bool may_move;
};

/* The directory of the executables: |wish|, or beside this program. */
bool up_services(char out[PATH_MAX], const char *wish, struct trouble *trouble);
struct up_crew *up_crew_new(const struct up_start *start);
/* Called once, as soon as |ready_n| processes are ready and the others are known to be down, or to
 * wait for a receipt of their backups. */
typedef bool up_announce(void *arg, size_t ready_n);
/* Run until a signal: start, ask /ready, call |announce|, start again what dies. False if a process
 * that the others need does not come up, or |announce| returned false: |trouble| is set. */
bool up_crew_run(struct up_crew *crew, up_announce *announce, void *arg, struct trouble *trouble);
/* It has served, or waits for nothing but a receipt: its database is there. */
bool up_crew_has_run(const struct up_crew *crew, size_t i);
/* That is why it failed: a port of a process was taken before it began to listen. */
bool up_crew_lost_port(const struct up_crew *crew);
/* SIGTERM to all, SIGKILL to what is left after 15 s. */
void up_crew_stop(struct up_crew *crew);
void up_crew_free(struct up_crew *crew);

/* up_log.c: the log of a process. */
/* Open for appending; set aside to .1 if it is over 16 MB. -1 with errno on failure. */
int up_log_open(const char *path);
/* Where the next line of the log will begin. */
off_t up_log_end(const char *path);
/* What the first error line from |from| on says: the cause of those after it. Without one the last
 * line, cut to |cap|. */
void up_log_error(char *out, size_t cap, const char *path, off_t from);
/* Why the process whose log it is ended: its last error. False: no log, or none since it was last
 * told to stop. */
bool up_log_reason(char *out, size_t cap, const char *path);

/* The party whose log it is waits for a receipt of its backups (BACKUP_REQUIRED), by what it said
 * last from |from| on; below 0: near the log's end. */
bool up_log_waits(const char *path, off_t from);

/* up_receipt.c: tell that these parties wait for a receipt, and how to give it. */
void up_receipt_tell(const struct up_system *system, const struct up_member *const members[],
                     size_t n);

/* up_ready.c: does /ready of a process answer 200? */
struct up_asker;
struct up_asker *up_asker_new(const struct up_system *system);
bool up_ask_ready(struct up_asker *asker, int port);
void up_asker_free(struct up_asker *asker);

#endif
