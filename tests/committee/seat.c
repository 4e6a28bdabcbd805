/* SPDX-License-Identifier: Apache-2.0 */
/* One seat: the calls that a run and a peer have in common. */
#include "committee.h"

#include <stdlib.h>
#include <string.h>

uint16_t seat_index(const struct seat *seat)
{
    return seat->c->parties[seat->who].index;
}

enum qrt_err seat_recv(struct seat *seat, uint16_t from, const uint8_t *b, size_t len)
{
    return seat->envelope ? qrt_peer_recv(seat->memory, b, len)
                          : qrt_run_recv(seat->memory, from, b, len);
}

const struct qrt_msg *seat_next(struct seat *seat)
{
    return seat->envelope ? qrt_peer_next(seat->memory) : qrt_run_next(seat->memory);
}

const struct qrt_record *seat_record(const struct seat *seat)
{
    return seat->envelope ? qrt_peer_record(seat->memory) : qrt_run_record(seat->memory);
}

enum qrt_err seat_confirm(struct seat *seat)
{
    return seat->envelope ? qrt_peer_confirm(seat->memory) : qrt_run_confirm(seat->memory);
}

const struct qrt_run *seat_run(const struct seat *seat)
{
    return seat->envelope ? qrt_peer_run(seat->memory) : seat->memory;
}

static void copy_record(struct seat *seat, const struct qrt_record *record)
{
    if (record->kind != QRT_RECORD_SHARE && record->kind != QRT_RECORD_SHARE_PENDING)
        return;
    free(seat->record);
    seat->record = malloc(record->len);
    if (!seat->record)
        abort();
    memcpy(seat->record, record->b, record->len);
    seat->record_len = record->len;
}

bool seat_store(struct seat *seat)
{
    const struct qrt_record *record = seat_record(seat);

    if (!record)
        return false;
    copy_record(seat, record);
    /* An error here is the run's next round failing; whoever looks at the phase sees it. */
    (void)!seat_confirm(seat);
    return true;
}

void seat_wipe(struct seat *seat)
{
    if (!seat->started)
        return;
    if (seat->envelope)
        qrt_peer_wipe(seat->memory);
    else
        qrt_run_wipe(seat->memory);
    seat->started = false;
}
