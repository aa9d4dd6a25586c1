/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments of copied renditions: the source's own packets behind headers of ours. Pictures go out
 * as parts of header bytes and extents of the source (decision 15); sound, small pictures and
 * header-stripped tracks as bytes. What a segment holds follows from film, plan and number alone:
 * the only thing kept between calls is the opened container, which never changes.
 * Threads: any number of calls at once. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/input.h"
#include "segments/plan.h"
#include "segments/segments.h"
#include "segments/sink.h"

struct copier;

/* Borrows both until copier_close. Reads nothing yet. */
struct copier *copier_open(struct input *input, const struct plan *plan);
/* No call may be under way. NULL is accepted. */
void copier_close(struct copier **copier);

/* The film's container, opened by the first who needs it; lent until copier_close. GONE: the film is
 * not the one the plan was made of; BAD_MEDIA; IO; CANCELLED. */
struct container;
MUST_CHECK enum err copier_container(struct copier *copier, struct reader *reader, struct why *why,
                                     struct container **out);

/* Where a call stands; borrowed for it. */
struct copy_job {
    struct reader reader;
    uint32_t rendition, n;
    const struct sink *sink;
    engine_tick_fn *tick; /* may be NULL */
    void *tick_ctx;
    struct why *why;
    struct why *verdict; /* of engine_output */
};

/* Segment n of the copied rendition. GONE: the film is not what the plan says here (changed
 * parameter sets, a key that is missing, a hole in the sound), or became shorter; BAD_MEDIA; LIMIT;
 * IO; CANCELLED; what the sink says. */
MUST_CHECK enum err copier_segment(struct copier *copier, struct copy_job *job);
