/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subtitles of films as WebVTT: the events of a track that stand in a segment's time, read sparsely
 * (container_events) and converted one by one. What a segment holds follows from film, plan and
 * number alone. Threads: any number of calls at once. */
#pragma once

#include "base/err.h"
#include "segments/container.h"
#include "segments/plan.h"
#include "segments/sink.h"
#include "segments/vtt.h"

/* Why this track is not offered, neither as text nor as pictures (screens.h); "" = it is. Constant. */
const char *subtitle_refusal(enum plan_container container, const struct plan_track *track);
/* Why it is not offered as text. */
const char *subtitle_text_refusal(enum plan_container container, const struct plan_track *track);

/* Many files say what a track is for in its title alone: "English (SDH)", "Forced". Sets flags. */
void subtitle_read_title(struct plan_track *track);

/* Segment n of a subtitle's rendition: a file with X-TIMESTAMP-MAP in which every cue stands that
 * overlaps the segment (RFC 8216 3.5). NOT_FOUND, BAD_MEDIA: the track cannot be read; IO;
 * CANCELLED; GONE; what the sink says. */
MUST_CHECK enum err subtitle_segment(struct container *container, struct reader *reader,
                                     const struct plan *plan, uint32_t rendition, uint32_t n,
                                     const struct sink *sink);

/* Appends the events of container track `track` that overlap [from_ns, to_ns), and some around, as
 * cues whose times count from `t0_ns`; the list is not finished. */
MUST_CHECK enum err subtitle_collect(struct container *container, struct reader *reader,
                                     uint32_t track, int64_t from_ns, int64_t to_ns, int64_t t0_ns,
                                     struct vtt_list *list);
