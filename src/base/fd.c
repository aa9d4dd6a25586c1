/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fd.h"

#include <errno.h>
#include <sys/mman.h>
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
