/* SPDX-License-Identifier: Apache-2.0 */
/* A coordinator that has just begun to lead, and that no router has told yet who is there. */
#include "scene.h"

#include "services/coordinator/service.h"
#include "services/coordinator/unlisted.h"
#include "system/core/clock.h"

#include <string.h>

struct asked {
    bool is_answered;
    struct rpc_status status;
    size_t members_n;
    struct rpc_pending *pending;
};

static void answered(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct asked *asked = arg;

    asked->is_answered = true;
    asked->status = *status;
    if (response &&
        response->descriptor == &mpc__coordinator__v1__select_parties_response__descriptor)
        asked->members_n =
            ((const Mpc__Coordinator__V1__SelectPartiesResponse *)response)->n_members;
}

static void select_three(struct harness *h, struct asked *asked)
{
    Mpc__Coordinator__V1__SelectPartiesRequest q =
        MPC__COORDINATOR__V1__SELECT_PARTIES_REQUEST__INIT;

    *asked = (struct asked){0};
    q.threshold_t = 2;
    q.threshold_n = 3;
    asked->pending =
        harness_ask(h, "SelectParties", &q.base,
                    &mpc__coordinator__v1__select_parties_response__descriptor, answered, asked);
}

static bool is_answered(struct harness *h, const void *arg)
{
    (void)h;
    return ((const struct asked *)arg)->is_answered;
}

static bool waits_or_is_answered(struct harness *h, const void *arg)
{
    return h->c->unlisted_n > 0 || is_answered(h, arg);
}

static bool nobody_waits(struct harness *h, const void *arg)
{
    (void)arg;
    return h->c->unlisted_n == 0;
}

/* It leads, and its call for the list is not answered; a selection has come. */
static struct harness *begin(struct asked *asked)
{
    struct harness *h = harness_new(NULL);

    h->is_silent = true;
    harness_restart(h);
    select_three(h, asked);
    harness_run_until(h, waits_or_is_answered, asked);
    if (asked->is_answered)
        fail_msg("answered before anybody was known: %s", asked->status.text);
    return h;
}

static void test_a_selection_waits_for_the_first_list(void **state)
{
    struct asked asked;
    struct harness *h = begin(&asked);

    (void)state;
    harness_list_presence(h);
    harness_run_until(h, is_answered, &asked);
    assert_int_equal(asked.status.code, RPC_OK);
    assert_int_equal(asked.members_n, 3);
    harness_free(h);
}

static void test_too_few_is_said_when_the_list_is_there(void **state)
{
    struct asked asked;
    struct harness *h = begin(&asked);

    (void)state;
    h->parties[0].is_live = false;
    harness_list_presence(h);
    harness_run_until(h, is_answered, &asked);
    assert_string_equal(asked.status.name, "too_few_parties");
    /* whoever comes now does not wait */
    select_three(h, &asked);
    harness_run_until(h, is_answered, &asked);
    assert_string_equal(asked.status.name, "too_few_parties");
    harness_free(h);
}

static void test_the_wait_for_a_list_is_bounded(void **state)
{
    struct asked asked;
    struct harness *h = begin(&asked);

    (void)state;
    unlisted_expire(h->c, clock_unix_ms());
    assert_int_equal(h->c->unlisted_n, 1);
    unlisted_expire(h->c, clock_unix_ms() + UNLISTED_MS);
    harness_run_until(h, is_answered, &asked);
    assert_string_equal(asked.status.name, "no_presence");
    assert_int_equal(rpc_http_status(&asked.status), 503);
    assert_true(asked.status.retry_after > 0);
    harness_free(h);
}

static bool as_many_wait(struct harness *h, const void *arg)
{
    return h->c->unlisted_n == *(const size_t *)arg;
}

static void test_those_who_wait_for_a_list_are_bounded(void **state)
{
    struct asked asked, other, refused;
    struct harness *h = begin(&asked);
    const size_t all = UNLISTED_MAX;

    (void)state;
    select_three(h, &other);
    harness_run_until(h, as_many_wait, &(size_t){2});
    h->c->unlisted_n += all - 2; /* more than one connection carries */
    select_three(h, &refused);
    harness_run_until(h, is_answered, &refused);
    assert_string_equal(refused.status.name, "no_presence");
    assert_int_equal(h->c->unlisted_n, all);
    h->c->unlisted_n -= all - 2;
    harness_list_presence(h);
    harness_run_until(h, is_answered, &asked);
    harness_run_until(h, is_answered, &other);
    assert_int_equal(asked.status.code, RPC_OK);
    assert_int_equal(other.status.code, RPC_OK);
    harness_free(h);
}

