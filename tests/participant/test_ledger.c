/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: what is put stays, in a file that only grows; an end in the middle of a write costs
 * nothing that was told, and damage is not passed over. */
#include "participant/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PLACE = 64, MANY = 1000 };

static char directory[] = "/tmp/quorate-ledger-XXXXXX";
static char error[STORE_ERROR_MAX];

static const char *path(void)
{
    static char text[64];

    snprintf(text, sizeof text, "%s/ledger", directory);
    return text;
}

static struct ledger *again(void **state)
{
    ledger_close(*state);
    *state = ledger_open(directory, error);
    if (!*state)
        fail_msg("%s", error);
    return *state;
}

static int begin(void **state)
{
    (void)unlink(path());
    *state = ledger_open(directory, error);
    return *state ? 0 : -1;
}

static int end(void **state)
{
    ledger_close(*state);
    return 0;
}

static struct ledger_fact burn_of(uint32_t number)
{
    return (struct ledger_fact){
        .kind = LEDGER_BURN, .burn = {.kgid = {1}, .epoch = number, .own = 0x0102, .peer = 0x0304}};
}

static bool put(struct ledger *l, struct ledger_fact fact)
{
    return ledger_put(l, &fact, 1);
}

static bool has(struct ledger *l, struct ledger_fact fact)
{
    return ledger_has(l, &fact);
}

static off_t file_size(void)
{
    struct stat st;

    assert_int_equal(stat(path(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    return st.st_size;
}

static void list(void *arg, const struct ledger_fact *fact)
{
    char *text = arg;

    snprintf(text + strlen(text), 200 - strlen(text), "%d %d %u %u %u %d %d %llu %d %d %u;",
             (int)fact->kind, fact->burn.kgid[0], fact->burn.epoch, fact->burn.own, fact->burn.peer,
             fact->loan[0], fact->order.account[0], (unsigned long long)fact->order.serial,
             fact->order.is_frozen, fact->gone.kgid[0], fact->gone.epoch);
}

static void test_each_kind_comes_back(void **state)
{
    const struct ledger_fact facts[] = {
        burn_of(5),
        {.kind = LEDGER_LOAN, .loan = {6}},
        {.kind = LEDGER_ORDER, .order = {.account = {7}, .serial = 1ULL << 40, .is_frozen = true}},
        {.kind = LEDGER_GONE, .gone = {.kgid = {8}, .epoch = 9}}};
    char text[200] = "";

    assert_int_equal(file_size(), 0);
    assert_false(has(*state, facts[1]));
    assert_true(ledger_put(*state, facts, 4));
    assert_true(ledger_put(*state, facts, 4));
    assert_int_equal(file_size(), 4 * PLACE);
    again(state);
    for (size_t i = 0; i < 4; i++)
        assert_true(has(*state, facts[i]));
    assert_false(has(*state, burn_of(6)));
    assert_true(ledger_each(*state, list, text));
    assert_string_equal(
        text, "1 1 5 258 772 0 0 0 0 0 0;2 0 0 0 0 6 0 0 0 0 0;3 0 0 0 0 0 7 1099511627776 1 0 0;"
              "4 0 0 0 0 0 0 0 0 8 9;");
}

static void test_many_are_all_known(void **state)
{
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(put(*state, burn_of(i)));
    again(state);
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(has(*state, burn_of(i)));
    assert_false(has(*state, burn_of(MANY)));
}

/* What the end of a machine leaves behind the last place that was told. */
static void test_a_torn_end_is_cut(void **state)
{
    static const off_t tails[] = {1, PLACE - 1, PLACE, 3 * PLACE + 5};

    assert_true(put(*state, burn_of(1)));
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        assert_int_equal(truncate(path(), PLACE + tails[i]), 0);
        again(state);
        assert_int_equal(file_size(), PLACE);
        assert_true(has(*state, burn_of(1)));
    }
    assert_true(put(*state, burn_of(2)));
    assert_true(has(again(state), burn_of(2)));
}

static void test_damage_is_not_passed_over(void **state)
{
    static const off_t places[] = {0, 4, 5, 44, 45, 63, 64, 127};
    int fd;
    uint8_t b;

    assert_true(put(*state, burn_of(1)));
    assert_true(put(*state, burn_of(2)));
    fd = open(path(), O_RDWR);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_int_equal(pread(fd, &b, 1, places[i]), 1);
        b ^= 1;
        assert_int_equal(pwrite(fd, &b, 1, places[i]), 1);
        assert_null(ledger_open(directory, error));
        assert_non_null(strstr(error, "ledger is damaged"));
        b ^= 1;
        assert_int_equal(pwrite(fd, &b, 1, places[i]), 1);
    }
    close(fd);
    assert_true(has(again(state), burn_of(2)));
}

static bool is_failing;

/* The disk's answer, in this program. */
int fdatasync(int fd)
{
    if (is_failing) {
        errno = EIO;
        return -1;
    }
    return fsync(fd);
}

/* A second sync would say that all is well, of pages that were never written. */
static void test_after_a_failed_sync_it_takes_nothing_new(void **state)
{
    assert_true(put(*state, burn_of(1)));
    is_failing = true;
    assert_false(put(*state, burn_of(2)));
    is_failing = false;
    assert_false(put(*state, burn_of(2)));
    assert_false(put(*state, burn_of(3)));
    assert_false(has(*state, burn_of(2)));
    assert_true(put(*state, burn_of(1)));
    assert_false(has(again(state), burn_of(2)));
    assert_true(put(*state, burn_of(2)));
}

static void test_without_its_directory_there_is_none(void **state)
{
    (void)state;
    assert_null(ledger_open("/nowhere", error));
    assert_non_null(strstr(error, "/nowhere/ledger"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_kind_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(test_many_are_all_known, begin, end),
        cmocka_unit_test_setup_teardown(test_a_torn_end_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(test_damage_is_not_passed_over, begin, end),
        cmocka_unit_test_setup_teardown(test_after_a_failed_sync_it_takes_nothing_new, begin, end),
        cmocka_unit_test(test_without_its_directory_there_is_none),
    };
    char command[64];
    int result;

    if (!mkdtemp(directory))
        return 1;
    result = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command) != 0 ? 1 : result;
}
