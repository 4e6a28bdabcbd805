/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/size_cap.h"

#include "quorate/wire.h"

#include <string.h>

enum { ROUNDS = 4, GENERAL_N = 8 };

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t longest(enum qrt_protocol protocol, size_t n, size_t t)
{
    size_t most = 0;

    for (uint8_t round = 1; round <= ROUNDS; round++)
        for (uint8_t kind = QRT_KIND_BROADCAST; kind <= QRT_KIND_ABORT; kind++)
            most = larger(most, qrt_wire_size(protocol, round, kind, n, t));
    return most;
}

/* A signing session is interactive, or uses a presignature, or fills up the pool on its way. The
 * signers are exactly t. */
static size_t longest_of_signing(size_t t)
{
    return larger(longest(QRT_SIGN, t, t),
                  larger(longest(QRT_PRESIGN, t, t), longest(QRT_ONLINE, t, t)));
}

static size_t in_range(size_t count)
{
    if (count < 2)
        return 2;
    return count > QRT_PARTIES_MAX ? QRT_PARTIES_MAX : count;
}

size_t size_cap(const char *session_type, size_t n, size_t t)
{
    n = in_range(n);
    t = in_range(t);
    if (strcmp(session_type, "keygen") == 0 || strcmp(session_type, "co_managed_keygen") == 0)
        return longest(QRT_KEYGEN, larger(n, t), t);
    if (strcmp(session_type, "sign") == 0 || strcmp(session_type, "co_managed_sign") == 0 ||
        strcmp(session_type, "presign") == 0)
        return longest_of_signing(larger(n, t));
    return larger(longest(QRT_KEYGEN, larger(n, t), t), longest_of_signing(larger(n, t)));
}

size_t size_cap_general(void)
{
    return size_cap("", GENERAL_N, GENERAL_N);
}
