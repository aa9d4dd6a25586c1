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
#include "base/mailbox.h"
#include "base/why.h"
#include "source/spans.h"

/* Decision 1: a local file is its size, mtime and the hash of its first and last 64 KiB. */
struct source_identity {
    uint64_t size;
    int64_t mtime_ns;
    uint8_t hash[32]; /* of kind, size and the two ends */
};

bool source_identity_equal(const struct source_identity *a, const struct source_identity *b);
/* Of a file that is known by words: where it comes from, which version of it. */
struct source_identity source_identity_of(uint64_t size, const char *words);

struct source;

/* Opens a regular file, never through a symlink at its last step (who means to follow one resolves
 * it first); FIFOs, devices and folders are refused without blocking. NOT_FOUND, REFUSED, IO.
 * Reads two blocks: not on a loop. */
MUST_CHECK enum err source_open_local(const char *path, struct source **out, struct why *why);
/* A file without a name, all of it there; takes `fd`. IO. */
MUST_CHECK enum err source_open_unnamed(int *fd, struct source **out);
struct source *source_ref(struct source *source);
void source_unref(struct source **source);
/* Others hold references besides the caller's. */
bool source_is_shared(const struct source *source);
const struct source_identity *source_identity(const struct source *source);
uint64_t source_size(const struct source *source);
/* The file system it lies on: reads of one file system share a pool (decision 17). */
uint64_t source_device(const struct source *source);
/* Lent: for handing to a media process. */
int source_fd(const struct source *source);
int source_map_fd(const struct source *source); /* -1: whole */

/* True when all of [offset, +length) is there. */
bool source_has(const struct source *source, uint64_t offset, uint64_t length);
/* Reads what is there and the page cache holds, up to `size` bytes, without sleeping (preadv2 RWF_NOWAIT): may
 * run on a loop. AGAIN: not in memory (or not supported): read on a pool. NOT_FOUND: it is still to
 * come, source_want it. GONE: shorter than it was, or replaced underneath. BAD_INPUT: begins past the
 * end. */
MUST_CHECK enum err source_read_now(struct source *source, void *into, size_t size, uint64_t offset,
                                    size_t *got);
/* The same, sleeping. Pool threads. */
MUST_CHECK enum err source_read(struct source *source, void *into, size_t size, uint64_t offset,
                                size_t *got);
/* Whether a loop may have the kernel send [offset, +length) of source_fd: nothing of it can be taken away
 * (a source that fills is never so), and fd_is_cached. */
bool source_is_cached(const struct source *source, uint64_t offset, uint64_t length);
/* Has the disk bring what lies inside into the page cache, in large reads and while the caller goes on. Pool
 * threads. Nothing for a source that fills. */
void source_read_ahead(const struct source *source, const struct span *span);
/* True while the open file is still what was opened (size and mtime by fstat); of one that fills, until
 * its filler gives it up. */
bool source_is_unchanged(const struct source *source);

/* --- who waits for bytes of a source that fills; any source may be asked --- */

enum source_urgency {
    SOURCE_AHEAD, /* will be read soon */
    SOURCE_NOW,   /* somebody sleeps until it is there */
};
/* All of it is there, or why it never will be. */
typedef void source_ready_fn(void *ctx, enum err kind, const struct why *why);

struct source_wait;
/* Whole blocks around [offset, +length), as far as they lie inside. `ready` (may be NULL: a hint) is
 * called once on the mailbox's loop, never inside the call. The caller's until source_unwant. */
struct source_wait *source_want(struct source *source, const struct span *wanted,
                                enum source_urgency urgency, struct mailbox *mailbox,
                                source_ready_fn *ready, void *ctx);
/* On the mailbox's loop: `ready` is not called any more, and nobody need fetch it for this. *wait is
 * NULL afterwards; NULL is accepted. */
void source_unwant(struct source_wait **wait);

struct source_watch;
/* Calls `arrived` on the mailbox's loop after something came; once for what comes close together. */
struct source_watch *source_watch(struct source *source, struct mailbox *mailbox, task_fn *arrived,
                                  void *ctx);
/* On the mailbox's loop. *watch is NULL afterwards; NULL is accepted. */
void source_unwatch(struct source_watch **watch);

/* What is there, as spans that rise: the first `room` of them. Returns how many there are. */
size_t source_here(const struct source *source, struct span *out, size_t room);

/* --- who fills it --- */

/* Lives until `closed`, which is called once, when the last reference goes. */
struct source_filler {
    void *ctx;
    /* Something else is wanted than before: source_wants says what. Any thread; may only wake the
     * filler. */
    void (*wake)(void *ctx);
    void (*closed)(void *ctx);
};
/* A file of identity->size bytes, of which nothing is there yet. Takes `fd`. BUSY: too many are open;
 * IO. On failure `closed` is not called. */
MUST_CHECK enum err source_new_sparse(int *fd, const struct source_identity *identity,
                                      const struct source_filler *filler, struct source **out);
/* These bytes were written, and can be read by everyone. One thread at a time calls these three. */
void source_fill(struct source *source, const struct span *filled);
/* These are about to be taken away again: who reads them now is waited for (not on a loop); then the
 * caller may punch. */
void source_drop(struct source *source, const struct span *dropped);
/* Nothing more will come: all who wait, now or later, hear `kind` and why. */
void source_fail(struct source *source, enum err kind, const struct why *why);

struct source_wanted {
    struct span span; /* whole blocks, some of them missing */
    enum source_urgency urgency;
};
/* What is wanted, the most urgent first, of that the oldest: the first `room`. Returns how many. */
size_t source_wants(const struct source *source, struct source_wanted *out, size_t room);
