/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which pieces of a torrent first, for who is watching (torrent-engine 3, where each rule was measured):
 * what a viewer begins with gets deadlines, few of them, since the first one cancels all else that was
 * asked for; after that the pieces come in order from the lowest viewer on, those before it wait. Where
 * little is left behind the viewers, nothing waits, so that no peer stands idle.
 * Computes, and touches nothing. Threads: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/spans.h"
#include "torrent/shim.h"

struct picker;

struct picker *picker_new(uint32_t pieces, uint32_t piece_bytes, uint64_t size);
void picker_free(struct picker **picker);
/* Whether some wanted file lies in the piece; at first none does. */
void picker_want(struct picker *picker, uint32_t piece, bool is_wanted);
/* libtorrent has every piece at 4 or 0 now, as picker_want said, and no deadlines. */
void picker_begin(struct picker *picker);
/* It came; `false` after a check found it bad. */
void picker_have(struct picker *picker, uint32_t piece, bool is_here);

/* A peer that owed pieces is gone: what has a deadline goes before all that was asked of others. */
void picker_urge(struct picker *picker);

/* What somebody reads: bytes of the torrent, not all of them here. */
struct picker_read {
    struct span span;
    bool is_now;   /* somebody sleeps until they come */
    bool is_start; /* they are the first ones of a file */
    bool is_index; /* not asked for yet, but before the first picture */
};
struct picker_deadline {
    uint32_t piece;
    int ms;
};
/* To be told in this order. Lent until the next call. */
struct picker_moves {
    bool is_sequential;
    const uint32_t *cleared;
    size_t cleared_count;
    /* The first deadline where there is none makes libtorrent cancel what it asked for elsewhere. */
    const struct picker_deadline *set;
    size_t set_count;
    const struct shim_priority *priorities;
    size_t priority_count;
};
/* `rate` in bytes a second. Who reads nothing any more is forgotten; with `is_watched` false all are. */
void picker_plan(struct picker *picker, const struct picker_read *reads, size_t count,
                 bool is_watched, int64_t rate, int64_t now_ms, struct picker_moves *out);
