/* SPDX-License-Identifier: Apache-2.0 */
/* Is this account's key what its parties signed? Decided here, from the certificate alone; what
 * the service says about it is compared with that. */
#ifndef QUORATE_CLI_ACCOUNT_VERIFY_H
#define QUORATE_CLI_ACCOUNT_VERIFY_H

#include "say.h"

#include <jansson.h>

struct account_expected {
    const char *account_id;
    /* one of the addresses, or NULL */
    const char *address;
    /* file of identity keys; one that is not there is said in the report, unless it must be */
    const char *identities;
    bool must_compare;
};

/* A report to print, or NULL with the first thing that does not hold. */
json_t *account_verify(const json_t *answer, const struct account_expected *expected,
                       struct trouble *trouble);

#endif
