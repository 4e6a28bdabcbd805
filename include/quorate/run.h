/* SPDX-License-Identifier: Apache-2.0 */
/* A protocol run: header and plain payload in, header and plain payload out.
 *
 * A run is a value in the caller's memory: no heap, no I/O, no clock, no randomness of its own.
 * Only the start differs between protocols (keygen.h, sign.h); everything else is here:
 *
 *     e = qrt_run_recv(run, from, bytes, len);
 *     while ((rec = qrt_run_record(run)) && store(rec)) e = qrt_run_confirm(run);
 *     while ((msg = qrt_run_next(run))) send(msg->to, msg->b, msg->len);
 *     if (qrt_run_phase(run) == QRT_PHASE_DONE) ... the protocol's own result function
 *
 * Messages must be authenticated before they come here: the run believes |from|, and blames it.
 * Hosts do not use a run directly but through a peer (peer.h), which seals, opens, signs and
 * verifies. The run alone is for known answers, simulations and research.
 *
 * Abort rules are state, not advice. Whenever something must be durable before anything else
 * leaves, qrt_run_record hands it out and qrt_run_next gives nothing until qrt_run_confirm.
 * Memory of a run holds secrets and a pointer to itself: it is never copied, stored or shared
 * between threads; end it with qrt_run_wipe.
 *
 * Rules that the engine keeps for every protocol (protocol.md B.7, F.10):
 *   - a slot for every message that can ever come exists from the start, so order, repetition and
 *     delay change nothing: the result is that of the messages delivered in order, once;
 *   - nothing is parsed or computed before a round's inbox is complete; then come all echoes, then
 *     all ranges, then cryptography, each for the participants in ascending order, and the first
 *     failure in this order is the one reported;
 *   - a run fails in one place, once: secrets are wiped, waiting messages are dropped, one abort
 *     message takes their place, and nothing is taken any more;
 *   - the same seed and the same messages give the same bytes.
 *
 * Time is the host's: a run that is not done by its deadline is wiped, and qrt_run_waiting_for
 * names the silent. A run does not survive a restart; only a finished keygen's record does
 * (peer.h).
 */
#ifndef QUORATE_RUN_H
#define QUORATE_RUN_H

#include "quorate/context.h"

struct qrt_run;

/* RUNNING also while a record waits. DONE: the result can be read, and messages may still wait in
 * qrt_run_next. FAILED: qrt_run_error and qrt_run_culprit say why. Neither of these ends changes.
 */
enum qrt_phase { QRT_PHASE_RUNNING, QRT_PHASE_DONE, QRT_PHASE_FAILED };

/* Bytes that a run of |protocol| with |n| participants (keygen: parties; otherwise signers, n = t)
 * and threshold |t| needs, a multiple of QRT_ALIGN; 0 if n or t is out of range.
 * About 176 KiB for a 2-of-3 signature and 119 KiB more for each further signer; 176 KiB for a
 * 2-of-3 keygen. The start clears the memory, its content before does not matter. A
 * start that answers with class INPUT leaves no run: nothing is to be wiped, and no other function
 * may be called on it. */
QRT_API size_t qrt_run_size(enum qrt_protocol protocol, size_t n, size_t t);

/* A message lent by qrt_run_next. |b| is what qrt_run_recv of the receiver takes. */
struct qrt_msg {
    /* QRT_EVERYBODY: a broadcast */
    uint16_t to;
    /* 1 .. 4 */
    uint8_t round;
    /* 0 broadcast, 1 private, 2 abort (protocol.md K.1) */
    uint8_t kind;
    /* header (80 bytes), payload */
    const uint8_t *b;
    size_t len;
};

/* Take one message of participant |from|; |b| is borrowed for the call.
 * Class DROP: nothing changed. A final error (qrt_err_is_final) is the run's end: see culprit;
 * qrt_run_next then lends one abort message, after a waiting record was confirmed.
 * Messages of later rounds are kept. A broadcast that is there already is QRT_OK, a private message
 * QRT_E_DROP_DUPLICATE; another broadcast for a filled slot is QRT_E_EQUIVOCATION, the sender's
 * proven cheat. A wrong length is the sender's fault as well. QRT_E_AGAIN: the message would end
 * the run while a record is lent; offer it again after confirm. QRT_E_STATE after a failure. The
 * last message of a round makes the run compute its next round inside this call. CT: which check
 * failed shows; shares, nonces, seeds and choice bits do not. */
