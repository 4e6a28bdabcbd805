/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: its locks and lists, and the real thing: fifty concurrent signings, one peer that
 * cheats once. The cheat is made by the relay, which knows that peer's identity key: it alters
 * the opening move of a multiplication and signs it as its sender would. */
#include "keepers.h"

#include "cheat.h"
#include "participant/gate.h"
#include "quorate/share.h"
#include "quorate/wire.h"
#include "system/core/buffer.h"
#include "system/service/library.h"
#include "wire/envelope.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cmocka.h>

/* The table alone */

static unsigned ended;

static void end_one(void *run)
{
    *(unsigned *)run += 1;
    ended++;
}

static void test_a_burn_ends_the_others_of_that_pair_only(void **state)
{
    static const uint16_t two[] = {2}, three[] = {3}, both[] = {2, 3};
    struct gates *gates = gates_new();
    const uint8_t kgid[32] = {1}, other[32] = {2};
    struct gate_seat seats[4] = {0};
    unsigned runs[4] = {0};
    uint16_t burned;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        seats[i].run = &runs[i];
    assert_true(gate_join(gates, &seats[0], kgid, both, 2, &burned));
    assert_true(gate_join(gates, &seats[1], kgid, two, 1, &burned));
    assert_true(gate_join(gates, &seats[2], kgid, three, 1, &burned));
    assert_true(gate_join(gates, &seats[3], other, two, 1, &burned));
    assert_true(gate_enter(&seats[0], both, 2));
    gate_burn(gates, &seats[0], 2, end_one);
    gate_leave(&seats[0], both, 2);
    assert_int_equal(ended, 1);
    assert_int_equal(runs[1], 1);
    assert_false(gate_enter(&seats[1], two, 1));
    gate_leave(&seats[1], two, 1);
    assert_true(gate_enter(&seats[2], three, 1));
    gate_leave(&seats[2], three, 1);
    assert_true(gate_enter(&seats[3], two, 1));
    gate_leave(&seats[3], two, 1);
    for (size_t i = 0; i < 4; i++)
        gate_quit(gates, &seats[i]);
    assert_false(gate_join(gates, &seats[0], kgid, both, 2, &burned));
    assert_int_equal(burned, 2);
    assert_true(gate_join(gates, &seats[0], kgid, three, 1, &burned));
    gate_quit(gates, &seats[0]);
    gates_free(gates);
}

/* Two threads may not be between enter and leave of one pair. */
struct worker {
    struct gates *gates;
    unsigned *inside, *most;
};

static void *come_and_go(void *arg)
{
    static const uint16_t peers[] = {2, 7};
    const uint8_t kgid[32] = {1};
    struct worker *w = arg;

    for (int i = 0; i < 2000; i++) {
        struct gate_seat seat = {0};
        uint16_t burned;

        if (!gate_join(w->gates, &seat, kgid, peers, 2, &burned))
            abort();
        (void)gate_enter(&seat, peers, 2);
        if (++*w->inside > *w->most)
            *w->most = *w->inside;
        sched_yield(); /* whoever can come in, does */
        --*w->inside;
        gate_leave(&seat, peers, 2);
        gate_quit(w->gates, &seat);
    }
    return NULL;
}

static void test_one_at_a_time_passes(void **state)
{
    unsigned inside = 0, most = 0;
    struct worker w = {gates_new(), &inside, &most};
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &w), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(inside, 0);
    assert_int_equal(most, 1);
    gates_free(w.gates);
}

/* Fifty at once */

/* Seat 0 never hears what it needs for the absent one: nothing but the burn ends it there. */
enum { SIGNINGS = 50, CHEATED = 23, ABSENT = 31 };

struct kept {
    struct letter letter;
    uint8_t *b;
    char session_id[37];
};

static struct keepers *k;
static struct job keygen;
static uint8_t key_id[32], pk[33];
static struct job jobs[SIGNINGS];
static struct kept kept[SIGNINGS * 4];
static size_t kept_n, after_burn, openings;
static bool holding, burn_told;

static struct qrt_header header_of(const uint8_t *b, size_t len)
{
    struct qrt_header h;

