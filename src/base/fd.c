/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fd.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

enum err fd_read_at(int fd, void *into, size_t size, uint64_t offset, size_t *got)
{
    size_t done = 0;
    while (done < size) {
        ssize_t step = pread(fd, (char *) into + done, size - done, (off_t) (offset + done));
        if (step < 0 && errno == EINTR)
            continue;
        if (step < 0)
            return ERR_IO;
        if (step == 0)
            break;
        done += (size_t) step;
    }
    *got = done;
    return OK;
}

enum err fd_write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        ssize_t step =
            pwrite(fd, (const char *) bytes + done, size - done, (off_t) (offset + done));
        if (step < 0 && errno == EINTR)
            continue;
        if (step < 0)
            return errno == ENOSPC || errno == EFBIG || errno == EDQUOT ? ERR_LIMIT : ERR_IO;
        done += (size_t) step;
    }
    return OK;
}

enum err fd_memory(const char *name, int *out)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_from_errno(errno);
    *out = fd;
    return OK;
}

static bool is_byte_cached(int fd, uint64_t offset)
{
    char byte;
    struct iovec into = {&byte, 1};
    return preadv2(fd, &into, 1, (off_t) offset, RWF_NOWAIT) == 1;
}

/* linux/mman.h of Linux 6.5; since 6.14 it tells only those who may write the file. */
enum { CACHESTAT = 451, PAGE = 4096 };
struct cachestat_range {
    uint64_t offset, length;
};
struct cachestat {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

/* -1: it is not told. */
static int ask_cachestat(int fd, uint64_t offset, uint64_t size)
{
    struct cachestat_range range = {offset, size};
    struct cachestat found = {0};
    if (syscall(CACHESTAT, fd, &range, &found, 0) != 0)
        return -1;
    uint64_t pages = (offset + size - 1) / PAGE - offset / PAGE + 1;
    return found.cached >= pages;
}

bool fd_is_cached(int fd, uint64_t offset, uint64_t size)
{
    enum { STEP = 64 * 1024 };
    if (size == 0)
        return true;
    int told = ask_cachestat(fd, offset, size);
    if (told >= 0)
        return told == 1;
    for (uint64_t at = offset; at < offset + size; at += STEP)
        if (!is_byte_cached(fd, at))
            return false;
    return is_byte_cached(fd, offset + size - 1);
}
