/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk for tests, by LD_PRELOAD: what a server writes to the files of torrents (FOLDER/torrents/ID/f/...)
 * comes late or not at all, and what it reads of them comes slowly. By the environment:
 *     FAKE_DISK_WRITE_MS=N [FAKE_DISK_PERCENT=P]  P of 100 writes take 0 to N ms more; P is 100 where it is
 *                                                 not said
 *     FAKE_DISK_READ_MS=N                         each read takes N ms more
 *     FAKE_DISK_FULL=PATH                         while PATH exists there is no room
 * Threads: any, those of libtorrent among them. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

static struct {
    bool is_on;
    unsigned write_ms, read_ms, percent;
    const char *full;
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
    fake.percent = number("FAKE_DISK_PERCENT", 100);
    fake.full = getenv("FAKE_DISK_FULL");
}

static bool is_of_torrent(int fd)
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
    return strstr(path, "/torrents/") != NULL && strstr(path, "/f/") != NULL;
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
    return may_write(fd) ? syscall(SYS_pwrite64, fd, bytes, size, at) : -1;
}

SEEN ssize_t pread64(int fd, void *bytes, size_t size, off64_t at)
{
    if (fake.read_ms > 0 && is_of_torrent(fd))
        usleep(fake.read_ms * 1000);
    return syscall(SYS_pread64, fd, bytes, size, at);
}
