/* SPDX-License-Identifier: Apache-2.0 */
/* keepers.h without its jobs: processes and the relay between them. Frames are written whole, read
 * as they come. */
#include "keepers.h"

#include "participant/keeper.h"
#include "system/access/identity.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/service/library.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SILENCE_MS = 60000, FRONT_FD = 3 };

typedef Mpc__Keeper__V1__ToKeeper to_keeper;
typedef Mpc__Keeper__V1__FromKeeper from_keeper;

/* A keeper forbids what the leak checker needs at the end of a process. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

bool keepers_main(int argc, char **argv, int *result)
{
    if (argc < 2 || strcmp(argv[1], "--keeper") != 0)
        return false;
    *result = keeper_main(argc, argv);
    return true;
}

/* Files of a keeper */

static void write_file(const char *directory, const char *name, const void *b, size_t len)
{
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b, len), (ssize_t)len);
    close(fd);
}

static void add_hex(struct buffer *text, const char *name, const uint8_t *b, size_t len)
{
    char hex[129];

    hex_encode(hex, b, len);
    buffer_printf(text, "%s=%s\n", name, hex);
}

/* The test's own lines; @DIR@ is the directory of all. */
static void add_settings(struct buffer *text, const struct keepers *k)
{
    const char *rest = k->options.settings ? k->options.settings : "", *mark;

    while ((mark = strstr(rest, "@DIR@"))) {
        buffer_add(text, rest, (size_t)(mark - rest));
        buffer_text(text, k->directory);
        rest = mark + 5;
    }
    buffer_text(text, rest);
}

static void write_settings(struct keepers *k, const struct keeper_seat *seat)
{
    struct buffer text = {0};
    const uint8_t master[32] = {7};

    buffer_printf(&text, "ENVIRONMENT=development\nLOG_LEVEL=warn\nDATA_DIR=%s\n", seat->directory);
    buffer_printf(&text, "IDENTITY_KEY_FILE=%s/identity.key\nCERTIFICATE_FILE=%s/party.cert\n",
                  seat->directory, seat->directory);
    add_hex(&text, "CRYPTO_MASTER_KEY", master, 32);
    add_hex(&text, "CA_KEY", k->ca_key, 32);
    add_hex(&text, "INITIATOR_KEYS", k->initiator_key, 32);
    add_hex(&text, "CALLER_KEYS", k->caller_key, 32);
    add_hex(&text, "OPERATOR_KEY", k->operator_key, 32);
    party_db_settings(&seat->db, &text);
    add_settings(&text, k);
    write_file(seat->directory, "env", text.b, text.len);
    buffer_free(&text);
}

static void make_seat(struct keepers *k, size_t i, const char *role)
{
    struct keeper_seat *seat = &k->seats[i];
    struct identity identity = {0};
    char seed[65];
    uint8_t *b;
    size_t len;

    snprintf(seat->party_id, sizeof seat->party_id, "party-%zu", i + 1);
    snprintf(seat->directory, sizeof seat->directory, "%s/%zu", k->directory, i + 1);
    assert_int_equal(mkdir(seat->directory, 0700), 0);
    randombytes_buf(seat->seed, 32);
    crypto_sign_seed_keypair(seat->key, seat->secret, seat->seed);
    strcpy(identity.party_id, seat->party_id);
    strcpy(identity.role, role);
    memcpy(identity.key, seat->key, 32);
    b = identity_issue(&len, &identity, k->ca_secret);
    write_file(seat->directory, "party.cert", b, len);
    seat->certificate = mpc__session__v1__party_certificate__unpack(NULL, len, b);
    free(b);
    hex_encode(seed, seat->seed, 32);
    write_file(seat->directory, "identity.key", seed, 64);
    party_db_make(&seat->db, seat->directory);
    write_settings(k, seat);
}

/* Processes */

