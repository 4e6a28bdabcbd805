/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the pages that are made from the table of variables: config_pages example|reference|help.
 * scripts/config-docs.sh writes them into the tree and checks that they are as they should be. */
#include "system/core/config.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *page = argc == 2 ? argv[1] : "";

    if (strcmp(page, "example") == 0)
        config_print_example();
    else if (strcmp(page, "reference") == 0)
        config_print_reference();
    else if (strcmp(page, "help") == 0)
        config_print_help(CONFIG_ALL);
    else
        fprintf(stderr, "usage: config_pages example|reference|help\n");
    return *page && fflush(stdout) == 0 ? 0 : 2;
}
