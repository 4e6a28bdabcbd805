/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. */
#include "world.h"

#include "services/account/service.h"
#include "system/access/identity.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/rpc/message.h"
#include "system/service/library.h"

#include <secp256k1.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WATCHDOG_MS = 120000 };

/* Waiting. */

static void bark(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

void world_until(struct world *w, bool (*holds)(struct world *w, const void *arg), const void *arg)
{
    uv_timer_t *watchdog = mem_new(1, sizeof *watchdog);
    bool is_late = false;

    uv_timer_init(&w->loop, watchdog);
    watchdog->data = &is_late;
    uv_timer_start(watchdog, bark, WATCHDOG_MS, 0);
    while (!holds(w, arg) && !is_late)
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)watchdog, (uv_close_cb)free);
    if (is_late)
        fail_msg("waited in vain");
}

static bool flag_is_set(struct world *w, const void *arg)
{
    (void)w;
    return *(const bool *)arg;
}

static void until_flag(void *arg, const bool *flag)
{
    world_until(arg, flag_is_set, flag);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

struct knocks {
    enum door door;
    unsigned n;
};

static bool is_called(struct world *w, const void *arg)
{
    const struct knocks *knocks = arg;

    return w->script.calls[knocks->door] >= knocks->n;
}

void world_until_called(struct world *w, enum door door, unsigned n)
{
    const struct knocks knocks = {door, n};

    world_until(w, is_called, &knocks);
}

static bool is_dying(struct world *w, const void *arg)
{
    (void)arg;
    return w->script.is_dying;
}

static bool is_gone(struct world *w, const void *arg)
{
    (void)arg;
    return !rpc_channel_is_connected(w->s->coordinator);
}

void world_until_dead(struct world *w)
{
    world_until(w, is_dying, NULL);
    script_die(&w->script, until_flag, w);
    world_until(w, is_gone, NULL);
}

/* Parties. */

void world_certify(struct world *w, size_t i, const char *party_id, const char *role,
                   size_t identity, bool is_forged)
{
    struct identity person = {0};
    uint8_t other[64], pk[32], *packed;
    size_t len;

    crypto_sign_keypair(pk, other);
    snprintf(person.party_id, sizeof person.party_id, "%s", party_id);
    snprintf(person.role, sizeof person.role, "%s", role);
    memcpy(person.key, w->identities[identity] + 32, 32);
    packed = identity_issue(&len, &person, is_forged ? other : w->ca);
    if (w->script.certificates[i])
        mpc__session__v1__party_certificate__free_unpacked(w->script.certificates[i], NULL);
    w->script.certificates[i] = mpc__session__v1__party_certificate__unpack(NULL, len, packed);
    w->script.party_ids[i] = party_id;
    free(packed);
}

static void make_people(struct world *w)
{
    static const char *const names[] = {"party-1", "party-2", "party-3"};
    uint8_t ca_pk[32];

    crypto_sign_keypair(ca_pk, w->ca);
    crypto_sign_keypair(w->caller_pk, w->caller);
    assert_int_equal(script_make_key(w->identities[0], sizeof w->identities, ""),
                     sizeof w->identities);
    for (size_t i = 0; i < SCRIPT_PARTIES; i++)
        world_certify(w, i, names[i], "persistent", i, false);
}

static void make_public_key(struct world *w)
{
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    secp256k1_pubkey point;
    size_t len = sizeof w->pk.b;

    memset(w->script.secret_key, 7, sizeof w->script.secret_key);
    assert_int_equal(secp256k1_ec_pubkey_create(secp, &point, w->script.secret_key), 1);
    secp256k1_ec_pubkey_serialize(secp, w->pk.b, &len, &point, SECP256K1_EC_COMPRESSED);
    secp256k1_context_destroy(secp);
}

/* The database, while the service does not have it. */

static struct db *open_db(struct world *w)
{
    char url[128], error[DB_ERROR_MAX];
    const struct db_params params = {.url = url, .migrations = store_migrations};
    struct db *db;

    snprintf(url, sizeof url, "sqlite:%s/account.db", w->dir);
    db = db_open(NULL, &params, error);
    if (!db)
        fail_msg("%s", error);
    return db;
}

static void add_account(struct world *w)
{
    struct store_insert insert = {.account = {.account_id = WORLD_ACCOUNT,
                                              .user_id = "first",
                                              .session_id = WORLD_KEYGEN,
                                              .t = 2,
                                              .n = 3,
                                              .created_ms = 1,
                                              .parties_n = SCRIPT_PARTIES},
                                  .idempotency_key = "",
                                  .replica = "test"};
    struct account *account = &insert.account;
    struct store_intent intent = {.account = account};
    struct audit_entry entry = {0};
    struct audit_opening opening = {.chain = "00000000000000000000000000000000", .caller = "test"};
    struct store_finish finish = {.account = account, .audit = &entry};
    struct db *db = open_db(w);

    for (size_t i = 0; i < SCRIPT_PARTIES; i++) {
        account->parties[i].index = (uint16_t)(i + 1);
        snprintf(account->parties[i].id, sizeof account->parties[i].id, "%s",
                 w->script.party_ids[i]);
    }
    memset(account->keyid, 9, sizeof account->keyid);
    assert_int_equal(db_run(db, DB_DURABLE, audit_open, &opening), DB_OK);
    entry.after = opening.head;
    assert_int_equal(db_run(db, DB_DURABLE, store_insert, &insert), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, store_intent, &intent), DB_OK);
    account->pk = w->pk;
    account->status = ACCOUNT_ACTIVE;
    assert_int_equal(db_run(db, DB_DURABLE, store_finish, &finish), DB_OK);
    db_close(db);
}

