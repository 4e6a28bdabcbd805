/* SPDX-License-Identifier: Apache-2.0 */
/* What routers tell each other: in parts, sealed, fresh, and believed only as far as it is proven. */
#include "routers.h"

#include "services/router/forward.h"
#include "services/router/seal.h"
#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 16 * REPEAT_MIN };

/* What the first router says to all, as the frames of |list| have it. */
struct heard {
    size_t most;
    bool has[MANY];
};

static void hear(struct heard *out, const struct parcel *parcel, const uint8_t key[SEAL_KEY_BYTES])
{
    struct seal_head head;
    Mpc__Router__V1__RouterFrame *frame;
    uint8_t *content;
    size_t len;

    assert_true(open_frame(&head, &content, &len, key, parcel->b, parcel->len));
    frame = mpc__router__v1__router_frame__unpack(NULL, len, content);
    assert_non_null(frame);
    out->most = frame->n_parties > out->most ? frame->n_parties : out->most;
    for (size_t i = 0; i < frame->n_parties; i++)
        out->has[atoi(frame->parties[i]->registration->party_id + strlen("many-"))] = true;
    mpc__router__v1__router_frame__free_unpacked(frame, NULL);
    free(content);
}

static struct parcel *list;
static size_t heard_n;

static bool is_said_to_all(const struct parcel *parcel)
{
    return parcel->from == &net.wires[0] && !parcel->to[0];
}

static size_t said_n(void)
{
    size_t n = 0;

    for (const struct parcel *p = list; p; p = p->next)
        n += is_said_to_all(p);
    return n;
}

static bool more_was_said(void)
{
    return said_n() > heard_n;
}

static void register_many(struct registry *registry)
{
    Mpc__Router__V1__RegisterPartyRequest r = MPC__ROUTER__V1__REGISTER_PARTY_REQUEST__INIT;
    Mpc__Session__V1__PartyCertificate certificate = MPC__SESSION__V1__PARTY_CERTIFICATE__INIT;
    uint8_t zero[64] = {0};
    char id[16];

    r.party_id = id;
    r.role = (char *)(uintptr_t) "persistent";
    r.certificate = &certificate;
    r.boot_id = (ProtobufCBinaryData){16, zero};
    r.nonce = (ProtobufCBinaryData){16, zero};
    r.proof = (ProtobufCBinaryData){64, zero};
    for (size_t i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "many-%zu", i);
        assert_int_equal(registry_register(registry, &r, router_now()), REGISTERED);
    }
}

/* A word about ten thousand parties every second would be megabytes. */
static void test_of_many_parties_a_part_is_repeated_at_a_time(void **state)
{
    static struct heard heard;
    uint8_t key[SEAL_KEY_BYTES];

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    seal_key(key, config_text(w->host.config, "JWT_SECRET_KEY"));
    net.holds = true; /* nobody looks at them */
    net.record = &list;
    register_many(w->router->registry);
    cluster_until(more_was_said);
    net_forget(&list);
    for (int i = 0; i < REPEAT_BEATS; i++) {
        heard_n = said_n(); /* the router's own beats among them */
        forward_repeat(w->router);
        cluster_until(more_was_said);
    }
    net.record = NULL;
    for (const struct parcel *p = list; p; p = p->next)
        if (is_said_to_all(p))
            hear(&heard, p, key);
    net_forget(&list);
    /* two turns may leave in one frame */
    assert_in_range(heard.most, REPEAT_MIN, 2 * (MANY / REPEAT_BEATS + 1));
    for (size_t i = 0; i < MANY; i++)
        assert_true(heard.has[i]);
    net.holds = false;
    cluster_finish();
}

static bool refused_some;
static int64_t refused_base;

static bool more_was_refused(void)
{
    refused_some = refused_frames_n() > refused_base;
    return refused_some;
}

static void test_forged_and_damaged_frames_are_refused(void **state)
{
    struct parcel *record = NULL, parcel;
    struct seal_head head = {.number = 1};
    uint8_t key[SEAL_KEY_BYTES];
    struct buffer frame = {0};

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    net.record = &record;
    party_go_to(1, 1);
    cluster_settle(1, 1);
    net.record = NULL;
    assert_non_null(record);
    for (size_t at = 0; at < record->len; at += record->len / 7 + 1) {
        refused_base = refused_frames_n();
        record->b[at] ^= 1;
        net_repeat(&net, record);
        cluster_until(more_was_refused);
        record->b[at] ^= 1;
    }
    /* whoever has another JWT_SECRET_KEY */
    seal_key(key, "another secret of more than thirty-two characters");
    seal_frame(&frame, key, &head, (const uint8_t *)"", 0);
    parcel = (struct parcel){.b = frame.b, .len = frame.len};
    refused_base = refused_frames_n();
    net_repeat(&net, &parcel);
    cluster_until(more_was_refused);
    assert_int_equal(cluster_peers_n(w->router->cluster), 2);
    buffer_free(&frame);
    net_forget(&record);
    cluster_finish();
}

static bool nothing_is_under_way(void)
{
    return !net.list;
}

/* All that a router that has gone ever said, repeated to routers that never knew it. */
static void test_repeated_frames_make_no_router(void **state)
{
    struct parcel *record = NULL;
    bool none = true;

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(0, 0);
    party_go_to(1, 1);
    cluster_settle(0, 0);
    net.record = &record;
    cluster_settle(1, 1);
    assert_int_equal(peer_heartbeat(w, 1, 3), RPC_OK);
    /* to all, and to one */
    assert_int_equal(peer_send(w, 1, SESSION_ONE, w->peers[0].id, 'a', 10), RPC_OK);
    party_listen(0, &one);
    letters_until(w, &one, 1);
    listener_end(&one);
    net.record = NULL;
    cluster_finish();
    /* the same authority and the same secret, other processes */
    cluster_start("1048576", LEASE_LONG);
    for (const struct parcel *p = record; p; p = p->next) {
        struct parcel to_all = *p;

        net_repeat(&net, p);
        /* who publishes chooses where it goes */
        to_all.to[0] = '\0';
        net_repeat(&net, &to_all);
    }
    net_repeat(&net, record);
    cluster_until(nothing_is_under_way);
    for (size_t r = 0; r < 3; r++) {
        none = none && !registry_party(router_at(r)->registry, w->peers[1].id);
        assert_int_equal(cluster_peers_n(router_at(r)->cluster), 2);
    }
    assert_true(none);
    net_forget(&record);
    cluster_finish();
}

static bool party_two_has_load_nine(void)
{
    return registry_party(w->router->registry, w->peers[2].id)->load == 9;
}

/* A router whose word is taken cannot invent a party. */
static void test_a_party_elsewhere_is_verified_here(void **state)
{
    struct party *party;

    (void)state;
    cluster_start("1048576", LEASE_LONG);
    party_go_to(1, 1);
    cluster_settle(1, 1);
    party_go_to(2, 1);
    cluster_settle(2, 1);
    party = registry_party(others[0].router->registry, w->peers[1].id);
    party->proof[5] ^= 1;
    assert_int_equal(peer_heartbeat(w, 1, 9), RPC_OK);
    assert_int_equal(peer_heartbeat(w, 2, 9), RPC_OK);
    cluster_until(party_two_has_load_nine);
    assert_int_equal(registry_party(w->router->registry, w->peers[1].id)->load, 0);
    cluster_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_many_parties_a_part_is_repeated_at_a_time),
        cmocka_unit_test(test_forged_and_damaged_frames_are_refused),
        cmocka_unit_test(test_repeated_frames_make_no_router),
        cmocka_unit_test(test_a_party_elsewhere_is_verified_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
