/* SPDX-License-Identifier: Apache-2.0 */
/* A passphrase from a file or from the terminal, never from an argument or the environment. On the
 * terminal the echo is off before the question is asked, and on again whatever ends it. */
#include "pki.h"

#include "file.h"
#include "signals.h"

#include "system/core/secret.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static void put(int tty, const char *text)
{
    (void)!write(tty, text, strlen(text));
}

/* One line, without its end. */
static bool read_line(char *out, int tty, struct trouble *trouble)
{
    ssize_t n = read(tty, out, PKI_PASSPHRASE_MAX);

    if (n < 0)
        return trouble_set(trouble, "no passphrase was given: stopped by a signal");
    if (n < 2 || out[n - 1] != '\n')
        return trouble_set(trouble, "no passphrase was given, or it is longer than %d bytes",
                           PKI_PASSPHRASE_MAX - 1);
    out[n - 1] = '\0';
    return true;
}

static bool ask_once(char *out, int tty, const char *question, struct trouble *trouble)
{
    struct termios before, silent;
    bool ok;

    if (tcgetattr(tty, &before) != 0)
        return trouble_set(trouble, "the terminal's echo cannot be turned off");
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(tty, TCSAFLUSH, &silent) != 0)
        return trouble_set(trouble, "the terminal's echo cannot be turned off");
    put(tty, question);
    ok = read_line(out, tty, trouble);
    tcsetattr(tty, TCSAFLUSH, &before);
    put(tty, "\n");
    return ok;
}

static bool ask_again(const char *first, int tty, struct trouble *trouble)
{
    char *second = secret_new(PKI_PASSPHRASE_MAX);
    bool ok;

    memset(second, 0, PKI_PASSPHRASE_MAX);
    ok = ask_once(second, tty, "The same once more: ", trouble) &&
         (sodium_memcmp(first, second, PKI_PASSPHRASE_MAX) == 0 ||
          trouble_set(trouble, "the two passphrases differ"));
    secret_free(second);
    return ok;
}

static bool ask(char *out, const char *whose, bool twice, struct trouble *trouble)
{
    char question[64];
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    bool ok;

    if (tty < 0)
        return trouble_set(trouble,
                           "%s needs a passphrase and there is no terminal to ask on: "
                           "give --passphrase-file",
                           whose);
    signals_catch();
    snprintf(question, sizeof question, "Passphrase of %s: ", whose);
    ok = ask_once(out, tty, question, trouble);
    if (ok && twice)
        ok =
            (strlen(out) >= PKI_PASSPHRASE_MIN ||
             trouble_set(trouble, "the passphrase is shorter than %d bytes", PKI_PASSPHRASE_MIN)) &&
            ask_again(out, tty, trouble);
    close(tty);
    return ok;
}

static bool read_file(char *out, const char *path, struct trouble *trouble)
{
    struct file file;
    bool ok;

    if (!file_read(&file, path, PKI_PASSPHRASE_MAX, trouble))
        return false;
    while (file.len > 0 && (file.b[file.len - 1] == '\n' || file.b[file.len - 1] == '\r'))
        file.len--;
    ok = file.len >= PKI_PASSPHRASE_MIN && file.len < PKI_PASSPHRASE_MAX &&
         !memchr(file.b, 0, file.len);
    if (ok)
        memcpy(out, file.b, file.len);
    file_free(&file);
    return ok || trouble_set(trouble, "%s must hold a passphrase of %d to %d bytes", path,
                             PKI_PASSPHRASE_MIN, PKI_PASSPHRASE_MAX - 1);
}

char *pki_passphrase(const char *file, const char *whose, bool twice, struct trouble *trouble)
{
    char *out = secret_new(PKI_PASSPHRASE_MAX);

    memset(out, 0, PKI_PASSPHRASE_MAX);
    if (file ? read_file(out, file, trouble) : ask(out, whose, twice, trouble))
        return out;
    secret_free(out);
    return NULL;
}
