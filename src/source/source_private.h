/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a source, for the files of this folder only. */
#pragma once

#include <stdatomic.h>
#include <sys/stat.h>

#include "source/map.h"

#include "source/source.h"

struct source {
    atomic_uint references;
    /* fixed after new */
    int fd;
    struct source_identity identity;
    uint64_t device;
    struct sparse *sparse; /* NULL: all of it is there */
};

/* sparse.c */
void sparse_free(struct sparse **sparse);
const struct map *sparse_map(const struct sparse *sparse);
bool sparse_has_failed(const struct sparse *sparse);
/* A read that was not begun before this is over before source_drop returns. The number goes to
 * sparse_leave. */
unsigned sparse_enter(struct sparse *sparse);
void sparse_leave(struct sparse *sparse, unsigned number);

/* Takes `fd`. */
struct source *source_new(int *fd, const struct source_identity *identity, uint64_t device);
int64_t source_mtime_ns(const struct stat *stat);
