/* SPDX-License-Identifier: Apache-2.0 */
/* What an invitation may not do. Every byte of setups is changed, as it travels and with the
 * intent's signature made again: what is still permitted differs only where nothing is at stake. */
#include "keepers.h"

#include "participant/permit.h"
#include "participant/shares.h"
#include "participant/store.h"
#include "system/access/identity.h"
#include "system/core/ids.h"
#include "system/core/secret.h"
#include "system/service/library.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

typedef Mpc__Session__V1__Setup setup_message;

static struct keepers *k;
static struct job keygen, sign;
static uint8_t key_id[32], pk[33];
static struct permit_rules rules;
static struct permit_share share;
static struct share_held *held;
static int64_t now_ms;

/* The share of seat 0, read as its keeper would. */
static void load_share(void)
{
    uint8_t *master = secret_new(32);
    struct refusal refusal = {0};
    struct shares_params params = {library_ctx(), NULL, NULL, k->seats[0].party_id, 2};
    struct shares *shares;
    char account[37];

    master[0] = 7;
    assert_int_equal(keepers_stop(k, 0), 0);
    params.vault = vault_new(master);
    params.store = party_db_open(&k->seats[0].db);
    assert_non_null(params.store);
    shares = shares_new(&params);
    id_text(account, keygen.intent.account);
    held = shares_get(shares, account, key_id, &refusal);
    assert_non_null(held);
    shares_free(shares);
    store_close(params.store);
    vault_free((struct vault *)params.vault);
    secret_free(master);
    share = (struct permit_share){held->purpose, NULL, (const char *const *)held->roster,
                                  &held->share, held->keys};
}

static bool permitted(struct permit *p, const setup_message *setup, struct refusal *refusal)
{
    *refusal = (struct refusal){0};
    if (!permit_intent(p, &rules, setup, now_ms, refusal) || !permit_boot(p, &rules, refusal))
        return false;
    if (p->intent.operation == QRT_OP_KEYGEN)
        return permit_keygen(p, &rules, refusal);
    return permit_sign(p, &rules, &share, refusal);
}

static bool is_permitted(const setup_message *setup, struct refusal *refusal)
{
    struct permit p;
    bool ok = permitted(&p, setup, refusal);

    assert_int_equal(ok, refusal->code == NULL);
    return ok;
}

/* Refused with this code. */
static void expect(const struct job *job, const char *code)
{
    setup_message *setup = keepers_setup(k, job);
    struct refusal refusal;
    bool ok = is_permitted(setup, &refusal);

    if (code && (ok || strcmp(refusal.code, code) != 0))
        fail_msg("expected %s, got %s: %s", code, ok ? "consent" : refusal.code, refusal.text);
    if (!code && !ok)
        fail_msg("%s: %s", refusal.code, refusal.text);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
}

static uint8_t *pack(const setup_message *setup, size_t *len)
{
    uint8_t *b;

    *len = mpc__session__v1__setup__get_packed_size(setup);
    b = malloc(*len);
    assert_non_null(b);
    mpc__session__v1__setup__pack(setup, b);
    return b;
}

static void set_text(char **field, const char *text)
{
    if (*field != (char *)protobuf_c_empty_string)
        free(*field);
    *field = strdup(text);
}

static void set_bytes(ProtobufCBinaryData *field, const ProtobufCBinaryData *value)
{
    free(field->data);
    field->data = value->len ? malloc(value->len) : NULL;
    if (value->len)
        memcpy(field->data, value->data, value->len);
    field->len = value->len;
}

/* What a party does not decide by: names of sessions and traces, times within the intent's, what
 * only one role uses, the boots of others, and in signing certificates, since identities come from
 * the share. The attempt enters the protocol's iid. */
static void forgive(setup_message *s, const setup_message *original, bool is_sign)
{
    set_text(&s->session_id, original->session_id);
    set_text(&s->trace_id, original->trace_id);
    s->attempt = original->attempt;
    s->deadline_ms = original->deadline_ms;
    s->attempt_deadline_ms = original->attempt_deadline_ms;
    set_bytes(&s->presignature_id, &original->presignature_id);
    set_bytes(&s->user_public_key, &original->user_public_key);
    set_bytes(&s->user_key_signature, &original->user_key_signature);
    if (strcasecmp(s->account_id, original->account_id) == 0)
        set_text(&s->account_id, original->account_id);
    for (size_t i = 0; i < s->n_members; i++) {
        set_bytes(&s->members[i]->boot_id, &original->members[i]->boot_id);
        if (is_sign && s->members[i]->certificate) {
            set_bytes(&s->members[i]->certificate->body, &original->members[i]->certificate->body);
            set_bytes(&s->members[i]->certificate->signature,
                      &original->members[i]->certificate->signature);
        }
    }
}

