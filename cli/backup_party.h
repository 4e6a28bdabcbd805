/* SPDX-License-Identifier: Apache-2.0 */
/* A party's own place, as its settings name it, opened to put shares there: what its keeper opens
 * at its start, while that does not run. */
#ifndef QUORATE_CLI_BACKUP_PARTY_H
#define QUORATE_CLI_BACKUP_PARTY_H

#include "say.h"

#include "participant/restore.h"
#include "system/core/buffer.h"
#include "system/core/config.h"

struct backup_party {
    enum restore_into into;
    struct config *config;
    struct restore *restore;
};

/* |env_file| has a keeper's settings; party->into is set. An identity key or a certificate that is
 * there must be that of |whose|, and a party that is merged into has its identity key.
 * backup_party_close in any case. */
bool backup_party_open(struct backup_party *party, const char *env_file,
                       const struct backup_head *whose, struct trouble *trouble);
void backup_party_close(struct backup_party *party);
/* Write the identity key, and the certificate if there is one, where there are none. */
bool backup_party_files(const struct backup_party *party, const uint8_t identity[64],
                        const struct buffer *certificate, struct trouble *trouble);

#endif
