/* SPDX-License-Identifier: Apache-2.0 */
/* Run a harness over files: the corpus in `make test`, or one input that libFuzzer found.
 *
 * usage: replay_<name> FILE|FOLDER... */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static size_t ran;

static int run_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    uint8_t *b;

    if (!f || stat(path, &st) != 0) {
        fprintf(stderr, "cannot read %s\n", path);
        return 1;
    }
    /* Exactly as long as the input, so that a sanitizer sees every step beyond it. */
    b = malloc((size_t)st.st_size + !st.st_size);
    if (!b || fread(b, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
        fprintf(stderr, "cannot read %s\n", path);
        return 1;
    }
    fclose(f);
    LLVMFuzzerTestOneInput(b, (size_t)st.st_size);
    free(b);
    ran++;
    return 0;
}

static int run_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int failed = 0;

    while (dir && (entry = readdir(dir))) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        failed |= run_file(name);
    }
    if (dir)
        closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) != 0) {
            fprintf(stderr, "no such file: %s\n", argv[i]);
            failed = 1;
        } else {
            failed |= S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
        }
    }
    printf("%zu inputs\n", ran);
    return failed || !ran;
}
