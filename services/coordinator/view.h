/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, setups and events as messages. A view owns the text its message points to and borrows
 * what it was made from; made, used for one message, freed. */
#ifndef COORDINATOR_VIEW_H
#define COORDINATOR_VIEW_H

#include "services/coordinator/record.h"
#include "services/coordinator/store_read.h"
#include "system/access/token.h"
#include "system/core/clock.h"
#include "system/service/signature.h"

struct view_session {
    Mpc__Session__V1__Session message;
    struct signature_forms signature;
    char created[CLOCK_TEXT_MAX], expires[CLOCK_TEXT_MAX];
    char *list;
    char *parties[QRT_PARTIES_MAX];
};
void view_session(struct view_session *out, const struct qrt_ctx *ctx, const struct store_row *row);
void view_session_free(struct view_session *view);

/* The setup of the present attempt. */
struct view_setup {
    Mpc__Session__V1__Setup message;
    Mpc__Session__V1__Member members[QRT_PARTIES_MAX], *list[QRT_PARTIES_MAX];
};
void view_setup(struct view_setup *out, const struct record *r);
/* The members and the presignature alone, encoded: what store_attempt keeps. */
struct store_bytes view_members(const struct record *r);

struct view_event {
    Mpc__Session__V1__SessionEvent message;
    char at[CLOCK_TEXT_MAX];
};
/* Without setup. */
void view_event(struct view_event *out, const struct store_event *event, const char *session_id,
                const char *trace_id);
/* The end of a session as an event, from its row; false if it has not ended. */
bool view_end(struct view_event *out, const struct store_row *row);

/* The join token of a party for the present attempt; the same every time but for its dates. */
void view_join_token(char out[TOKEN_TEXT_MAX], const struct token_key *key, const struct record *r,
                     uint8_t seat);

#endif
