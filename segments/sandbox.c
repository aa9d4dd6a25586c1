/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* Sanitizers and valgrind map terabytes and make calls of their own. */
#if defined MATINEE_SANITIZE || defined MATINEE_VALGRIND
#define INSTRUMENTED 1
#else
#define INSTRUMENTED 0
#endif

/* Landlock's numbers; the headers of Debian 12 end at its second version. */
enum {
    LANDLOCK_VERSION_FLAG = 1,
    LANDLOCK_FS_V1 = 0x1FFF, /* EXECUTE to MAKE_SYM */
    LANDLOCK_FS_EXECUTE = 1 << 0,
    LANDLOCK_FS_WRITE_FILE = 1 << 1,
    LANDLOCK_FS_READ_FILE = 1 << 2,
    LANDLOCK_FS_READ_DIR = 1 << 3,
    LANDLOCK_FS_REFER = 1 << 13,
    LANDLOCK_FS_TRUNCATE = 1 << 14,
    LANDLOCK_FS_IOCTL_DEV = 1 << 15,
    LANDLOCK_NET_TCP = 3,           /* bind, connect */
    LANDLOCK_SCOPE_AND_SIGNALS = 3, /* abstract unix sockets, signals to others */
    LANDLOCK_RULE_PATH_BENEATH = 1,
};

/* What a process may still do with files. */
struct landlock_path {
    const char *path; /* one that is not there needs no leave */
    uint64_t of_file, of_folder;
};

struct landlock_rules {
    uint64_t fs, net, scoped;
};

/* Everything this kernel can forbid: docs.kernel.org/userspace-api/landlock */
static size_t landlock_rules(long version, struct landlock_rules *out)
{
    *out = (struct landlock_rules){.fs = LANDLOCK_FS_V1};
    if (version >= 2)
        out->fs |= LANDLOCK_FS_REFER;
    if (version >= 3)
        out->fs |= LANDLOCK_FS_TRUNCATE;
    if (version >= 5)
        out->fs |= LANDLOCK_FS_IOCTL_DEV;
    if (version >= 4)
        out->net = LANDLOCK_NET_TCP;
    if (version >= 6)
        out->scoped = LANDLOCK_SCOPE_AND_SIGNALS;
    return version >= 6 ? 24 : version >= 4 ? 16 : 8;
}

static bool allow_path(int ruleset, const struct landlock_path *path, uint64_t known)
{
    struct {
        uint64_t allowed;
        int32_t fd;
    } __attribute__((packed)) rule;
    struct stat status;
    CLEANUP(fd_close) int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR;
    rule.allowed = known & (S_ISDIR(status.st_mode) ? path->of_folder : path->of_file);
    rule.fd = fd;
    return rule.allowed == 0 ||
           syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

/* No path but those; they end with one that has none. */
static bool enter_landlock(const struct landlock_path *paths)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
    if (version < 1)
        return false;
    struct landlock_rules rules;
    size_t size = landlock_rules(version, &rules);
    CLEANUP(fd_close) int fd = (int) syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    for (; fd >= 0 && paths->path != NULL; paths++)
        if (!allow_path(fd, paths, rules.fs))
            return false;
    return fd >= 0 && syscall(SYS_landlock_restrict_self, fd, 0) == 0;
}

static bool limit(__rlimit_resource_t what, rlim_t value)
{
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    struct rlimit old;
    if (getrlimit(what, &old) == 0 && old.rlim_max < value)
        limit.rlim_cur = limit.rlim_max = old.rlim_max;
    return setrlimit(what, &limit) == 0;
}

/* Decision 22: AS only stops runaways, the cap proper is the server's watch over PSS. CPU: two days
 * of film in real time on four cores; what hangs is seen by the server within seconds. */
static bool enter_limits(void)
{
    const rlim_t address_space = (rlim_t) 8 << 30, file_size = (rlim_t) 256 << 20;
    const rlim_t open_files = 64, cpu_seconds = (rlim_t) 4 * 48 * 3600;
    bool all = limit(RLIMIT_FSIZE, file_size) && limit(RLIMIT_NOFILE, open_files) &&
               limit(RLIMIT_CORE, 0) && limit(RLIMIT_CPU, cpu_seconds);
    if (!INSTRUMENTED)
        all = limit(RLIMIT_AS, address_space) && all;
    /* Over FSIZE a write fails with EFBIG instead of a signal. */
    return signal(SIGXFSZ, SIG_IGN) != SIG_ERR && all;
}

/* What decoding, encoding and talking over one socket need; each was seen with the test media, or
 * is what glibc calls on the way (sysinfo: qsort; rseq, set_robust_list: threads). */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(preadv2),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(fadvise64),
    SCMP_SYS(close),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(futex),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getcpu),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
