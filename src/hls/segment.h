/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment that grows: a list of pieces, each some bytes that the media process wrote or an extent
 * of the source, appended while it is made and sent by any number of readers meanwhile. Counted.
 * Life: making -> done | failed; pieces are only ever appended, so a reader keeps an index.
 * Threads: one maker (the hub), readers anywhere; a listener is called on its own mailbox's loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/why.h"
#include "hls/media.h"

struct segment;
struct segment_listener;

enum segment_state { SEGMENT_MAKING, SEGMENT_DONE, SEGMENT_FAILED };
enum { SEGMENT_TAG_SIZE = 40 };

/* What a reader sees at one moment. */
struct segment_view {
    enum segment_state state;
    enum err kind;              /* of a failure; AGAIN: it is being made anew, ask again */
    size_t pieces;              /* so far */
    bool has_part;              /* the first moof + mdat is whole */
    size_t part_pieces;         /* how many pieces that is */
    uint64_t bytes;             /* of all pieces so far; the body's length when done */
    int64_t part_ms;            /* clock_mono_ms of the first whole part; 0 = none yet */
    char tag[SEGMENT_TAG_SIZE]; /* strong ETag of a done one, with its quotes */
};

/* One that is being made into the memory file `fd`, which is taken. */
struct segment *segment_new(int *fd);
/* Done ones: a copy of `made` (done) whose bytes are `bytes` (taken; mem_free) instead of a file. */
struct segment *segment_new_recipe(const struct segment *made, uint8_t **bytes, size_t size);
/* `size` bytes at `offset` of a file on disk; `fd` is taken. */
struct segment *segment_new_stored(int *fd, uint64_t offset, uint64_t size, const char *tag);
/* All of a source: what /raw sends. */
struct segment *segment_new_source(uint64_t size, const char *tag);
struct segment *segment_ref(struct segment *segment);
/* NULL is accepted; *segment is NULL afterwards. */
void segment_unref(struct segment **segment);

/* --- the maker --- */
void segment_append(struct segment *segment, const struct media_piece *pieces, size_t count,
                    bool part_end);
void segment_finish(struct segment *segment, const char *tag);
void segment_fail(struct segment *segment, enum err kind, const struct why *why);

/* --- readers --- */
void segment_look(struct segment *segment, struct segment_view *out);
/* Why it failed. */
void segment_why(struct segment *segment, struct why *out);
/* Copies pieces from index `from` on, at most `max`; returns how many. */
size_t segment_pieces(struct segment *segment, size_t from, struct media_piece *out, size_t max);
/* Bytes of a piece that is not of the source. AGAIN: not in memory, read on a pool. IO: short. */
MUST_CHECK enum err segment_read_now(struct segment *segment, void *into, size_t size,
                                     uint64_t offset, size_t *got);
/* The same, sleeping. */
MUST_CHECK enum err segment_read(struct segment *segment, void *into, size_t size, uint64_t offset,
                                 size_t *got);
/* Where bytes of a piece that is not of the source are: at *bytes, or, where that is NULL, at *from of the
 * fd, lent like it. False: they would have to be waited for, or its maker still has the file: pages that
 * a socket holds would keep it from being sealed. */
bool segment_lend(struct segment *segment, uint64_t offset, uint64_t size, const void **bytes,
                  int *fd, uint64_t *from);
/* Lent; -1 where the bytes are not in a file. */
int segment_fd(const struct segment *segment);
/* What it costs to keep it in memory. */
uint64_t segment_memory(struct segment *segment);

/* `changed(ctx)` on `mailbox`'s loop after each change from now on; several changes may be one
 * call. */
struct segment_listener *segment_listen(struct segment *segment, struct mailbox *mailbox,
                                        task_fn *changed, void *ctx);
/* On the mailbox's loop: no call after this. *listener is NULL afterwards; NULL is accepted. */
void segment_unlisten(struct segment *segment, struct segment_listener **listener);