static void drop_unknown(ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        free(message->unknown_fields[i].data);
    free(message->unknown_fields);
    message->unknown_fields = NULL;
    message->n_unknown_fields = 0;
}

static void drop_all_unknown(setup_message *s)
{
    drop_unknown(&s->base);
    for (size_t i = 0; i < s->n_members; i++) {
        drop_unknown(&s->members[i]->base);
        if (s->members[i]->certificate)
            drop_unknown(&s->members[i]->certificate->base);
    }
}

/* A certificate that is missing where none is needed. */
static bool lacks_certificate(const setup_message *s)
{
    for (size_t i = 0; i < s->n_members; i++) {
        if (!s->members[i]->certificate)
            return true;
    }
    return false;
}

/* Flip one bit of each byte that travels. */
static void flip_all(const struct job *job, bool is_sign)
{
    setup_message *original = keepers_setup(k, job);
    size_t len, again_len, refused = 0;
    uint8_t *b = pack(original, &len);

    for (size_t i = 0; i < 8 * len; i++) {
        struct refusal refusal;
        setup_message *s;
        uint8_t *again;

        b[i / 8] ^= (uint8_t)(1 << i % 8);
        s = mpc__session__v1__setup__unpack(NULL, len, b);
        b[i / 8] ^= (uint8_t)(1 << i % 8);
        if (!s)
            continue;
        if (!is_permitted(s, &refusal)) {
            refused++;
        } else if (!is_sign || !lacks_certificate(s)) {
            drop_all_unknown(s);
            assert_int_equal(s->n_members, original->n_members);
            forgive(s, original, is_sign);
            again = pack(s, &again_len);
            if (again_len != len || memcmp(again, b, len) != 0)
                fail_msg("permitted with bit %zu of %zu changed", i, 8 * len);
            free(again);
        }
        mpc__session__v1__setup__free_unpacked(s, NULL);
    }
    assert_true(refused > 4 * original->intent.len);
    free(b);
    mpc__session__v1__setup__free_unpacked(original, NULL);
}

static void test_lesson_1_20_no_changed_keygen_is_permitted(void **state)
{
    (void)state;
    expect(&keygen, NULL);
    flip_all(&keygen, false);
}

static void test_lesson_1_20_no_changed_signing_is_permitted(void **state)
{
    (void)state;
    expect(&sign, NULL);
    flip_all(&sign, true);
}

static void test_a_properly_signed_intent_for_something_else_is_refused(void **state)
{
    struct job job;

    (void)state;
    job = sign, job.intent.keyid[5] ^= 1;
    expect(&job, "INTENT_FIELD");
    job = sign, job.intent.purpose = QRT_PURPOSE_MESSAGE;
    expect(&job, "INTENT_FIELD");
    job = sign, job.intent.t = 3;
    expect(&job, "INTENT_FIELD");
    job = sign, job.threshold_n = 4;
    expect(&job, "INTENT_FIELD");
    job = sign, job.type = "presign";
    expect(&job, "INTENT_FIELD");
    job = sign, job.type = "co_managed_sign";
    expect(&job, "INTENT_FIELD");
    job = sign, job.attempt = 16;
    expect(&job, "INTENT_ATTEMPT");
    job = sign, job.intent.parties_n = 2, job.intent.parties[0] = 1, job.intent.parties[1] = 3,
    job.intent.parties[2] = 0;
    expect(&job, "ROSTER");
    job = sign, job.members_n = 3, job.members[2] = 2;
    expect(&job, "ROSTER");
    job = sign, job.members[0] = 1, job.members[1] = 2;
    expect(&job, "ROSTER");
    job = keygen, job.members_n = 2;
    expect(&job, "ROSTER");
    job = keygen, job.intent.idk[1][0] ^= 1;
    expect(&job, "ROSTER");
}

