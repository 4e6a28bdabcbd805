/* SPDX-License-Identifier: Apache-2.0 */
/* Internal part of an online run (protocol.md G.6). */
#ifndef QRT_PROTO_ONLINE_H
#define QRT_PROTO_ONLINE_H

#include "proto/sign.h"

/* Secret; wiped when the run fails and when its message is written. */
struct qrt_online {
    struct qrt_presig presig;
    struct qrt_sc late; /* tau_late */
};

#endif
