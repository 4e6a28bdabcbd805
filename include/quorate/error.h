/* SPDX-License-Identifier: Apache-2.0 */
/* What a call can answer, in one table.
 *
 * Every fallible function of the library returns enum qrt_err; 0 is success. The class says what
 * an answer means to the caller: whether anything changed, whether the run is over, and who is to
 * blame (protocol.md section J). A bug, of the library or of its caller, is no error code: it
 * ends in qrt_panic, which the program supplies.
 *
 * What to do with an answer, by class:
 *
 *   OK        go on
 *   WAIT      keep the message, offer it again after the next one was taken; do not acknowledge it
 *   DROP      forget the message and count it; never a reason to end a run or to blame anybody
 *   STATE     the program called at the wrong time; the run is as it was
 *   INPUT     tell the person who gave the parameters or the file; nothing was started or changed
 *   B0        start again; if the peer said why he ended the run, that is his word and no proof
 *   B1        start again, if you like with another quorum; the culprit is known to this party only
 *   B2        as B1, and keep the evidence: it convinces anybody
 *   B3        start again; after three in a row try other quorums and compare who was in them
 *   BURN      make the burn durable first (run.h); the pair needs a refresh before it signs again
 *   INTERNAL  start again
 *
 * A final answer (B0 and everything after it) has wiped the run's secrets before it is returned.
 * There is no ambient status and no log: what a call did not return is not known elsewhere.
 */
#ifndef QUORATE_ERROR_H
#define QUORATE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/* QRT_API and QRT_NORETURN also give C++ programs the C names. */
#if defined(__cplusplus)
#define QRT_C extern "C"
#else
#define QRT_C
#endif
#define QRT_MUST __attribute__((warn_unused_result))
#define QRT_API QRT_C __attribute__((visibility("default")))
#define QRT_NORETURN QRT_C __attribute__((noreturn))

enum qrt_class {
    /* done */
    QRT_CLASS_OK,
    /* nothing changed; offer the same message again after the next progress */
    QRT_CLASS_WAIT,
    /* nothing changed; the message is not for this run or not authentic */
    QRT_CLASS_DROP,
    /* nothing changed; the call does not fit the phase */
    QRT_CLASS_STATE,
    /* nothing changed; the caller's own data is refused */
    QRT_CLASS_INPUT,
    /* run over; transport or configuration, nobody is blamed */
    QRT_CLASS_B0,
    /* run over; the culprit is known to this party alone */
    QRT_CLASS_B1,
    /* run over; the culprit is provable from what he signed */
    QRT_CLASS_B2,
    /* run over; somebody cheated, it cannot be told who */
    QRT_CLASS_B3,
    /* run over; as B1, and the pair is burned (protocol.md D.8) */
    QRT_CLASS_BURN,
    /* run over; an event of probability 2^-128, or less, or a fault of memory */
    QRT_CLASS_INTERNAL
};

/* X(name, class, code on the wire, text).
 *
 * The code stands in abort messages and evidence and never changes; 0 means that the answer never
 * leaves this party. The text is one sentence without a full stop that names the thing; programs
 * print it after the name of the file, party or field that it is about. */
