/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"

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

static enum err write_error(void)
{
    return errno == ENOSPC || errno == EFBIG || errno == EDQUOT ? ERR_LIMIT : ERR_IO;
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
            return write_error();
        done += (size_t) step;
    }
    return OK;
}

/* --- copies --- */

enum { COPY_STEP = 1024 * 1024, KERNEL_STEP = 16 * COPY_STEP, FLUSHED_EVERY = 64 * COPY_STEP };

static bool is_set(const atomic_bool *flag)
{
    return flag != NULL && atomic_load(flag);
}

/* Else the end would have to wait for gigabytes. `at` rises from call to call. */
static enum err flush_now_and_then(int to, uint64_t at, uint64_t *flushed)
{
    if (at - *flushed < FLUSHED_EVERY)
        return OK;
    *flushed = at;
    return fdatasync(to) == 0 ? OK : write_error();
}

/* *at: how far it came: to the end, or to where the kernel does it no more. */
static enum err copy_in_kernel(int from, int to, const atomic_bool *is_over, uint64_t *at,
                               uint64_t *flushed)
{
    off_t in = 0, out = 0;
    enum err err = OK;
    while (err == OK && !is_set(is_over)) {
        ssize_t step = copy_file_range(from, &in, to, &out, KERNEL_STEP, 0);
        if (step == 0 || (step < 0 && errno != EINTR))
            break;
        *at = (uint64_t) out;
        err = flush_now_and_then(to, *at, flushed);
    }
    return err;
}

enum err fd_copy(int from, int to, const atomic_bool *is_over)
{
    uint64_t at = 0, flushed = 0;
    CLEANUP(mem_free_at) char *buffer = mem_zalloc(COPY_STEP);
    enum err err = copy_in_kernel(from, to, is_over, &at, &flushed);
    for (size_t got = COPY_STEP; err == OK && got == COPY_STEP; at += got) {
        if (is_set(is_over))
            return ERR_CANCELLED;
        err = fd_read_at(from, buffer, COPY_STEP, at, &got);
        if (err == OK)
            err = fd_write_at(to, buffer, got, at);
        if (err == OK)
            err = flush_now_and_then(to, at + got, &flushed);
    }
    return err;
}

enum err fd_sync_path(const char *path)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && (fsync(fd) == 0 || errno == EINVAL) ? OK : ERR_IO;
}

enum err fd_rename_new(const char *from, int folder, const char *name)
{
    if (renameat2(AT_FDCWD, from, folder, name, RENAME_NOREPLACE) == 0)
        return OK;
    if (errno == EINVAL || errno == ENOSYS) { /* not known there */
        if (faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            errno = EEXIST;
        else if (renameat(AT_FDCWD, from, folder, name) == 0)
            return OK;
    }
    return errno == EEXIST ? ERR_BUSY : ERR_IO;
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
