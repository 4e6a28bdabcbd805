/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: room on the disk, and what the system allows a process. Core dumps are not asked
 * for: every process that holds secrets forbids its own. */
#include "doctor.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

enum {
    /* of a disk: below it is told */
    PERCENT_TOLD = 5,
    MIB = 1 << 20,
    ROOM_TOLD_MIB = 64,
    LOCK_TOLD_MIB = 16,
    FILES_TOLD = 4096
};

void doctor_disk(struct doctor *doctor)
{
    const char *dir = doctor_text(doctor, "DATA_DIR");
    struct statvfs fs;
    uint64_t room, all;

    if (!dir[0])
        return;
    doctor_check(doctor, statvfs(dir, &fs) == 0, "make it, or correct DATA_DIR",
                 "DATA_DIR %s is no directory that can be read", dir);
    if (statvfs(dir, &fs) != 0)
        return;
    room = (uint64_t)fs.f_bavail * fs.f_frsize / MIB;
    all = (uint64_t)fs.f_blocks * fs.f_frsize / MIB;
    doctor_check(doctor, room >= ROOM_TOLD_MIB && room * 100 >= all * PERCENT_TOLD,
                 "make room: without any nothing can be stored, and the process says so at /ready",
                 "the disk of DATA_DIR %s has %llu MiB left of %llu", dir, (unsigned long long)room,
                 (unsigned long long)all);
    doctor_check(doctor, fs.f_files == 0 || fs.f_favail * 100 >= fs.f_files * PERCENT_TOLD,
                 "remove files: there is room, but no place for another name",
                 "the disk of DATA_DIR %s has %llu inodes left of %llu", dir,
                 (unsigned long long)fs.f_favail, (unsigned long long)fs.f_files);
}

/* A line below the head: pages can leave the memory. */
static bool has_swap(void)
{
    FILE *f = fopen("/proc/swaps", "r");
    char line[256];
    int lines = 0;

    while (f && fgets(line, sizeof line, f))
        lines++;
    if (f)
        fclose(f);
    return lines > 1;
}

void doctor_machine(struct doctor *doctor)
{
    struct rlimit lock = {0}, files = {0};

    getrlimit(RLIMIT_MEMLOCK, &lock);
    getrlimit(RLIMIT_NOFILE, &files);
    doctor_check(doctor, !has_swap() || lock.rlim_max / MIB >= LOCK_TOLD_MIB,
                 "raise it (ulimit -l, LimitMEMLOCK=), or turn swap off: secrets may be written to "
                 "the swap device",
                 "a process may lock %llu MiB of memory, and there is swap",
                 (unsigned long long)(lock.rlim_max / MIB));
    doctor_check(doctor, files.rlim_max >= FILES_TOLD, "raise it (ulimit -n, LimitNOFILE=)",
                 "a process may open %llu files, a busy service needs %d",
                 (unsigned long long)files.rlim_max, FILES_TOLD);
}
