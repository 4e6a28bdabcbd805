/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes: numbers, cursors, bounds, deadlines, watchers. */
#include "system/bus/bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct bus_limits wide = {1000000, 1000, 1000000, 1000};
static const int64_t far_ms = INT64_MAX;

static struct bus *bus_of(size_t box_bytes, size_t box_items, size_t group_bytes,
                          size_t group_items)
{
    const struct bus_limits limits = {box_bytes, box_items, group_bytes, group_items};

    return bus_new(&limits);
}

/* Items as "seq:text ", at most |left|. */
struct reading {
    char text[4096];
    int left;
};

static bool note(const struct bus_item *item, void *arg)
{
    struct reading *r = arg;
    size_t at = strlen(r->text);

    snprintf(r->text + at, sizeof r->text - at, "%d:%.*s ", (int)item->seq, (int)item->len,
             (const char *)item->b);
    return --r->left != 0;
}

static const char *items(struct bus *bus, const char *box, int64_t after)
{
    static struct reading r;

    r = (struct reading){.left = -1};
    bus_read(bus, box, after, note, &r);
    return r.text;
}

static enum bus_result put(struct bus *bus, const char *box, const char *group, const char *text)
{
    return bus_put(bus, box, group, text, strlen(text), far_ms, NULL);
}

static void test_numbers_and_cursors(void **state)
{
    struct bus *bus = bus_new(&wide);
    struct reading two = {.left = 2};
    int64_t seq;

    (void)state;
    assert_string_equal(items(bus, "p1", 0), "");
    for (int64_t i = 1; i <= 4; i++) {
        assert_int_equal(bus_put(bus, "p1", "s", &"abcd"[i - 1], 1, far_ms, &seq), BUS_OK);
        assert_int_equal(seq, i);
    }
    assert_int_equal(bus_put(bus, "p2", "s", "x", 1, far_ms, &seq), BUS_OK);
    assert_int_equal(seq, 1);
    assert_string_equal(items(bus, "p1", 0), "1:a 2:b 3:c 4:d ");
    assert_string_equal(items(bus, "p1", 2), "3:c 4:d ");
    assert_string_equal(items(bus, "p1", 4), "");
    assert_string_equal(items(bus, "p1", 400), "");
    bus_read(bus, "p1", 1, note, &two);
    assert_string_equal(two.text, "2:b 3:c ");
    /* reading takes nothing away */
    assert_int_equal(bus_items(bus), 5);
    assert_int_equal(bus_bytes(bus), 5);
    bus_free(bus);
    bus_free(NULL);
}

static void test_acknowledge(void **state)
{
    struct bus *bus = bus_new(&wide);
    int64_t seq;

    (void)state;
    put(bus, "p1", "s", "a");
    put(bus, "p1", "t", "b");
    put(bus, "p1", "s", "c");
    put(bus, "p2", "s", "x");
    bus_acknowledge(bus, "p1", 0);
    bus_acknowledge(bus, "nobody", 5);
    assert_string_equal(items(bus, "p1", 0), "1:a 2:b 3:c ");
    bus_acknowledge(bus, "p1", 2);
    bus_acknowledge(bus, "p1", 1);
    assert_string_equal(items(bus, "p1", 0), "3:c ");
    bus_acknowledge(bus, "p1", 99);
    assert_string_equal(items(bus, "p1", 0), "");
    assert_string_equal(items(bus, "p2", 0), "1:x ");
    /* an empty mailbox does not begin anew, nor was a number of the future acknowledged */
    assert_int_equal(bus_put(bus, "p1", "s", "d", 1, far_ms, &seq), BUS_OK);
    assert_int_equal(seq, 4);
    assert_string_equal(items(bus, "p1", 0), "4:d ");
    bus_free(bus);
}

