/* SPDX-License-Identifier: Apache-2.0 */
/* libquorate: threshold ECDSA without a key in one place. Start with peer.h. */
#ifndef QUORATE_H
#define QUORATE_H

#include "quorate/address.h"
#include "quorate/certificate.h"
#include "quorate/derive.h"
#include "quorate/evidence.h"
#include "quorate/intent.h"
#include "quorate/peer.h"
#include "quorate/signature.h"
#include "quorate/wire.h"

#endif