    assert_int_equal(qrt_header_decode(&h, b, len), QRT_OK);
    return h;
}

static ProtobufCBinaryData *find(Mpc__Keeper__V1__Send *send, uint8_t round, uint8_t kind)
{
    for (size_t i = 0; i < send->n_messages; i++) {
        ProtobufCBinaryData *m = &send->messages[i]->payload;
        struct qrt_header h = header_of(m->data, m->len);

        if (h.round == round && h.kind == kind)
            return m;
    }
    return NULL;
}

/* Put |fresh| in the place of |old| and sign again. */
static void replace_hash(ProtobufCBinaryData *m, const uint8_t old[32], const uint8_t fresh[32],
                         const uint8_t secret[64])
{
    struct qrt_header h = header_of(m->data, m->len);
    struct qrt_signed s = {m->data, m->data + QRT_HEADER_BYTES,
                           m->len - QRT_HEADER_BYTES - h.payload_len - QRT_SIG_BYTES, NULL,
                           h.payload_len};
    uint8_t *at = memmem(m->data, m->len, old, 32);

    assert_non_null(at);
    memcpy(at, fresh, 32);
    s.payload = s.ext + s.ext_len;
    qrt_envelope_sign(library_ctx(), m->data + m->len - QRT_SIG_BYTES, &s, secret);
}

/* Seat 1 cheats in one session: many wrong bits, so that the check fails but with 2^-32. */
static void cheat(struct keepers *keepers, size_t from, Mpc__Keeper__V1__Send *send, void *arg)
{
    ProtobufCBinaryData *opening, *signed_one;
    uint8_t old[32], fresh[32];

    (void)arg;
    if (from != 1 || strcmp(send->session_id, jobs[CHEATED].session_id) != 0)
        return;
    opening = find(send, 1, QRT_KIND_PRIVATE);
    signed_one = find(send, 1, QRT_KIND_BROADCAST);
    if (!opening || !signed_one)
        return;
    qrt_envelope_open_hash(library_ctx(), old, opening->data, opening->data + QRT_HEADER_BYTES,
                           opening->len - QRT_HEADER_BYTES);
    for (size_t tree = 0; tree < 8; tree++)
        cheat_e1_flip(opening->data + QRT_HEADER_BYTES, tree, 17 * tree + 5);
    qrt_envelope_open_hash(library_ctx(), fresh, opening->data, opening->data + QRT_HEADER_BYTES,
                           opening->len - QRT_HEADER_BYTES);
    replace_hash(signed_one, old, fresh, keepers->seats[1].secret);
}

/* Everything to seat 0 waits for some time; what seat 0 says is watched. */
static bool watch(struct keepers *keepers, const struct letter *letter, void *arg)
{
    struct qrt_header h = header_of(letter->b, letter->len);

    (void)keepers;
    (void)arg;
    if (letter->from == 0 && letter->to == 1) {
        burn_told = burn_told || h.kind == QRT_KIND_ABORT;
        if (burn_told && h.round == 2 && h.kind == QRT_KIND_PRIVATE)
            after_burn++;
    }
    if (letter->to != 0)
        return true;
    if (strcmp(letter->session_id, jobs[ABSENT].session_id) == 0)
        return false;
    if (!holding)
        return true;
    assert_true(kept_n < SIGNINGS * 4);
    kept[kept_n] = (struct kept){.letter = *letter, .b = mem_copy(letter->b, letter->len)};
    strcpy(kept[kept_n].session_id, letter->session_id);
    kept_n++;
    return false;
}

/* As much as they all say first. */
static bool much_is_kept(struct keepers *keepers, void *arg)
{
    (void)keepers;
    (void)arg;
    return kept_n >= (SIGNINGS - 1) * 2;
}

static void deliver_kept(void)
{
    holding = false;
    for (size_t i = 0; i < kept_n; i++) {
        kept[i].letter.b = kept[i].b;
        kept[i].letter.session_id = kept[i].session_id;
        keepers_deliver(k, &kept[i].letter);
        free(kept[i].b);
    }
    kept_n = 0;
}

/* Seat 0 is done with all of them. */
static bool all_told(struct keepers *keepers, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < SIGNINGS; i++) {
        if (!keepers_told(keepers, 0, jobs[i].session_id, 0))
            return false;
    }
    return true;
}

