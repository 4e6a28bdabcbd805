/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of an abort message, and an abort message as it arrives. */
#include "fuzz.h"

#include "wire/abort.h"

#include <string.h>

static void take(const uint8_t payload[QRT_ABORT_BYTES], uint8_t round)
{
    struct session s;
    uint8_t b[QRT_HEADER_BYTES + QRT_ABORT_BYTES];
    struct qrt_header h = {QRT_SIGN,        QRT_PROFILE_1, round, QRT_KIND_ABORT, 2, QRT_EVERYBODY,
                           QRT_ABORT_BYTES, {0},           {0}};
    enum qrt_err e;

    session_init(&s, fuzz_committee(2, 2), QRT_SIGN, false);
    fuzz_need(session_start(&s) == QRT_OK);
    memcpy(h.sid, qrt_run_sid(seat_run(&s.seats[0])), 32);
    qrt_header_encode(b, &h);
    memcpy(b + QRT_HEADER_BYTES, payload, QRT_ABORT_BYTES);
    e = seat_recv(&s.seats[0], 2, b, sizeof b);
    fuzz_need((e == QRT_E_PEER_ABORT) ==
              (qrt_run_phase(seat_run(&s.seats[0])) != QRT_PHASE_RUNNING));
    fuzz_need(qrt_run_culprit(seat_run(&s.seats[0])) == 0);
    session_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[QRT_ABORT_BYTES];
    struct qrt_abort a;

    if (size < QRT_ABORT_BYTES + 1)
        return 0;
    if (qrt_abort_decode(&a, data)) {
        qrt_abort_encode(again, &a);
        fuzz_need(memcmp(again, data, sizeof again) == 0);
    }
    take(data, (uint8_t)(1 + data[QRT_ABORT_BYTES] % 3));
    return 0;
}
