/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One segment of video transcodes: pictures on the grid, through a filter and an encoder for each
 * output, out in parts. Internal to segments/. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "segments/pictures.h"
#include "segments/plan.h"
#include "segments/screens.h"
#include "segments/segments.h"

/* Frames of the first part: a picture, as soon as there is one. */
#define VIDEO_FIRST_PART_FRAMES 1
/* Of the others: about half a second. */
#define VIDEO_PART_FRAMES 12

/* Makes segment `n` of the outputs, all of pictures_track's track, and sets their results; `screens` are
 * drawn into them (NULL: nothing is). The
 * answer concerns `pictures`: OK: warm, stands behind the segment or can be sent elsewhere; else it
 * can only be closed. */
MUST_CHECK enum err video_make(struct pictures *pictures, const struct plan *plan,
                               const struct engine_options *options, uint32_t n,
                               struct engine_output *outputs, size_t output_count,
                               const struct screens *screens, const struct asker *asker);