/* Refused with this code and these words; frees |setup|. */
static void expect_refused(setup_message *setup, const char *code, const char *words)
{
    struct refusal refusal;

    if (is_permitted(setup, &refusal))
        fail_msg("permitted; expected %s: %s", code, words);
    if (strcmp(refusal.code, code) != 0 || !strstr(refusal.text, words))
        fail_msg("expected %s: %s, got %s: %s", code, words, refusal.code, refusal.text);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
}

static void test_sessions_and_accounts_have_ids(void **state)
{
    setup_message *s = keepers_setup(k, &sign);

    (void)state;
    set_text(&s->session_id, "not-a-uuid");
    expect_refused(s, "INTENT_FIELD", "session's id");
    s = keepers_setup(k, &sign);
    set_text(&s->account_id, "11111111-1111-4111-8111-111111111111");
    expect_refused(s, "INTENT_FIELD", "account");
}

/* Signed by the initiator all the same. */
static void test_an_intent_has_its_form(void **state)
{
    setup_message *s = keepers_setup(k, &sign);
    ProtobufCBinaryData longer = {s->intent.len + 1, calloc(1, s->intent.len + 1)};

    (void)state;
    memcpy(longer.data, s->intent.data, s->intent.len);
    set_bytes(&s->intent, &longer);
    qrt_intent_sign(s->intent_signature.data, library_ctx(), longer.data, longer.len,
                    k->initiator_secret);
    free(longer.data);
    expect_refused(s, "INTENT_FORMAT", "");
}

/* |n| members, the last ones the same as the last of |sign|. */
static setup_message *with_members(size_t n)
{
    setup_message *s = keepers_setup(k, &sign);

    while (s->n_members > n)
        mpc__session__v1__member__free_unpacked(s->members[--s->n_members], NULL);
    s->members = realloc(s->members, n * sizeof *s->members);
    assert_non_null(s->members);
    while (s->n_members < n) {
        Mpc__Session__V1__Member *m = malloc(sizeof *m);

        mpc__session__v1__member__init(m);
        m->party_id = malloc(16);
        snprintf(m->party_id, 16, "other-%zu", s->n_members);
        m->index = (uint32_t)s->n_members + 1;
        s->members[s->n_members++] = m;
    }
    return s;
}

static void test_members_have_places_of_their_own(void **state)
{
    Mpc__Session__V1__Member *first;
    setup_message *s;

    (void)state;
    expect_refused(with_members(1), "ROSTER", "2 to 64 members");
    expect_refused(with_members(65), "ROSTER", "2 to 64 members");
    s = keepers_setup(k, &sign);
    s->members[1]->index += 65536; /* in 16 bits the same */
    expect_refused(s, "ROSTER", "no valid id or index");
    s = keepers_setup(k, &sign);
    first = s->members[0];
    s->members[0] = s->members[1];
    s->members[1] = first;
    expect_refused(s, "ROSTER", "do not ascend");
    s = keepers_setup(k, &sign);
    set_text(&s->members[1]->party_id, s->members[0]->party_id);
    expect_refused(s, "ROSTER", "is a member twice");
    s = keepers_setup(k, &sign);
    set_text(&s->members[0]->party_id, "party-3");
    expect_refused(s, "ROSTER", "is not a member");
}

/* A share without names at its indices has the indices still. */
static void test_a_party_has_its_own_index(void **state)
{
    setup_message *s = keepers_setup(k, &sign);
    const char *const *roster = share.roster;

    (void)state;
    set_text(&s->members[0]->party_id, k->seats[1].party_id);
    set_text(&s->members[1]->party_id, k->seats[0].party_id);
    set_bytes(&s->members[1]->boot_id, &s->members[0]->boot_id);
    share.roster = NULL;
    expect_refused(s, "ROSTER", "has index 1 in this key");
    share.roster = roster;
}

/* The authority certified another key under this party's name, and an intent seats it. */
static void test_a_certificate_of_another_key_is_not_ones_own(void **state)
{
    struct identity other = {.party_id = "party-1", .role = "persistent"};
    struct job job = keygen;
    uint8_t secret[64], *b;
    setup_message *s;
    size_t len;

    (void)state;
    crypto_sign_keypair(other.key, secret);
    crypto_hash_sha256(job.intent.idk[0], other.key, 32);
    s = keepers_setup(k, &job);
    b = identity_issue(&len, &other, k->ca_secret);
    mpc__session__v1__party_certificate__free_unpacked(s->members[0]->certificate, NULL);
    s->members[0]->certificate = mpc__session__v1__party_certificate__unpack(NULL, len, b);
    free(b);
    expect_refused(s, "ROSTER", "is of another key");
}

