/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the storing parts of the command where no honest party ever gets:
 *
 *   store_helper burn SHARE_FILE BURN_RECORD   passphrase on descriptor 5: store a burn record
 *   store_helper gate SHARE_FILE BURN_RECORD   the same, for a gate: exit 0 open, 1 closed
 *   store_helper write-new FILE TEXT           exit 0 written, 1 refused
 *   store_helper replace FILE TEXT
 */
#include "file.h"
#include "party.h"

#include <stdio.h>
#include <string.h>

static int write_text(const char *path, const char *text, bool replace)
{
    struct trouble trouble;
    const uint8_t *b = (const uint8_t *)text;
    bool ok = replace ? file_replace(path, b, strlen(text), &trouble)
                      : file_write_new(path, b, strlen(text), &trouble);

    return ok ? EXIT_DONE : refuse("%s", trouble.text);
}

static bool store(struct party *party, enum qrt_record_kind kind, const char *path,
                  struct trouble *trouble)
{
    struct file burn;
    struct qrt_record record = {.kind = kind};
    bool ok;

    if (!passphrase_read(party->passphrase, PARTY_FD_PASSPHRASE, trouble) ||
        !party_open(party, trouble) || !file_read(&burn, path, 4096, trouble))
        return false;
    record.b = burn.b;
    record.len = burn.len;
    ok = party_store(party, &record, trouble);
    file_free(&burn);
    return ok;
}

int main(int argc, char **argv)
{
    static struct party party;
    struct trouble trouble;

    secret_harden();
    if (argc != 4)
        return EXIT_USAGE;
    if (strcmp(argv[1], "write-new") == 0 || strcmp(argv[1], "replace") == 0)
        return write_text(argv[2], argv[3], strcmp(argv[1], "replace") == 0);
    library_open(&party.library);
    party.passphrase = secret_alloc(sizeof *party.passphrase);
    party.control.over = true;
    party.index = 1;
    snprintf(party.active_path, sizeof party.active_path, "%s", argv[2]);
    if (!store(&party, strcmp(argv[1], "burn") == 0 ? QRT_RECORD_BURN : QRT_RECORD_GATE, argv[3],
               &trouble))
        return refuse("%s", trouble.text);
    return EXIT_DONE;
}
