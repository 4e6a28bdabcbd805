/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of remote.h: a length, then numbers and strings one after the other. Both ends are of
 * one program on one machine, so the machine's own form of numbers will do.
 *
 * A question is what to do and with what. An answer is the result, whether the database is lost,
 * the error's line, a number (of rows changed, or whether something was written) and the rows:
 * how many, and for each one its width and values. */
#ifndef SYSTEM_DB_REMOTE_WIRE_H
#define SYSTEM_DB_REMOTE_WIRE_H

#include "system/core/buffer.h"
#include "system/db/driver.h"

enum remote_what {
    REMOTE_OPEN,
    REMOTE_BEGIN,
    REMOTE_COMMIT,
    REMOTE_ROLLBACK,
    REMOTE_LOCK,
    REMOTE_SAVE,
    REMOTE_KEEP,
    REMOTE_TAKE_BACK,
    REMOTE_SCRIPT,
    REMOTE_RUN,
    REMOTE_REST
};
/* What a statement's answer is wanted for, a bit each. */
enum { REMOTE_ROWS = 1, REMOTE_CHANGED = 2, REMOTE_MUST = 4 };

/* What of a message was not read yet; once |is_bad|, everything is zero and empty. */
struct wire {
    uint8_t *b;
    size_t len, at;
    bool is_bad;
};

void wire_put_int(struct buffer *out, int64_t number);
/* With a zero behind, so that text can be lent. */
void wire_put_bytes(struct buffer *out, const void *b, size_t len);
void wire_put_text(struct buffer *out, const char *text);
void wire_put_value(struct buffer *out, const struct db_value *value);
int64_t wire_get_int(struct wire *in);
const char *wire_get_bytes(struct wire *in, size_t *len);
const char *wire_get_text(struct wire *in);
struct db_value wire_get_value(struct wire *in);

/* Empties |out|. False: the other end is gone. */
bool wire_send(int fd, struct buffer *out);
/* |in| gets the next message; the caller frees |in->b|. False: the other end is gone. */
bool wire_receive(int fd, struct wire *in);

#endif
