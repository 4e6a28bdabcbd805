/* SPDX-License-Identifier: Apache-2.0 */
/* The allowlist is what the keeper was seen to need (tests/participant/test_sandbox.c), no more. */
#include "participant/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What every process needs. */
static const int common[] = {
    /* descriptors that are open */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(close),
    SCMP_SYS(shutdown),
    /* files, as far as Landlock lets */
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(fstat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(pread64),
    SCMP_SYS(lseek),
    SCMP_SYS(fcntl),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(geteuid),
    SCMP_SYS(getuid),
    /* memory */
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
    SCMP_SYS(munlock),
    /* threads, time, end */
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* SQLite's files, and the party's own. */
static const int of_files[] = {
    SCMP_SYS(pwrite64),  SCMP_SYS(fsync),  SCMP_SYS(fdatasync), SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate), SCMP_SYS(flock),  SCMP_SYS(unlink),    SCMP_SYS(unlinkat),
    SCMP_SYS(fchmod),    SCMP_SYS(fchown), SCMP_SYS(utimensat),
};

/* Connections: libpq, OpenSSL and the resolver, which asks for A and AAAA at once, and the kernel
 * for this machine's addresses. */
static const int of_client[] = {
    SCMP_SYS(connect),  SCMP_SYS(bind),       SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    SCMP_SYS(sendmmsg), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),  SCMP_SYS(eventfd2),
    SCMP_SYS(uname),    SCMP_SYS(sysinfo),
};
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static const int deadly[] = {
    SCMP_SYS(socketpair),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf),
    SCMP_SYS(kexec_load),
    SCMP_SYS(init_module),
    SCMP_SYS(mount),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(userfaultfd),
};

/* Of a process that opens no connection. */
static const int deadly_alone[] = {SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind)};

struct calls {
    const int *list;
    size_t n;
};
#define CALLS(list) ((struct calls){list, sizeof(list) / sizeof(list)[0]})

static bool add(scmp_filter_ctx filter, uint32_t action, struct calls calls)
{
    for (size_t i = 0; i < calls.n; i++) {
        int e = seccomp_rule_add(filter, action, calls.list[i], 0);

        if (e != 0 && e != -EDOM)
            return false;
    }
    return true;
}

static bool add_sockets(scmp_filter_ctx filter)
{
    bool ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                               SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0)) == 0;

    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0)) == 0;
    return ok;
}

static scmp_filter_ctx new_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

    if (filter && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
        add(filter, SCMP_ACT_ALLOW, CALLS(common)) &&
        add(filter, SCMP_ACT_KILL_PROCESS, CALLS(deadly)))
        return filter;
    seccomp_release(filter);
    return NULL;
}

/* |filter| is whole if |is_whole|; from here on it holds. */
static bool load(scmp_filter_ctx filter, bool is_whole, char error[SANDBOX_ERROR_MAX])
{
    bool ok = is_whole && seccomp_load(filter) == 0;

    if (!ok)
        snprintf(error, SANDBOX_ERROR_MAX,
                 "the sandbox cannot be set up: the kernel must have "
                 "seccomp filters");
    seccomp_release(filter);
    return ok;
}

bool sandbox_calls(char error[SANDBOX_ERROR_MAX])
{
    scmp_filter_ctx filter = new_filter();

    return load(filter,
                filter && add(filter, SCMP_ACT_ALLOW, CALLS(of_files)) &&
                    add(filter, SCMP_ACT_KILL_PROCESS, CALLS(deadly_alone)),
                error);
}

bool sandbox_client_calls(char error[SANDBOX_ERROR_MAX])
{
    scmp_filter_ctx filter = new_filter();

    return load(filter,
                filter && add(filter, SCMP_ACT_ALLOW, CALLS(of_client)) && add_sockets(filter),
                error);
}

/* All that version 1 of Landlock knows; later rights are not restricted, which seccomp covers. */
enum {
    FILE_RIGHTS = (1 << 13) - 1,
    READ_FILE = LANDLOCK_ACCESS_FS_READ_FILE,
    READ_BELOW = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR
};

/* -1: an older kernel: seccomp alone. */
static int new_rules(void)
{
    struct landlock_ruleset_attr rules = {.handled_access_fs = FILE_RIGHTS};

    return (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
}

/* What is not there needs no right. */
static bool allow(int set, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights};
    bool ok;

    beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (beneath.parent_fd < 0)
        return false;
    ok = syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
    close(beneath.parent_fd);
    return ok;
}

static bool obey(int set)
{
    bool ok = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
              syscall(SYS_landlock_restrict_self, set, 0) == 0;

    close(set);
    return ok;
}

bool sandbox_files(const char *directory)
{
    int set = new_rules();

    if (set < 0)
        return false;
    if (allow(set, directory, FILE_RIGHTS & ~LANDLOCK_ACCESS_FS_EXECUTE))
        return obey(set);
    close(set);
    return false;
}

bool sandbox_client_files(const char *const files[], size_t n)
{
    static const char *const system_files[] = {
        "/etc/resolv.conf", "/etc/hosts",           "/etc/nsswitch.conf",
        "/etc/host.conf",   "/etc/gai.conf",        "/etc/services",
        "/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf"};
    static const char *const directories[] = {"/usr", "/lib", "/lib64"};
    int set = new_rules();

    if (set < 0)
        return false;
    for (size_t i = 0; i < sizeof system_files / sizeof system_files[0]; i++)
        (void)allow(set, system_files[i], READ_FILE);
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
        (void)allow(set, directories[i], READ_BELOW);
    for (size_t i = 0; i < n; i++)
        if (files[i][0])
            (void)allow(set, files[i], READ_FILE);
    return obey(set);
}
