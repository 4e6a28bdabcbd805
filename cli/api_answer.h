/* SPDX-License-Identifier: Apache-2.0 */
/* What the API says, told to who typed a command: options for its fields, commands for its paths;
 * and who is missing while an answer does not come. */
#ifndef QUORATE_CLI_API_ANSWER_H
#define QUORATE_CLI_API_ANSWER_H

#include "say.h"

#include <jansson.h>
#include <stdbool.h>

/* The sentence of an answer that is an error. False: |answer| has none. */
bool api_answer_error(struct trouble *trouble, const json_t *answer);

/* Say which of |names| is not live by |parties| (of GET /api/v1/parties). False: all are, as far as
 * is known. */
bool api_answer_absent(const json_t *parties, const json_t *names);

#endif
