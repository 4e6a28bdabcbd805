/* SPDX-License-Identifier: Apache-2.0 */
/* Every domain-separation label of the protocol (protocol.md B.1), once. A label has one field list
 * for ever; changing a layout changes "DKC/1/". */
#ifndef QRT_HASH_LABELS_H
#define QRT_HASH_LABELS_H

#include "base/ctx.h"

/* clang-format off */
#define QRT_LABELS(X)                                                                              \
    X(KG_SSID0, "kg/ssid0") X(KG_SSID1, "kg/ssid1") X(KG_COMMIT, "kg/commit")                      \
    X(KG_CCHASH, "kg/cchash") X(KG_POK, "kg/pok") X(KG_CHAINCODE, "kg/chaincode")                  \
    X(KG_ZSEED, "kg/zseed") X(KG_CONF, "kg/conf") X(KG_KEYID, "kg/keyid")                          \
    X(RS_SSID0, "rs/ssid0") X(RS_SSID1, "rs/ssid1") X(RS_COMMIT, "rs/commit")                      \
    X(RS_CCHASH, "rs/cchash") X(RS_POK, "rs/pok") X(RS_CONF, "rs/conf") X(BCAST, "bcast")          \
    X(OT_SID, "ot/sid") X(OT_H2C, "ot/h2c") X(OT_KEY, "ot/key")                                    \
    X(PPRF_G, "pprf/g") X(PPRF_LEAF, "pprf/leaf") X(PPRF_DIG, "pprf/dig")                          \
    X(EXT_ID, "ext/id") X(EXT_PRG, "ext/prg") X(EXT_CHI, "ext/chi") X(EXT_CHI2, "ext/chi2")        \
    X(EXT_CHK, "ext/chk") X(EXT_ID2, "ext/id2") X(EXT_ROW, "ext/row")                              \
    X(RV_GADGET, "rv/gadget") X(RV_AT, "rv/at") X(RV_AT_TOP, "rv/at/top")                          \
    X(RV_THETA, "rv/theta") X(RV_MU, "rv/mu") X(RV_MU_TOP, "rv/mu/top")                            \
    X(SG_SSID, "sg/ssid") X(SG_COMMIT, "sg/commit") X(SG_ZERO, "sg/zero")                          \
    X(PS_RERAND, "ps/rerand") X(PS_ONLINE, "ps/online")                                            \
    X(FR_SSID, "fr/ssid") X(FR_ONLINE, "fr/online")                                                \
    X(WIRE_SIGN, "wire/sign") X(WIRE_OPEN, "wire/open") X(SEAL_SALT, "seal/salt")                  \
    X(SEAL_EXPORT, "seal/export") X(INTENT_IID, "intent/iid") X(INTENT_SIG, "intent/sig")          \
    X(INTENT_REQ, "intent/req") X(EX_RCPT, "ex/rcpt")
/* clang-format on */

enum qrt_label {
#define QRT_LABEL_ENUM(name, text) QRT_L_##name,
    QRT_LABELS(QRT_LABEL_ENUM)
#undef QRT_LABEL_ENUM
        QRT_LABEL_COUNT
};

const char *qrt_label_text(enum qrt_label label);
/* Fill ctx->label and ctx->label_mid; ctx->cpu must be set. */
void qrt_labels_init(struct qrt_ctx *ctx);

#endif
