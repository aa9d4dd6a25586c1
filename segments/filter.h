/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a decoded frame to what a rendition's encoder takes: deinterlaced, upright, scaled to square
 * pixels and even sizes, 8-bit 4:2:0 in the narrow range, HDR brought to SDR. A change of the
 * source's size or format makes a new graph; the rendition's size stays.
 * Internal to segments/. Threads: each filter belongs to one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "segments/plan.h"

struct AVFrame;
struct filter;

/* Whether frames of the track may be two fields, whatever the container calls it: then each is looked
 * at. */
bool filter_may_be_interlaced(const struct plan_track *track);

/* PQ and HLG (ISO 23091-2 8.2: 16, 18). */
bool filter_is_hdr(uint8_t color_transfer);
/* Whether this build can bring HDR to SDR. */
bool filter_can_tonemap(void);

/* Borrows `track`. Nothing is set up before the first frame. */
struct filter *filter_new(const struct plan_track *track, uint32_t width, uint32_t height,
                          bool deinterlace, uint32_t threads);
void filter_free(struct filter **filter);
/* What comes out is as JPEG has it (JFIF 1.02): full range, the matrix of BT.601. Before the first
 * frame. */
void filter_for_jpeg(struct filter *filter);

/* Takes a reference of `frame`, shown in `slot`. BAD_MEDIA: no graph takes it. */
MUST_CHECK enum err filter_push(struct filter *filter, const struct AVFrame *frame, int64_t slot);
/* No more frames come: those that waited for a neighbour come out. */
MUST_CHECK enum err filter_end(struct filter *filter);
/* The next finished frame, its slot in frame->pts. AGAIN: push first. */
MUST_CHECK enum err filter_pull(struct filter *filter, struct AVFrame *frame);
