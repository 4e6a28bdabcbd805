/* SPDX-License-Identifier: Apache-2.0 */
/* BIP32 for non-hardened children (protocol.md H.8), and the text form of a path.
 *
 * An index whose left half is zero, not below q, or leads to the identity is refused, never reduced
 * or skipped: parties that disagree on a child would make no signature, and silently different keys
 * are worse. All public. */
#include "quorate/derive.h"

#include "base/bytes.h"
#include "math/point.h"
#include "math/scalar.h"

#include <sodium.h>
#include <string.h>

enum { HARDENED_SHIFT = 31 };

_Static_assert(crypto_auth_hmacsha512_KEYBYTES == 32 && crypto_auth_hmacsha512_BYTES == 64,
               "HMAC-SHA512 keyed with a chain code");

/* A key on its way down the path. */
struct walk {
    struct qrt_pt K;
    struct qrt_sc tweak;
    uint8_t cc[32];
};

static bool step(struct walk *w, const struct qrt_ctx *ctx, uint32_t index)
{
    uint8_t data[37], I[64];
    struct qrt_sc left;

    if (index >> HARDENED_SHIFT)
        return false;
    qrt_pt_encode(ctx, data, &w->K);
    qrt_be32_put(data + 33, index);
    crypto_auth_hmacsha512(I, data, sizeof data, w->cc);
    if (!qrt_sc_decode(&left, I) || qrt_sc_is_zero(&left))
        return false;
    qrt_pt_add_base_vartime(ctx, &w->K, &w->K, &left);
    if (w->K.inf)
        return false;
    qrt_sc_add(&w->tweak, &w->tweak, &left);
    memcpy(w->cc, I + 32, sizeof w->cc);
    return true;
}

enum qrt_err qrt_derive(struct qrt_child *out, const struct qrt_ctx *ctx,
                        const struct qrt_pubkey *pk, const uint8_t cc[32], const uint32_t *path,
                        size_t path_n)
{
    struct walk w = {.tweak = qrt_sc_zero};

    memset(out, 0, sizeof *out);
    if (path_n > QRT_PATH_MAX || !qrt_pt_decode(ctx, &w.K, pk->b))
        return QRT_E_PATH;
    memcpy(w.cc, cc, sizeof w.cc);
    for (size_t i = 0; i < path_n; i++)
        if (!step(&w, ctx, path[i]))
            return QRT_E_PATH;
    qrt_pt_encode(ctx, out->pk.b, &w.K);
    memcpy(out->cc, w.cc, sizeof out->cc);
    qrt_sc_encode(out->tweak, &w.tweak);
    return QRT_OK;
}

/* Decimal digits below 2^31, no leading zero. Leaves |*text| behind them. */
static bool parse_index(uint32_t *index, const char **text)
{
    const char *p = *text;
    uint64_t v = 0;

    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        v = 10 * v + (uint64_t)(*p - '0');
        if (v >> HARDENED_SHIFT)
            return false;
    }
    *index = (uint32_t)v;
    *text = p;
    return true;
}

static bool parse_path(uint32_t path[QRT_PATH_MAX], size_t *path_n, const char *text)
{
    if (text[0] == 'm' && text[1] == '/')
        text += 2;
    else if (text[0] == '\0' || (text[0] == 'm' && text[1] == '\0'))
        return true;
    for (;;) {
        if (*path_n == QRT_PATH_MAX || !parse_index(&path[*path_n], &text))
            return false;
        ++*path_n;
        if (*text == '\0')
            return true;
        if (*text++ != '/')
            return false;
    }
}

enum qrt_err qrt_path_parse(uint32_t path[QRT_PATH_MAX], size_t *path_n, const char *text)
{
    *path_n = 0;
    if (parse_path(path, path_n, text))
        return QRT_OK;
    *path_n = 0;
    return QRT_E_PATH;
}
