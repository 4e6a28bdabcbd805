/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's process: configuration and secrets in, sandbox on, Ready said, then requests until
 * the front is gone. Order matters: helpers (policy, database) before any
 * thread; files before threads; the filter of system calls last. */
#include "participant/keeper.h"

#include "participant/backup_log.h"
#include "participant/frames.h"
#include "participant/keeper_state.h"
#include "participant/keys.h"
#include "participant/sandbox.h"
#include "participant/store_helper.h"
#include "system/access/identity.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/config.h"
#include "system/core/key_file.h"
#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/db/configured.h"
#include "system/service/library.h"
#include "system/vault/hsm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FRONT_FD = 3,
    FAULT_MAX = KEY_FILE_ERROR_MAX,
    KEEP_BLOCKS = 24,
    UNREADY_TICK_MS = 500,
    FILE_MAX = 65536
};

_Static_assert((int)CONFIG_ERROR_MAX >= (int)SANDBOX_ERROR_MAX, "one buffer for both");

/* All of it, from start to end. */
struct process {
    struct config *config;
    struct keeper keeper;
    struct frames *frames;
    struct keys *keys;
    uint8_t *identity;
    struct identity who;
    Mpc__Session__V1__PartyCertificate *certificate;
    bool is_backup_required, is_ready;
    char fault[FAULT_MAX];
};

static bool fault(struct process *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fault(struct process *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(p->fault, sizeof p->fault, format, args);
    va_end(args);
    return false;
}

/* Files */

/* Up to |cap| bytes of a file into |out|. False with a fault. */
static bool read_file(struct process *p, const char *path, uint8_t *out, size_t cap, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0)
        return fault(p, "cannot open %s: %s", path, strerror(errno));
    n = read(fd, out, cap);
    close(fd);
    if (n <= 0)
        return fault(p, "%s cannot be read or is empty", path);
    *len = (size_t)n;
    return true;
}

static bool read_identity(struct process *p)
{
    p->identity = secret_new(KEY_FILE_PAIR);
    return key_file_read_pair(p->identity, config_text(p->config, "IDENTITY_KEY_FILE"), p->fault);
}

static bool read_certificate(struct process *p)
{
    const char *path = config_text(p->config, "CERTIFICATE_FILE");
    uint8_t *b = mem_new(1, FILE_MAX);
    size_t len = 0;
    bool ok = read_file(p, path, b, FILE_MAX, &len);

    if (ok)
        p->certificate = mpc__session__v1__party_certificate__unpack(NULL, len, b);
    free(b);
    if (!ok)
        return false;
    if (!p->certificate ||
        !identity_verify(&p->who, p->certificate, config_key(p->config, "CA_KEY", 32)))
        return fault(p, "%s is not a certificate of the authority in CA_KEY", path);
    if (memcmp(p->who.key, p->identity + 32, 32) != 0)
        return fault(p, "%s is not the certificate of the key in IDENTITY_KEY_FILE", path);
    return true;
}

static void read_rules(struct process *p)
{
    struct permit_rules *rules = &p->keeper.rules;

    rules->ctx = library_ctx();
    rules->party_id = p->who.party_id;
    memcpy(rules->ca_key, config_key(p->config, "CA_KEY", 32), 32);
    memcpy(rules->identity_key, p->who.key, 32);
    randombytes_buf(rules->boot_id, sizeof rules->boot_id);
    rules->initiators = config_keys(p->config, "INITIATOR_KEYS", 32, &rules->initiators_n);
    rules->callers = config_keys(p->config, "CALLER_KEYS", 32, &rules->callers_n);
}

/* Parts */

static bool open_policy(struct process *p)
{
    const struct policy_params params = {
        .ctx = library_ctx(),
        .command = config_text(p->config, "POLICY_COMMAND"),
        .url = config_text(p->config, "POLICY_URL"),
        .timeout_ms = (int)config_int(p->config, "POLICY_TIMEOUT_MS"),
        .program = "/proc/self/exe",
    };
    char error[REFUSAL_TEXT_MAX];

    p->keeper.policy = policy_start(&params, error);
    return !error[0] || fault(p, "%s", error);
}

static bool open_keys(struct process *p)
{
    char error[KEYS_ERROR_MAX];

    p->keys = keys_open(p->config, "/proc/self/exe", error);
    return p->keys || fault(p, "%s", error);
}

static bool open_store(struct process *p)
{
    const char *directory = config_text(p->config, "DATA_DIR");
    const char *const files[STORE_HELPER_FILES] = {config_text(p->config, "POSTGRES_TLS_CA"),
                                                   config_text(p->config, "POSTGRES_TLS_CRL")};
    char error[KEYS_ERROR_MAX];
    int helper = -1;

    if (db_configured_is_server(p->config))
        helper = store_helper_start("/proc/self/exe", files, error);
    if (db_configured_is_server(p->config) && helper < 0)
        return fault(p, "%s", error);
    if (!sandbox_files(directory))
        log_line(LOG_WARN, "the kernel has no Landlock: the keeper could open every file of its "
                           "user; use Linux 5.13 or later with it");
    p->keeper.store = store_open_configured(p->config, helper, error);
    return (p->keeper.store && keys_settle(p->keys, p->keeper.store, directory, error)) ||
           fault(p, "%s", error);
}