static void exec_keeper(const struct keeper_seat *seat, int fd)
{
    char env_file[256];

    snprintf(env_file, sizeof env_file, "%s/env", seat->directory);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fd != FRONT_FD)
        dup2(fd, FRONT_FD);
    (void)close_range(FRONT_FD + 1, ~0U, 0);
    execl("/proc/self/exe", "test", "--keeper", "--env-file", env_file, (char *)NULL);
    _exit(127);
}

/* The next frame of a seat, or NULL. */
static from_keeper *next_frame(struct keeper_seat *seat)
{
    from_keeper *frame;
    uint32_t len;

    if (seat->in_len < 4)
        return NULL;
    len = (uint32_t)seat->in[0] << 24 | (uint32_t)seat->in[1] << 16 | (uint32_t)seat->in[2] << 8 |
          seat->in[3];
    if (seat->in_len - 4 < len)
        return NULL;
    frame = mpc__keeper__v1__from_keeper__unpack(NULL, len, seat->in + 4);
    assert_non_null(frame);
    seat->in_len -= 4 + (size_t)len;
    memmove(seat->in, seat->in + 4 + len, seat->in_len);
    return frame;
}

/* False at the end of the socket. */
static bool fill(struct keeper_seat *seat)
{
    ssize_t n;

    if (seat->in_cap - seat->in_len < 65536) {
        seat->in_cap = 2 * seat->in_cap + 65536;
        seat->in = realloc(seat->in, seat->in_cap);
        assert_non_null(seat->in);
    }
    n = read(seat->fd, seat->in + seat->in_len, seat->in_cap - seat->in_len);
    if (n > 0)
        seat->in_len += (size_t)n;
    return n > 0;
}

bool keepers_start(struct keepers *k, size_t i)
{
    struct keeper_seat *seat = &k->seats[i];
    from_keeper *frame;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    seat->pid = fork();
    assert_true(seat->pid >= 0);
    if (seat->pid == 0)
        exec_keeper(seat, pair[1]);
    close(pair[1]);
    seat->fd = pair[0];
    seat->in_len = 0;
    seat->is_gone = false;
    while (!(frame = next_frame(seat))) {
        if (!fill(seat))
            return false;
    }
    assert_int_equal(frame->reply_case, MPC__KEEPER__V1__FROM_KEEPER__REPLY_READY);
    assert_string_equal(frame->ready->party_id, seat->party_id);
    memcpy(seat->boot_id, frame->ready->boot_id.data, 16);
    mpc__keeper__v1__from_keeper__free_unpacked(frame, NULL);
    return true;
}

static int reap(struct keeper_seat *seat)
{
    int status = 0;

    if (seat->pid > 0)
        assert_int_equal(waitpid(seat->pid, &status, 0), seat->pid);
    seat->pid = 0;
    if (seat->fd >= 0)
        close(seat->fd);
    seat->fd = -1;
    seat->is_gone = true;
    return status;
}

int keepers_refuse_to_start(struct keepers *k, size_t i)
{
    assert_false(keepers_start(k, i));
    return reap(&k->seats[i]);
}

static void take(struct keepers *k, size_t who, from_keeper *frame);

/* What it had said before is carried. */
void keepers_kill(struct keepers *k, size_t i)
{
    struct keeper_seat *seat = &k->seats[i];
    from_keeper *frame;

    kill(seat->pid, SIGKILL);
    while (fill(seat))
        ;
    while ((frame = next_frame(seat)))
        take(k, i, frame);
    (void)reap(seat);
}

int keepers_stop(struct keepers *k, size_t i)
{
    struct keeper_seat *seat = &k->seats[i];

    shutdown(seat->fd, SHUT_WR);
    while (fill(seat))
        seat->in_len = 0;
    return reap(seat);
}

static void keypair(uint8_t key[32], uint8_t secret[64])
{
    crypto_sign_keypair(key, secret);
}

struct keepers *keepers_new(size_t n, const struct keepers_options *options)
{
    struct keepers *k = calloc(1, sizeof *k);

