/* SPDX-License-Identifier: Apache-2.0 */
/* The account service as service_main runs it; its service is a struct account_service. */
#ifndef ACCOUNT_SERVICE_H
#define ACCOUNT_SERVICE_H

#include "system/service/service.h"

extern const struct service_def account_service;

#endif