static bool take_audit(const struct db_row *row, void *arg)
{
    snprintf(arg, 128, "%s %s", db_get_text(row, 0), db_get_text(row, 1));
    return false;
}

static enum db_result read_audit(struct db_tx *tx, void *arg)
{
    return db_query(tx,
                    "SELECT action, outcome FROM audit_log WHERE action <> 'ListAccounts' ORDER BY "
                    "at_ms DESC, seq DESC LIMIT 1",
                    NULL, 0, take_audit, arg);
}

void world_audit(struct world *w, char out[128])
{
    struct db *db = open_db(w);

    assert_int_equal(db_run(db, DB_READ, read_audit, out), DB_OK);
    db_close(db);
}

/* The service. */

static void write_file(const struct world *w, const char *name, const char *text)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void load_config(struct world *w)
{
    char path[96], text[1024], error[CONFIG_ERROR_MAX], ca[65], caller[65];

    hex_encode(ca, w->ca + 32, 32);
    hex_encode(caller, w->caller_pk, 32);
    snprintf(text, sizeof text,
             "ENVIRONMENT=development\nDATA_DIR=%s\nLISTEN_HOST=127.0.0.1\nTLS=off\n"
             "JWT_SECRET_KEY=0123456789abcdef0123456789abcdef\nMPC_API_KEY=test-key\n"
             "ALLOWED_IPS=127.0.0.1\nCA_KEY=%s\nCALLER_KEYS=%s\nINITIATOR_KEY_FILE=%s/initiator\n"
             "COORDINATOR_ADDR=127.0.0.1:%d\nROUTER_ADDR=127.0.0.1:%d\n"
             "RETRY_MAX=1000\nRETRY_DELAY_MS=10\nKEYGEN_WAIT_S=100\nSIGN_WAIT_S=100\n",
             w->dir, ca, caller, w->dir, w->script.port, w->script.port);
    write_file(w, "env", text);
    write_file(w, "initiator", "0101010101010101010101010101010101010101010101010101010101010101");
    snprintf(path, sizeof path, "%s/env", w->dir);
    w->config = config_load(CONFIG_ACCOUNT, path, error);
    if (!w->config)
        fail_msg("%s", error);
}

static bool is_ready(struct world *w, const void *arg)
{
    (void)arg;
    return account_service.is_ready(w->s) || !w->script.server;
}

void world_start(struct world *w)
{
    char error[RPC_TEXT_MAX], target[32];

    w->access = access_new(w->config, CONFIG_ACCOUNT, error);
    if (!w->access)
        fail_msg("%s", error);
    w->host = (struct service_host){.name = "account-service",
                                    .loop = &w->loop,
                                    .config = w->config,
                                    .server = rpc_server_new(&w->loop, NULL),
                                    .access = w->access};
    rpc_server_guard(w->host.server, access_guard, w->access);
    w->s = account_service.start(&w->host, error);
    if (!w->s || !rpc_server_listen(w->host.server, "127.0.0.1", 0, NULL, error))
        fail_msg("%s", error);
    snprintf(target, sizeof target, "127.0.0.1:%d", rpc_server_port(w->host.server));
    w->channel = rpc_channel_new(
        &w->loop,
        &(struct rpc_channel_params){.target = target, .retry = {.step_ms = 10, .cap_ms = 50}});
    rpc_channel_authorize(w->channel, NULL, "test-key");
    world_until(w, is_ready, NULL);
}

