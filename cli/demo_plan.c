/* SPDX-License-Identifier: Apache-2.0 */
/* What a demo is going to do, from its options and the files that are there. Only public headers
 * of share files are read here; the parties open them. */
#include "demo.h"

#include "demo_transfer.h"
#include "file.h"
#include "hex.h"
#include "option.h"
#include "party.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TX_FILE_MAX (1u << 20)

static bool is_readable(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_ACCMODE) != O_WRONLY;
}

static int plan_passphrase(struct demo *demo)
{
    const char *text = demo->options.passphrase_fd;
    long fd;

    demo->passphrase_fd = -1;
    if (!text)
        return demo->mode == DEMO_SHARES
                   ? refuse_usage("--shares needs the passphrase of the files: --passphrase-fd N")
                   : EXIT_DONE;
    if (!option_number(&fd, text, 0, 65535))
        return refuse_usage("--passphrase-fd is not the number of a descriptor: %s", text);
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO || !is_readable((int)fd))
        return refuse_usage("descriptor %ld (--passphrase-fd) is not open for reading", fd);
    if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
        return refuse("cannot keep descriptor %ld: %s", fd, strerror(errno));
    demo->passphrase_fd = (int)fd;
    return EXIT_DONE;
}

static bool read_tx(struct demo *demo, struct trouble *trouble)
{
    struct file file;
    bool ok;

    if (!demo->options.tx) {
        demo->tx_name = "examples/transfer.json";
        return eth_tx_read(&demo->tx, demo->tx_name, DEMO_TRANSFER, strlen(DEMO_TRANSFER), trouble);
    }
    demo->tx_name = demo->options.tx;
    if (!file_read(&file, demo->tx_name, TX_FILE_MAX, trouble))
        return false;
    ok = eth_tx_read(&demo->tx, demo->tx_name, (const char *)file.b, file.len, trouble);
    file_free(&file);
    return ok;
}

static int plan_message(struct demo *demo)
{
    const char *hash = demo->options.message_hash;
    struct trouble trouble;

    if (hash && demo->options.tx)
        return refuse_usage("--tx and --message-hash are two different things to sign");
    if (hash) {
        char got[HEX_DESCRIPTION_MAX];

        if (hex_decode_exact(demo->hash.b, 32, hash))
            return EXIT_DONE;
        hex_describe(got, hash);
        return refuse_usage("the message hash (--message-hash) must be exactly 32 bytes, "
                            "64 hex digits; got %s",
                            got);
    }
    if (demo->options.tx && !demo->options.tx[0])
        return refuse_usage("--tx is empty: name a file");
    if (!read_tx(demo, &trouble))
        return refuse("%s", trouble.text);
    demo->has_tx = true;
    eth_tx_unsigned(&demo->unsigned_tx, &demo->tx);
    qrt_keccak256(demo->hash.b, demo->unsigned_tx.b, demo->unsigned_tx.len);
    return EXIT_DONE;
}

/* Read the public header of |path|. */
static bool read_facts(struct share_facts *out, const char *path, struct trouble *trouble)
{
    struct share_file file;
    struct file bytes;
    bool ok;

    if (!file_read(&bytes, path, SHARE_FILE_MAX, trouble))
        return false;
    ok = share_file_parse(&file, bytes.b, bytes.len, path, trouble);
    if (ok)
        *out = file.facts;
    file_free(&bytes);
    return ok;
}

/* --- --shares F1,F2 --- */

static const char *path_of(const struct seat *seat)
{
    return seat->has_active || !seat->pending[0] ? seat->active : seat->pending;
}

static int compare_seats(const struct seat *a, const struct seat *b)
{
    if (memcmp(a->facts.keyid, b->facts.keyid, 32) != 0)
        return refuse("%s is a share of another key than %s: give files of one key", path_of(b),
                      path_of(a));
    if (a->facts.epoch != b->facts.epoch)
        return refuse("%s is of epoch %u, but %s is of epoch %u: shares of one epoch sign together",
                      path_of(b), b->facts.epoch, path_of(a), a->facts.epoch);
    if (!share_facts_same_key(&a->facts, &b->facts))
        return refuse("%s comes from another key generation than %s: give files of one directory",
                      path_of(b), path_of(a));
    if (a->facts.own == b->facts.own)
        return refuse("%s and %s are two copies of the share of party %u: give one file of each "
                      "party",
                      path_of(a), path_of(b), a->facts.own);
    return EXIT_DONE;
}

