/* SPDX-License-Identifier: Apache-2.0 */
/* quorate-account-service. */
#include "services/account/service.h"

int main(int argc, char **argv)
{
    return service_main(argc, argv, &account_service);
}
