/* SPDX-License-Identifier: Apache-2.0 */
/* Which request a key was made for. The certificate's signatures stand under ssid0, which hashes
 * roster, threshold and iid (protocol.md F.1), and the iid hashes intent and attempt (B.3): so a
 * certificate is of an intent if one of its attempts gives its ssid0. Whoever passes certificates
 * on cannot pass off one key for another. Everything is public. */
#include "base/bytes.h"
#include "proto/keygen.h"

#include "quorate/certificate.h"
#include "quorate/intent.h"

#include <string.h>

/* The intent seats exactly the certificate's parties; |out| is the roster as keygen hashed it. */
static bool read_roster(struct qrt_party out[QRT_PARTIES_MAX], const struct qrt_intent *intent,
                        const struct qrt_key_certificate *key)
{
    if (intent->operation != QRT_OP_KEYGEN || intent->suite != key->suite ||
        intent->profile != key->profile || intent->t != key->t || intent->parties_n != key->n ||
        key->dealers_n != 0 || key->epoch != 0)
        return false;
    for (size_t i = 0; i < key->n; i++) {
        const struct qrt_share_party *party = &key->parties[i];

        out[i].index = intent->parties[i];
        memcpy(out[i].idk, intent->idk[i], sizeof out[i].idk);
        memcpy(out[i].x, party->x, sizeof out[i].x);
        if (out[i].index != qrt_be16_get(party->index) ||
            memcmp(out[i].idk, party->idk, sizeof out[i].idk) != 0)
            return false;
    }
    return true;
}

enum qrt_err qrt_certificate_check_intent(const struct qrt_key_certificate *key,
                                          const struct qrt_ctx *ctx, const uint8_t *b, size_t len)
{
    struct qrt_party roster[QRT_PARTIES_MAX];
    struct qrt_intent intent;
    enum qrt_err e = qrt_intent_decode(&intent, b, len);

    if (e)
        return e;
    if (!read_roster(roster, &intent, key))
        return QRT_E_RECORD_CERTIFICATE;
    for (uint32_t attempt = 0; attempt < intent.attempts; attempt++) {
        uint8_t iid[32], ssid0[32];

        qrt_intent_iid(iid, ctx, b, len, attempt);
        qrt_keygen_ssid0(ctx, ssid0, roster, key->n, key->t, iid);
        if (memcmp(ssid0, key->session, sizeof ssid0) == 0)
            return QRT_OK;
    }
    return QRT_E_RECORD_CERTIFICATE;
}