static int add_share(struct demo *demo, const char *path, size_t len)
{
    struct seat *seat = &demo->seats[demo->seats_n];
    struct trouble trouble;

    if (len == 0 || len >= PATH_MAX)
        return refuse_usage("--shares is a list of files with commas between them");
    if (demo->seats_n == QRT_PARTIES_MAX)
        return refuse_usage("--shares names more files than a key can have parties");
    memcpy(seat->active, path, len);
    seat->has_active = true;
    if (!read_facts(&seat->facts, seat->active, &trouble))
        return refuse("%s", trouble.text);
    if (seat->facts.pending)
        return refuse("%s is a pending share: its key generation has not completed; complete it by "
                      "quorate demo --dir with its directory and --passphrase-fd N",
                      seat->active);
    seat->index = seat->facts.own;
    demo->seats_n++;
    for (size_t i = 0; i + 1 < demo->seats_n; i++) {
        int code = compare_seats(&demo->seats[i], seat);

        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}

static int by_index(const void *a, const void *b)
{
    return (int)((const struct seat *)a)->index - (int)((const struct seat *)b)->index;
}

/* All of them sign, once. */
static int plan_shares(struct demo *demo)
{
    const char *at = demo->options.shares;
    uint16_t t;

    for (;;) {
        size_t len = strcspn(at, ",");
        int code = add_share(demo, at, len);

        if (code != EXIT_DONE)
            return code;
        if (!at[len])
            break;
        at += len + 1;
    }
    t = demo->seats[0].facts.t;
    if (demo->seats_n != t)
        return refuse_usage(
            "the key of %s is signed with by exactly %u parties, but --shares names "
            "%zu",
            demo->seats[0].active, t, demo->seats_n);
    qsort(demo->seats, demo->seats_n, sizeof demo->seats[0], by_index);
    for (size_t i = 0; i < demo->seats_n; i++)
        demo->sets[0].indices[i] = demo->seats[i].index;
    demo->sets[0].n = demo->seats_n;
    demo->sets_n = 1;
    return EXIT_DONE;
}

/* --- a new key, or one that was interrupted --- */

static int plan_signers(struct demo *demo)
{
    static const struct signer_set all[DEMO_SETS_MAX] = {
        {{1, 2}, 2},
        {{1, 3}, 2},
        {{2, 3}, 2},
    };
    struct signer_set *set = &demo->sets[0];
    const char *text = demo->options.signers;

    if (!text) {
        memcpy(demo->sets, all, sizeof all);
        demo->sets_n = DEMO_SETS_MAX;
        return EXIT_DONE;
    }
    set->n = option_indices(set->indices, QRT_PARTIES_MAX, text);
    demo->sets_n = 1;
    if (set->n == 0)
        return refuse_usage("--signers is a list of different party numbers, such as 1,3; got %s",
                            text);
    if (set->n != DEMO_THRESHOLD)
        return refuse_usage("the key is signed with by exactly %d parties, but --signers names %zu",
                            DEMO_THRESHOLD, set->n);
    if (set->indices[set->n - 1] > DEMO_PARTIES)
        return refuse_usage("--signers names party %u, but the parties are 1 to %d",
                            set->indices[set->n - 1], DEMO_PARTIES);
    return EXIT_DONE;
}

static bool seat_paths(struct demo *demo, struct trouble *trouble)
{
    demo->seats_n = DEMO_PARTIES;
    for (size_t i = 0; i < DEMO_PARTIES; i++) {
        struct seat *seat = &demo->seats[i];
        int n;

        seat->index = (uint16_t)(i + 1);
        n = snprintf(seat->active, sizeof seat->active, "%s/party-%u.share", demo->dir,
                     seat->index);
        if (n < 0 || (size_t)n >= sizeof seat->active - 32)
            return trouble_set(trouble, "%s is too long a name", demo->dir);
        memcpy(seat->pending, seat->active, (size_t)n);
        memcpy(seat->pending + n, ".pending", sizeof ".pending");
        seat->has_active = file_exists(seat->active);
        seat->has_pending = file_exists(seat->pending);
    }
    return true;
}

/* The seats that have a certain file. */
struct census {
    size_t active, pending, either;
};

static struct census count_seats(const struct demo *demo)
{
    struct census c = {0};

    for (size_t i = 0; i < demo->seats_n; i++) {
        c.active += demo->seats[i].has_active;
        c.pending += demo->seats[i].has_pending;
        c.either += demo->seats[i].has_active || demo->seats[i].has_pending;
    }
    return c;
}

static const struct seat *first_missing(const struct demo *demo)
{
    for (size_t i = 0; i < demo->seats_n; i++) {
        if (!demo->seats[i].has_active && !demo->seats[i].has_pending)
            return &demo->seats[i];
    }
    return NULL;
}

/* Every party has a file: they must be of one key, each of its own party. */
static int plan_resume(struct demo *demo)
{
    struct trouble trouble;

    demo->mode = DEMO_RESUME;
    for (size_t i = 0; i < demo->seats_n; i++) {
        struct seat *seat = &demo->seats[i];
        int code;

        if (!read_facts(&seat->facts, path_of(seat), &trouble))
            return refuse("%s", trouble.text);
        if (seat->facts.own != seat->index)
            return refuse("%s is the share of party %u, not of party %u: put it back under its "
                          "name",
                          path_of(seat), seat->facts.own, seat->index);
        if (seat->facts.t != DEMO_THRESHOLD || seat->facts.n != DEMO_PARTIES)
            return refuse("%s is a share of a %u-of-%u key, not of a 2-of-3 key", path_of(seat),
                          seat->facts.t, seat->facts.n);
        code = i ? compare_seats(&demo->seats[0], seat) : EXIT_DONE;
        if (code != EXIT_DONE)
            return code;
    }
    if (demo->options.passphrase_fd)
        return EXIT_DONE;
    return refuse_usage("%s holds a key generation that was interrupted; to finish it give the "
                        "passphrase it was started with: --passphrase-fd N",
                        demo->dir);
}

static int survey(struct demo *demo)
{
    struct census c = count_seats(demo);

    if (c.either == 0)
        return EXIT_DONE;
    if (c.active == demo->seats_n && c.pending == 0)
        return refuse("%s already holds the shares of a key; sign with them by --shares %s,%s "
                      "--passphrase-fd N, or name another directory",
                      demo->dir, demo->seats[0].active, demo->seats[1].active);
    if (c.either == demo->seats_n)
        return plan_resume(demo);
    if (c.active > 0)
        return refuse("%s already holds shares of a key, but none of party %u; bring that file "
                      "back or name another directory",
                      demo->dir, first_missing(demo)->index);
    return refuse("%s holds a key generation that was interrupted before party %u had stored its "
                  "share, so its key never came to be; remove the files party-*.share.pending "
                  "there, or name another directory",
                  demo->dir, first_missing(demo)->index);
}

/* Nobody else makes a key there while this process or one of its parties lives. */
static bool lock_dir(struct demo *demo, struct trouble *trouble)
{
    demo->lock_fd = open(demo->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (demo->lock_fd < 0 || access(demo->dir, W_OK | X_OK) != 0)
        return trouble_set(trouble, "cannot write in %s: %s", demo->dir, strerror(errno));
    if (flock(demo->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return trouble_set(trouble, "%s is in use by another quorate demo: wait for its end",
                           demo->dir);
    return true;
}

static int plan_dir(struct demo *demo)
{
    struct trouble trouble;
    struct stat st;

    if (!demo->options.dir) {
        demo->temporary = true;
        return EXIT_DONE;
    }
    if (!demo->options.dir[0] || strlen(demo->options.dir) > PATH_MAX - 64)
        return refuse_usage("--dir is not the name of a directory");
    if (strchr(demo->options.dir, ','))
        return refuse_usage("--dir must have no comma in its name, because --shares could not name "
                            "its files: %s",
                            demo->options.dir);
    strcpy(demo->dir, demo->options.dir);
    if (stat(demo->dir, &st) != 0 && errno != ENOENT)
        return refuse("cannot use %s: %s", demo->dir, strerror(errno));
    if (stat(demo->dir, &st) != 0)
        return file_exists(demo->dir)
                   ? refuse("%s is a symbolic link to a directory that does not exist", demo->dir)
                   : EXIT_DONE;
    if (!S_ISDIR(st.st_mode))
        return refuse("%s is not a directory: name one, or what does not exist yet", demo->dir);
    if (!lock_dir(demo, &trouble) || !seat_paths(demo, &trouble))
        return refuse("%s", trouble.text);
    return survey(demo);
}

static int plan_mode(struct demo *demo)
{
    int code;

    if (demo->options.shares) {
        if (demo->options.dir || demo->options.signers)
            return refuse_usage("--shares names the files of all signers; --%s does not fit it",
                                demo->options.dir ? "dir" : "signers");
        demo->mode = DEMO_SHARES;
        return EXIT_DONE;
    }
    code = plan_signers(demo);
    return code == EXIT_DONE ? plan_dir(demo) : code;
}

int demo_plan(struct demo *demo)
{
    long hold;
    int code;

    demo->lock_fd = -1;
    if (demo->options.relay_hold && !option_number(&hold, demo->options.relay_hold, 0, 1000000))
        return refuse_usage("--relay-hold is not a number: %s", demo->options.relay_hold);
    if ((code = plan_mode(demo)) != EXIT_DONE || (code = plan_passphrase(demo)) != EXIT_DONE ||
        (code = plan_message(demo)) != EXIT_DONE)
        return code;
    if (demo->mode == DEMO_SHARES && (code = plan_shares(demo)) != EXIT_DONE)
        return code;
    return EXIT_DONE;
}

static bool make_temporary(struct demo *demo, struct trouble *trouble)
{
    const char *given = getenv("TMPDIR");
    bool named = given && given[0];
    const char *base = named ? given : "/tmp";
    int n = snprintf(demo->dir, sizeof demo->dir, "%s/quorate-demo-XXXXXX", base);

    errno = ENAMETOOLONG;
    if (n < 0 || (size_t)n > sizeof demo->dir - 64 || !mkdtemp(demo->dir)) {
        demo->temporary = false;
        return trouble_set(trouble, "cannot make a temporary directory in %s%s: %s", base,
                           named ? " (the environment's TMPDIR)" : "", strerror(errno));
    }
    return seat_paths(demo, trouble);
}

bool demo_enter(struct demo *demo, struct trouble *trouble)
{
    if (demo->temporary)
        return make_temporary(demo, trouble);
    if (demo->mode == DEMO_SHARES || demo->lock_fd >= 0)
        return true;
    demo->made_dir = mkdir(demo->dir, 0700) == 0;
    if (!demo->made_dir)
        return trouble_set(trouble, "cannot make the directory %s: %s", demo->dir, strerror(errno));
    return lock_dir(demo, trouble) && seat_paths(demo, trouble);
}

/* "; party-1.share.pending, party-3.share.pending are left in DIR" */
static void append_pending(const struct demo *demo, struct trouble *trouble, size_t n)
{
    const char *between = "; ";

    for (size_t i = 0; i < demo->seats_n; i++) {
        const struct seat *seat = &demo->seats[i];

        if (!seat->has_pending)
            continue;
        trouble_add(trouble, "%s%s", between, strrchr(seat->pending, '/') + 1);
        between = ", ";
    }
    trouble_add(trouble, " %s left in %s", n > 1 ? "are" : "is", demo->dir);
}

void demo_explain(struct demo *demo, struct trouble *trouble)
{
    struct trouble ignored;
    struct census c;

    if (demo->temporary || demo->mode != DEMO_NEW || !seat_paths(demo, &ignored))
        return;
    c = count_seats(demo);
    if (c.pending == 0)
        return;
    append_pending(demo, trouble, c.pending);
    if (c.either < demo->seats_n)
        trouble_add(trouble, ": remove %s, the key never came to be",
                    c.pending > 1 ? "them" : "it");
    else if (demo->options.passphrase_fd)
        trouble_add(trouble, ": the same command with the same passphrase completes the key");
    else
        trouble_add(trouble, ": remove the files of this key, nobody knows their passphrase");
}

static void remove_with(const char *path, const char *suffix)
{
    char name[PATH_MAX + 16];

    snprintf(name, sizeof name, "%s%s", path, suffix);
    unlink(name);
}

void demo_leave(struct demo *demo)
{
    for (size_t i = 0; demo->temporary && i < demo->seats_n; i++) {
        remove_with(demo->seats[i].active, "");
        remove_with(demo->seats[i].active, FILE_TEMPORARY_SUFFIX);
        remove_with(demo->seats[i].active, PARTY_EVIDENCE_SUFFIX);
        remove_with(demo->seats[i].active, PARTY_EVIDENCE_SUFFIX FILE_TEMPORARY_SUFFIX);
        remove_with(demo->seats[i].pending, "");
        remove_with(demo->seats[i].pending, FILE_TEMPORARY_SUFFIX);
    }
    if (demo->temporary || demo->made_dir)
        rmdir(demo->dir); /* keeps a directory that has files */
}