static void test_time_is_kept(void **state)
{
    struct job job = sign;

    (void)state;
    job.intent.deadline = (uint64_t)now_ms / 1000 - 20;
    job.deadline_ms = job.attempt_deadline_ms = now_ms;
    expect(&job, NULL); /* clocks differ */
    job.intent.deadline = (uint64_t)now_ms / 1000 - 32;
    expect(&job, "INTENT_EXPIRED");
    job = sign, job.intent.deadline = (uint64_t)now_ms / 1000 + 24 * 3600 + 60;
    expect(&job, "INTENT_FIELD");
    job = sign, job.intent.deadline = UINT64_MAX;
    expect(&job, "INTENT_FIELD");
    job = sign, job.attempt_deadline_ms = now_ms - 31000;
    expect(&job, "INTENT_EXPIRED");
    job = sign, job.deadline_ms = now_ms + 200000;
    expect(&job, "INTENT_FIELD");
    job = sign, job.attempt_deadline_ms = job.deadline_ms + 1;
    expect(&job, "INTENT_FIELD");
}

static void test_initiators_are_the_configured_ones(void **state)
{
    const uint8_t *initiators = rules.initiators;
    struct job job = sign;

    (void)state;
    rules.initiators = k->operator_key;
    expect(&sign, "INITIATOR");
    rules.initiators = initiators;
    job.by_caller = true;
    expect(&job, NULL);
    share.caller_key = k->caller_key;
    expect(&job, NULL);
    expect(&sign, "INITIATOR");
    share.caller_key = NULL;
    rules.callers_n = 0;
    expect(&job, "INITIATOR");
    rules.callers_n = 1;
}

static void test_an_invitation_is_for_one_life_of_a_party(void **state)
{
    (void)state;
    rules.boot_id[3] ^= 1;
    expect(&sign, "RESTARTED");
    expect(&keygen, "RESTARTED");
    rules.boot_id[3] ^= 1;
}

static void test_other_names_at_an_index_are_refused(void **state)
{
    char *name = k->seats[1].party_id;

    (void)state;
    name[0] = 'q';
    expect(&sign, "ROSTER");
    expect(&keygen, "ROSTER");
    name[0] = ' ';
    expect(&sign, "ROSTER");
    name[0] = 'p';
    expect(&sign, NULL);
}

static void set_rules(void)
{
    rules = (struct permit_rules){
        .ctx = library_ctx(),
        .party_id = k->seats[0].party_id,
        .initiators = k->initiator_key,
        .initiators_n = 1,
        .callers = k->caller_key,
        .callers_n = 1,
    };
    memcpy(rules.boot_id, k->seats[0].boot_id, 16);
    memcpy(rules.ca_key, k->ca_key, 32);
    memcpy(rules.identity_key, k->seats[0].key, 32);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson_1_20_no_changed_keygen_is_permitted),
        cmocka_unit_test(test_lesson_1_20_no_changed_signing_is_permitted),
        cmocka_unit_test(test_a_properly_signed_intent_for_something_else_is_refused),
        cmocka_unit_test(test_sessions_and_accounts_have_ids),
        cmocka_unit_test(test_an_intent_has_its_form),
        cmocka_unit_test(test_members_have_places_of_their_own),
        cmocka_unit_test(test_a_party_has_its_own_index),
        cmocka_unit_test(test_a_certificate_of_another_key_is_not_ones_own),
        cmocka_unit_test(test_time_is_kept),
        cmocka_unit_test(test_initiators_are_the_configured_ones),
        cmocka_unit_test(test_an_invitation_is_for_one_life_of_a_party),
        cmocka_unit_test(test_other_names_at_an_index_are_refused),
    };
    static const size_t quorum[] = {0, 1};
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(3, NULL);
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    sign = keepers_sign(&keygen, key_id, quorum, 2);
    now_ms = keepers_now();
    load_share();
    set_rules();
    result = cmocka_run_group_tests(tests, NULL, NULL);
    shares_put(held);
    keepers_free(k);
    return result;
}
