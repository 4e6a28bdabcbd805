/* SPDX-License-Identifier: Apache-2.0 */
/* The authority's directory. The lock is that of the directory itself: no file of its own, and gone
 * with the process. */
#include "pki.h"

#include "file.h"

#include "system/core/ids.h"
#include "system/core/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { CERTIFICATE_MAX = 1 << 20 };

void pki_path(char out[PKI_PATH_MAX], const char *dir, const char *a, const char *b)
{
    snprintf(out, PKI_PATH_MAX, "%.*s/%.70s%s%.70s", PKI_DIR_MAX, dir, a, b ? "/" : "", b ? b : "");
}

bool pki_name_is_valid(const char *name)
{
    static const char *const own[] = {"issued",  "ca.crt",        "ca.key",
                                      "crl.pem", "authority.key", "authority.pub"};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(name, own[i]) == 0)
            return false;
    }
    return party_id_is_valid(name) && name[0] != '.';
}

X509 *pki_read_certificate(const char *path, struct trouble *trouble)
{
    struct file file;
    X509 *certificate;
    BIO *bio;

    if (!file_read(&file, path, CERTIFICATE_MAX, trouble))
        return NULL;
    bio = BIO_new_mem_buf(file.b, (int)file.len);
    certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    file_free(&file);
    ERR_clear_error();
    if (!certificate)
        trouble_set(trouble, "%s is no certificate in PEM form", path);
    return certificate;
}

static bool lock_dir(struct pki *pki, struct trouble *trouble)
{
    pki->lock = open(pki->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pki->lock < 0 || flock(pki->lock, LOCK_EX) != 0)
        return trouble_set(trouble, "cannot use the directory %s: %s", pki->dir, strerror(errno));
    return true;
}

bool pki_open(struct pki *pki, const char *dir, bool lock, struct trouble *trouble)
{
    const char *passphrase_file = pki->passphrase_file;
    char path[PKI_PATH_MAX];

    *pki = (struct pki){.passphrase_file = passphrase_file, .lock = -1};
    if (strlen(dir) >= sizeof pki->dir)
        return trouble_set(trouble, "the name of the directory %s is too long", dir);
    strcpy(pki->dir, dir);
    pki_path(path, dir, "ca.crt", NULL);
    if (!file_exists(path))
        return trouble_set(trouble, "%s holds no authority: quorate pki init makes one", dir);
    if (lock && !lock_dir(pki, trouble))
        return false;
    pki->ca = pki_read_certificate(path, trouble);
    return pki->ca != NULL;
}

void pki_close(struct pki *pki)
{
    X509_free(pki->ca);
    secret_free(pki->passphrase);
    if (pki->lock >= 0)
        close(pki->lock);
    pki->ca = NULL;
    pki->passphrase = NULL;
    pki->lock = -1;
}

static bool one_issued(const struct pki *pki, const char *name,
                       bool (*each)(void *arg, const X509 *certificate), void *arg,
                       struct trouble *trouble)
{
    char path[PKI_PATH_MAX];
    X509 *certificate;
    bool ok;

    pki_path(path, pki->dir, "issued", name);
    certificate = pki_read_certificate(path, trouble);
    ok = certificate && each(arg, certificate);
    X509_free(certificate);
    return ok;
}

static int is_certificate(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".crt") == 0;
}

bool pki_each_issued(const struct pki *pki, bool (*each)(void *arg, const X509 *certificate),
                     void *arg, struct trouble *trouble)
{
    char path[PKI_PATH_MAX];
    struct dirent **list;
    int n;
    bool ok = true;

    pki_path(path, pki->dir, "issued", NULL);
    n = scandir(path, &list, is_certificate, alphasort);
    if (n < 0)
        return trouble_set(trouble, "cannot read %s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        ok = ok && one_issued(pki, list[i]->d_name, each, arg, trouble);
        free(list[i]);
    }
    free(list);
    return ok;
}
