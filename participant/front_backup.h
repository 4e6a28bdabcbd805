/* SPDX-License-Identifier: Apache-2.0 */
/* The front's hands in BACKUP_DIR: writes the sealed files that the keeper makes and reads the
 * receipts that stand beside them, one at a time, off the loop. A file is whole and durable, or
 * not there. */
#ifndef PARTICIPANT_FRONT_BACKUP_H
#define PARTICIPANT_FRONT_BACKUP_H

#include "keeper.pb-c.h"

#include <uv.h>

struct front_backup;

/* |directory| is copied; "" when none is configured. |done| gets every answer, on the loop. */
struct front_backup *
front_backup_new(uv_loop_t *loop, const char *directory,
                 void (*done)(void *arg, const Mpc__Keeper__V1__BackupAnswer *answer), void *arg);
void front_backup_take(struct front_backup *backup, const Mpc__Keeper__V1__BackupFile *file);
/* No answer afterwards; memory goes on the loop's next turns. NULL is nothing. */
void front_backup_free(struct front_backup *backup);

#endif
