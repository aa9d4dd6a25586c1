/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A source is a sparse file that fills as it is read: an fd, the final size, a map of what is
 * there, and wants. A file of the library is one that is whole. Counted (ref/unref), shared by all
 * threads; immutable but for the map. Decisions 1, 17, 18. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/why.h"

/* Decision 1: a local file is its size, mtime and the hash of its first and last 64 KiB. */
struct source_identity {
    uint64_t size;
    int64_t mtime_ns;
    uint8_t hash[32]; /* of kind, size and the two ends */
};

bool source_identity_equal(const struct source_identity *a, const struct source_identity *b);

struct source;

/* Opens a regular file, never through a symlink at its last step (who means to follow one resolves
 * it first); FIFOs, devices and folders are refused without blocking. NOT_FOUND, REFUSED, IO.
 * Reads two blocks: not on a loop. */
MUST_CHECK enum err source_open_local(const char *path, struct source **out, struct why *why);
struct source *source_ref(struct source *source);
void source_unref(struct source **source);
const struct source_identity *source_identity(const struct source *source);
uint64_t source_size(const struct source *source);
/* The file system it lies on: reads of one file system share a pool (decision 17). */
uint64_t source_device(const struct source *source);
/* Lent: for handing to a media process. */
int source_fd(const struct source *source);
int source_map_fd(const struct source *source); /* -1: whole */

/* True when all of [offset, +length) is there. */
bool source_has(const struct source *source, uint64_t offset, uint64_t length);
/* Reads what the page cache holds, up to `size` bytes, without sleeping (preadv2 RWF_NOWAIT): may
 * run on a loop. AGAIN: not in memory (or not supported): read on a pool. GONE: shorter than it
 * was, or replaced underneath. BAD_INPUT: begins past the end. */
MUST_CHECK enum err source_read_now(struct source *source, void *into, size_t size, uint64_t offset,
                                    size_t *got);
/* The same, sleeping. Pool threads. */
MUST_CHECK enum err source_read(struct source *source, void *into, size_t size, uint64_t offset,
                                size_t *got);
/* True while the open file is still what was opened (size and mtime by fstat). */
bool source_is_unchanged(const struct source *source);
