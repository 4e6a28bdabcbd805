/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: a signed intent, a session, and its end. */
#ifndef ACCOUNT_SIGN_H
#define ACCOUNT_SIGN_H

#include "services/account/account.h"

/* Handlers of AccountService/Sign and AccountService/SignSession. */
rpc_handler sign_message;
rpc_handler sign_session;

#endif