static void open_fifty(void)
{
    static const size_t quorum[] = {0, 1};

    for (size_t i = 0; i < SIGNINGS; i++) {
        jobs[i] = keepers_sign(&keygen, key_id, quorum, 2);
        keepers_open_all(k, &jobs[i]);
    }
}

static void test_fifty_honest_signings_at_once(void **state)
{
    (void)state;
    open_fifty();
    for (size_t i = 0; i < SIGNINGS; i++) {
        keepers_play(k, &jobs[i]);
        assert_true(keepers_is_signed(keepers_told(k, 0, jobs[i].session_id, 0), &jobs[i], pk));
        assert_true(keepers_is_signed(keepers_told(k, 1, jobs[i].session_id, 0), &jobs[i], pk));
    }
}

static void test_after_the_first_failed_check_nothing_leaves_for_the_pair(void **state)
{
    (void)state;
    holding = true;
    k->send = cheat;
    k->letter = watch;
    open_fifty();
    keepers_relay(k, much_is_kept, NULL);
    deliver_kept();
    keepers_relay(k, all_told, NULL);
    k->send = NULL;
    for (size_t i = 0; i < SIGNINGS; i++) {
        const struct told *told = keepers_told(k, 0, jobs[i].session_id, 0);

        if (i == CHEATED) {
            assert_string_equal(told->code, "SG_EXTENSION");
            assert_int_equal(told->culprit, 2);
            assert_true(told->len > 0); /* what he signed */
        } else if (told->kind == MPC__KEEPER__V1__OUTCOME__OUTCOME_FAILURE) {
            assert_string_equal(told->code, "BURNED");
            assert_true(told->retry);
        } else {
            assert_true(keepers_is_signed(told, &jobs[i], pk));
        }
    }
    assert_true(burn_told);
    assert_int_equal(after_burn, 0);
    assert_string_equal(keepers_told(k, 0, jobs[ABSENT].session_id, 0)->code, "BURNED");
    keepers_sync(k, 0);
    assert_int_equal(k->last_stats->stats->burned, 1);
}

static void expect_burned(size_t who)
{
    static const size_t quorum[] = {0, 1};
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);

    keepers_open(k, who, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    job.members_n = 1;
    job.members[0] = who;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, who, job.session_id, 0)->code, "BURNED");
}

static void expect_signed(size_t a, size_t b)
{
    const size_t quorum[] = {a, b};
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);

    keepers_open_all(k, &job);
    keepers_play(k, &job);
    assert_true(keepers_is_signed(keepers_told(k, a, job.session_id, 0), &job, pk));
    assert_true(keepers_is_signed(keepers_told(k, b, job.session_id, 0), &job, pk));
}

static bool cheat_is_heard(struct keepers *keepers, void *arg)
{
    (void)arg;
    return keepers_told(keepers, 1, jobs[CHEATED].session_id, 0) != NULL;
}

static void test_a_burn_outlives_the_process_and_spares_other_pairs(void **state)
{
    (void)state;
    keepers_relay(k, cheat_is_heard, NULL);
    expect_burned(0);
    expect_burned(1); /* it noted what seat 0 said */
    expect_signed(0, 2);
    expect_signed(1, 2);
    for (size_t i = 0; i < 2; i++) {
        keepers_kill(k, i);
        assert_true(keepers_start(k, i));
        expect_burned(i);
    }
    expect_signed(0, 2);
    expect_signed(1, 2);
}

/* An older copy of the share's row, of before its burn: what counts is the tombstone. */
static void test_a_pair_stays_burned_whatever_the_record_says(void **state)
{
    char sql[256];

    (void)state;
    keepers_watch(k, NULL, NULL);
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    expect_signed(0, 1);
    assert_int_equal(keepers_stop(k, 0), 0);
    snprintf(sql, sizeof sql,
             "INSERT INTO tombstones (kgid, epoch, own, peer)"
             " SELECT kgid, epoch, own, 2 FROM shares WHERE session_id = '%s'",
             keygen.session_id);
    assert_int_equal(party_db_run(&k->seats[0].db, sql), 1);
    assert_true(keepers_start(k, 0));
    expect_burned(0);
    expect_signed(0, 2);
}

