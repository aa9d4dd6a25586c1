/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One walk through the folders: which media files are there. Blocks on the disk.
 * Symbolic links are followed to files, not to folders: nothing is found twice, no loop is entered.
 * Hidden names and the housekeeping folders of NAS systems are passed over. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "library/library.h"
#include "library/watch.h"

struct found_file {
    char *path;
    size_t folder; /* index of the root it was found under */
    uint64_t size;
    int64_t mtime_ns;
    uint64_t dev; /* of the folder it lies in */
};

struct walk {
    /* given */
    const char *const *folders;
    size_t folder_count;
    struct watch *watch; /* or NULL */
    const atomic_bool *is_cancelled;
    /* found */
    struct library_folder *states; /* one a folder; their paths are not filled in */
    struct found_file *files;
    size_t file_count, _room;
    char **failed; /* folders that could not be read: what is below is not gone */
    size_t failed_count, _failed_room;
};

/* CANCELLED: what was found is not all there is. LIMIT: more than a million files. */
MUST_CHECK enum err walk_run(struct walk *walk);
void walk_fini(struct walk *walk);
/* True when the walk could not look there. */
bool walk_failed_at(const struct walk *walk, const char *path);