static bool open_attempts(struct process *p)
{
    char error[ATTEMPTS_ERROR_MAX];

    p->keeper.attempts = attempts_open(config_text(p->config, "DATA_DIR"), clock_unix_ms(), error);
    return p->keeper.attempts || fault(p, "%s", error);
}

/* Without them nobody knows what is frozen: nothing is signed then. */
static bool open_orders(struct process *p)
{
    p->keeper.orders = orders_new(p->keeper.store, config_key(p->config, "OPERATOR_KEY", 32));
    return p->keeper.orders ||
           fault(p, "the operator's orders in %s cannot be read: restore the database",
                 config_text(p->config, "DATA_DIR"));
}

static void emit(void *arg, const Mpc__Keeper__V1__FromKeeper *frame)
{
    frames_write(arg, frame);
}

static void open_keeper(struct process *p)
{
    struct keeper *k = &p->keeper;
    const struct shares_params shares = {k->rules.ctx, keys_vault(p->keys), k->store,
                                         p->who.party_id,
                                         (size_t)config_int(p->config, "SHARE_CACHE")};
    struct delegate_params delegate = {
        .ctx = k->rules.ctx,
        .store = k->store,
        .party_id = p->who.party_id,
        .is_delegate = strcmp(p->who.role, "persistent") != 0,
        .identity_key = p->who.key,
        .user_key = config_key(p->config, "USER_SHARE_PUBLIC_KEY", 32),
    };

    k->identity = p->identity;
    k->role = p->who.role;
    k->capacity = (size_t)config_int(p->config, "PARTY_CAPACITY");
    k->shares = shares_new(&shares);
    k->gates = gates_new();
    k->blocks = blocks_new(KEEP_BLOCKS);
    delegate.shares = k->shares;
    k->delegate = delegate_new(&delegate);
    k->presigs = presigs_new((size_t)config_int(p->config, "PRESIGN_POOL"));
    k->emit = emit;
    k->emit_arg = p->frames = frames_new(FRONT_FD);
    keeper_init(k);
    k->workers = workers_new((size_t)config_int(p->config, "WORKERS"));
    k->upkeep = upkeep_start(k);
    k->rewrap = rewrap_start(k->store, k->shares, keys_vault(p->keys));
}

enum { STATE_EVERY_MS = 24 * 60 * 60 * 1000 };

static bool open_backup(struct process *p)
{
    const struct backup_params params = {.store = p->keeper.store,
                                         .shares = p->keeper.shares,
                                         .identity = p->identity,
                                         .party_id = p->who.party_id,
                                         .operator_key = config_key(p->config, "OPERATOR_KEY", 32),
                                         .state_every_ms = STATE_EVERY_MS,
                                         .certificate = p->certificate,
                                         .emit = emit,
                                         .emit_arg = p->frames};
    const char *recipient = config_text(p->config, "BACKUP_RECIPIENT");
    char error[BACKUP_ERROR_MAX];

    p->is_backup_required = strcmp(config_text(p->config, "BACKUP_REQUIRED"), "true") == 0;
    if (!recipient[0] && p->is_backup_required)
        return fault(p, "BACKUP_REQUIRED=true needs BACKUP_RECIPIENT: make a key with quorate "
                        "backup key and set its public text");
    if (!recipient[0] || strcmp(p->who.role, "persistent") != 0)
        return true;
    if (!config_text(p->config, "BACKUP_DIR")[0])
        return fault(p, "BACKUP_RECIPIENT is set, but BACKUP_DIR is not: set it to the directory "
                        "where backups go");
    p->keeper.backup = backup_start(&params, recipient, error);
    return p->keeper.backup || fault(p, "%s", error);
}

static void close_all(struct process *p)
{
    struct keeper *k = &p->keeper;

    backup_stop(k->backup);
    rewrap_stop(k->rewrap);
    upkeep_stop(k->upkeep);
    if (k->workers) {
        workers_stop(k->workers);
        keeper_end(k);
    }
    workers_free(k->workers);
    policy_stop(k->policy);
    presigs_free(k->presigs);
    delegate_free(k->delegate);
    blocks_free(k->blocks);
    orders_free(k->orders);
    gates_free(k->gates);
    shares_free(k->shares);
    attempts_close(k->attempts);
    store_close(k->store);
    keys_close(p->keys);
    frames_free(p->frames);
    secret_free(p->identity);
    if (p->certificate)
        mpc__session__v1__party_certificate__free_unpacked(p->certificate, NULL);
    config_free(p->config);
}

