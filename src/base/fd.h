/* SPDX-License-Identifier: GPL-3.0-or-later */
/* File descriptors: owned ints, -1 is none, always O_CLOEXEC. Threads: any. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* For CLEANUP(fd_close): closes and sets -1; -1 is accepted. */
void fd_close(int *fd);
/* Takes the fd out of `fd`, which is -1 afterwards. */
int fd_take(int *fd);

/* Reads until `size` bytes or the end; *got says how many. IO. */
MUST_CHECK enum err fd_read_at(int fd, void *into, size_t size, uint64_t offset, size_t *got);
/* Writes all of it. IO; LIMIT: no space left, or over a limit. */
MUST_CHECK enum err fd_write_at(int fd, const void *bytes, size_t size, uint64_t offset);
/* Copies all of `from` to the begin of `to`, in the kernel where it can (copy_file_range(2): not from one file
 * system to another); 64 MiB at most are not on the disk when it returns. CANCELLED: *is_over became true, which
 * may be NULL. IO; LIMIT: no space left; errno says why. */
MUST_CHECK enum err fd_copy(int from, int to, const atomic_bool *is_over);
/* What `path`, a file or a folder, leads to is on the disk from then on, as far as the file system can see to that.
 * IO. */
MUST_CHECK enum err fd_sync_path(const char *path);
/* Renames `from` to `name` in `folder`, where nothing has that name. BUSY: something has. (Where the file system
 * cannot see to that, as NFS cannot, it is looked for before.) IO; errno says why. */
MUST_CHECK enum err fd_rename_new(const char *from, int folder, const char *name);
/* Whether the page cache holds [offset, +size), as far as can be told without sleeping: by cachestat(2)
 * where there is one and we may ask it, else by a byte in every 64 KiB and the last one. False where the
 * file system cannot tell (preadv2 RWF_NOWAIT). */
bool fd_is_cached(int fd, uint64_t offset, uint64_t size);
/* An anonymous file in memory that can be sealed; `name` shows in /proc. BUSY: no fd left. */
MUST_CHECK enum err fd_memory(const char *name, int *out);
