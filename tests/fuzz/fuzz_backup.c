/* SPDX-License-Identifier: Apache-2.0 */
/* A backup file as it comes from a disk, and what is in it as a party may have signed it. The first
 * byte says which: 'F' a whole file, 'S' the body of a share, 'T' that of a state; otherwise a file
 * that is sound but for one byte, which the input chooses and changes. */
#include "fuzz.h"

#include "participant/backup_body.h"
#include "system/core/secret.h"

#include <stdlib.h>
#include <string.h>

enum { BODY = 200 };

static void read_state(const uint8_t *b, size_t len)
{
    struct backup_state state;

    if (!backup_state_decode(&state, b, len)) {
        fuzz_need(!state.burns && !state.orders);
        return;
    }
    fuzz_need(40 * state.burns_n <= len && 26 * state.orders_n <= len);
    for (size_t i = 0; i < state.orders_n; i++)
        fuzz_need(!state.orders[i].order.signature || !state.orders[i].order.is_own);
    backup_state_free(&state);
}

static void read_share(const struct backup_head *head, const uint8_t *b, size_t len)
{
    struct backup_share share;
    struct qrt_share opened;

    if (!backup_share_decode(&share, head, b, len)) {
        fuzz_need(!share.row.roster);
        return;
    }
    fuzz_need(share.record + share.record_len == b + len);
    (void)backup_share_check(&opened, fuzz_ctx(), &share, head);
    store_share_free(&share.row);
}

static enum backup_result read_file(const uint8_t *b, size_t len, const struct backup_key *key)
{
    struct backup_file file;
    enum backup_result result = backup_parse(&file, b, len);
    uint8_t *body;

    if (result != BACKUP_OK)
        return result;
    fuzz_need(file.body_len + BACKUP_OVERHEAD == len && strlen(file.head.party_id) <= 64);
    body = secret_new(file.body_len);
    result = backup_open(body, &file, key);
    secret_free(body);
    return result;
}

/* A good file with the input's bytes in its body; every change of it must be found. */
static void change_file(struct fuzz_in *in)
{
    static const uint8_t seed[32] = {1};
    struct backup_key *key = secret_new(sizeof *key);
    const struct committee *c = fuzz_committee(2, 2);
    struct backup_head head = {.kind = BACKUP_STATE, .party_id = "party-1"};
    const struct backup_making making = {&head, &key->recipient, c->identity[0]};
    uint8_t body[BODY] = {0}, file[BODY + BACKUP_OVERHEAD];
    size_t at = fuzz_u16(in) % sizeof file;
    uint8_t what = fuzz_u8(in);

    backup_key_of(key, seed);
    memcpy(body, in->b, in->left < BODY ? in->left : BODY);
    backup_seal(file, &making, body, BODY);
    file[at] ^= what;
    fuzz_need((read_file(file, sizeof file, key) == BACKUP_OK) == (what == 0));
    secret_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[32] = {1};
    const struct backup_head head = {.kind = BACKUP_SHARE, .party_id = "party-1"};
    struct fuzz_in in = {data, size};
    struct backup_key *key;

    switch (fuzz_u8(&in)) {
    case 'F':
        key = secret_new(sizeof *key);
        backup_key_of(key, seed);
        (void)read_file(in.b, in.left, key);
        secret_free(key);
        break;
    case 'S':
        read_share(&head, in.b, in.left);
        break;
    case 'T':
        read_state(in.b, in.left);
        break;
    default:
        change_file(&in);
        break;
    }
    return 0;
}
