/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CMAF media segments, written by hand: styp, then parts of moof + mdat (ISO 14496-12 8.8, ISO
 * 23000-19 7.3). Initial segments are init.h's. Track id is 1 in every rendition; no edit lists.
 * Threads: each call stands alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct mux_sample {
    uint32_t size;
    uint32_t duration;
    int32_t composition; /* PTS - DTS, trun version 1 */
    bool is_sync;
};

struct mux_part {
    uint32_t sequence;    /* mfhd: 1 + segment number, the same in all parts of a segment */
    uint64_t decode_time; /* tfdt version 1, offset included */
    bool is_video;        /* per-sample flags and composition offsets (0xF01), else 0x301 */
    const struct mux_sample *samples;
    uint32_t count;
};

/* Appends styp (msdh; msdh msix cmfc). */
void mux_segment_type(struct str *out);
/* Appends moof and the 8 byte header of mdat; the samples' bytes follow, in order. LIMIT: more
 * than 4 GiB - 1 of payload. */
MUST_CHECK enum err mux_part_header(const struct mux_part *part, struct str *out);

/* Decode times for samples in decode order from presentation times alone (segment-engine 3): the
 * sorted times, each less `delay`. `pts` holds `count` times in decode order, `next_pts` the
 * earliest of the next part or segment (or the end). Fills samples[].duration and .composition,
 * and *decode_time (without offset; may be below 0 only if delay > first pts). */
void mux_time_samples(const int64_t *pts, uint32_t count, int64_t next_pts, uint32_t delay,
                      struct mux_sample *samples, int64_t *decode_time);