static unsigned confirmations;

static bool see_confirmations(struct keepers *keepers, const struct letter *letter, void *arg)
{
    (void)keepers;
    (void)arg;
    confirmations += letter->from == 0 && letter->len == QRT_CONFIRMATION_BYTES;
    return true;
}

static bool seat_0_told(struct keepers *keepers, void *arg)
{
    const struct job *job = arg;

    return keepers_told(keepers, 0, job->session_id, 0) != NULL;
}

/* A key generation while the database of seat 0 refuses |event|. */
static void expect_no_key(const char *event, unsigned said)
{
    struct job job = keepers_keygen(k, 3, 2);

    party_db_refuse(&k->seats[0].db, event);
    confirmations = 0;
    keepers_watch(k, &job, see_confirmations);
    keepers_open_all(k, &job);
    keepers_relay(k, seat_0_told, &job);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "STORAGE");
    assert_int_equal(confirmations, said);
    party_db_allow(&k->seats[0].db, "shares");
    keepers_watch(k, NULL, NULL);
    for (size_t i = 1; i < 3; i++)
        keepers_close(k, i, job.session_id);
}

/* Nobody hears a confirmation of a share that could be lost, nor of a key without its share. */
static void test_a_share_that_cannot_be_stored_is_no_key(void **state)
{
    (void)state;
    expect_no_key("INSERT ON shares", 0);
    expect_no_key("UPDATE ON shares", 2);
}

/* All but the one whose burn is owed. */
static bool others_told(struct keepers *keepers, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < SIGNINGS; i++) {
        if (i != CHEATED && !keepers_told(keepers, 0, jobs[i].session_id, 0))
            return false;
    }
    return true;
}

static bool cheated_told(struct keepers *keepers, void *arg)
{
    (void)arg;
    return keepers_told(keepers, 0, jobs[CHEATED].session_id, 0) != NULL;
}

/* Seat 1 still waits for what a seat 0 that was killed owes it, and has room for so many only. */
static void close_fifty(void)
{
    for (size_t i = 0; i < SIGNINGS; i++)
        keepers_close(k, 1, jobs[i].session_id);
    do
        keepers_ask_stats(k, 1);
    while (k->last_stats->stats->running > 0);
}

/* A burn at seat 0 that its database does not take: a key of its own, and the one job told last. */
static void burn_without_a_disk(void)
{
    close_fifty();
    k->told_n = 0;
    k->send = NULL;
    k->letter = NULL;
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    party_db_refuse(&k->seats[0].db, "INSERT ON tombstones");
    k->told_n = 0;
    kept_n = 0;
    holding = true;
    k->send = cheat;
    k->letter = watch;
    open_fifty();
    keepers_relay(k, much_is_kept, NULL);
    deliver_kept();
    keepers_relay(k, others_told, NULL);
    k->send = NULL;
    k->letter = NULL;
}

/* What seat 0 says to a signing with |peer|. */
static const char *code_with(size_t peer)
{
    const size_t quorum[] = {0, peer};
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);

    keepers_open(k, 0, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    job.members_n = 1;
    keepers_play(k, &job);
    return keepers_told(k, 0, job.session_id, 0)->code;
}

/* Nothing is begun with the key nor told of the run until the database takes it. */
static void test_a_burn_that_cannot_be_stored_is_owed(void **state)
{
    (void)state;
    burn_without_a_disk();
    assert_string_equal(code_with(2), "STORAGE");
    assert_null(keepers_told(k, 0, jobs[CHEATED].session_id, 0));
    party_db_allow(&k->seats[0].db, "tombstones");
    keepers_relay(k, cheated_told, NULL);
    assert_string_equal(keepers_told(k, 0, jobs[CHEATED].session_id, 0)->code, "STORAGE");
    keepers_kill(k, 0);
    assert_true(keepers_start(k, 0));
    expect_burned(0);
    expect_signed(0, 2);
}

