/* SPDX-License-Identifier: Apache-2.0 */
/* What a party's log says of BACKUP_REQUIRED. `quorate up` and `quorate doctor` look for it: no
 * other words of a log mean anything to a program. */
#ifndef PARTICIPANT_BACKUP_LOG_H
#define PARTICIPANT_BACKUP_LOG_H

/* It waits for a receipt. */
#define BACKUP_LOG_WAITS                                                                           \
    "this party serves once the recipient of its backups has shown that it opens them"
/* It waits no more, or never did. */
#define BACKUP_LOG_SERVES "keeper ready"

#endif