void world_stop(struct world *w)
{
    bool has_stopped = false;

    account_service.stop(w->s, set_flag, &has_stopped);
    until_flag(w, &has_stopped);
    has_stopped = false;
    rpc_server_stop(w->host.server, 0, set_flag, &has_stopped);
    until_flag(w, &has_stopped);
    account_service.free(w->s);
    rpc_server_free(w->host.server);
    rpc_channel_free(w->channel);
    access_free(w->access);
    w->s = NULL;
}

static const char *const database_files[] = {"account.db", "account.db-wal"};

/* A file that is not there is copied as none. */
static void copy_file(const char *to, const char *from)
{
    FILE *in = fopen(from, "r"), *out;
    char b[4096];
    size_t n;

    unlink(to);
    if (!in)
        return;
    out = fopen(to, "w");
    assert_non_null(out);
    assert_int_equal(fchmod(fileno(out), 0600), 0);
    while ((n = fread(b, 1, sizeof b, in)) > 0)
        assert_int_equal(fwrite(b, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void copy_database(const struct world *w, bool is_back)
{
    char live[96], kept[104];

    for (size_t i = 0; i < sizeof database_files / sizeof database_files[0]; i++) {
        snprintf(live, sizeof live, "%s/%s", w->dir, database_files[i]);
        snprintf(kept, sizeof kept, "%s.kept", live);
        if (is_back)
            copy_file(live, kept);
        else
            copy_file(kept, live);
    }
}

void world_crash(struct world *w)
{
    char shm[96];

    copy_database(w, false);
    world_stop(w);
    copy_database(w, true);
    snprintf(shm, sizeof shm, "%s/account.db-shm", w->dir);
    unlink(shm);
}

struct world *world_new(void)
{
    struct world *w = mem_new(1, sizeof *w);

    (void)library_ctx();
    log_setup("account-service", LOG_ERROR);
    uv_loop_init(&w->loop);
    w->script.loop = &w->loop;
    w->script.is_quick = true;
    snprintf(w->dir, sizeof w->dir, "/tmp/quorate-account-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    make_people(w);
    make_public_key(w);
    script_start(&w->script);
    load_config(w);
    add_account(w);
    world_start(w);
    return w;
}

static void remove_files(const char *dir)
{
    static const char *const names[] = {"env",
                                        "initiator",
                                        "account.db",
                                        "account.db-wal",
                                        "account.db-shm",
                                        "account.db.kept",
                                        "account.db-wal.kept"};
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

void world_free(struct world *w)
{
    if (w->s)
        world_stop(w);
    if (w->script.server)
        script_die(&w->script, until_flag, w);
    while (uv_run(&w->loop, UV_RUN_NOWAIT))
        ;
    assert_int_equal(uv_loop_close(&w->loop), 0);
    script_free(&w->script);
    config_free(w->config);
    remove_files(w->dir);
    free(w);
}

/* Calls. */

static void answered(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct answer *answer = arg;

    answer->is_there = true;
    answer->status = *status;
    if (response)
        answer->message = message_copy(response);
}

void world_begin(struct world *w, struct answer *out, const char *method,
                 const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response)
{
    char path[128];

    *out = (struct answer){0};
    snprintf(path, sizeof path, "mpc.account.v1.AccountService/%s", method);
    rpc_start(w->channel, &(struct rpc_request){.path = path,
                                                .message = request,
                                                .response = response,
                                                .deadline_ms = WATCHDOG_MS,
                                                .done = answered,
                                                .arg = out});
}

void world_await(struct world *w, struct answer *answer)
{
    world_until(w, flag_is_set, &answer->is_there);
}

void answer_free(struct answer *answer)
{
    if (answer->message)
        protobuf_c_message_free_unpacked(answer->message, NULL);
    answer->message = NULL;
}

void answer_expect(const struct answer *answer, int http, const char *name)
{
    if (rpc_http_status(&answer->status) != http || strcmp(answer->status.name, name) != 0)
        fail_msg("expected %d %s, got %d %s: %s", http, name, rpc_http_status(&answer->status),
                 answer->status.name, answer->status.text);
}

Mpc__Account__V1__CreateAccountRequest world_create_request(const char *key, int wait_s)
{
    Mpc__Account__V1__CreateAccountRequest q = MPC__ACCOUNT__V1__CREATE_ACCOUNT_REQUEST__INIT;

    q.user_id = "user-1";
    if (key)
        q.idempotency_key = (char *)(uintptr_t)key;
    q.wait_given_case = MPC__ACCOUNT__V1__CREATE_ACCOUNT_REQUEST__WAIT_GIVEN_WAIT;
    q.wait = (uint32_t)wait_s;
    return q;
}

void world_create_begin(struct world *w, struct answer *out, const char *key, int wait_s)
{
    const Mpc__Account__V1__CreateAccountRequest q = world_create_request(key, wait_s);

    world_begin(w, out, "CreateAccount", &q.base, &mpc__account__v1__account__descriptor);
}

void world_create(struct world *w, struct answer *out, const char *key, int wait_s)
{
    world_create_begin(w, out, key, wait_s);
    world_await(w, out);
}

void world_sign(struct world *w, struct answer *out, const char *message, const char *key,
                int wait_s)
{
    Mpc__Account__V1__SignRequest q = MPC__ACCOUNT__V1__SIGN_REQUEST__INIT;

    q.account_id = WORLD_ACCOUNT;
    q.message = (char *)(uintptr_t)message;
    q.message_encoding = "utf8";
    q.hash = "sha256";
    if (key)
        q.idempotency_key = (char *)(uintptr_t)key;
    q.wait_given_case = MPC__ACCOUNT__V1__SIGN_REQUEST__WAIT_GIVEN_WAIT;
    q.wait = (uint32_t)wait_s;
    world_begin(w, out, "Sign", &q.base, &mpc__account__v1__sign_response__descriptor);
    world_await(w, out);
}

struct answer world_get(struct world *w, const char *account_id)
{
    Mpc__Account__V1__GetAccountRequest q = MPC__ACCOUNT__V1__GET_ACCOUNT_REQUEST__INIT;
    struct answer answer;

    q.account_id = (char *)(uintptr_t)account_id;
    world_begin(w, &answer, "GetAccount", &q.base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    return answer;
}

struct answer world_settled(struct world *w, const char *account_id)
{
    struct answer answer = world_get(w, account_id);
    uint64_t end_us = clock_steady_us() + (uint64_t)WATCHDOG_MS * 1000;

    while (answer.message &&
           strcmp(((Mpc__Account__V1__Account *)answer.message)->status, "pending") == 0) {
        assert_true(clock_steady_us() < end_us);
        answer_free(&answer);
        answer = world_get(w, account_id);
    }
    return answer;
}

size_t world_accounts(struct world *w)
{
    const Mpc__Account__V1__ListAccountsRequest q = MPC__ACCOUNT__V1__LIST_ACCOUNTS_REQUEST__INIT;
    struct answer answer;
    size_t n;

    world_begin(w, &answer, "ListAccounts", &q.base,
                &mpc__account__v1__list_accounts_response__descriptor);
    world_await(w, &answer);
    assert_non_null(answer.message);
    n = ((Mpc__Account__V1__ListAccountsResponse *)answer.message)->n_accounts;
    answer_free(&answer);
    return n - 1;
}

/* Intents of the caller's own. */

static struct qrt_intent any_intent(enum qrt_operation operation)
{
    struct qrt_intent intent = {.operation = (uint8_t)operation,
                                .suite = QRT_SUITE_ECDSA,
                                .profile = QRT_PROFILE_1,
                                .purpose = QRT_PURPOSE_TRANSACTION,
                                .deadline = (uint64_t)clock_unix_ms() / 1000 + 60,
                                .attempts = 4,
                                .t = 2,
                                .parties_n = 3,
                                .parties = {1, 2, 3}};

    randombytes_buf(intent.nonce, sizeof intent.nonce);
    randombytes_buf(intent.request, sizeof intent.request);
    intent.request[6] = 0x40;
    intent.request[8] = 0x80;
    return intent;
}

struct qrt_intent world_keygen_intent(const struct world *w)
{
    struct qrt_intent intent = any_intent(QRT_OP_KEYGEN);

    memcpy(intent.account, intent.request, sizeof intent.account);
    intent.account[0] ^= 1;
    for (size_t i = 0; i < SCRIPT_PARTIES; i++)
        crypto_hash_sha256(intent.idk[i], w->identities[i] + 32, 32);
    return intent;
}

struct qrt_intent world_sign_intent(const struct world *w, const uint8_t *message, size_t len)
{
    struct qrt_intent intent = any_intent(QRT_OP_SIGN);

    (void)w;
    assert_true(id_parse(intent.account, WORLD_ACCOUNT));
    memset(intent.keyid, 9, sizeof intent.keyid);
    intent.digest = QRT_DIGEST_SHA256;
    intent.message = message;
    intent.message_len = (uint32_t)len;
    return intent;
}

void world_own(struct own_intent *out, const struct qrt_intent *intent, const uint8_t secret[64])
{
    uint8_t signature[64];

    assert_int_equal(qrt_intent_encode(intent, out->b, sizeof out->b, &out->len), QRT_OK);
    qrt_intent_sign(signature, library_ctx(), out->b, out->len, secret);
    hex_encode(out->hex, out->b, out->len);
    hex_encode(out->signature, signature, sizeof signature);
}