    assert_non_null(k);
    (void)library_ctx();
    (void)signal(SIGPIPE, SIG_IGN);
    k->n = n;
    if (options)
        k->options = *options;
    strcpy(k->directory, "/tmp/quorate-keepers-XXXXXX");
    assert_non_null(mkdtemp(k->directory));
    keypair(k->ca_key, k->ca_secret);
    keypair(k->initiator_key, k->initiator_secret);
    keypair(k->caller_key, k->caller_secret);
    keypair(k->operator_key, k->operator_secret);
    for (size_t i = 0; i < n; i++) {
        make_seat(k, i, k->options.with_delegate && i + 1 == n ? "delegate" : "persistent");
        assert_true(keepers_start(k, i));
    }
    return k;
}

static void forget(from_keeper **frame)
{
    if (*frame)
        mpc__keeper__v1__from_keeper__free_unpacked(*frame, NULL);
    *frame = NULL;
}

void keepers_free(struct keepers *k)
{
    char command[128];

    for (size_t i = 0; i < k->n; i++) {
        struct keeper_seat *seat = &k->seats[i];

        if (!seat->is_gone)
            assert_int_equal(keepers_stop(k, i), 0);
        party_db_remove(&seat->db);
        mpc__session__v1__party_certificate__free_unpacked(seat->certificate, NULL);
        free(seat->in);
    }
    forget(&k->last_stats);
    forget(&k->last_share_key);
    forget(&k->last_sealed);
    forget(&k->last_answer);
    forget(&k->last_proof);
    snprintf(command, sizeof command, "rm -rf '%s'", k->directory);
    assert_int_equal(system(command), 0);
    free(k);
}

/* Frames to a keeper */

/* A keeper that waits for its own words to be read reads nothing: they are, or both stand still.
 * False: it is gone. */
static bool listen_until_writable(struct keeper_seat *seat)
{
    struct pollfd fd = {.fd = seat->fd, .events = POLLIN | POLLOUT};

    assert_true(poll(&fd, 1, SILENCE_MS) > 0);
    return !(fd.revents & POLLIN) || fill(seat);
}

void keepers_send(struct keepers *k, size_t i, const to_keeper *frame)
{
    struct keeper_seat *seat = &k->seats[i];
    size_t len = mpc__keeper__v1__to_keeper__get_packed_size(frame), at = 0;
    uint8_t *b = malloc(4 + len);

    for (int j = 0; j < 4; j++)
        b[j] = (uint8_t)(len >> (24 - 8 * j));
    mpc__keeper__v1__to_keeper__pack(frame, b + 4);
    while (!seat->is_gone && at < 4 + len) {
        ssize_t n = send(seat->fd, b + at, 4 + len - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0)
            at += (size_t)n;
        else if (n == 0 || errno != EAGAIN || !listen_until_writable(seat))
            break;
    }
    free(b);
}

void keepers_open(struct keepers *k, size_t i, const Mpc__Session__V1__Setup *setup)
{
    keepers_open_for(k, i, setup, NULL);
}

void keepers_open_for(struct keepers *k, size_t i, const Mpc__Session__V1__Setup *setup,
                      const uint8_t offered_key[32])
{
    to_keeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__Open open = MPC__KEEPER__V1__OPEN__INIT;

    open.setup = (Mpc__Session__V1__Setup *)setup;
    if (offered_key)
        open.user_public_key = (ProtobufCBinaryData){32, (uint8_t *)offered_key};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_OPEN;
    frame.open = &open;
    keepers_send(k, i, &frame);
}

void keepers_open_all(struct keepers *k, const struct job *job)
{
    Mpc__Session__V1__Setup *setup = keepers_setup(k, job);

    for (size_t i = 0; i < job->members_n; i++)
        keepers_open_for(k, job->members[i], setup, job->has_offered_key ? job->offered_key : NULL);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
}