static bool start(struct process *p, const char *env_file)
{
    char error[CONFIG_ERROR_MAX];

    p->config = config_load(CONFIG_KEEPER, env_file, error);
    if (!p->config)
        return fault(p, "%s", error);
    log_setup("keeper", log_level_of(config_text(p->config, "LOG_LEVEL")));
    if (!open_policy(p) || !open_keys(p) || !read_identity(p) || !read_certificate(p))
        return false;
    read_rules(p);
    if (!open_store(p) || !open_orders(p) || !open_attempts(p))
        return false;
    open_keeper(p);
    if (!open_backup(p))
        return false;
    return sandbox_calls(error) || fault(p, "%s", error);
}

static void say_ready(struct process *p)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__Ready ready = MPC__KEEPER__V1__READY__INIT;

    ready.party_id = p->who.party_id;
    ready.role = p->who.role;
    ready.identity_key = (ProtobufCBinaryData){32, p->who.key};
    ready.certificate = p->certificate;
    ready.boot_id = (ProtobufCBinaryData){16, p->keeper.rules.boot_id};
    ready.capacity = (uint32_t)p->keeper.capacity;
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_READY;
    frame.ready = &ready;
    frames_write(p->frames, &frame);
    log_event(LOG_INFO, BACKUP_LOG_SERVES, LOG_S("party", p->who.party_id),
              LOG_S("role", p->who.role), LOG_I("shares", store_count(p->keeper.store)));
}

/* The front registers the party when it hears of it: not before somebody was seen to open its
 * backups, if that is required. */
static bool may_be_ready(const struct process *p)
{
    return !p->is_backup_required || !p->keeper.backup || backup_is_proven(p->keeper.backup);
}

static void become_ready(struct process *p)
{
    if (p->is_ready || !may_be_ready(p))
        return;
    p->is_ready = true;
    say_ready(p);
}

/* The loop */

static void hear_policy(struct process *p)
{
    uint64_t number;
    bool gone = false;
    enum policy_answer answer;

    while ((answer = policy_read(p->keeper.policy, &number, &gone)) != POLICY_NONE)
        keeper_policy_answer(&p->keeper, number, answer);
    /* Without it nothing would be approved; whoever started this keeper starts both again. */
    if (gone)
        (void)fault(p, "the policy's helper has ended");
}

/* False: the front is gone, or speaks no sense. */
static bool hear_front(struct process *p)
{
    Mpc__Keeper__V1__ToKeeper *frame;
    bool broken;

    if (!frames_fill(p->frames))
        return false;
    while ((frame = frames_next(p->frames, &broken)))
        keeper_take(&p->keeper, frame);
    if (broken)
        (void)fault(p, "the front sent something that is no request");
    return !broken;
}

static void serve(struct process *p)
{
    bool goes_on = true;

    while (goes_on && !p->fault[0]) {
        int tick_ms = keeper_tick(&p->keeper, clock_unix_ms());
        int wait_ms = p->is_ready || tick_ms < UNREADY_TICK_MS ? tick_ms : UNREADY_TICK_MS;
        struct pollfd fds[] = {
            {.fd = FRONT_FD, .events = POLLIN},
            {.fd = p->keeper.policy ? policy_fd(p->keeper.policy) : -1, .events = POLLIN},
            {.fd = keys_fd(p->keys)}};

        if (poll(fds, sizeof fds / sizeof fds[0], wait_ms) < 0 && errno != EINTR)
            break;
        if (fds[1].revents)
            hear_policy(p);
        /* The same: no share could be opened. */
        if (fds[2].revents)
            (void)fault(p, "the helper with PKCS11_MODULE has ended");
        if (fds[0].revents)
            goes_on = hear_front(p);
        become_ready(p);
    }
}

static const char *env_file_of(int argc, char **argv)
{
    for (int i = 2; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--env-file") == 0)
            return argv[i + 1];
    }
    return NULL;
}

int keeper_main(int argc, char **argv)
{
    struct process *p;
    bool failed;

    if (argc > 2 && strcmp(argv[2], "--policy") == 0)
        return policy_main();
    if (argc > 2 && strcmp(argv[2], "--vault") == 0)
        return hsm_main();
    if (argc > 2 && strcmp(argv[2], "--store") == 0)
        return store_helper_main();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    secret_harden();
    log_setup("keeper", LOG_INFO);
    p = mem_new(1, sizeof *p);
    if (start(p, env_file_of(argc, argv))) {
        become_ready(p);
        if (!p->is_ready)
            log_event(LOG_ERROR, BACKUP_LOG_WAITS ": run quorate backup verify",
                      LOG_S("directory", config_text(p->config, "BACKUP_DIR")));
        serve(p);
    }
    failed = p->fault[0] != '\0';
    if (failed)
        log_line(LOG_ERROR, p->fault);
    close_all(p);
    free(p);
    return failed ? 1 : 0;
}
