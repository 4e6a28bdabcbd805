/* SPDX-License-Identifier: Apache-2.0 */
/* A burn on a disk that is full: a small file system of this process's own, filled to the last
 * byte. Neither the database nor the ledger take it, and the reserve has it. Skipped where it cannot
 * be mounted. */
#include "participant/reserve.h"
#include "participant/store_backups.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 77, BURNS_MAX = 100000 };

static char directory[] = "/tmp/quorate-full-XXXXXX";

/* Gone with this process. */
static bool mount_disk(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", directory, "tmpfs", 0, "size=1m") == 0;
}

static const char *filler(void)
{
    static char path[64];

    snprintf(path, sizeof path, "%s/filler", directory);
    return path;
}

static void fill_disk(void)
{
    static const char b[4096];
    int fd = open(filler(), O_WRONLY | O_CREAT | O_APPEND, 0600);

    assert_true(fd >= 0);
    for (size_t len = sizeof b; len > 0;) {
        if (write(fd, b, len) <= 0)
            len /= 2;
    }
    close(fd);
}

static struct store *must_open(void)
{
    char error[STORE_ERROR_MAX];
    struct store *store = store_open(directory, error);

    if (!store)
        fail_msg("%s", error);
    return store;
}

static struct store_burn burn_of(uint32_t epoch)
{
    return (struct store_burn){.kgid = {1}, .epoch = epoch, .own = 1, .peer = 2};
}

/* The first burn that the database or the ledger does not take: they have some room of their own. */
static struct store_burn burn_until_it_fails(struct store *store)
{
    struct store_burn burn = burn_of(0);

    while (store_put_burn(store, NULL, &burn) == STORE_OK) {
        assert_int_equal(store_is_burned(store, &burn), STORE_OK);
        assert_true(burn.epoch < BURNS_MAX);
        burn = burn_of(burn.epoch + 1);
    }
    return burn;
}

static void expect_all_burned(struct store *store, uint32_t last)
{
    for (uint32_t epoch = 0; epoch <= last; epoch++) {
        struct store_burn burn = burn_of(epoch);

        assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    }
}

struct search {
    uint32_t epoch;
    bool found;
};

static void look(void *arg, const struct store_burn *burn)
{
    struct search *s = arg;

    s->found = s->found || burn->epoch == s->epoch;
}

static bool is_told(struct store *store, uint32_t epoch)
{
    struct search s = {.epoch = epoch};

    assert_true(store_each_burn(store, look, &s));
    return s.found;
}

static void test_a_burn_on_a_full_disk_outlives_the_process(void **state)
{
    struct store *store = must_open();
    struct store_burn burn;
    char error[STORE_ERROR_MAX];

    (void)state;
    fill_disk();
    burn = burn_until_it_fails(store);
    for (size_t i = 1; i < RESERVE_BURNS; i++, burn.epoch++)
        assert_true(store_reserve_burn(store, &burn));
    assert_true(store_reserve_burn(store, &burn));
    expect_all_burned(store, burn.epoch);
    assert_true(is_told(store, burn.epoch));
    store_close(store);
    /* Still full: it knows, or does not start. */
    store = store_open(directory, error);
    if (store) {
        expect_all_burned(store, burn.epoch);
        store_close(store);
    }
    assert_int_equal(unlink(filler()), 0);
    store = must_open();
    expect_all_burned(store, burn.epoch);
    burn = burn_of(burn.epoch + 1);
    assert_int_equal(store_is_burned(store, &burn), STORE_NONE);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burn_on_a_full_disk_outlives_the_process),
    };
    int result = SKIPPED;

    if (!mkdtemp(directory))
        return 1;
    if (mount_disk()) {
        result = cmocka_run_group_tests(tests, NULL, NULL);
        (void)umount2(directory, MNT_DETACH);
    } else {
        fprintf(stderr, "no file system can be mounted here: skipped\n");
    }
    return rmdir(directory) != 0 ? 1 : result;
}
