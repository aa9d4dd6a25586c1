/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One segment of an AAC transcode: decoded, mixed (mix.h), placed by position, kept from
 * clipping or made even for the night (dynamics.h), coded on the grid of AAC frames
 * (segment-engine 6). Internal to segments/. */
#pragma once

#include <stdint.h>

#include "segments/decode.h"
#include "segments/plan.h"
#include "segments/segments.h"

/* Makes segment `n` of the output and sets its result. The answer concerns `decoder`: OK: can be
 * used again; else only closed. */
MUST_CHECK enum err audio_make(struct decoder *decoder, const struct plan *plan, uint32_t n,
                               struct engine_output *output, const struct asker *asker);