#if INSTRUMENTED
    SCMP_SYS(sigaltstack),
    SCMP_SYS(prlimit64),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    SCMP_SYS(membarrier),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
#endif
};

/* What libraries try and can do without: refused without a fuss. All else kills. clone3 must say
 * ENOSYS, then glibc takes clone, whose flags a filter can see. */
static const struct {
    int call, number;
} refused[] = {
    {SCMP_SYS(clone3), ENOSYS},
    {SCMP_SYS(open), EACCES},
    {SCMP_SYS(openat), EACCES},
    {SCMP_SYS(openat2), ENOSYS},
    {SCMP_SYS(access), EACCES},
    {SCMP_SYS(faccessat), EACCES},
    {SCMP_SYS(faccessat2), EACCES},
    {SCMP_SYS(stat), EACCES},
    {SCMP_SYS(lstat), EACCES},
    {SCMP_SYS(statx), ENOSYS},
    {SCMP_SYS(readlink), EACCES},
    {SCMP_SYS(readlinkat), EACCES},
    {SCMP_SYS(getcwd), EACCES},
    {SCMP_SYS(ioctl), ENOTTY},
    {SCMP_SYS(memfd_create), EACCES},
    {SCMP_SYS(sched_setaffinity), EPERM},
    {SCMP_SYS(sched_setscheduler), EPERM},
    {SCMP_SYS(sched_getscheduler), EPERM},
    {SCMP_SYS(sched_getparam), EPERM},
    {SCMP_SYS(setpriority), EPERM},
    {SCMP_SYS(getpriority), EPERM},
    {SCMP_SYS(get_mempolicy), ENOSYS},
    {SCMP_SYS(set_mempolicy), ENOSYS},
    {SCMP_SYS(mbind), ENOSYS},
    {SCMP_SYS(mlock2), EPERM},
#if !INSTRUMENTED
    {SCMP_SYS(sigaltstack), EPERM},
    {SCMP_SYS(prlimit64), EPERM},
    {SCMP_SYS(getrlimit), EPERM},
    {SCMP_SYS(setrlimit), EPERM},
    {SCMP_SYS(mlock), EPERM},
    {SCMP_SYS(membarrier), ENOSYS},
#endif
};

/* What a driver does beside, once it is set up; which files can be opened says Landlock. */
static const int allowed_to_device[] = {
    SCMP_SYS(poll),        SCMP_SYS(ppoll),      SCMP_SYS(select),       SCMP_SYS(pselect6),
    SCMP_SYS(dup),         SCMP_SYS(eventfd2),   SCMP_SYS(memfd_create), SCMP_SYS(ftruncate),
    SCMP_SYS(getdents64),  SCMP_SYS(newfstatat), SCMP_SYS(stat),         SCMP_SYS(lstat),
    SCMP_SYS(statx),       SCMP_SYS(access),     SCMP_SYS(faccessat),    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),    SCMP_SYS(readlinkat), SCMP_SYS(getuid),       SCMP_SYS(geteuid),
    SCMP_SYS(getgid),      SCMP_SYS(getegid),    SCMP_SYS(getppid),      SCMP_SYS(membarrier),
    SCMP_SYS(sigaltstack),
};
/* Of a device's ioctls the types (ioctl(2), bits 8 to 15): DRM, V4L2, NVIDIA's two, DMA buffers, fences,
 * media requests. Not those of sockets and terminals: with FIOSETOWN a signal goes to whom it likes. */
static const unsigned char ioctl_types[] = {'d', 'V', 'F', 0, 'b', '>', '|'};
/* And not F_SETOWN, F_SETSIG. */
static const int fcntl_commands[] = {F_DUPFD, F_GETFD,         F_SETFD,     F_GETFL,
                                     F_SETFL, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GET_SEALS};
static const int opens[] = {SCMP_SYS(open), SCMP_SYS(openat)};

static bool is_in(const int *list, size_t count, int call)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == call)
            return true;
    return false;
}
#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Adds a pair: `allow` where the argument's masked bits are `value`, otherwise `number` (0: kill). */
static int when(scmp_filter_ctx filter, int call, unsigned arg, uint64_t mask, uint64_t value,
                int number)
{
    struct scmp_arg_cmp same = {arg, SCMP_CMP_MASKED_EQ, mask, value};
    int failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &same);
    if (failed != 0 || number == 0)
        return failed;
    /* All masks used with a number are of one bit. */
    struct scmp_arg_cmp other = {arg, SCMP_CMP_MASKED_EQ, mask, ~value & mask};
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned) number), call, 1, &other);
}

