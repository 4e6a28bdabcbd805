/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator as service_main runs it; its service is a struct coordinator. */
#ifndef COORDINATOR_SERVICE_H
#define COORDINATOR_SERVICE_H

#include "system/service/service.h"

extern const struct service_def coordinator_service;

#endif