/* clang-format off */
#define QRT_ERRORS(X)                                                                             \
    X(OK, OK, 0, "done")                                                                          \
    X(AGAIN, WAIT, 0, "the sender's first broadcast has to arrive before this message")           \
    X(DROP_FOREIGN, DROP, 0, "the message does not belong to this session")                       \
    X(DROP_UNEXPECTED, DROP, 0, "the session expects no message of this round, kind and length")  \
    X(DROP_DUPLICATE, DROP, 0, "another message of this sender already stands for this round")    \
    X(DROP_UNAUTHENTIC, DROP, 0, "the signature, hash or tag of the message does not verify")     \
    X(STATE, STATE, 0, "the call does not fit the phase of the run")                              \
    X(SPACE, INPUT, 0, "the buffer is too small")                                                 \
    X(THRESHOLD, INPUT, 0, "need 2 <= t <= n <= 64")                                              \
    X(ROSTER, INPUT, 0, "indices must ascend from 1 to 65534, identities and x-coordinates differ") \
    X(NOT_A_PARTY, INPUT, 0, "this party is not among the participants")                          \
    X(QUORUM, INPUT, 0, "the number of signers must be exactly the key's threshold")              \
    X(SIGNER, INPUT, 0, "a signer is not a party of this key or is named twice")                  \
    X(BURNED, INPUT, 0, "the OT setup with a signer is burned; refresh the key first")            \
    X(PENDING, INPUT, 0, "the share has no complete certificate and must not be used")            \
    X(REFRESH_REQUIRED, INPUT, 0, "the share must be refreshed before its first use")             \
    X(DIGEST, INPUT, 0, "a message hash must be exactly 32 bytes")                                \
    X(PATH, INPUT, 0, "the derivation path is hardened, too long or leads to no valid key")       \
    X(IDENTITY, INPUT, 0, "an identity key does not match the roster")                            \
    X(EPOCH, INPUT, 0, "share and presignature are of different keys or epochs")                  \
    X(RECORD_FORMAT, INPUT, 0, "not a record of this kind, or a truncated one")                   \
    X(RECORD_VERSION, INPUT, 0, "the record's version, suite or profile is not supported")        \
    X(RECORD_FIELD, INPUT, 0, "a field of the record is out of range")                            \
    X(RECORD_SHARE, INPUT, 0, "the record's secret share does not match its public share")        \
    X(RECORD_KEY, INPUT, 0, "the record's public shares do not make its public key")              \
    X(RECORD_CERTIFICATE, INPUT, 0, "the record's certificate does not verify")                   \
    X(INTENT_FORMAT, INPUT, 0, "not a valid intent")                                              \
    X(INTENT_SIGNATURE, INPUT, 0, "the intent is not signed by that initiator")                   \
    X(SIGNATURE, INPUT, 0, "the signature does not verify")                                       \
    X(EVIDENCE, INPUT, 0, "the evidence does not prove what it claims")                           \
    X(EVIDENCE_PRIVATE, INPUT, 0, "the messages are signed, but only one party can repeat the check") \
    X(PEER_ABORT, B0, 1, "a peer ended the run")                                                  \
    X(REFUSED, B0, 2, "the host refused the record or closed the gate")                           \
    X(MALFORMED_PRIVATE, B1, 16, "a private message holds a field that is out of range")          \
    X(KG_SHARE, B1, 17, "a dealt share does not match its commitments")                           \
    X(KG_CHAIN_CODE, B1, 18, "a chain code part does not open its commitment")                    \
    X(OT_POINT, B1, 19, "a base OT message sums to the identity")                                 \
    X(OT_TREE, B1, 20, "the punctured trees do not match their digest")                           \
    X(SG_MULTIPLICATION, B1, 21, "the multiplication check failed")                               \
    X(SG_NONCE_PRODUCT, B1, 22, "the product with the nonce does not match its commitment")       \
    X(SG_KEY_PRODUCT, B1, 23, "the product with the key share does not match its commitment")     \
    X(SG_EXTENSION, BURN, 32, "the OT extension check failed")                                    \
    X(MALFORMED_BROADCAST, B2, 48, "a signed broadcast holds a field that is out of range")       \
    X(EQUIVOCATION, B2, 49, "a party signed two different broadcasts for one round")              \
    X(WEAK_EPHEMERAL, B2, 50, "a signed ephemeral key is of small order")                         \
    X(KG_COMMITMENT, B2, 51, "a keygen commitment does not open")                                 \
    X(KG_PROOF, B2, 52, "a proof of knowledge of coefficients does not verify")                   \
    X(KG_CONFIRMATION, B2, 53, "a signed confirmation differs from the agreed result")            \
    X(SG_COMMITMENT, B2, 54, "a nonce commitment does not open")                                  \
    X(ECHO, B3, 64, "parties received different broadcasts")                                      \
    X(KG_IDENTITY, B3, 65, "the contributions cancel to the identity")                            \
    X(SG_KEY_SUM, B3, 66, "the key shares of the signers do not sum to the public key")           \
    X(SG_NONCE_SUM, B3, 67, "the nonces of the signers cancel")                                   \
    X(SG_ASSEMBLY, B3, 68, "the assembled signature does not verify")                             \
    X(INTERNAL, INTERNAL, 127, "an internal value was zero; nothing is wrong with the peers, start again")
/* clang-format on */

enum qrt_err {
#define QRT_ERROR_ENUM(name, class, code, text) QRT_E_##name,
    QRT_ERRORS(QRT_ERROR_ENUM)
#undef QRT_ERROR_ENUM
        QRT_E_COUNT,
    QRT_OK = QRT_E_OK
};

/* The columns of the table, constant strings. A value outside the table is a bug of the caller.
 * qrt_err_text: "the OT extension check failed". qrt_err_name: "SG_EXTENSION", for logs and tests.
 */
QRT_API const char *qrt_err_text(enum qrt_err e);
QRT_API const char *qrt_err_name(enum qrt_err e);
QRT_API enum qrt_class qrt_err_class(enum qrt_err e);
QRT_API uint8_t qrt_err_code(enum qrt_err e);

/* The error with this code on the wire; QRT_OK if there is none, as for 0. */
QRT_API enum qrt_err qrt_err_of_code(uint8_t code);

/* True if |e| ended the run it was returned by: class B0, B1, B2, B3, BURN or INTERNAL. */
QRT_API bool qrt_err_is_final(enum qrt_err e);

/* Supplied by the program: report the place and end the process. It must not return, nor jump out.
 * The library calls it for bugs only (a run that was copied or moved, memory that is not aligned, a
 * call on a wiped run), never for what a peer, a file or a person sent. |file| is a constant
 * string. The smallest one is { fprintf(stderr, "%s:%d\n", file, line); abort(); }. */
QRT_NORETURN void qrt_panic(const char *file, int line);

#endif