/* One burn is owed to a database that answers nothing any more: who needs neither is served. */
static void test_a_burn_that_is_owed_keeps_no_other_key_waiting(void **state)
{
    static const size_t quorum[] = {0, 1};
    uint8_t other_id[32], other_pk[33];
    struct job other, job;

    (void)state;
    k->told_n = 0;
    other = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &other, other_id, other_pk);
    job = keepers_sign(&other, other_id, quorum, 2);
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    burn_without_a_disk();
    party_db_hang(&k->seats[0].db, "INSERT ON tombstones");
    job = keepers_sign(&other, other_id, quorum, 2);
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    assert_true(keepers_is_signed(keepers_told(k, 0, job.session_id, 0), &job, other_pk));
    keepers_kill(k, 0);
    party_db_allow(&k->seats[0].db, "tombstones");
    assert_true(keepers_start(k, 0));
    expect_burned(0);
}

/* And a kill meanwhile opens the pair to nobody, be there room afterwards or not. */
static void test_a_burn_that_is_owed_outlives_the_process(void **state)
{
    (void)state;
    burn_without_a_disk();
    keepers_kill(k, 0);
    assert_true(keepers_start(k, 0));
    expect_burned(0);
    expect_signed(0, 2);
    party_db_allow(&k->seats[0].db, "tombstones");
    for (size_t i = 0; i < 2; i++) {
        keepers_kill(k, 0);
        assert_true(keepers_start(k, 0));
        expect_burned(0);
    }
    expect_signed(0, 2);
}

static bool count_openings(struct keepers *keepers, const struct letter *letter, void *arg)
{
    (void)keepers;
    (void)arg;
    openings += letter->to == 0;
    return true;
}

static bool both_openings_came(struct keepers *keepers, void *arg)
{
    (void)keepers;
    (void)arg;
    return openings >= 2;
}

/* Readable when the ledger of seat 0 is written. */
static int watch_ledger(void)
{
    char path[192];
    int fd = inotify_init1(IN_CLOEXEC);

    snprintf(path, sizeof path, "%s/ledger", k->seats[0].directory);
    assert_true(fd >= 0);
    assert_true(inotify_add_watch(fd, path, IN_MODIFY) >= 0);
    return fd;
}

/* A database that answers nothing, ever: the burn does not wait for it. */
static void test_a_burn_outlives_a_process_that_waits_for_its_database(void **state)
{
    static const size_t quorum[] = {0, 1};
    struct pollfd ledger = {.events = POLLIN};
    int written;

    (void)state;
    close_fifty();
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    party_db_hang(&k->seats[0].db, "INSERT ON tombstones");
    ledger.fd = watch_ledger();
    jobs[CHEATED] = keepers_sign(&keygen, key_id, quorum, 2);
    k->send = cheat;
    keepers_watch(k, &jobs[CHEATED], count_openings);
    keepers_open_all(k, &jobs[CHEATED]);
    keepers_relay(k, both_openings_came, NULL);
    written = poll(&ledger, 1, 60000);
    close(ledger.fd);
    keepers_kill(k, 0);
    assert_int_equal(written, 1);
    k->send = NULL;
    keepers_watch(k, NULL, NULL);
    party_db_allow(&k->seats[0].db, "tombstones");
    assert_true(keepers_start(k, 0));
    expect_burned(0);
    expect_signed(0, 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burn_ends_the_others_of_that_pair_only),
        cmocka_unit_test(test_one_at_a_time_passes),
        cmocka_unit_test(test_fifty_honest_signings_at_once),
        cmocka_unit_test(test_after_the_first_failed_check_nothing_leaves_for_the_pair),
        cmocka_unit_test(test_a_burn_outlives_the_process_and_spares_other_pairs),
        cmocka_unit_test(test_a_pair_stays_burned_whatever_the_record_says),
        cmocka_unit_test(test_a_share_that_cannot_be_stored_is_no_key),
        cmocka_unit_test(test_a_burn_that_cannot_be_stored_is_owed),
        cmocka_unit_test(test_a_burn_that_is_owed_keeps_no_other_key_waiting),
        cmocka_unit_test(test_a_burn_that_is_owed_outlives_the_process),
        cmocka_unit_test(test_a_burn_outlives_a_process_that_waits_for_its_database),
    };
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(3, NULL);
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