/* What is not named here is answered as all else is. */
static int add_device_commands(scmp_filter_ctx filter)
{
    int failed = 0;
    for (size_t i = 0; i < LENGTH(ioctl_types) && failed == 0; i++)
        failed = when(filter, SCMP_SYS(ioctl), 1, 0xff00, (uint64_t) ioctl_types[i] << 8, 0);
    for (size_t i = 0; i < LENGTH(fcntl_commands) && failed == 0; i++)
        failed = when(filter, SCMP_SYS(fcntl), 1, UINT32_MAX, (uint64_t) fcntl_commands[i], 0);
    return failed;
}

/* A rule compares an argument but once: what lies between two values is told in blocks of powers of two. */
static int refuse_between(scmp_filter_ctx filter, int call, unsigned arg, uint64_t from,
                          uint64_t end, int number)
{
    int failed = 0;
    while (from < end && failed == 0) {
        uint64_t block = from & -from;
        while (block > end - from)
            block /= 2;
        struct scmp_arg_cmp in = {arg, SCMP_CMP_MASKED_EQ, ~(block - 1), from};
        failed = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned) number), call, 1, &in);
        from += block;
    }
    return failed;
}

/* These values are right, which rise; any other is answered with `number`. */
static int only(scmp_filter_ctx filter, int call, unsigned arg, const uint64_t *values,
                size_t count, int number)
{
    struct scmp_arg_cmp below = {arg, SCMP_CMP_LT, values[0], 0};
    struct scmp_arg_cmp above = {arg, SCMP_CMP_GT, values[count - 1], 0};
    uint32_t refused_so = SCMP_ACT_ERRNO((unsigned) number);
    int failed = seccomp_rule_add_array(filter, refused_so, call, 1, &below);
    for (size_t i = 0; i < count && failed == 0; i++) {
        struct scmp_arg_cmp is = {arg, SCMP_CMP_EQ, values[i], 0};
        failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &is);
        if (i > 0 && failed == 0)
            failed = refuse_between(filter, call, arg, values[i - 1] + 1, values[i], number);
    }
    return failed != 0 ? failed : seccomp_rule_add_array(filter, refused_so, call, 1, &above);
}

/* Calls that are right with some arguments only. */
static int add_conditional(scmp_filter_ctx filter, bool is_device)
{
    const uint64_t exec = INSTRUMENTED ? 0 : PROT_EXEC;
    int failed = when(filter, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD, 0);
    failed = failed != 0 ? failed : when(filter, SCMP_SYS(mmap), 2, exec, 0, exec ? EACCES : 0);
    failed = failed != 0 ? failed : when(filter, SCMP_SYS(mprotect), 2, exec, 0, exec ? EACCES : 0);
    if (is_device) {
        failed = failed != 0 ? failed : add_device_commands(filter);
    } else {
        failed = failed != 0
                     ? failed
                     : when(filter, SCMP_SYS(newfstatat), 3, AT_EMPTY_PATH, AT_EMPTY_PATH, EACCES);
        static const uint64_t looks[] = {F_GETFL, F_GET_SEALS};
        failed =
            failed != 0 ? failed : only(filter, SCMP_SYS(fcntl), 1, looks, LENGTH(looks), EPERM);
    }
    /* Who only plans asks for no huge pages. */
    static const uint64_t options[] = {PR_SET_NAME, PR_SET_THP_DISABLE};
    failed =
        failed != 0 ? failed : only(filter, SCMP_SYS(prctl), 0, options, LENGTH(options), EINVAL);
    /* abort() and raise(), and nobody else's process. */
    const uint64_t self = (uint64_t) getpid();
    return failed != 0 ? failed : only(filter, SCMP_SYS(tgkill), 0, &self, 1, EPERM);
}

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++)
        failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, calls[i], 0, NULL);
    return failed;
}

static int refuse(scmp_filter_ctx filter, bool is_device)
{
    for (size_t i = 0; i < LENGTH(refused); i++) {
        int call = refused[i].call;
        if (is_device && (refused[i].number == ENOSYS /* as all else is */ ||
                          call == SCMP_SYS(ioctl) /* some are allowed */ ||
                          is_in(allowed_to_device, LENGTH(allowed_to_device), call) ||
                          is_in(opens, LENGTH(opens), call)))
            continue;
        int failed = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned) refused[i].number),
                                            call, 0, NULL);
        if (failed != 0)
            return failed;
    }
    return 0;
}

/* Files are opened only where Landlock says which. */
static int allow_device(scmp_filter_ctx filter, bool may_open)
{
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < LENGTH(allowed_to_device) && failed == 0; i++)
        if (!is_in(allowed, LENGTH(allowed), allowed_to_device[i]))
            failed = allow(filter, &allowed_to_device[i], 1);
    for (size_t i = 0; i < LENGTH(opens) && failed == 0; i++)
        failed = may_open
                     ? allow(filter, &opens[i], 1)
                     : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EACCES), opens[i], 0, NULL);
    return failed;
}

