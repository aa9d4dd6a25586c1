/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BANDWIDTH and AVERAGE-BANDWIDTH of copies, from the index (decision 14, RFC 8216 4.3.4.2): exact
 * for MP4, whose tables tell every size; for Matroska an upper bound from where clusters stand.
 * Internal to engine_plan. */
#pragma once

#include "segments/planner.h"

/* Sets both rates of a copied rendition of the plan, which is complete but for them. */
void bandwidth_of_copy(struct planner *planner, uint32_t rendition);
/* The same of I-frames, copied or not (RFC 8216 4.3.4.3). */
void bandwidth_of_iframes(struct planner *planner, uint32_t rendition);

/* What the film's picture takes at most over some seconds, bit/s: of the copy where there is one,
 * whose rates are set; else a guess from all the film's bytes. */
uint64_t bandwidth_of_source(const struct planner *planner);

/* The largest rate, bit/s, over runs of pieces that last from half to one and a half of `target`
 * (or single pieces where none does). `bytes` of piece i, which begins at starts[i] and ends at
 * starts[i + 1], ticks of `timescale`. */
uint64_t bandwidth_peak(const uint64_t *bytes, const int64_t *starts, uint32_t count,
                        uint32_t timescale, uint32_t target_s);