static void test_bounds_of_a_box(void **state)
{
    struct bus *bus = bus_of(10, 3, 100, 100);

    (void)state;
    assert_int_equal(put(bus, "p1", "a", "12345678901"), BUS_FULL);
    assert_int_equal(put(bus, "p1", "a", "12345"), BUS_OK);
    assert_int_equal(put(bus, "p1", "b", "123456"), BUS_FULL);
    assert_int_equal(put(bus, "p1", "b", "12345"), BUS_OK);
    assert_int_equal(put(bus, "p1", "c", "1"), BUS_FULL);
    assert_int_equal(put(bus, "p1", "c", ""), BUS_OK);
    assert_int_equal(put(bus, "p1", "d", ""), BUS_FULL);
    /* another mailbox has its own room */
    assert_int_equal(put(bus, "p2", "c", "1234567890"), BUS_OK);
    /* nothing was dropped for what was refused, and no number was used */
    assert_string_equal(items(bus, "p1", 0), "1:12345 2:12345 3: ");
    bus_acknowledge(bus, "p1", 1);
    assert_int_equal(put(bus, "p1", "d", "12345"), BUS_OK);
    assert_string_equal(items(bus, "p1", 2), "3: 4:12345 ");
    bus_free(bus);
}

static void test_attack_one_session_cannot_crowd_out_another(void **state)
{
    struct bus *bus = bus_of(1000, 1000, 10, 3);

    (void)state;
    assert_int_equal(put(bus, "p1", "loud", "1234567890"), BUS_OK);
    assert_int_equal(put(bus, "p1", "loud", "1"), BUS_FULL);
    assert_int_equal(put(bus, "p1", "quiet", "1"), BUS_OK);
    assert_int_equal(put(bus, "p1", "quiet", "2"), BUS_OK);
    assert_int_equal(put(bus, "p1", "quiet", "3"), BUS_OK);
    assert_int_equal(put(bus, "p1", "quiet", ""), BUS_FULL);
    /* the bound is of a group in one mailbox */
    assert_int_equal(put(bus, "p2", "loud", "1234567890"), BUS_OK);
    bus_acknowledge(bus, "p1", 2);
    assert_int_equal(put(bus, "p1", "loud", "1234567890"), BUS_OK);
    assert_int_equal(put(bus, "p1", "quiet", "4"), BUS_OK);
    assert_int_equal(put(bus, "p1", "quiet", "5"), BUS_FULL);
    bus_free(bus);
}

static void test_bounds_do_not_overflow(void **state)
{
    struct bus *bus = bus_of(SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX);

    (void)state;
    assert_int_equal(put(bus, "p1", "a", "1"), BUS_OK);
    assert_int_equal(bus_put(bus, "p1", "a", NULL, SIZE_MAX, far_ms, NULL), BUS_FULL);
    bus_free(bus);
}

static void test_forget_group(void **state)
{
    struct bus *bus = bus_new(&wide);

    (void)state;
    put(bus, "p1", "s", "a");
    put(bus, "p1", "t", "b");
    put(bus, "p1", "s", "c");
    put(bus, "p2", "s", "x");
    put(bus, "p2", "t", "y");
    bus_forget_group(bus, "s");
    bus_forget_group(bus, "none");
    assert_string_equal(items(bus, "p1", 0), "2:b ");
    assert_string_equal(items(bus, "p2", 0), "2:y ");
    assert_int_equal(bus_items(bus), 2);
    assert_int_equal(bus_bytes(bus), 2);
    put(bus, "p1", "s", "d");
    assert_string_equal(items(bus, "p1", 2), "4:d ");
    bus_free(bus);
}

