/* SPDX-License-Identifier: Apache-2.0 */
/* See options.h. What was asked for goes to stdout, complaints to stderr. */
#include "system/service/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { GO_ON = -1, DONE = 0, USAGE = 2 };

static const struct option known[] = {
    {"env-file", required_argument, NULL, 'e'},
    {"check", no_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static const char *name_of(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path ? path : "quorate";
}

static int help(const char *name, enum config_program program)
{
    printf("usage: %s [--env-file FILE] [--check] [--help] [--version]\n\n"
           "  --env-file FILE  variables that the environment does not have (default: .env)\n"
           "  --check          look at the configuration, then end\n\n"
           "Variables:\n\n",
           name);
    config_print_help(program);
    return DONE;
}

static int refuse(const char *name)
{
    fprintf(stderr, "usage: %s [--env-file FILE] [--check] [--help] [--version]\n", name);
    return USAGE;
}

int options_parse(struct options *out, int argc, char **argv, enum config_program program)
{
    const char *name = name_of(argv[0]);
    int option;

    *out = (struct options){0};
    optind = 1;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'e':
            out->env_file = optarg;
            break;
        case 'c':
            out->check = true;
            break;
        case 'h':
            return help(name, program);
        case 'v':
            printf("%s %s\n", name, QRT_VERSION);
            return DONE;
        default:
            return refuse(name);
        }
    }
    return optind < argc ? refuse(name) : GO_ON;
}
