/* SPDX-License-Identifier: Apache-2.0 */
/* An authority and a certificate of it for 127.0.0.1, as PEM files in a fresh directory. */
#ifndef TESTS_SYSTEM_SERVICE_PKI_H
#define TESTS_SYSTEM_SERVICE_PKI_H

struct pki {
    char dir[64];
    char ca[80], certificate[80], key[80];
};

void pki_make(struct pki *pki);
void pki_remove(const struct pki *pki);

#endif
