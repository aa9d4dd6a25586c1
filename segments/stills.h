/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures that stand alone, for those who leaf through a film: decoded from key frames by themselves
 * wherever the plan or the container knows one, which costs a hundredth of decoding all. Internal to
 * segments/. Life: stays warm between calls; after CANCELLED, IO or GONE only closed.
 * Threads: each belongs to one at a time. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/decode.h"
#include "segments/plan.h"
#include "segments/segments.h"

struct AVFrame;
struct stills;

/* Borrows `input` and `plan`. Opens nothing yet. */
struct stills *stills_new(struct input *input, const struct plan *plan, uint32_t track);
/* NULL is accepted. */
void stills_close(struct stills **stills);
void stills_set_asker(struct stills *stills, const struct asker *asker);
uint32_t stills_track(const struct stills *stills);

/* Finds the key frame at or before source time `ns`, or the first, and its time, without decoding
 * it. NOT_FOUND: there is none. */
MUST_CHECK enum err stills_find(struct stills *stills, int64_t ns, int64_t *at_ns, struct why *why);
/* The same of media time `ns` - T0, with the help of the plan's keys: the one shown then. */
MUST_CHECK enum err stills_find_at(struct stills *stills, int64_t ns, int64_t *at_ns,
                                   struct why *why);
/* Lends the picture of the key found last until the next call. BAD_MEDIA: it does not decode. */
MUST_CHECK enum err stills_show(struct stills *stills, const struct AVFrame **out);

/* Segment `n` of a transcoded rendition of I-frames: one IDR picture, and sets the output's result. OK:
 * `stills` is warm; else it can only be closed. */
MUST_CHECK enum err stills_make(struct stills *stills, const struct engine_options *options,
                                uint32_t n, struct engine_output *output);
