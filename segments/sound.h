/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stretch of a film's sound as samples, mixed to the channels of a transcode, each at its place on the timeline: decoded frames
 * come with times that are rounded (Matroska: to milliseconds) and are put where their codec's own
 * grid says. Holes, late starts and what lies beyond the film are silence.
 * Internal to segments/. Threads: each belongs to one at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "segments/mix.h"
#include "segments/plan.h"

struct AVFrame;
struct sound;

/* Borrows `plan`. `step_ns`: one tick of the times that frames come with. */
struct sound *sound_new(const struct plan *plan, uint32_t track, enum mix mix, int64_t step_ns);
void sound_free(struct sound **sound);

/* Takes a decoded frame of time `ns` (source). Frames of another rate than the first's are left
 * out. BAD_MEDIA: no way to these channels. */
MUST_CHECK enum err sound_add(struct sound *sound, const struct AVFrame *frame, int64_t ns);
/* Seconds of sound taken so far. */
double sound_seconds(const struct sound *sound);

/* Writes the samples [begin, begin+count) of the timeline at `rate` into each of mix_channels()
 * `channels`: what was added, silence elsewhere, before 0 and from E on. BAD_MEDIA: cannot be
 * resampled. */
MUST_CHECK enum err sound_render(struct sound *sound, uint32_t rate, int64_t begin, size_t count,
                                 float *const *channels);