/* A filter that lacks a rule would kill good films: it is on as meant, or not at all. */
static bool enter_seccomp(bool is_device, bool may_open)
{
    scmp_filter_ctx filter =
        seccomp_init(is_device ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return false;
    int failed = allow(filter, allowed, LENGTH(allowed));
    failed = failed != 0 ? failed : refuse(filter, is_device);
    failed = failed != 0 ? failed : add_conditional(filter, is_device);
    if (is_device)
        failed = failed != 0 ? failed : allow_device(filter, may_open);
    bool on = failed == 0 && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return on;
}

uint32_t sandbox_enter(void)
{
    static const struct landlock_path none[] = {{NULL, 0, 0}};
    uint32_t layers = 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        layers |= WIRE_LAYER_NNP;
    if (enter_limits())
        layers |= WIRE_LAYER_RLIMIT;
    if (enter_landlock(none))
        layers |= WIRE_LAYER_LANDLOCK;
    if (enter_seccomp(false, false))
        layers |= WIRE_LAYER_SECCOMP;
    return layers;
}

/* --- devices --- */

enum {
    SYSTEM_FILE = LANDLOCK_FS_READ_FILE | LANDLOCK_FS_EXECUTE,
    SYSTEM_FOLDER = SYSTEM_FILE | LANDLOCK_FS_READ_DIR,
    NODE = LANDLOCK_FS_READ_FILE | LANDLOCK_FS_WRITE_FILE | LANDLOCK_FS_IOCTL_DEV,
    MOST_NODES = 8,
};

/* Drivers, their settings, and how they ask the kernel what there is. */
static const struct landlock_path system_paths[] = {
    {"/usr", SYSTEM_FILE, SYSTEM_FOLDER},       {"/lib", SYSTEM_FILE, SYSTEM_FOLDER},
    {"/lib64", SYSTEM_FILE, SYSTEM_FOLDER},     {"/opt", SYSTEM_FILE, SYSTEM_FOLDER},
    {"/etc/ld.so.cache", SYSTEM_FILE, 0},       {"/etc/drirc", SYSTEM_FILE, 0},
    {"/etc/libva.conf", SYSTEM_FILE, 0},        {"/sys", SYSTEM_FILE, SYSTEM_FOLDER},
    {"/proc/self", SYSTEM_FILE, SYSTEM_FOLDER}, {"/proc/driver", SYSTEM_FILE, SYSTEM_FOLDER},
    {"/proc/devices", SYSTEM_FILE, 0},          {"/proc/cpuinfo", SYSTEM_FILE, 0},
    {"/proc/meminfo", SYSTEM_FILE, 0},          {"/dev/dri", 0, LANDLOCK_FS_READ_DIR},
    {"/dev/urandom", LANDLOCK_FS_READ_FILE, 0},
};

static size_t node_paths(const char *const *nodes, struct landlock_path *out)
{
    size_t count = 0;
    for (; nodes[count] != NULL && count < MOST_NODES; count++)
        out[count] = (struct landlock_path){nodes[count], NODE, LANDLOCK_FS_READ_DIR};
    return count;
}

void sandbox_begin_device(const char *const *nodes)
{
    struct landlock_path paths[LENGTH(system_paths) + MOST_NODES + 1] = {{NULL, 0, 0}};
    size_t count = node_paths(nodes, paths);
    memcpy(&paths[count], system_paths, sizeof system_paths);
    int unneeded UNUSED = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* said by the second step */
    bool is_on UNUSED = enter_landlock(paths);
}

/* Of memory drivers map more than there is; the rest is as a film's. */
static bool enter_device_limits(void)
{
    const rlim_t file_size = (rlim_t) 256 << 20, open_files = 256;
    return limit(RLIMIT_FSIZE, file_size) && limit(RLIMIT_NOFILE, open_files) &&
           limit(RLIMIT_CORE, 0) && signal(SIGXFSZ, SIG_IGN) != SIG_ERR;
}

uint32_t sandbox_enter_device(const char *const *nodes)
{
    struct landlock_path paths[MOST_NODES + 1] = {{NULL, 0, 0}};
    uint32_t layers = 0;
    node_paths(nodes, paths);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        layers |= WIRE_LAYER_NNP;
    if (enter_device_limits())
        layers |= WIRE_LAYER_RLIMIT;
    if (enter_landlock(paths))
        layers |= WIRE_LAYER_LANDLOCK;
    if (enter_seccomp(true, (layers & WIRE_LAYER_LANDLOCK) != 0))
        layers |= WIRE_LAYER_SECCOMP;
    return layers;
}
