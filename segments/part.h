/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment on its way into a sink: encoded samples are gathered and leave as parts (moof + mdat),
 * styp before the first. Internal to segments/. Threads: each belongs to one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "segments/mux.h"
#include "segments/sink.h"

struct part_writer {
    const struct sink *sink; /* borrowed */
    uint32_t sequence;
    bool is_video;
    /* of the part being gathered */
    uint64_t decode_time;
    struct str payload; /* append a sample's bytes here, then part_add */
    struct mux_sample *samples;
    uint32_t count, _room;
    bool _has_begun;
};

void part_init(struct part_writer *part, const struct sink *sink, uint32_t sequence, bool is_video);
void part_fini(struct part_writer *part);

/* One more sample, whose bytes are in the payload. `decode_time` counts for a part's first. */
void part_add(struct part_writer *part, const struct mux_sample *sample, uint64_t decode_time);
/* Sends what was gathered, if anything. What the sink says; LIMIT. */
MUST_CHECK enum err part_flush(struct part_writer *part);
