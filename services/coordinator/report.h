/* SPDX-License-Identifier: Apache-2.0 */
/* ReportCompletion: what a party says an attempt came to. Verified before it counts, acknowledged
 * when nothing depends on it any more: the report that ends a session after that is durable. */
#ifndef COORDINATOR_REPORT_H
#define COORDINATOR_REPORT_H

#include "services/coordinator/coordinator.h"

rpc_handler report_completion;

#endif
