/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk for tests, by LD_PRELOAD: what a server writes to the files of torrents (FOLDER/torrents/ID/f/...)
 * comes late or not at all, and what it reads of them comes slowly; and another one of the library. By the
 * environment:
 *     FAKE_DISK_WRITE_MS=N [FAKE_DISK_PERCENT=P]  P of 100 writes take 0 to N ms more; P is 100 where it is
 *                                                 not said
 *     FAKE_DISK_READ_MS=N                         each read takes N ms more
 *     FAKE_DISK_FULL=PATH                         while PATH exists there is no room
 *     FAKE_DISK_SHARE=PATH                        the library is on a share of another machine: no links or
 *                                                 copies in the kernel lead there, RENAME_NOREPLACE is not
 *                                                 known, times cannot be set, and while PATH exists there is
 *                                                 no room
 *     FAKE_DISK_SHARE_MS=N                        each write of a copy that is made there takes N ms more
 * Threads: any, those of libtorrent among them. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

static struct {
    bool is_on;
    unsigned write_ms, read_ms, share_ms, percent;
    const char *full, *share;
} fake;
static atomic_uint dice = 2463534242U;

static unsigned number(const char *name, unsigned usual)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned) strtoul(text, NULL, 10) : usual;
}

/* Other programs that the server starts have the real disk. */
__attribute__((constructor)) static void read_environment(void)
{
    fake.is_on = strcmp(program_invocation_short_name, "matinee") == 0;
    fake.write_ms = number("FAKE_DISK_WRITE_MS", 0);
    fake.read_ms = number("FAKE_DISK_READ_MS", 0);
    fake.share_ms = number("FAKE_DISK_SHARE_MS", 0);
    fake.percent = number("FAKE_DISK_PERCENT", 100);
    fake.full = getenv("FAKE_DISK_FULL");
    fake.share = fake.is_on ? getenv("FAKE_DISK_SHARE") : NULL;
}

/* The path holds both. */
static bool is_named(int fd, const char *one, const char *other)
{
    char link[64];
    char path[512];
    if (!fake.is_on)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return strstr(path, one) != NULL && strstr(path, other) != NULL;
}

static bool is_of_torrent(int fd)
{
    return is_named(fd, "/torrents/", "/f/");
}

/* The order of the threads is chance in any case: numbers need not be the same in every run. */
static unsigned throw_dice(void)
{
    unsigned thrown = atomic_fetch_add(&dice, 2654435761U);
    thrown ^= thrown >> 15;
    thrown *= 2246822519U;
    return thrown ^ thrown >> 13;
}

/* False: errno says why not. */
static bool may_write(int fd)
{
    if (!is_of_torrent(fd))
        return true;
    if (fake.full != NULL && access(fake.full, F_OK) == 0) {
        errno = ENOSPC;
        return false;
    }
    errno = 0;
    if (fake.write_ms > 0 && throw_dice() % 100 < fake.percent)
        usleep(throw_dice() % (fake.write_ms * 1000));
    return true;
}

/* The calls that libtorrent makes; the kernel is asked itself, so that it matters not who else stands in
 * between. */
SEEN ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    if (fake.share_ms > 0 && is_named(fd, "/library/", "/.matinee-"))
        usleep(fake.share_ms * 1000);
    return may_write(fd) ? syscall(SYS_pwrite64, fd, bytes, size, at) : -1;
}

SEEN ssize_t pread64(int fd, void *bytes, size_t size, off64_t at)
{
    if (fake.read_ms > 0 && is_of_torrent(fd))
        usleep(fake.read_ms * 1000);
    return syscall(SYS_pread64, fd, bytes, size, at);
}

/* --- the share --- */

SEEN int link(const char *from, const char *to)
{
    if (fake.share == NULL)
        return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
    errno = EXDEV;
    return -1;
}

SEEN ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size,
                             unsigned flags)
{
    if (fake.share == NULL)
        return syscall(SYS_copy_file_range, from, from_at, to, to_at, size, flags);
    errno = EXDEV;
    return -1;
}

SEEN int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if (fake.share == NULL || flags == 0)
        return (int) syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    errno = EINVAL;
    return -1;
}

SEEN int futimens(int fd, const struct timespec times[2])
{
    if (fake.share == NULL)
        return (int) syscall(SYS_utimensat, fd, NULL, times, 0);
    errno = EPERM;
    return -1;
}

/* Of what is not the torrents'. */
SEEN int statvfs64(const char *path, struct statvfs64 *out)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    int result = fd < 0 ? -1 : fstatvfs64(fd, out);
    if (fd >= 0)
        close(fd);
    if (fake.share != NULL && strstr(path, "/torrents") == NULL && access(fake.share, F_OK) == 0)
        out->f_bavail = 0;
    return result;
}
