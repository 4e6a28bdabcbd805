/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence out of two broadcasts: raw bytes from anybody, or two that party 1 really signed for one
 * round, which the input alters and cuts. Byte 0: bit 0 says which; what the other bits say stands
 * at their use. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { ADDED_BYTES = 50 }; /* evidence.h */

struct broadcast {
    uint8_t b[512];
    size_t len;
};

/* One session started twice, as no honest party does. */
static const struct broadcast *said_twice(void)
{
    static struct broadcast said[2];
    struct session s;

    if (said[1].len)
        return said;
    session_init(&s, fuzz_committee(2, 2), QRT_SIGN, true);
    session_new_iid(&s);
    for (int i = 0; i < 2; i++) {
        const struct qrt_msg *msg;

        fuzz_need(session_start_seat(&s, 0) == QRT_OK);
        do
            msg = seat_next(&s.seats[0]);
        while (msg && msg->kind != QRT_KIND_BROADCAST);
        fuzz_need(msg && msg->len <= sizeof said[i].b);
        memcpy(said[i].b, msg->b, msg->len);
        said[i].len = msg->len;
    }
    session_free(&s);
    return said;
}

/* What compare answers has to fit what verify says about what it made. */
static enum qrt_err compare(const struct qrt_said_twice *said, size_t cap)
{
    uint8_t *b = malloc(cap + !cap);
    struct qrt_bytes out = {b, cap, 1};
    struct qrt_evidence evidence;
    enum qrt_err e = qrt_evidence_compare(&out, fuzz_ctx(), said);

    if (e == QRT_OK) {
        fuzz_need(out.len == said->a_len + said->b_len + ADDED_BYTES && out.len <= cap);
        fuzz_need(qrt_evidence_verify(&evidence, fuzz_ctx(), b, out.len) == QRT_OK);
        fuzz_need(evidence.error == QRT_E_EQUIVOCATION && evidence.proven);
        fuzz_need(memcmp(evidence.idpk, said->idpk, 32) == 0);
    } else {
        fuzz_need(out.len == 0 && (e == QRT_E_EVIDENCE || e == QRT_E_SPACE));
        fuzz_need(e != QRT_E_SPACE || cap < said->a_len + said->b_len + ADDED_BYTES);
    }
    free(b);
    return e;
}

/* The bytes after the first two, cut in two at the place those say. */
static void raw(const uint8_t *idpk, struct fuzz_in *in)
{
    uint16_t where = fuzz_u16(in);
    size_t a_len = in->left ? where % (in->left + 1) : 0, b_len = in->left - a_len;
    uint8_t *a = malloc(a_len + !a_len), *b = malloc(b_len + !b_len);

    if (a_len)
        memcpy(a, in->b, a_len);
    if (b_len)
        memcpy(b, in->b + a_len, b_len);
    (void)compare(&(struct qrt_said_twice){a, b, a_len, b_len, idpk}, in->left + ADDED_BYTES);
    free(b);
    free(a);
}

/* Each four bytes: bit 0 which of the two, other bits what; where (2); a spare. A bit is flipped,
 * or with bit 1 the broadcast is cut there. */
static void change(struct broadcast *two, struct fuzz_in *in)
{
    while (in->left >= 4) {
        uint8_t what = fuzz_u8(in);
        struct broadcast *one = &two[what & 1];
        size_t at = fuzz_u16(in);

        (void)fuzz_u8(in);
        if (!one->len)
            continue;
        if (what & 2)
            one->len = at % one->len;
        else
            one->b[at % one->len] ^= (uint8_t)(1u << what / 4 % 8);
    }
}

static bool same(const struct broadcast *a, const struct broadcast *b)
{
    return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* Bit 1: the same broadcast twice; bit 2: the other order; bit 3: one byte too few; bit 4: another
 * party's key. */
static void altered(const uint8_t *idpk, uint8_t shape, struct fuzz_in *in)
{
    const struct broadcast *said = said_twice(), *a = &said[shape >> 2 & 1];
    const struct broadcast *b = shape & 2 ? a : &said[~shape >> 2 & 1];
    struct broadcast two[2] = {*a, *b};
    struct qrt_said_twice both = {two[0].b, two[1].b, 0, 0, idpk};
    bool space = !(shape & 8), good;

    change(two, in);
    both.a_len = two[0].len;
    both.b_len = two[1].len;
    good = !(shape & (2 | 8 | 16)) && same(&two[0], a) && same(&two[1], b);
    fuzz_need(good == (compare(&both, both.a_len + both.b_len + ADDED_BYTES - !space) == QRT_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    uint8_t shape = fuzz_u8(&in);
    const uint8_t *idpk = fuzz_committee(2, 2)->keys[shape >> 4 & 1].idpk;

    if (shape & 1)
        raw(idpk, &in);
    else
        altered(idpk, shape, &in);
    return 0;
}
