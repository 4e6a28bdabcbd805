/* SPDX-License-Identifier: Apache-2.0 */
/* quorate-session-coordinator. */
#include "services/coordinator/service.h"

int main(int argc, char **argv)
{
    return service_main(argc, argv, &coordinator_service);
}
