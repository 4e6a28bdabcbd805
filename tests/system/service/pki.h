/* SPDX-License-Identifier: Apache-2.0 */
/* An authority, a certificate of it for 127.0.0.1 and an empty revocation list, as PEM files in a
 * fresh directory. */
#ifndef TESTS_SYSTEM_SERVICE_PKI_H
#define TESTS_SYSTEM_SERVICE_PKI_H

#include <openssl/types.h>
#include <stdbool.h>

struct pki {
    char dir[64];
    char ca[80], certificate[80], key[80], crl[80];
    /* lent until pki_remove */
    X509 *issuer, *leaf;
    EVP_PKEY *issuer_key;
};

void pki_make(struct pki *pki);
/* Another certificate and key in place of those: |names| as OpenSSL has them
 * ("IP:127.0.0.1,URI:..."), good between |from_s| and |to_s| from now. */
void pki_renew(struct pki *pki, const char *names, long from_s, long to_s);
/* Another revocation list, with the present certificate or with none; it ends |to_s| from now. */
void pki_revoke(struct pki *pki, bool is_revoked, long to_s);
void pki_remove(const struct pki *pki);

#endif
