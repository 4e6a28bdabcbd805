/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the pages that are made from the table of variables; usage below.
 * scripts/config-docs.sh writes them into the tree and checks that they are as they should be. */
#include "system/core/config.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *page = argc == 2 ? argv[1] : "";

    if (strcmp(page, "example") == 0)
        config_print_example();
    else if (strcmp(page, "example-prod") == 0)
        config_print_example_prod();
    else if (strcmp(page, "example-party") == 0)
        config_print_example_party();
    else if (strcmp(page, "reference") == 0)
        config_print_reference();
    else if (strcmp(page, "help") == 0)
        config_print_help(CONFIG_ALL);
    else
        fprintf(stderr, "usage: config_pages example|example-prod|example-party|reference|help\n");
    return *page && fflush(stdout) == 0 ? 0 : 2;
}
