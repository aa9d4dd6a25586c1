/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loudness of a transcode's sound: what would clip is taken back, and for the night loud and soft are
 * brought together. The gain at each sample follows from the samples within a fixed distance of it and
 * from nothing before, so that segments made by different runs are the same and meet without a step.
 * Internal to segments/. Threads: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum dynamics {
    DYNAMICS_NONE,
    DYNAMICS_LIMIT, /* peaks above -1 dB full scale; all else stays as it is, to the bit */
    DYNAMICS_NIGHT, /* compressed 3:1 around -24 dB full scale, then limited */
};

/* Samples in a step of the gain; it goes in a straight line between two. */
#define DYNAMICS_BLOCK 64

/* How far on each side of a sample its gain looks: a multiple of DYNAMICS_BLOCK. */
size_t dynamics_margin(enum dynamics dynamics, uint32_t rate);

/* In place, on `count` samples of each of `channel_count` channels, which share one gain. The first
 * stands at a multiple of DYNAMICS_BLOCK of the timeline, as its number does; `count` is one too. The
 * outermost dynamics_margin() samples on each side are of no use afterwards. */
void dynamics_apply(enum dynamics dynamics, uint32_t rate, float *const *channels,
                    unsigned channel_count, size_t count);