void keepers_close(struct keepers *k, size_t i, const char *session_id)
{
    to_keeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__Close close_it = MPC__KEEPER__V1__CLOSE__INIT;

    close_it.session_id = (char *)session_id;
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_CLOSE;
    frame.close = &close_it;
    keepers_send(k, i, &frame);
}

void keepers_deliver(struct keepers *k, const struct letter *letter)
{
    to_keeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__Deliver deliver = MPC__KEEPER__V1__DELIVER__INIT;

    deliver.session_id = (char *)letter->session_id;
    deliver.attempt = letter->attempt;
    deliver.from = k->seats[letter->from].party_id;
    deliver.payload = (ProtobufCBinaryData){letter->len, (uint8_t *)letter->b};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_DELIVER;
    frame.deliver = &deliver;
    keepers_send(k, letter->to, &frame);
}

/* Answers */

static size_t seat_of(const struct keepers *k, const char *party_id)
{
    for (size_t i = 0; i < k->n; i++) {
        if (strcmp(k->seats[i].party_id, party_id) == 0)
            return i;
    }
    fail_msg("a message to nobody: %s", party_id);
    return 0;
}

void keepers_watch(struct keepers *k, const struct job *job,
                   bool (*letter)(struct keepers *k, const struct letter *letter, void *arg))
{
    k->letter = letter;
    snprintf(k->watched, sizeof k->watched, "%s", job ? job->session_id : "");
}

static void carry(struct keepers *k, size_t from, Mpc__Keeper__V1__Send *send)
{
    bool is_watched = !k->watched[0] || strcmp(k->watched, send->session_id) == 0;

    if (k->send && is_watched)
        k->send(k, from, send, k->arg);
    for (size_t i = 0; i < send->n_messages; i++) {
        const Mpc__Keeper__V1__Outgoing *m = send->messages[i];

        for (size_t j = 0; j < m->n_to; j++) {
            const struct letter letter = {from,          seat_of(k, m->to[j]), send->session_id,
                                          send->attempt, m->payload.data,      m->payload.len};

            if (!k->letter || !is_watched || k->letter(k, &letter, k->arg))
                keepers_deliver(k, &letter);
        }
    }
}

static void copy_result(struct told *told, const ProtobufCBinaryData *b)
{
    assert_true(b->len <= sizeof told->b);
    if (b->len)
        memcpy(told->b, b->data, b->len);
    told->len = b->len;
}

static void note(struct keepers *k, size_t who, const Mpc__Keeper__V1__Outcome *outcome)
{
    struct told *told = &k->told[k->told_n++];

    assert_true(k->told_n < OUTCOMES_MAX);
    *told = (struct told){.who = who, .attempt = outcome->attempt, .kind = outcome->outcome_case};
    snprintf(told->session_id, sizeof told->session_id, "%s", outcome->session_id);
    switch (outcome->outcome_case) {
    case MPC__KEEPER__V1__OUTCOME__OUTCOME_KEY:
        copy_result(told, &outcome->key->certificate);
        break;
    case MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE:
        copy_result(told, &outcome->signature->signature);
        break;
    case MPC__KEEPER__V1__OUTCOME__OUTCOME_PRESIGNATURE:
        copy_result(told, &outcome->presignature->presignature_id);
        break;
    case MPC__KEEPER__V1__OUTCOME__OUTCOME_FAILURE:
        snprintf(told->code, sizeof told->code, "%s", outcome->failure->code);
        snprintf(told->text, sizeof told->text, "%s", outcome->failure->text);
        told->retry = outcome->failure->retry;
        told->culprit = outcome->failure->culprit;
        told->len = outcome->failure->evidence.len;
        break;
    default:
        fail_msg("an outcome of no kind");
    }
}

static void keep_last(from_keeper **place, from_keeper *frame)
{
    forget(place);
    *place = frame;
}

/* A session that no test has. */
static const char nobodys[] = "00000000-0000-4000-8000-000000000000";

