/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a source, for the files of this folder only. */
#pragma once

#include <stdatomic.h>
#include <sys/stat.h>

#include "source/source.h"

struct source {
    atomic_uint references;
    /* fixed after new */
    int fd;
    struct source_identity identity;
    uint64_t device;
};

/* Takes `fd`. */
struct source *source_new(int *fd, const struct source_identity *identity, uint64_t device);
int64_t source_mtime_ns(const struct stat *stat);
