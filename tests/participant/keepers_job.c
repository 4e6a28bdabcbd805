/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs of keepers.h: intents and setups as services make them, and what keepers made of them.
 */
#include "keepers.h"

#include "quorate/certificate.h"
#include "quorate/signature.h"
#include "system/access/user_key.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/service/library.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int64_t keepers_now(void)
{
    return clock_unix_ms();
}

static void fill_times(struct job *job)
{
    int64_t now = clock_unix_ms();

    job->deadline_ms = now + 100000;
    job->attempt_deadline_ms = now + 90000;
    job->intent.deadline = (uint64_t)(now + 120000) / 1000;
    job->intent.attempts = 16;
    randombytes_buf(job->intent.nonce, 32);
    randombytes_buf(job->intent.request, 16);
    id_new(job->session_id);
}

struct job keepers_keygen(const struct keepers *k, size_t n, size_t t)
{
    struct job job = {.type = "keygen", .members_n = n, .threshold_n = (uint32_t)n};
    char account[37];

    fill_times(&job);
    job.intent.operation = QRT_OP_KEYGEN;
    job.intent.suite = QRT_SUITE_ECDSA;
    job.intent.profile = QRT_PROFILE_1;
    job.intent.purpose = QRT_PURPOSE_TRANSACTION;
    job.intent.t = (uint16_t)t;
    job.intent.parties_n = (uint16_t)n;
    id_new(account);
    assert_true(id_parse(job.intent.account, account));
    for (size_t i = 0; i < n; i++) {
        job.members[i] = i;
        job.intent.parties[i] = (uint16_t)(i + 1);
        crypto_hash_sha256(job.intent.idk[i], k->seats[i].key, 32);
    }
    return job;
}

struct job keepers_sign(const struct job *keygen, const uint8_t key_id[32], const size_t *members,
                        size_t n)
{
    static const uint8_t message[] = "pay nobody nothing";
    struct job job = {.type = "sign", .members_n = n, .threshold_n = keygen->threshold_n};

    job.intent = keygen->intent;
    fill_times(&job);
    job.intent.operation = QRT_OP_SIGN;
    memset(job.intent.idk, 0, sizeof job.intent.idk);
    memcpy(job.intent.keyid, key_id, 32);
    job.intent.digest = QRT_DIGEST_KECCAK256;
    job.intent.message = message;
    job.intent.message_len = sizeof message;
    for (size_t i = 0; i < n; i++)
        job.members[i] = members[i];
    return job;
}

/* Packed and unpacked, so that all memory is its own. */
static Mpc__Session__V1__Setup *own(const Mpc__Session__V1__Setup *setup)
{
    size_t len = mpc__session__v1__setup__get_packed_size(setup);
    uint8_t *b = malloc(len);
    Mpc__Session__V1__Setup *copy;

    mpc__session__v1__setup__pack(setup, b);
    copy = mpc__session__v1__setup__unpack(NULL, len, b);
    free(b);
    assert_non_null(copy);
    return copy;
}

static void fill_members(const struct keepers *k, const struct job *job,
                         Mpc__Session__V1__Member *rows, Mpc__Session__V1__Member **list)
{
    for (size_t i = 0; i < job->members_n; i++) {
        const struct keeper_seat *seat = &k->seats[job->members[i]];

        mpc__session__v1__member__init(&rows[i]);
        rows[i].party_id = (char *)seat->party_id;
        rows[i].index = (uint32_t)job->members[i] + 1;
        rows[i].certificate = seat->certificate;
        rows[i].boot_id = (ProtobufCBinaryData){16, (uint8_t *)seat->boot_id};
        list[i] = &rows[i];
    }
}

Mpc__Session__V1__Setup *keepers_setup(const struct keepers *k, const struct job *job)
{
    Mpc__Session__V1__Setup setup = MPC__SESSION__V1__SETUP__INIT, *made;
    Mpc__Session__V1__Member rows[KEEPERS_MAX], *list[KEEPERS_MAX];
    size_t cap = qrt_intent_size(&job->intent), len;
    uint8_t *intent = malloc(cap), signature[64], key_signature[64];
    char account[37];

    assert_int_equal(qrt_intent_encode(&job->intent, intent, cap, &len), QRT_OK);
    qrt_intent_sign(signature, library_ctx(), intent, len,
                    job->by_caller ? k->caller_secret : k->initiator_secret);
    id_text(account, job->intent.account);
    fill_members(k, job, rows, list);
    setup.session_id = (char *)job->session_id;
    setup.session_type = (char *)job->type;
    setup.attempt = job->attempt;
    setup.account_id = account;
    setup.threshold_t = job->intent.t;
    setup.threshold_n = job->threshold_n;
    setup.intent = (ProtobufCBinaryData){len, intent};
    setup.intent_signature = (ProtobufCBinaryData){64, signature};
    setup.initiator_key =
        (ProtobufCBinaryData){32, (uint8_t *)(job->by_caller ? k->caller_key : k->initiator_key)};
    setup.members = list;
    setup.n_members = job->members_n;
    setup.deadline_ms = job->deadline_ms;
    setup.attempt_deadline_ms = job->attempt_deadline_ms;
    setup.trace_id = "00000000000000000000000000000000";
    if (job->has_presignature)
        setup.presignature_id = (ProtobufCBinaryData){32, (uint8_t *)job->presignature_id};
    if (job->has_user_key || job->has_offered_key) {
        user_key_sign(key_signature, intent, len, job->has_user_key ? job->user_key : NULL,
                      job->by_caller ? k->caller_secret : k->initiator_secret);
        setup.user_key_signature = (ProtobufCBinaryData){64, key_signature};
    }
    if (job->has_user_key)
        setup.user_public_key = (ProtobufCBinaryData){32, (uint8_t *)job->user_key};
    made = own(&setup);
    free(intent);
    return made;
}

void keepers_make_key(struct keepers *k, const struct job *job, uint8_t key_id[32], uint8_t pk[33])
{
    const struct told *first;
    struct qrt_key_certificate certificate;

    keepers_open_all(k, job);
    keepers_play(k, job);
    first = keepers_told(k, job->members[0], job->session_id, job->attempt);
    for (size_t i = 0; i < job->members_n; i++) {
        const struct told *told = keepers_told(k, job->members[i], job->session_id, job->attempt);

        if (told->kind != MPC__KEEPER__V1__OUTCOME__OUTCOME_KEY)
            fail_msg("keeper %zu: %s: %s", i, told->code, told->text);
        assert_int_equal(told->len, first->len);
        assert_memory_equal(told->b, first->b, first->len);
    }
    assert_int_equal(qrt_certificate_open(&certificate, library_ctx(), first->b, first->len),
                     QRT_OK);
    memcpy(key_id, certificate.keyid, 32);
    memcpy(pk, certificate.pk, 33);
}

bool keepers_is_signed(const struct told *told, const struct job *job, const uint8_t pk[33])
{
    struct qrt_sig sig = {.recid = told->b[64]};
    struct qrt_hash digest;
    struct qrt_pubkey key;

    if (told->kind != MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE || told->len != 65)
        return false;
    memcpy(sig.r, told->b, 32);
    memcpy(sig.s, told->b + 32, 32);
    memcpy(key.b, pk, 33);
    return qrt_digest(&digest, library_ctx(), (enum qrt_digest)job->intent.digest,
                      job->intent.message, job->intent.message_len) == QRT_OK &&
           qrt_sig_verify(library_ctx(), &sig, &digest, &key) == QRT_OK;
}
