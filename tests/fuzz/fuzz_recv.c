/* SPDX-License-Identifier: Apache-2.0 */
/* Raw bytes to a waiting machine, bare or with envelope. The first byte chooses the machine and
 * whether the input's session id is set to the right one. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const enum qrt_protocol protocols[] = {QRT_KEYGEN, QRT_SIGN, QRT_PRESIGN, QRT_SIGN};

/* With envelope nothing but an authentic message can end a run. */
static void offer(struct session *s, const uint8_t *b, size_t len, uint16_t from)
{
    struct seat *seat = &s->seats[0];
    enum qrt_err e = seat_recv(seat, from, b, len);

    if (s->envelope)
        fuzz_need(qrt_run_phase(seat_run(seat)) == QRT_PHASE_RUNNING);
    if (qrt_run_phase(seat_run(seat)) == QRT_PHASE_FAILED)
        fuzz_need((qrt_err_is_final(e) || e == QRT_E_STATE) &&
                  qrt_run_culprit(seat_run(seat)) != 1);
    while (seat_next(seat))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session s;
    uint8_t *copy;

    if (size < 2)
        return 0;
    session_init(&s, fuzz_committee(2, 2), protocols[data[0] & 3], data[0] & 4);
    fuzz_need(session_start(&s) == QRT_OK);
    copy = malloc(size - 1);
    memcpy(copy, data + 1, size - 1);
    if ((data[0] & 8) && size - 1 >= QRT_HEADER_BYTES)
        memcpy(copy + 16, qrt_run_sid(seat_run(&s.seats[0])), 32);
    offer(&s, copy, size - 1, data[0] & 16 ? 1 : 2);
    offer(&s, copy, size - 1, 2);
    free(copy);
    session_free(&s);
    return 0;
}