QRT_API QRT_MUST enum qrt_err qrt_run_recv(struct qrt_run *run, uint16_t from, const uint8_t *b,
                                           size_t len);

/* Lend the next message to send, each exactly once, until the next call on |run|; NULL: nothing
 * now. A host that may have to send again keeps a copy: the run never repeats a message.
 * Broadcasts come before the private messages of their round. Ask after every start, recv and
 * confirm until it gives NULL. */
QRT_API const struct qrt_msg *qrt_run_next(struct qrt_run *run);

/* What a record is, and what has to happen before it is confirmed. */
enum qrt_record_kind {
    /* Share record without a complete certificate: keep it until RECORD_SHARE replaces it; nothing
     * signs with it (protocol.md F.7). */
    QRT_RECORD_SHARE_PENDING = 1,
    /* The same share with the complete certificate: replaces the pending one. */
    QRT_RECORD_SHARE,
    /* A burn record that names the peers whose extension messages passed. Inside the lock that also
     * guards QRT_RECORD_BURN, look up whether one of these pairs was burned meanwhile: if so
     * qrt_run_refuse, otherwise qrt_run_confirm and send before unlocking (protocol.md D.8). */
    QRT_RECORD_GATE,
    /* A burn record that names one peer: apply it to the stored share (qrt_share_burn), end every
     * other run of this key that includes him, then confirm (protocol.md D.8). */
    QRT_RECORD_BURN,
    /* The 32-byte id of the presignature that is used up: erase it durably, then confirm
     * (protocol.md G.8). */
    QRT_RECORD_CONSUMED
};

struct qrt_record {
    enum qrt_record_kind kind;
    /* secret for both share kinds: seal it before it is written */
    const uint8_t *b;
    size_t len;
};

/* What must be durable before anything else leaves, or NULL. Lent until confirm or refuse. At most
 * one waits at a time; a confirm may bring the next. */
QRT_API const struct qrt_record *qrt_run_record(const struct qrt_run *run);

/* The record is durable (or, for a gate, open). The run goes on: it may compute its next round, if
 * the messages for it have come meanwhile, and so fail as qrt_run_recv may. QRT_E_STATE if no
 * record waits. */
QRT_API QRT_MUST enum qrt_err qrt_run_confirm(struct qrt_run *run);

/* The record could not be made durable, or the gate is closed: the run fails with QRT_E_REFUSED,
 * nothing but an abort message leaves. Refusing a burn record keeps even the abort back, for good:
 * a burn must be durable before anybody hears of it. No effect if no record waits. */
QRT_API void qrt_run_refuse(struct qrt_run *run);

/* Readers; any time after a start, until the wipe. */
QRT_API enum qrt_phase qrt_run_phase(const struct qrt_run *run);
/* Why the run failed; QRT_OK unless it did. */
QRT_API enum qrt_err qrt_run_error(const struct qrt_run *run);
/* The index of the participant whom the failed check accuses; 0: nobody. */
QRT_API uint16_t qrt_run_culprit(const struct qrt_run *run);
/* What the party said whose abort ended the run (QRT_E_PEER_ABORT): his word, never evidence.
 * |error| is QRT_E_SG_EXTENSION and |accused| this party if he burned his side of the pair: note it
 * with qrt_share_note_burn. NULL if no abort was taken. */
struct qrt_peer_abort {
    uint16_t from;
    /* QRT_E_PEER_ABORT if his code is not one of this version's */
    enum qrt_err error;
    uint8_t round;
    uint16_t accused;
};
QRT_API const struct qrt_peer_abort *qrt_run_peer_abort(const struct qrt_run *run);
/* The number of the awaited round; of the last one when the run is done. */
QRT_API uint8_t qrt_run_round(const struct qrt_run *run);
/* 32 bytes, as in every header of the run: a router's key for its messages. Lent until the wipe. */
QRT_API const uint8_t *qrt_run_sid(const struct qrt_run *run);

/* The participants whose message the awaited round still lacks, ascending; at most |cap| are
 * written, the number of all is returned. Whom to blame for silence when the time is up;
 * nobody while a record waits, since then the others may be waiting for this party. */
QRT_API size_t qrt_run_waiting_for(const struct qrt_run *run, uint16_t *out, size_t cap);

/* Overwrite everything, results included; what was lent is gone. The memory may be used again. To
 * be called at the end of every run, whatever its phase. */
QRT_API void qrt_run_wipe(struct qrt_run *run);

#endif
