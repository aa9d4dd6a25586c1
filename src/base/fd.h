/* SPDX-License-Identifier: GPL-3.0-or-later */
/* File descriptors: owned ints, -1 is none, always O_CLOEXEC. Threads: any. */
#pragma once

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
/* An anonymous file in memory that can be sealed; `name` shows in /proc. BUSY: no fd left. */
MUST_CHECK enum err fd_memory(const char *name, int *out);