static void test_a_caller_that_goes_away_waits_no_more(void **state)
{
    struct asked asked, other;
    struct harness *h = begin(&asked);
    const size_t both = 2;

    (void)state;
    select_three(h, &other);
    harness_run_until(h, as_many_wait, &both);
    rpc_cancel(asked.pending);
    harness_run_until(h, as_many_wait, &(size_t){1});
    harness_list_presence(h);
    harness_run_until(h, is_answered, &other);
    assert_int_equal(other.status.code, RPC_OK);
    assert_false(asked.is_answered);
    harness_run_until(h, nobody_waits, NULL);
    harness_free(h);
}

static void stopped(void *arg)
{
    (void)arg;
}

static void test_a_coordinator_that_stops_tells_those_who_wait(void **state)
{
    struct asked asked;
    struct harness *h = begin(&asked);

    (void)state;
    coordinator_service.stop(h->c, stopped, NULL);
    harness_run_until(h, is_answered, &asked);
    assert_int_equal(asked.status.code, RPC_UNAVAILABLE);
    harness_free(h);
}

/* A signature is asked for and waits, one of |n|; |asked| is told. */
static void sign_and_wait(struct harness *h, struct asked *asked, size_t n)
{
    *asked = (struct asked){0};
    asked->pending = scene_ask_sign(h, &(struct sign_request){.message = 1}, answered, asked);
    harness_run_until(h, as_many_wait, &n);
}

static void test_a_session_waits_for_the_first_list(void **state)
{
    struct asked asked, made;
    struct harness *h = begin(&asked);

    (void)state;
    sign_and_wait(h, &made, 2);
    assert_null(h->c->open.first);
    harness_list_presence(h);
    harness_run_until(h, is_answered, &made);
    assert_int_equal(made.status.code, RPC_OK);
    assert_int_equal(h->c->open.n, 1);
    harness_published(h, "session_created", h->c->open.first->row.session_id, 0);
    harness_free(h);
}

/* No word for its caller until its deadline would be worse. */
static void test_no_session_is_begun_without_a_list(void **state)
{
    struct asked asked, made;
    struct harness *h = begin(&asked);

    (void)state;
    sign_and_wait(h, &made, 2);
    unlisted_expire(h->c, clock_unix_ms() + UNLISTED_MS);
    harness_run_until(h, is_answered, &made);
    assert_string_equal(made.status.name, "no_presence");
    assert_int_equal(rpc_http_status(&made.status), 503);
    assert_true(made.status.retry_after > 0);
    assert_null(h->c->open.first);
    harness_free(h);
}

static void test_a_wrong_request_does_not_wait(void **state)
{
    struct asked asked;
    struct harness *h = begin(&asked);
    struct rpc_status status;

    (void)state;
    assert_null(scene_sign(h, &(struct sign_request){.message = 1, .wrong_hash = true}, &status));
    assert_int_equal(rpc_http_status(&status), 400);
    harness_free(h);
}

/* It is durable, and its caller knows of it: it goes on when the list is there, before those who
 * came later. */
static void test_a_session_of_before_a_restart_begins_first(void **state)
{
    struct harness *h = harness_new("MAX_RUNNING_SIGN=1\n");
    char id[ID_TEXT_MAX];
    struct asked made;

    (void)state;
    h->parties[0].is_live = h->parties[1].is_live = false;
    harness_tell_presence(h);
    scene_begin(h, id, &(struct sign_request){.message = 2});
    scene_expect(h, id, "waiting", "");
    h->is_silent = true;
    harness_restart(h);
    assert_int_equal(h->c->queue[CLASS_SIGN].n, 1);
    sign_and_wait(h, &made, 1);
    h->parties[0].is_live = h->parties[1].is_live = true;
    harness_list_presence(h);
    harness_published(h, "session_created", id, 0);
    harness_run_until(h, is_answered, &made);
    assert_int_equal(made.status.code, RPC_OK);
    assert_int_equal(h->c->queue[CLASS_SIGN].n, 1);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_selection_waits_for_the_first_list),
        cmocka_unit_test(test_too_few_is_said_when_the_list_is_there),
        cmocka_unit_test(test_the_wait_for_a_list_is_bounded),
        cmocka_unit_test(test_those_who_wait_for_a_list_are_bounded),
        cmocka_unit_test(test_a_caller_that_goes_away_waits_no_more),
        cmocka_unit_test(test_a_coordinator_that_stops_tells_those_who_wait),
        cmocka_unit_test(test_a_session_waits_for_the_first_list),
        cmocka_unit_test(test_no_session_is_begun_without_a_list),
        cmocka_unit_test(test_a_wrong_request_does_not_wait),
        cmocka_unit_test(test_a_session_of_before_a_restart_begins_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
