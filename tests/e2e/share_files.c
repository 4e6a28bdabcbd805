/* SPDX-License-Identifier: Apache-2.0 */
/* Share files as the command's code makes and opens them, of a real key of 2 of 3:
 *
 *   share_files make DIR PASSPHRASE    party-N.share of all, party-1.share.pending, and of the run
 *                                      the first broadcast and the first private message
 *   share_files open FILE PASSPHRASE   exit 0 if it opens, 1 with the reason
 */
#include "committee.h"

#include "file.h"
#include "library.h"
#include "share_file.h"

#include "system/core/secret.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct committee committee;
static const char *dir, *passphrase;

static int write_file(const char *name, const uint8_t *b, size_t len)
{
    struct trouble trouble;
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return file_write_new(path, b, len, &trouble) ? EXIT_DONE : refuse("%s", trouble.text);
}

static int make_key(struct share_key *key)
{
    struct trouble trouble;
    struct share_kdf kdf;

    share_kdf_new(&kdf);
    return share_key_derive(key, &kdf, passphrase, strlen(passphrase), &trouble)
               ? EXIT_DONE
               : refuse("%s", trouble.text);
}

static int seal(const char *name, const struct qrt_share *share, size_t who, const uint8_t *record,
                size_t len)
{
    struct share_content content = {secret_new(IDENTITY_BYTES + len), IDENTITY_BYTES + len};
    struct share_key *key = secret_new(sizeof *key);
    struct share_facts facts;
    struct file out;
    int code;

    memcpy(content.b, committee.identity[who], IDENTITY_BYTES);
    memcpy(content.b + IDENTITY_BYTES, record, len);
    share_facts_of(&facts, share, committee.keys[who].idpk);
    code = make_key(key);
    if (code == EXIT_DONE) {
        share_file_seal(&out, &facts, key, &content);
        code = write_file(name, out.b, out.len);
        file_free(&out);
    }
    secret_free(key);
    share_content_free(&content);
    return code;
}

/* Until party 1 has its pending share; what is sent first is kept. */
static int write_parts_of_a_run(void)
{
    struct session s;
    struct qrt_share share;
    int code = EXIT_REFUSED;

    session_init(&s, &committee, QRT_KEYGEN, true);
    if (session_start(&s) == QRT_OK) {
        const struct qrt_msg *msg = seat_next(&s.seats[0]);

        code = write_file("broadcast", msg->b, msg->len);
        session_start(&s);
    }
    while (code == EXIT_DONE && !s.seats[0].record)
        session_step(&s);
    if (code == EXIT_DONE && qrt_share_open_pending(&share, committee.ctx, s.seats[0].record,
                                                    s.seats[0].record_len) == QRT_OK)
        code = seal("party-1.share.pending", &share, 0, s.seats[0].record, s.seats[0].record_len);
    session_free(&s);
    return code;
}

static void give_to_others(struct session *s, size_t from, const struct qrt_msg *msg)
{
    for (size_t i = 0; i < s->n; i++) {
        if (i != from &&
            seat_recv(&s->seats[i], seat_index(&s->seats[from]), msg->b, msg->len) != QRT_OK)
            abort();
    }
}

/* The first message of a key generation that is for one party alone. */
static const struct qrt_msg *first_private(struct session *s)
{
    for (;;) {
        for (size_t i = 0; i < s->n; i++) {
            const struct qrt_msg *msg = seat_next(&s->seats[i]);

            for (; msg && msg->to == QRT_EVERYBODY; msg = seat_next(&s->seats[i]))
                give_to_others(s, i, msg);
            if (msg)
                return msg;
        }
    }
}

static int write_private_message(void)
{
    const struct qrt_msg *msg;
    struct session s;
    int code = EXIT_REFUSED;

    session_init(&s, &committee, QRT_KEYGEN, true);
    if (session_start(&s) == QRT_OK) {
        msg = first_private(&s);
        code = write_file("private", msg->b, msg->len);
    }
    session_free(&s);
    return code;
}

static int make(void)
{
    struct library library;
    int code;

    library_open(&library);
    committee_init(&committee, library.ctx, 3, 2, randombytes_random());
    committee_make_key(&committee);
    code = write_parts_of_a_run();
    if (code == EXIT_DONE)
        code = write_private_message();
    for (size_t i = 0; code == EXIT_DONE && i < committee.n; i++) {
        char name[32];

        snprintf(name, sizeof name, "party-%zu.share", i + 1);
        code = seal(name, &committee.shares[i], i, committee.records[i], committee.record_len);
    }
    committee_free(&committee);
    library_close(&library);
    return code;
}

static bool open_file(const char *path, const struct file *file, struct trouble *trouble)
{
    struct share_key *key = secret_new(sizeof *key);
    struct share_content content = {0};
    struct share_file parsed;
    bool ok = share_file_parse(&parsed, file->b, file->len, path, trouble) &&
              share_key_derive(key, &parsed.kdf, passphrase, strlen(passphrase), trouble) &&
              share_file_open(&content, &parsed, key, path, trouble);

    secret_free(key);
    share_content_free(&content);
    return ok;
}

static int open_path(const char *path)
{
    struct trouble trouble;
    struct file file;
    bool ok = file_read(&file, path, SHARE_FILE_MAX, &trouble);

    ok = ok && open_file(path, &file, &trouble);
    file_free(&file);
    return ok ? EXIT_DONE : refuse("%s", trouble.text);
}

int main(int argc, char **argv)
{
    secret_harden();
    if (argc != 4)
        return EXIT_USAGE;
    dir = argv[2];
    passphrase = argv[3];
    return strcmp(argv[1], "make") == 0 ? make() : open_path(argv[2]);
}