static void test_deadlines(void **state)
{
    struct bus *bus = bus_new(&wide);

    (void)state;
    bus_put(bus, "p1", "s", "a", 1, 300, NULL);
    bus_put(bus, "p1", "s", "b", 1, 100, NULL);
    bus_put(bus, "p1", "t", "c", 1, 200, NULL);
    bus_put(bus, "p2", "t", "x", 1, 150, NULL);
    bus_expire(bus, 99);
    assert_int_equal(bus_items(bus), 4);
    bus_expire(bus, 100);
    assert_string_equal(items(bus, "p1", 0), "1:a 3:c ");
    bus_expire(bus, 199);
    assert_string_equal(items(bus, "p1", 0), "1:a 3:c ");
    assert_string_equal(items(bus, "p2", 0), "");
    bus_expire(bus, 200);
    assert_string_equal(items(bus, "p1", 0), "1:a ");
    bus_put(bus, "p1", "s", "e", 1, 250, NULL);
    bus_expire(bus, 299);
    assert_string_equal(items(bus, "p1", 0), "1:a ");
    bus_expire(bus, 1000);
    assert_int_equal(bus_items(bus) + bus_bytes(bus), 0);
    bus_free(bus);
}

struct waker {
    struct bus *bus;
    int woken;
    char seen[4096];
};

/* Reads and acknowledges at once, as a stream does. */
static void take_all(void *arg)
{
    struct waker *w = arg;

    w->woken++;
    snprintf(w->seen, sizeof w->seen, "%s", items(w->bus, "p1", 0));
    bus_acknowledge(w->bus, "p1", INT64_MAX);
}

static void count(void *arg)
{
    (*(int *)arg)++;
}

static void test_watch(void **state)
{
    struct bus *bus = bus_of(1000, 2, 1000, 1000);
    struct waker waker = {.bus = bus};
    int other = 0;

    (void)state;
    bus_watch(bus, "p1", take_all, &waker);
    put(bus, "p2", "s", "x");
    assert_int_equal(waker.woken, 0);
    put(bus, "p1", "s", "a");
    assert_int_equal(waker.woken, 1);
    assert_string_equal(waker.seen, "1:a ");
    assert_string_equal(items(bus, "p1", 0), "");
    /* the last watcher wins */
    bus_watch(bus, "p1", count, &other);
    put(bus, "p1", "s", "b");
    put(bus, "p1", "s", "c");
    assert_int_equal(put(bus, "p1", "s", "d"), BUS_FULL);
    assert_int_equal(waker.woken, 1);
    assert_int_equal(other, 2);
    bus_watch(bus, "p1", NULL, NULL);
    bus_watch(bus, "nobody", NULL, NULL);
    bus_acknowledge(bus, "p1", 99);
    put(bus, "p1", "s", "e");
    assert_int_equal(other, 2);
    bus_free(bus);
}

/* Counts and sums stay right through a long mix of everything. */
static void test_books_balance(void **state)
{
    struct bus *bus = bus_of(500, 50, 100, 20);
    int put_n = 0;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char box[8], group[8];

        snprintf(box, sizeof box, "p%d", i % 5);
        snprintf(group, sizeof group, "s%d", i * 7 % 11);
        put_n += bus_put(bus, box, group, "0123456789", (size_t)(i % 10), i + i * 13 % 200, NULL) ==
                 BUS_OK;
        if (i % 17 == 0)
            bus_acknowledge(bus, box, i / 10);
        if (i % 29 == 0)
            bus_forget_group(bus, group);
        if (i % 31 == 0)
            bus_expire(bus, i);
    }
    assert_true(put_n > 1000);
    bus_expire(bus, INT64_MAX);
    assert_int_equal(bus_items(bus), 0);
    assert_int_equal(bus_bytes(bus), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(put(bus, "p0", "s0", "12345"), BUS_OK);
    assert_int_equal(put(bus, "p0", "s0", ""), BUS_FULL);
    bus_free(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_cursors),
        cmocka_unit_test(test_acknowledge),
        cmocka_unit_test(test_bounds_of_a_box),
        cmocka_unit_test(test_attack_one_session_cannot_crowd_out_another),
        cmocka_unit_test(test_bounds_do_not_overflow),
        cmocka_unit_test(test_forget_group),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_books_balance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