/* Takes the frame over. */
static void take(struct keepers *k, size_t who, from_keeper *frame)
{
    switch (frame->reply_case) {
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEND:
        carry(k, who, frame->send);
        break;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_OUTCOME:
        note(k, who, frame->outcome);
        break;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_STATS:
        keep_last(&k->last_stats, frame);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_SHARE_KEY:
        keep_last(&k->last_share_key, frame);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEALED_SHARE:
        keep_last(&k->last_sealed, frame);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_SHARE_ANSWER:
        if (strcmp(frame->share_answer->session_id, nobodys) == 0) {
            k->is_settled = true;
            break;
        }
        keep_last(&k->last_answer, frame);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_PROOF:
        keep_last(&k->last_proof, frame);
        return;
    default:
        fail_msg("a frame of no kind");
    }
    mpc__keeper__v1__from_keeper__free_unpacked(frame, NULL);
}

/* Frames that were read, one at a time, of all seats, until |done| or the last: what is done with
 * one may have read others. */
static bool take_all(struct keepers *k, bool (*done)(struct keepers *k, void *arg), void *arg)
{
    bool is_done = done(k, arg), took = true;

    while (took && !is_done) {
        took = false;
        for (size_t i = 0; i < k->n && !is_done; i++) {
            from_keeper *frame = k->seats[i].is_gone ? NULL : next_frame(&k->seats[i]);

            if (!frame)
                continue;
            take(k, i, frame);
            took = true;
            is_done = done(k, arg);
        }
    }
    return is_done;
}

void keepers_relay(struct keepers *k, bool (*done)(struct keepers *k, void *arg), void *arg)
{
    while (!take_all(k, done, arg)) {
        struct pollfd fds[KEEPERS_MAX];

        for (size_t i = 0; i < k->n; i++)
            fds[i] =
                (struct pollfd){.fd = k->seats[i].is_gone ? -1 : k->seats[i].fd, .events = POLLIN};
        assert_true(poll(fds, k->n, SILENCE_MS) > 0);
        for (size_t i = 0; i < k->n; i++) {
            if (fds[i].revents && !fill(&k->seats[i]))
                (void)reap(&k->seats[i]);
        }
    }
}

const struct told *keepers_told(const struct keepers *k, size_t who, const char *session_id,
                                uint32_t attempt)
{
    for (size_t i = 0; i < k->told_n; i++) {
        const struct told *told = &k->told[i];

        if (told->who == who && told->attempt == attempt &&
            strcmp(told->session_id, session_id) == 0)
            return told;
    }
    return NULL;
}

static bool all_told(struct keepers *k, void *arg)
{
    const struct job *job = arg;

    for (size_t i = 0; i < job->members_n; i++) {
        if (!keepers_told(k, job->members[i], job->session_id, job->attempt))
            return false;
    }
    return true;
}

void keepers_play(struct keepers *k, const struct job *job)
{
    keepers_relay(k, all_told, (void *)job);
}

static bool has_stats(struct keepers *k, void *arg)
{
    (void)arg;
    return k->last_stats != NULL;
}

void keepers_ask_stats(struct keepers *k, size_t i)
{
    to_keeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__GetStats get = MPC__KEEPER__V1__GET_STATS__INIT;

    forget(&k->last_stats);
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_STATS;
    frame.get_stats = &get;
    keepers_send(k, i, &frame);
    keepers_relay(k, has_stats, NULL);
}

static bool is_settled(struct keepers *k, void *arg)
{
    (void)arg;
    return k->is_settled;
}

/* What asks the database does so in the order in which it was sent. */
void keepers_sync(struct keepers *k, size_t i)
{
    to_keeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__ConfirmShare confirm = MPC__KEEPER__V1__CONFIRM_SHARE__INIT;

    k->is_settled = false;
    confirm.session_id = (char *)nobodys;
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_CONFIRM_SHARE;
    frame.confirm_share = &confirm;
    keepers_send(k, i, &frame);
    keepers_relay(k, is_settled, NULL);
    keepers_ask_stats(k, i);
}
